//! Who this process is, in words that another process can check after it died.

use serde::{Deserialize, Serialize};
use std::fs;

/// A process, known beyond the reuse of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runner {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot (`/proc/PID/stat` field 22); 0 where it could not be read.
    pub started: u64,
}

impl Runner {
    /// The process that asks.
    #[must_use]
    pub fn this_process() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// Whether this very process still lives (a zombie counts: it still has its number).
    #[must_use]
    pub fn lives(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// Start time of a process in ticks since boot.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in brackets and may hold spaces and brackets itself, so that
    // counting begins after the last one: what follows is field 3.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// Names this boot of the machine: after another one, stamps of the monotonic clock mean nothing and
/// every process is gone. Empty where the system does not tell.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_start_time_does_not() {
        let me = Runner::this_process();
        assert!(me.started > 0);
        assert!(me.lives());
        let reused = Runner {
            started: me.started + 1,
            ..me
        };
        assert!(!reused.lives());
    }
}
