//! A small second process that undoes when the runner died, however it died.
//!
//! It holds the reading end of a pipe whose only writing end is the runner's, so that the kernel tells it
//! of the runner's end. It acts only when it then also gets the journal's lock: a runner that lives keeps
//! it. It has a session of its own, so that neither a closed terminal nor a signal to the runner's group
//! reaches it. Its arguments hold the run's folder and nothing else, since anybody can read them.

use super::journal::{Journal, JournalError};
use super::open_runs::Registry;
use super::recover::{RecoverError, RecoverReport, Reopen, recover};
use crate::clock;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// File in the run's folder that takes the watchdog's words.
pub const LOG_NAME: &str = "watchdog.log";

/// The line by which the watchdog says that it is on guard.
const READY: &str = "ready";

/// How long the watchdog may take to come up.
const START: Duration = Duration::from_secs(10);

/// How long the watchdog waits for the lock after the pipe ended: a runner that dropped its end while it
/// still undoes by itself is left to it.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Why there is no watchdog. Then there must be no drill either.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// It could not be started.
    #[error("the watchdog could not be started: {0}")]
    Spawn(std::io::Error),
    /// It did not say that it is on guard.
    #[error("the watchdog did not come up; see {0}")]
    NotReady(PathBuf),
}

/// The runner's handle. While it lives, the watchdog waits.
#[derive(Debug)]
pub struct Watchdog {
    child: Child,
}

/// Starts the watchdog of a run, before its journal is opened: a runner that dies with its journal only just
/// opened is watched already. It is this very program with the arguments `watchdog --run-folder FOLDER`.
///
/// # Errors
/// When it is not on guard within ten seconds.
pub fn spawn(run_folder: &Path) -> Result<Watchdog, WatchdogError> {
    let program = std::env::current_exe().map_err(WatchdogError::Spawn)?;
    let run_folder = std::fs::canonicalize(run_folder).map_err(WatchdogError::Spawn)?;
    let mut command = Command::new(program);
    command.arg("watchdog").arg("--run-folder").arg(&run_folder);
    spawn_command(command, &run_folder)
}

/// Starts `command` as the watchdog. Pipes of std are close-on-exec, so that no server that the runner
/// starts keeps the writing end open.
fn spawn_command(mut command: Command, run_folder: &Path) -> Result<Watchdog, WatchdogError> {
    let path = run_folder.join(LOG_NAME);
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(WatchdogError::Spawn)?;
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // It must not keep a file system from being unmounted.
        .current_dir("/")
        .spawn()
        .map_err(WatchdogError::Spawn)?;
    let mut watchdog = Watchdog { child };
    if watchdog.comes_up() {
        return Ok(watchdog);
    }
    let _ = watchdog.child.kill();
    let _ = watchdog.child.wait();
    Err(WatchdogError::NotReady(path))
}

impl Watchdog {
    /// Waits for its line. It is read on a thread of its own, because a pipe has no deadline.
    fn comes_up(&mut self) -> bool {
        let Some(output) = self.child.stdout.take() else {
            return false;
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Read to its end, so that the watchdog never meets a closed pipe.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line == READY {
                    let _ = sender.send(());
                }
            }
        });
        receiver.recv_timeout(START).is_ok()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the watch, after the journal was closed and its owner dropped; the watchdog sees that and
    /// leaves. Waits up to `limit` for it, so that none is left behind; `None` when it is still there (it
    /// has something to undo).
    pub fn dismiss(mut self, limit: Duration) -> Option<ExitStatus> {
        drop(self.child.stdin.take());
        let clock = clock::Clock::start();
        let end = clock.now().plus(limit);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if clock.now() < end => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// How a watch ended.
#[derive(Debug)]
pub enum WatchEnd {
    /// The run had put everything back by itself.
    NothingToDo,
    /// The runner died, and this was done about it.
    Recovered(RecoverReport),
    /// It could not be undone; the text says why.
    GaveUp(String),
}

impl WatchEnd {
    /// Whether everything is put back.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::NothingToDo => true,
            Self::Recovered(report) => report.is_complete(),
            Self::GaveUp(_) => false,
        }
    }
}

/// The watchdog's whole life: waits until the pipe on standard input ends, takes the lock, undoes. What it
/// does is written to standard error, which is a file.
pub async fn watch(
    run_folder: &Path,
    kinds: &[&dyn Reopen],
    registry: Option<&Registry>,
) -> WatchEnd {
    // Fails only for a process that leads a group already, and then the terminal is not its own either.
    let session = nix::unistd::setsid();
    say(&format!(
        "on guard over {}{}",
        run_folder.display(),
        if session.is_ok() {
            ""
        } else {
            ", without a session of its own"
        }
    ));
    {
        let mut output = std::io::stdout().lock();
        // Nobody reads it where the runner died in this very moment; the pipe will say so.
        let _ = writeln!(output, "{READY}").and_then(|()| output.flush());
    }
    let pipe = tokio::task::spawn_blocking(until_the_pipe_ends);
    let _ = pipe.await;
    let end = act(run_folder, kinds, registry).await;
    match &end {
        WatchEnd::NothingToDo => say("the run put everything back"),
        WatchEnd::Recovered(report) => {
            for line in &report.undone {
                say(&format!("undone: {line}"));
            }
            for line in &report.failures {
                say(&format!("NOT undone: {line}"));
            }
        }
        WatchEnd::GaveUp(why) => say(&format!("NOT undone: {why}")),
    }
    end
}

fn until_the_pipe_ends() {
    let mut input = std::io::stdin().lock();
    let mut byte = [0; 64];
    loop {
        match input.read(&mut byte) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

async fn act(run_folder: &Path, kinds: &[&dyn Reopen], registry: Option<&Registry>) -> WatchEnd {
    let begun = tokio::time::Instant::now();
    let mut said = false;
    loop {
        match Journal::read(run_folder) {
            Ok(journal) if journal.is_closed() => {
                // The runner may have died between closing it and striking it off.
                if let Some(registry) = registry {
                    registry.forget(&journal.opened);
                }
                return WatchEnd::NothingToDo;
            }
            // The runner died before it could open one, so that it made nothing.
            Err(JournalError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return WatchEnd::NothingToDo;
            }
            _ => {}
        }
        match recover(run_folder, kinds, registry).await {
            Ok(report) if report.was_closed => return WatchEnd::NothingToDo,
            Ok(report) => return WatchEnd::Recovered(report),
            Err(RecoverError::Journal(held @ JournalError::Held { .. }))
                if begun.elapsed() < PATIENCE =>
            {
                if !said {
                    say(&format!("the pipe ended, and {held}: waiting for it"));
                    said = true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return WatchEnd::GaveUp(error.to_string()),
        }
    }
}

/// One line to the log; a full disk must not keep anything from being undone.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{} {text}", clock::wall());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::fault::Hit;
    use crate::target::TargetError;
    use crate::undo::JournalOwner;
    use crate::undo::journal::Opened;
    use crate::undo::recover::Reopened;
    use async_trait::async_trait;
    use serde_json::json;

    const FOLDER: &str = "FIREDRILL_TEST_WATCHED_FOLDER";

    /// Sweeps by removing a file, which stands for the throw-away cluster.
    struct OneFile;

    #[async_trait]
    impl Reopen for OneFile {
        fn kind(&self) -> &'static str {
            "local"
        }
        async fn reopen(&self, opened: &Opened) -> Result<Reopened, TargetError> {
            let file = opened.target_facts["file"].as_str().unwrap_or_default();
            std::fs::remove_file(file).map_err(|error| TargetError::new("remove", error))?;
            Ok(Reopened::Swept(String::from("its file was removed")))
        }
    }

    /// What the child process runs; it is no test and does nothing unless it is started as one.
    #[tokio::test]
    async fn as_the_child() {
        if let Some(folder) = std::env::var_os(FOLDER) {
            let end = watch(Path::new(&folder), &[&OneFile], None).await;
            assert!(end.is_complete());
        }
    }

    fn start(folder: &Path) -> Watchdog {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "undo::watchdog::tests::as_the_child",
                "--nocapture",
            ])
            .env(FOLDER, folder);
        spawn_command(command, folder).unwrap()
    }

    fn run_with_a_kill(folder: &Path) -> JournalOwner {
        let file = folder.join("cluster");
        std::fs::write(&file, "").unwrap();
        let facts = json!({ "file": file });
        let opened = Opened::by_this_process("r1", "local", "local:x", facts, Clock::start());
        let mut owner = JournalOwner::create(folder, opened).unwrap();
        let hit = Hit {
            node: String::from("node-1"),
            role: String::from("primary"),
            timeline: 1,
        };
        owner.intent("crash", &hit, "kill", json!({})).unwrap();
        owner
    }

    #[test]
    fn it_has_a_session_of_its_own_and_acts_when_pipe_and_lock_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let owner = run_with_a_kill(folder.path());
        let mut watchdog = start(folder.path());
        let pid = nix::unistd::Pid::from_raw(watchdog.pid() as i32);
        assert_eq!(nix::unistd::getsid(Some(pid)), Ok(pid));

        // The pipe's end alone is not enough: whoever holds the lock lives.
        drop(watchdog.child.stdin.take());
        std::thread::sleep(Duration::from_millis(300));
        assert!(folder.path().join("cluster").exists());
        assert_eq!(watchdog.child.try_wait().unwrap(), None);

        drop(owner);
        let status = watchdog.child.wait().unwrap();
        let said = std::fs::read_to_string(folder.path().join(LOG_NAME)).unwrap();
        assert!(status.success(), "{said}");
        assert!(said.contains("undone: kill of node-1"), "{said}");
        assert!(!folder.path().join("cluster").exists());
        assert!(Journal::read(folder.path()).unwrap().is_closed());
    }

    #[test]
    fn it_leaves_at_once_when_the_run_put_everything_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = run_with_a_kill(folder.path());
        let watchdog = start(folder.path());
        owner
            .done(1, crate::undo::journal::How::Undone, "leads")
            .unwrap();
        owner.close().unwrap();
        drop(owner);
        let status = watchdog.dismiss(Duration::from_secs(10));
        assert!(status.is_some_and(|status| status.success()));
        assert!(
            folder.path().join("cluster").exists(),
            "nothing was touched"
        );
    }

    #[test]
    fn a_runner_that_died_before_its_journal_left_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let watchdog = start(folder.path());
        let status = watchdog.dismiss(Duration::from_secs(10));
        assert!(status.is_some_and(|status| status.success()));
    }

    #[test]
    fn a_watchdog_that_does_not_come_up_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = spawn_command(Command::new("true"), folder.path()).unwrap_err();
        assert!(matches!(error, WatchdogError::NotReady(_)), "{error}");
    }
}
