//! One command without a shell, in a process group of its own, with a limit.
//!
//! Its output goes into a file of the run's folder and nowhere else; nothing of it is logged.

use crate::target::TargetError;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::timeout;

/// What of its output is kept, in bytes; the rest is read and dropped.
const KEPT: usize = 64 * 1024;
/// Between the request to end and the end that cannot be refused.
const GRACE: Duration = Duration::from_secs(2);
/// How long its pipes are read once it is gone: a child of it may hold them open for ever.
const DRAIN: Duration = Duration::from_millis(300);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Its limit passed, and it was ended with all processes of its group.
    TimedOut,
}

impl Ended {
    /// In words.
    #[must_use]
    pub fn in_words(self, within: Duration) -> String {
        match self {
            Self::Code(code) => format!("exit code {code}"),
            Self::Signal(signal) => format!("ended by signal {signal}"),
            Self::TimedOut => format!("not over within {} s, and ended", within.as_secs_f64()),
        }
    }
}

/// Ends the whole group when the wait for it is given up.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            let _ = killpg(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Runs a command to its end. What it writes is appended to `output` (mode 0600, made where it is not
/// there), below the command itself.
///
/// # Errors
/// When it cannot be started.
pub async fn run(
    arguments: &[String],
    directory: &Path,
    output: &Path,
    within: Duration,
) -> Result<Ended, TargetError> {
    let what = || format!("run {}", arguments.first().map_or("nothing", |it| it));
    let Some((program, rest)) = arguments.split_first() else {
        return Err(TargetError::new(what(), "there is no command"));
    };
    let mut child = tokio::process::Command::new(program)
        .args(rest)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| TargetError::new(what(), error))?;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let readers = [
        child.stdout.take().map(|pipe| read(pipe, kept.clone())),
        child.stderr.take().map(|pipe| read(pipe, kept.clone())),
    ];
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = Group(pid.map(Pid::from_raw));
    let ended = wait(&mut child, &group, within).await;
    if ended != Ended::TimedOut {
        // It ended by itself: what it left running in the background is meant to stay.
        group.0 = None;
    }
    let drained = async {
        for reader in readers.into_iter().flatten() {
            let _ = reader.await;
        }
    };
    let _ = timeout(DRAIN, drained).await;
    let text = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    // What cannot be kept is no reason not to go on: a full disk must not keep an undo from its turn.
    let _ = keep(output, arguments, &text, &ended.in_words(within));
    Ok(ended)
}

async fn wait(child: &mut Child, group: &Group, within: Duration) -> Ended {
    if let Ok(status) = timeout(within, child.wait()).await {
        return status.map_or(Ended::Signal(0), how);
    }
    group.signal(Signal::SIGTERM);
    let _ = timeout(GRACE, child.wait()).await;
    group.signal(Signal::SIGKILL);
    let _ = timeout(GRACE, child.wait()).await;
    Ended::TimedOut
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}

fn read(
    mut pipe: impl AsyncRead + Unpin + Send + 'static,
    kept: Arc<Mutex<Vec<u8>>>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut buffer = vec![0; 8192];
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = KEPT.saturating_sub(kept.len());
            kept.extend(buffer.iter().take(length.min(room)));
        }
    })
}

fn keep(output: &Path, arguments: &[String], text: &[u8], ended: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(output)?;
    let mut section = format!("$ {arguments:?}\n").into_bytes();
    section.extend_from_slice(text);
    if !text.is_empty() && !text.ends_with(b"\n") {
        section.push(b'\n');
    }
    let cut = if text.len() >= KEPT {
        "; its output is cut here"
    } else {
        ""
    };
    section.extend_from_slice(format!("# {ended}{cut}\n").as_bytes());
    file.write_all(&section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::os::unix::fs::PermissionsExt as _;

    async fn shell(script: &str, within: Duration) -> (Ended, String, u32) {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        let arguments = ["sh", "-c", script].map(str::to_owned);
        let ended = run(&arguments, folder.path(), &output, within)
            .await
            .unwrap();
        let mode = std::fs::metadata(&output).unwrap().permissions().mode();
        let text = String::from_utf8_lossy(&std::fs::read(&output).unwrap()).into_owned();
        (ended, text, mode & 0o777)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn code_and_output_are_kept_in_private() {
        let (ended, text, mode) = shell("echo out; echo err >&2; exit 3", LONG).await;
        assert_eq!((ended, mode), (Ended::Code(3), 0o600));
        assert!(text.contains("out\n") && text.contains("err\n"), "{text}");
        assert!(text.ends_with("# exit code 3\n"), "{text}");
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_still_ends() {
        let (ended, text, _) = shell("head -c 1000000 /dev/zero | tr '\\0' x", LONG).await;
        assert_eq!(ended, Ended::Code(0));
        assert!(text.len() < KEPT + 500, "{} bytes", text.len());
        assert!(text.contains("its output is cut here"));
    }

    #[tokio::test]
    async fn what_it_leaves_in_the_background_does_not_hold_the_drill() {
        let clock = Clock::start();
        let begin = clock.now();
        let (ended, text, _) = shell("sleep 20 & echo $!", LONG).await;
        assert_eq!(ended, Ended::Code(0));
        assert!(clock.now().since(begin) < Duration::from_secs(15));
        let pid: i32 = text.lines().nth(1).unwrap().parse().unwrap();
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it was left running");
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_ended_with_its_children() {
        let script = "trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000";
        let (ended, text, _) = shell(script, Duration::from_millis(300)).await;
        assert_eq!(ended, Ended::TimedOut);
        let pid: i32 = text.lines().nth(1).unwrap().parse().unwrap();
        let alive = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        for _ in 0..500 {
            if !alive() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {pid} lives on");
    }

    #[tokio::test]
    async fn one_that_cannot_be_started_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["/nowhere/at-all".to_owned()];
        let error = run(&arguments, folder.path(), &folder.path().join("o"), LONG)
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("run /nowhere/at-all: No such file"),
            "{error}"
        );
    }
}
