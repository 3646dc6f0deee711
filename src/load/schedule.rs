//! When attempts are due: an open loop. Slot k of a channel is due at `t0 + k * period`, whatever became of
//! the ones before; a tick that was overslept is still accounted for.

use super::alarm::Alarm;
use crate::clock::Clock;
use crate::event::Stamp;
use std::time::Duration;

/// The ticks of one channel, as they come.
#[derive(Debug)]
pub(super) struct Ticks {
    clock: Clock,
    schedule: Schedule,
    alarm: Alarm,
    period: Duration,
    /// How far the channel is behind by its own fault.
    pub(super) catch_up: CatchUp,
}

impl Ticks {
    /// Must be made inside the runtime.
    pub(super) fn new(clock: Clock, schedule: Schedule, period: Duration) -> Self {
        Self {
            clock,
            alarm: Alarm::new(clock, schedule.next_due(), period),
            schedule,
            period,
            catch_up: CatchUp::default(),
        }
    }

    /// The next slot, as soon as it is due; `None` when the channel was told meanwhile to stop.
    pub(super) async fn next(&mut self, is_stopping: impl Fn() -> bool) -> Option<u64> {
        loop {
            let from = self.clock.now();
            if let Some(k) = self.schedule.take(from) {
                return Some(k);
            }
            let due = self.schedule.next_due();
            self.alarm.wait(due).await;
            if is_stopping() {
                return None;
            }
            let woke = self.clock.now();
            self.catch_up.slept(from, due, woke, self.period);
        }
    }
}

/// When the slots of one channel are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    t0: Stamp,
    period_us: u64,
    next: u64,
}

impl Schedule {
    pub(super) fn new(t0: Stamp, period: Duration) -> Self {
        Self {
            t0,
            period_us: (period.as_micros() as u64).max(1),
            next: 0,
        }
    }

    /// When the next slot is due.
    pub(super) fn next_due(&self) -> Stamp {
        Stamp(self.t0.0 + self.next * self.period_us)
    }

    /// The next slot that is due by `now`.
    pub(super) fn take(&mut self, now: Stamp) -> Option<u64> {
        if self.next_due() > now {
            return None;
        }
        let k = self.next;
        self.next += 1;
        Some(k)
    }
}

/// How long ticks may wait for a session after the observer overslept: its own burst of late ticks keeps the
/// sessions busy, and the server is not to blame for that.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Whether a channel is catching up with what the observer overslept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CatchUp {
    until: Stamp,
}

impl CatchUp {
    /// The channel began to sleep at `from`, wanted to wake at `due` and woke at `woke`. Time that it spent
    /// waiting for sessions is no oversleeping, so catching up ends even when the server hangs.
    pub(super) fn slept(&mut self, from: Stamp, due: Stamp, woke: Stamp, period: Duration) {
        if woke.since(from.max(due)) >= period / 2 {
            self.until = woke.plus(CATCH_UP);
        }
    }

    /// How long a tick may still wait for a session.
    pub(super) fn left(&self, now: Stamp) -> Duration {
        self.until.since(now)
    }

    /// A tick may still wait for a session.
    pub(super) fn may_wait(&self, now: Stamp) -> bool {
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overslept_tick_is_still_taken() {
        let mut ticks = Schedule::new(Stamp(1000), Duration::from_micros(100));
        assert_eq!(ticks.take(Stamp(999)), None);
        assert_eq!(ticks.take(Stamp(1000)), Some(0));
        assert_eq!(ticks.take(Stamp(1099)), None);
        let taken: Vec<u64> = std::iter::from_fn(|| ticks.take(Stamp(1420))).collect();
        assert_eq!(taken, [1, 2, 3, 4]);
        assert_eq!(ticks.next_due(), Stamp(1500));
    }

    #[test]
    fn only_oversleeping_lets_ticks_wait_and_not_for_long() {
        let period = Duration::from_millis(20);
        let at = |ms: u64| Stamp(ms * 1000);
        let mut catch_up = CatchUp::default();
        catch_up.slept(at(0), at(20), at(29), period);
        assert!(!catch_up.may_wait(at(29)), "ordinary jitter");
        catch_up.slept(at(29), at(40), at(130), period);
        assert!(catch_up.may_wait(at(130)));
        assert!(catch_up.may_wait(at(229)));
        // Ticks of 60 to 220 are overdue because they were waited for, not because of the observer.
        catch_up.slept(at(230), at(60), at(231), period);
        assert!(!catch_up.may_wait(at(231)));
    }
}
