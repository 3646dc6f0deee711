//! Wakes a channel at its ticks, to within microseconds.
//!
//! The runtime's own timers know whole milliseconds only, which would make every answer look up to one
//! slower than it was and cannot tick five times in one. So the kernel is asked to wake the channel; where
//! it does not, or under a virtual clock, the runtime's timers serve.

use crate::clock::Clock;
use crate::event::Stamp;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// The ticks of one channel as the kernel tells them.
#[derive(Debug)]
pub(super) struct Alarm {
    clock: Clock,
    kernels: Option<Receiver>,
}

impl Alarm {
    /// Wakes at `first` and every `period` from then on. Must be made inside the runtime.
    pub(super) fn new(clock: Clock, first: Stamp, period: Duration) -> Self {
        let kernels = clock.origin_ns().and_then(|origin| {
            let first = Duration::from_nanos(origin) + Duration::from_micros(first.0);
            timer(first, period)
        });
        Self { clock, kernels }
    }

    /// Waits for a tick, of which the next one is due at `due`. May return early.
    pub(super) async fn wait(&mut self, due: Stamp) {
        if self.clock.now() >= due {
            return;
        }
        let Some(timer) = &mut self.kernels else {
            return self.clock.sleep_until(due).await;
        };
        // Reading it is what sets it going again. It tells in 8 bytes how many ticks have passed, which the
        // schedule knows better; a buffer that is not filled says that there is no more to read.
        if timer.read(&mut [0; 16]).await.is_ok() {
            return;
        }
        self.kernels = None;
        self.clock.sleep_until(due).await;
    }
}

/// A timer on the machine's monotonic clock, `None` where there is none to be had. It is read and waited for
/// as a pipe is.
fn timer(first: Duration, period: Duration) -> Option<Receiver> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).ok()?;
    let ticks = Expiration::IntervalDelayed(
        TimeSpec::from_duration(first),
        TimeSpec::from_duration(period),
    );
    timer
        .set(ticks, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
        .ok()?;
    Receiver::from_owned_fd_unchecked(OwnedFd::from(timer)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tick_comes_when_it_is_due_and_not_before() {
        let clock = Clock::start();
        let period = Duration::from_micros(300);
        let first = clock.now().plus(Duration::from_millis(2));
        let mut alarm = Alarm::new(clock, first, period);
        assert!(alarm.kernels.is_some());
        for k in 0..20 {
            let due = first.plus(period * k);
            while clock.now() < due {
                alarm.wait(due).await;
            }
        }
        assert!(clock.now() >= first.plus(period * 19));
    }

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_is_followed() {
        let clock = Clock::of_runtime();
        let due = clock.now().plus(Duration::from_secs(3600));
        let mut alarm = Alarm::new(clock, due, Duration::from_secs(1));
        alarm.wait(due).await;
        assert!(clock.now() >= due);
    }
}
