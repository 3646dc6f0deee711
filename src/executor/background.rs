//! The load that a drill runs beside the probes: a program of the user's own, such as pgbench.
//!
//! It is started with the writer endpoint in its environment, in the words of libpq, so that no password
//! stands in its arguments; what it says goes into the run's folder. It is ended with the run, and dies with
//! the runner. It measures nothing.

use crate::clock::Clock;
use crate::event::{BackgroundEnded, Emitter, Event};
use crate::load::LoadPlan;
use crate::sql::Address;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Where in the run's folder its output goes.
pub const LOG_NAME: &str = "background.log";

/// How long it may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running program. Dropping it ends the program too.
#[derive(Debug)]
pub(super) struct Background {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    gone: Gone,
}

/// Tells how the program ended by itself, once it has.
pub(super) type Gone = watch::Receiver<Option<String>>;

impl Background {
    /// Starts the program. Emits `BackgroundBegan`, and `BackgroundEnded` when it ends.
    ///
    /// # Errors
    /// When it cannot be started, in one line.
    pub(super) fn start(
        run: &[String],
        load: &LoadPlan,
        clock: Clock,
        emitter: Emitter,
    ) -> Result<Self, String> {
        let filled: Vec<String> = run.iter().map(|word| fill(word, &load.writer)).collect();
        let program = filled.first().map_or("nothing", String::as_str).to_owned();
        let child = spawn(&filled, load).map_err(|error| format!("{program}: {error}"))?;
        let command = filled.join(" ");
        emitter.emit(clock.now(), Event::BackgroundBegan { command });
        let (stop, stopped) = oneshot::channel();
        let (went, gone) = watch::channel(None);
        let ended = tokio::spawn(async move {
            let ended = watch_over(child, stopped).await;
            went.send_replace((!ended.asked).then(|| ended.how.clone()));
            emitter.emit(clock.now(), Event::BackgroundEnded(ended));
        });
        Ok(Self { stop, ended, gone })
    }

    /// How it ended by itself, to be asked later.
    pub(super) fn gone(&self) -> Gone {
        self.gone.clone()
    }

    /// Ends the program, and waits until it is gone.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.ended.await;
    }
}

/// Fills in what a word of the command says of the writer endpoint.
fn fill(word: &str, writer: &Address) -> String {
    let values = [
        ("{{writer.host}}", writer.host.clone()),
        ("{{writer.port}}", writer.port.to_string()),
        ("{{writer.user}}", writer.user.clone()),
        ("{{writer.database}}", writer.database.clone()),
    ];
    values
        .into_iter()
        .fold(word.to_owned(), |word, (name, value)| {
            word.replace(name, &value)
        })
}

/// Starts the program by way of this one, which asks the kernel to be ended with its parent and then becomes
/// it: a runner that was killed leaves no load behind.
fn spawn(run: &[String], load: &LoadPlan) -> std::io::Result<Child> {
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(load.folder.join(LOG_NAME))?;
    let writer = &load.writer;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["background", "--parent", &std::process::id().to_string()])
        .arg("--")
        .args(run)
        .env("PGHOST", &writer.host)
        .env("PGPORT", writer.port.to_string())
        .env("PGUSER", &writer.user)
        .env("PGDATABASE", &writer.database)
        .env("PGAPPNAME", format!("firedrill-{}-background", load.run))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C in the runner's terminal is the runner's.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(password) = &writer.password {
        command.env("PGPASSWORD", password.reveal());
    }
    command.spawn()
}

/// Waits until the program ends by itself, or is to be stopped.
async fn watch_over(mut child: Child, stopped: oneshot::Receiver<()>) -> BackgroundEnded {
    tokio::select! {
        status = child.wait() => BackgroundEnded { how: in_words(status), asked: false },
        _ = stopped => {
            signal(&child, Signal::SIGTERM);
            let status = match timeout(PATIENCE, child.wait()).await {
                Ok(status) => status,
                Err(_) => {
                    signal(&child, Signal::SIGKILL);
                    child.wait().await
                }
            };
            BackgroundEnded { how: in_words(status), asked: true }
        }
    }
}

/// To the whole group that it leads. A child that was waited for has no id any more.
fn signal(child: &Child, signal: Signal) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // One that has just ended is what was wanted.
        let _ = killpg(Pid::from_raw(id), signal);
    }
}

fn in_words(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Address;

    #[test]
    fn the_endpoint_is_filled_in_and_nothing_else() {
        let writer = Address {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            user: "app".to_owned(),
            password: None,
            database: "orders".to_owned(),
            application: String::new(),
            simulated: None,
            way: None,
        };
        let word = "--dsn={{writer.user}}@{{writer.host}}:{{writer.port}}/{{writer.database}}{{x}}";
        assert_eq!(fill(word, &writer), "--dsn=app@127.0.0.1:5432/orders{{x}}");
    }
}
