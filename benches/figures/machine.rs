//! Time, processor time and memory of this process and of others.

use firedrill::clock::Clock;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long something takes, and what it returns.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let clock = Clock::start();
    let result = work();
    (clock.now().since(firedrill::event::Stamp(0)), result)
}

/// The median of some times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What programs took of the processors.
#[derive(Clone, Copy, Default)]
pub struct Taken {
    /// User and system, all threads.
    pub processor: Duration,
    /// How often one waited for something to happen (voluntary context switches, getrusage(2)).
    pub waits: u64,
}

impl Taken {
    /// By this process until now.
    pub fn by_this() -> Self {
        Self::by(UsageWho::RUSAGE_SELF)
    }

    /// By all child processes that have ended.
    pub fn by_children() -> Self {
        Self::by(UsageWho::RUSAGE_CHILDREN)
    }

    fn by(who: UsageWho) -> Self {
        let usage = getrusage(who).expect("getrusage");
        let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Self {
            processor: Duration::from_micros(us as u64),
            waits: usage.voluntary_context_switches() as u64,
        }
    }

    /// Adds what was taken from one moment to another.
    pub fn add(&mut self, from: Self, to: Self) {
        self.processor += to.processor - from.processor;
        self.waits += to.waits - from.waits;
    }
}

/// The most memory that any ended child had in use, in MiB.
pub fn largest_child_mib() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    usage.max_rss() as f64 / 1024.0
}

/// Memory of this process in MiB: in use now, and the most since [`forget_peak`].
pub fn memory_mib() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it there");
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.map_or(0.0, |number| number.parse().unwrap_or(0.0))
    };
    (kib("VmRSS:") / 1024.0, kib("VmHWM:") / 1024.0)
}

/// Lets the peak of memory begin anew from what is in use now.
pub fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux takes it there");
}

/// The program `firedrill` as it is released.
pub fn firedrill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A folder of this project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder for large files, on the disk of the build and not in memory; removed when dropped.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build")
}
