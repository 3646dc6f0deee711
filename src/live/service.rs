//! Whether clients of one channel are served just now.
//!
//! A live figure is an estimate for the eye: without the stall limit, the observer's lateness and the
//! bounds, which only the measures know. It is marked "about" wherever it is shown.

use crate::event::slots::{Outcome, Slot};
use crate::event::{ChannelRecord, Stamp};
use std::time::Duration;

/// A change that people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// No service since this moment.
    Lost {
        /// When the last attempt that succeeded was sent.
        since: Stamp,
    },
    /// Served again.
    Back {
        /// When the first attempt that succeeded was answered.
        at: Stamp,
        /// About how long there was none.
        after: Duration,
    },
}

/// One channel, as far as its slots tell.
#[derive(Clone, Debug)]
pub struct Service {
    /// How it is probed.
    pub channel: ChannelRecord,
    /// What came of the newest attempt.
    pub last: Option<Outcome>,
    /// Since when there is no service.
    pub lost_since: Option<Stamp>,
    /// Since when ticks found no free session: slow so far, and only slow where nothing fails.
    slow_since: Option<Stamp>,
    /// When the newest good attempt was sent.
    last_good: Option<Stamp>,
    /// The newest attempt that was not good.
    last_bad: Stamp,
    /// The first good answer after it.
    first_good: Option<Stamp>,
}

impl Service {
    /// A channel of which nothing was seen yet.
    pub fn new(channel: ChannelRecord) -> Self {
        Self {
            channel,
            last: None,
            lost_since: None,
            slow_since: None,
            last_good: None,
            last_bad: Stamp(0),
            first_good: None,
        }
    }

    /// Whether it stands for clients, so that its outages are told.
    pub fn is_clients(&self) -> bool {
        self.channel.kind.is_clients()
    }

    /// Takes one settled attempt.
    pub fn take(&mut self, slot: Slot) -> Option<Turn> {
        self.last = Some(slot.outcome);
        match slot.outcome {
            Outcome::Acknowledged => self.good(slot),
            // A node that says it is in recovery is as it should be: nothing was asked of it.
            Outcome::InRecovery => None,
            _ => self.bad(slot),
        }
    }

    fn bad(&mut self, slot: Slot) -> Option<Turn> {
        self.last_bad = self.last_bad.max(slot.sent);
        self.first_good = None;
        if self.lost_since.is_some() {
            return None;
        }
        let since = self.last_good.unwrap_or(slot.sent);
        let since = *self.slow_since.get_or_insert(since);
        if slot.outcome == Outcome::NotSent {
            return None;
        }
        self.lost_since = Some(since);
        Some(Turn::Lost { since })
    }

    fn good(&mut self, slot: Slot) -> Option<Turn> {
        self.last_good = self.last_good.max(Some(slot.sent));
        let Some(since) = self.lost_since else {
            self.slow_since = None;
            return None;
        };
        if slot.sent < self.last_bad {
            return None;
        }
        let first = *self.first_good.get_or_insert(slot.settled);
        // A short good stretch inside an interruption is no end of it; the same gap joins outages.
        let join_us = self.channel.period_us.saturating_mul(5).max(250_000);
        if slot.sent.0 < self.last_bad.0.saturating_add(join_us) {
            return None;
        }
        self.lost_since = None;
        self.slow_since = None;
        Some(Turn::Back {
            at: first,
            after: first.since(since),
        })
    }
}

/// What came of an attempt, in a word or two.
pub fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Acknowledged => "ok".to_owned(),
        Outcome::AcknowledgedLate => "answered late".to_owned(),
        Outcome::Failed(class) => class.name(),
        Outcome::InDoubt(class) => format!("in doubt ({})", class.name()),
        Outcome::NotSent => "no free session".to_owned(),
        Outcome::InRecovery => "in recovery".to_owned(),
        Outcome::Stale => "old rows".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ChannelKind;
    use crate::event::slots::ErrorClass;

    fn service() -> Service {
        Service::new(ChannelRecord {
            name: "writer_pinned".to_owned(),
            kind: ChannelKind::WriterPinned,
            sessions: 4,
            t0: Stamp(0),
            period_us: 20_000,
            deadline_us: 500_000,
            stall_us: None,
        })
    }

    fn at(ms: u64, outcome: Outcome) -> Slot {
        Slot {
            k: ms / 20,
            sent: Stamp(ms * 1000),
            settled: Stamp(ms * 1000 + 2000),
            outcome,
        }
    }

    const REFUSED: Outcome = Outcome::Failed(ErrorClass::Refused);

    #[test]
    fn a_loss_of_service_and_its_return_are_told_once() {
        let mut service = service();
        let mut turns = Vec::new();
        for ms in (0..2000).step_by(20) {
            let outcome = if (400..1000).contains(&ms) {
                REFUSED
            } else {
                Outcome::Acknowledged
            };
            turns.extend(service.take(at(ms, outcome)));
        }
        assert_eq!(
            turns,
            [
                Turn::Lost {
                    since: Stamp(380_000)
                },
                Turn::Back {
                    at: Stamp(1_002_000),
                    after: Duration::from_millis(622)
                }
            ]
        );
    }

    #[test]
    fn one_good_answer_inside_an_outage_does_not_end_it() {
        let mut service = service();
        let mut turns = Vec::new();
        for ms in (0..2000).step_by(20) {
            let bad = (400..600).contains(&ms) || (700..1000).contains(&ms);
            let outcome = if bad { REFUSED } else { Outcome::Acknowledged };
            turns.extend(service.take(at(ms, outcome)));
        }
        assert_eq!(turns.len(), 2);
        assert_eq!(
            turns[1],
            Turn::Back {
                at: Stamp(1_002_000),
                after: Duration::from_millis(622)
            }
        );
    }

    #[test]
    fn ticks_without_a_free_session_are_slow_until_something_fails() {
        let mut service = service();
        for ms in (0..400).step_by(20) {
            assert_eq!(service.take(at(ms, Outcome::Acknowledged)), None);
        }
        assert_eq!(service.take(at(400, Outcome::NotSent)), None);
        assert_eq!(service.take(at(420, Outcome::Acknowledged)), None);
        assert_eq!(service.take(at(440, Outcome::NotSent)), None);
        let since = Stamp(420_000);
        assert_eq!(service.take(at(460, REFUSED)), Some(Turn::Lost { since }));
    }

    #[test]
    fn a_standby_that_is_in_recovery_is_no_loss() {
        assert_eq!(service().take(at(0, Outcome::InRecovery)), None);
    }
}
