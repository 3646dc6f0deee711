//! A process beside what a container runs, which goes on when whoever started it is gone.

use super::{Engine, EngineError, LONG, within};
use bollard::exec::{CreateExecOptions, StartExecOptions};

impl Engine {
    /// Starts a command in a container as a user, and waits for nothing of it. It is in the container's own control group,
    /// belongs to no terminal, and ends with the container.
    ///
    /// # Errors
    /// The engine's; that there is no such command is one, where it can tell.
    pub async fn start_beside(
        &self,
        user: &str,
        id: &str,
        command: &[&str],
    ) -> Result<(), EngineError> {
        let options = CreateExecOptions {
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            user: Some(user.to_owned()),
            attach_stdout: Some(false),
            attach_stderr: Some(false),
            ..CreateExecOptions::default()
        };
        let made = within(LONG, self.docker.create_exec(id, options)).await?;
        let detached = StartExecOptions {
            detach: true,
            ..StartExecOptions::default()
        };
        let started = self.docker.start_exec(&made.id, Some(detached));
        within(LONG, started).await.map(|_| ())
    }
}
