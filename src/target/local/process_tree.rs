//! Which processes belong to a node, and signals to them.
//!
//! A postmaster changes into its data directory and its children inherit that, so every process whose
//! working directory lies in a folder belongs to it. This finds orphans too, whose parent is gone, which
//! a walk from the postmaster down would miss. Reads Linux' /proc; zombies do not count, because they run
//! nothing and only wait to be collected.

use super::account::Account;
use crate::target::{ProcessId, ProcessSignal, ProcessState, TargetError};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, setfsgid, setfsuid};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// A living process of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number and start.
    pub id: ProcessId,
    /// Its parent's number.
    pub parent: i32,
    /// State letter of `/proc/PID/stat`.
    pub state: char,
    /// Its title, such as "postgres: node-1: walreceiver streaming 0/3000148".
    pub title: String,
}

/// How long dying processes may take to be gone; the kernel kills without asking, but busy disks delay it.
const DYING: Duration = Duration::from_secs(10);

/// All living processes whose working directory is `folder` or lies below it, postmasters first (a frozen
/// postmaster forks no more).
///
/// # Errors
/// When /proc cannot be read.
pub fn processes_in(folder: &Path, account: &Account) -> Result<Vec<Process>, TargetError> {
    let look = || -> std::io::Result<Vec<Process>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(entry) = entry else { continue };
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let inside =
                fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            if inside {
                // Between the two reads it may have gone.
                found.extend(read_process(pid));
            }
        }
        let members: Vec<i32> = found
            .iter()
            .map(|process: &Process| process.id.pid)
            .collect();
        found.sort_by_key(|process| (members.contains(&process.parent), process.id.started));
        Ok(found)
    };
    let found = if account.dropped {
        // Root in a container may lack CAP_SYS_PTRACE, without which the kernel hides the working
        // directory of another user's process (ptrace(2), PTRACE_MODE_READ_FSCREDS). The file-system
        // user of a thread decides, so one short-lived thread takes on the cluster's.
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    setfsgid(Gid::from_raw(account.gid));
                    setfsuid(Uid::from_raw(account.uid));
                    look()
                })
                .join()
                .unwrap_or_else(|_| Err(std::io::Error::other("the reading thread died")))
        })
    } else {
        look()
    };
    found.map_err(|error| TargetError::new("list the processes of a node", error))
}

/// Reads `/proc/PID/stat`: the name in parentheses may itself hold spaces and parentheses, so fields are
/// counted from the last closing one (proc(5)).
fn read_process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (state, parent, started) = parse_stat(&stat)?;
    if matches!(state, 'Z' | 'X') {
        return None;
    }
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title).replace('\0', " ");
    Some(Process {
        id: ProcessId { pid, started },
        parent,
        state,
        title: title.trim_end().to_owned(),
    })
}

fn parse_stat(stat: &str) -> Option<(char, i32, u64)> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // starttime is field 22; state was 3 and ppid 4.
    let started = fields.nth(17)?.parse().ok()?;
    Some((state, parent, started))
}

/// The state of one process now. A number that was given to another process counts as gone.
#[must_use]
pub fn state_of(id: ProcessId) -> ProcessState {
    match read_process(id.pid) {
        Some(process) if process.id == id => {
            if process.state == 'T' {
                ProcessState::Frozen
            } else {
                ProcessState::Alive
            }
        }
        _ => ProcessState::Gone,
    }
}

/// Signals one process; one that is gone is no error.
///
/// # Errors
/// When the system refuses.
pub fn signal(id: ProcessId, signal: ProcessSignal) -> Result<(), TargetError> {
    send(
        id,
        match signal {
            ProcessSignal::Freeze => Signal::SIGSTOP,
            ProcessSignal::Thaw => Signal::SIGCONT,
            ProcessSignal::Kill => Signal::SIGKILL,
        },
    )
}

/// Sends any signal, such as the ones by which PostgreSQL is stopped or reloaded.
///
/// # Errors
/// When the system refuses.
pub fn send(id: ProcessId, signal: Signal) -> Result<(), TargetError> {
    if state_of(id) == ProcessState::Gone {
        return Ok(());
    }
    match kill(Pid::from_raw(id.pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(TargetError::new(
            format!("send {signal} to process {}", id.pid),
            error,
        )),
    }
}

/// Kills every process in `folder` at once and returns when all are gone: the postmaster is frozen first,
/// so that nothing is forked or told meanwhile, and the list is taken again until it stays empty. Frozen
/// processes die like others. Blocks for some milliseconds.
///
/// # Errors
/// When processes are still there after a generous limit; the text lists them.
pub fn kill_all(folder: &Path, account: &Account) -> Result<usize, TargetError> {
    let mut killed = std::collections::BTreeSet::new();
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(1);
    loop {
        let found = processes_in(folder, account)?;
        if found.is_empty() {
            return Ok(killed.len());
        }
        if waited >= DYING {
            let left: Vec<String> = found
                .iter()
                .map(|process| format!("{} ({}, {})", process.id.pid, process.state, process.title))
                .collect();
            return Err(TargetError::new(
                format!("kill the processes in {}", folder.display()),
                format!("still there: {}", left.join("; ")),
            ));
        }
        if let Some(first) = found.first() {
            signal(first.id, ProcessSignal::Freeze)?;
        }
        for process in &found {
            signal(process.id, ProcessSignal::Kill)?;
            killed.insert(process.id.pid);
        }
        sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sleeper(folder: &Path, script: &str, account: &Account) -> std::process::Child {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).current_dir(folder);
        account.apply(&mut command);
        command.spawn().unwrap()
    }

    fn open_folder(account: &Account) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        account.own(folder.path()).unwrap();
        folder
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) T 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
        assert_eq!(parse_stat(stat), Some(('T', 7, 98765)));
    }

    #[test]
    fn the_whole_tree_dies_and_orphans_with_it() {
        let account = Account::choose().unwrap();
        let folder = open_folder(&account);
        let inside = folder.path().canonicalize().unwrap();
        // The shell ends at once: its sleeps are orphans, found by their folder alone.
        sleeper(&inside, "sleep 60 & sleep 60 & exit 0", &account)
            .wait()
            .unwrap();
        let mut child = sleeper(&inside, "sleep 60; true", &account);
        sleep(Duration::from_millis(100));
        assert_eq!(processes_in(&inside, &account).unwrap().len(), 4);
        assert_eq!(kill_all(&inside, &account).unwrap(), 4);
        assert_eq!(processes_in(&inside, &account).unwrap(), []);
        child.wait().unwrap();
        assert_eq!(kill_all(&inside, &account).unwrap(), 0);
    }

    #[test]
    fn freeze_thaw_and_gone_are_told_apart() {
        let account = Account::choose().unwrap();
        let folder = open_folder(&account);
        let inside = folder.path().canonicalize().unwrap();
        let mut child = sleeper(&inside, "exec sleep 60", &account);
        sleep(Duration::from_millis(50));
        let id = processes_in(&inside, &account).unwrap()[0].id;
        signal(id, ProcessSignal::Freeze).unwrap();
        sleep(Duration::from_millis(50));
        assert_eq!(state_of(id), ProcessState::Frozen);
        signal(id, ProcessSignal::Thaw).unwrap();
        sleep(Duration::from_millis(50));
        assert_eq!(state_of(id), ProcessState::Alive);
        signal(id, ProcessSignal::Freeze).unwrap();
        signal(id, ProcessSignal::Kill).unwrap();
        sleep(Duration::from_millis(50));
        // Not collected yet: a zombie, which counts as gone.
        assert_eq!(state_of(id), ProcessState::Gone);
        child.wait().unwrap();
        signal(id, ProcessSignal::Kill).unwrap();
        let reused = ProcessId {
            pid: 1,
            started: 99,
        };
        assert_eq!(state_of(reused), ProcessState::Gone);
    }
}
