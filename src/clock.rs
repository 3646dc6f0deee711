//! The only place that reads time.
//!
//! Everything else asks a [`Clock`], so that a simulated run can go by a virtual one, and so that nobody
//! measures with a wall clock that may be stepped. It lies beside the stations and not in `executor/`,
//! because probes, targets and the watchdog need it and must not import the executor.

use crate::event::Stamp;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Stamps moments as microseconds since one origin. Cheap to clone; clones share the origin.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// CLOCK_MONOTONIC of this machine; the origin is a reading of it in nanoseconds, valid in every
    /// process until the machine restarts.
    Machine { origin_ns: u64 },
    /// The clock of the tokio runtime, which tests pause and move by hand.
    Runtime { origin: tokio::time::Instant },
}

impl Clock {
    /// A clock on the machine's monotonic time whose origin is now.
    #[must_use]
    pub fn start() -> Self {
        Self::at_origin(monotonic_ns())
    }

    /// A clock that continues one that was started in another process of the same boot.
    #[must_use]
    pub fn at_origin(origin_ns: u64) -> Self {
        Self {
            source: Source::Machine { origin_ns },
        }
    }

    /// A clock that follows the tokio runtime's time, paused or not.
    #[must_use]
    pub fn of_runtime() -> Self {
        Self {
            source: Source::Runtime {
                origin: tokio::time::Instant::now(),
            },
        }
    }

    /// The origin in nanoseconds of CLOCK_MONOTONIC, to hand to another process; `None` for a virtual one.
    #[must_use]
    pub fn origin_ns(&self) -> Option<u64> {
        match self.source {
            Source::Machine { origin_ns } => Some(origin_ns),
            Source::Runtime { .. } => None,
        }
    }

    /// Whether it is the runtime's: then everything that is timed must run on that runtime.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.source, Source::Runtime { .. })
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Stamp {
        match self.source {
            Source::Machine { origin_ns } => Stamp(monotonic_ns().saturating_sub(origin_ns) / 1000),
            Source::Runtime { origin } => {
                Stamp((tokio::time::Instant::now() - origin).as_micros() as u64)
            }
        }
    }

    /// The wall clock that many seconds ago, for names only; by a virtual clock what stands for it, so that
    /// nothing in such a run depends on the day.
    #[must_use]
    pub fn wall_before(&self, seconds: u64) -> jiff::Timestamp {
        let now = match self.source {
            Source::Machine { .. } => wall(),
            Source::Runtime { .. } => virtual_wall(0),
        };
        let ago = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        now.checked_sub(ago).unwrap_or(jiff::Timestamp::MIN)
    }

    /// Sleeps until a moment of this clock.
    pub async fn sleep_until(&self, moment: Stamp) {
        let now = self.now();
        if moment > now {
            tokio::time::sleep(moment.since(now)).await;
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC).as_nanos() as u64
}

/// How much longer the machine has been up than awake: it grows when the machine sleeps.
#[must_use]
pub fn time_asleep() -> Duration {
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(read(ClockId::CLOCK_MONOTONIC))
}

fn read(clock: ClockId) -> Duration {
    // The clocks named here exist on every Linux; a failure would be a kernel without them.
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// What stands for the wall clock in a run under a virtual clock: so many seconds after the year 2000 began,
/// so that two runs of one seed say the same.
#[must_use]
pub fn virtual_wall(seconds: u32) -> jiff::Timestamp {
    const YEAR_2000: i64 = 946_684_800;
    jiff::Timestamp::from_second(YEAR_2000 + i64::from(seconds)).unwrap_or_default()
}

/// The wall clock, for display and names only.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
#[must_use]
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_knows_no_day() {
        let clock = Clock::of_runtime();
        let two_weeks = clock.wall_before(14 * 86_400);
        assert_eq!(two_weeks.to_string(), "1999-12-18T00:00:00Z");
        assert_eq!(clock.wall_before(u64::MAX), jiff::Timestamp::MIN);
        assert!(Clock::start().wall_before(1) > two_weeks);
    }
}
