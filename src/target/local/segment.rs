//! What a killed server leaves in the machine's shared memory.
//!
//! A postmaster holds a small System V segment as a guard against a second one on the same data
//! (`src/backend/port/sysv_shmem.c`). SIGKILL leaves it behind, and the next start on these data takes it away. Where
//! the data are removed instead, nobody would: it would stay until the machine is restarted, and a machine has 4096 of
//! them (`kernel.shmmni`).

use super::account::Account;
use crate::target::TargetError;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A segment as `postmaster.pid` has it in its seventh line (`src/include/utils/pidfile.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    key: u64,
    id: u64,
}

/// Takes away the segment of the server that ran on these data, which are about to be removed. Says whether there was one.
///
/// # Errors
/// When it is there, unused and ours, and cannot be taken away.
pub(crate) fn release(data: &Path, account: &Account) -> Result<bool, TargetError> {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return Ok(false);
    };
    let Some(segment) = segment(&text) else {
        return Ok(false);
    };
    if !is_left(&all(), segment, account.uid) {
        return Ok(false);
    }
    let asked = Command::new("ipcrm")
        .args(["-m", &segment.id.to_string()])
        .stdin(Stdio::null())
        .output();
    // Whoever was quicker has done the same.
    if !is_left(&all(), segment, account.uid) {
        return Ok(true);
    }
    let why = match asked {
        Ok(said) => String::from_utf8_lossy(&said.stderr).trim().to_owned(),
        Err(error) => format!("ipcrm (of util-linux) cannot be run: {error}"),
    };
    Err(TargetError::new(
        format!(
            "release the shared memory of {}: ipcrm -m {}",
            data.display(),
            segment.id
        ),
        why,
    ))
}

/// Every segment of this machine, as the kernel lists them (proc(5)).
fn all() -> String {
    fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default()
}

fn segment(postmaster_pid: &str) -> Option<Segment> {
    let mut words = postmaster_pid.lines().nth(6)?.split_ascii_whitespace();
    let key = words.next()?.parse().ok()?;
    let id = words.next()?.parse().ok()?;
    Some(Segment { key, id })
}

/// Whether the kernel lists it as that account's, and nobody uses it. An identifier can be given again, so that the key
/// has to be the same too.
fn is_left(listed: &str, segment: Segment, uid: u32) -> bool {
    listed.lines().skip(1).any(|line| {
        // key shmid perms size cpid lpid nattch uid …
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok());
        // The kernel prints the key as a signed number, PostgreSQL as an unsigned one.
        let key = number(0).and_then(|key| u32::try_from(key & 0xffff_ffff).ok());
        key.map(u64::from) == Some(segment.key)
            && number(1) == i64::try_from(segment.id).ok()
            && number(6) == Some(0)
            && number(7) == Some(i64::from(uid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID_FILE: &str =
        "4711\n/data\n1795792777\n20001\n/sockets\n127.0.0.1\n  10078465    131072\nready   \n";
    const LISTED: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid\n  \
        10078465     131072   600                    56 29729 30274      0   101   104   101\n -2147483647     \
        327681   600                    56  7887  7916      2   101   104   101\n";

    #[test]
    fn a_segment_is_read_from_the_servers_own_file() {
        let read = segment(PID_FILE).unwrap();
        assert_eq!((read.key, read.id), (10_078_465, 131_072));
        assert_eq!(segment("4711\n/data\n"), None);
        assert_eq!(segment(&PID_FILE.replace("131072", "-")), None);
    }

    #[test]
    fn only_one_that_nobody_uses_and_that_is_of_this_account_is_left() {
        let ours = segment(PID_FILE).unwrap();
        assert!(is_left(LISTED, ours, 101));
        assert!(!is_left(LISTED, ours, 0), "of another account");
        let again = Segment { key: 1, ..ours };
        assert!(!is_left(LISTED, again, 101), "the number was given again");
        let used = Segment {
            key: 0x8000_0001,
            id: 327_681,
        };
        assert!(!is_left(LISTED, used, 101), "in use");
        let gone = LISTED.replace("      2   101", "      0   101");
        assert!(is_left(&gone, used, 101), "a key above 2^31");
    }
}
