//! Outages and stalls of a channel, each edge with the bounds between which it lies.
//!
//! The bounds rest on four stamps and not on the gap between two acknowledgements: an attempt that hangs
//! until its deadline says only that service ended some time after it was sent, and one that is answered
//! slowly says that service was back before it was answered. Taking the first and the last bad tick
//! instead is wrong by up to a deadline, and outside the truth in one reset of five.

use super::timeline::{Attempt, Timeline};
use crate::event::Stamp;
use crate::event::slots::{ErrorClass, Outcome, Slot};

/// The times that decide what is good on a channel, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Period T.
    pub period: u64,
    /// Deadline D of an attempt.
    pub deadline: u64,
    /// Stall limit B: an acknowledgement that took longer is not good.
    pub stall: u64,
    /// Largest latency of the baseline, L.
    pub latency: u64,
    /// The larger of L and what an attempt takes whose session must be opened anew.
    pub slowest: u64,
    /// Join gap J: interruptions with a shorter good stretch between them are one.
    pub join: u64,
}

impl Limits {
    /// Whether an attempt was served: acknowledged within B.
    #[must_use]
    pub fn is_good(&self, attempt: &Attempt) -> bool {
        attempt.slot.outcome == Outcome::Acknowledged && attempt.took_us() <= self.stall
    }
}

/// A run of slots that are not good, joined over good stretches shorter than J.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// It began at or after this: the last good attempt before it was sent (a0).
    pub began_after: Stamp,
    /// It had begun by this (a1).
    pub began_by: Stamp,
    /// It had not ended at this: the last bad slot was sent, or an unsent one was due an answer's time later
    /// (b0).
    pub lasted_until: Stamp,
    /// It had ended by this: the first good attempt after it was settled (b1); `None`: not by the end.
    pub ended_by: Option<Stamp>,
    /// The first moment at which one of its slots was known not to be good.
    pub known_bad: Stamp,
    /// Some slot failed or passed its deadline, which makes it an outage; else it is a stall.
    pub failed: bool,
}

impl Interruption {
    /// Whether it had certainly begun before `moment`.
    #[must_use]
    pub fn began_before(&self, moment: Stamp) -> bool {
        self.known_bad < moment
    }
}

/// Finds the interruptions of a channel, outages and stalls alike, in order.
///
/// A slot that is missing among settled ones is unanswered: it counts as bad once it was due longer than B
/// before the newest stamp of the channel.
#[must_use]
pub fn interruptions(timeline: &Timeline, limits: &Limits) -> Vec<Interruption> {
    let mut found: Vec<Interruption> = Vec::new();
    let mut scan = Scan {
        limits,
        last_good: None,
        open: None,
        good_since: 0,
        first_good_after: None,
        good_until: Stamp(0),
        bad_until: Stamp(0),
    };
    let newest = timeline.newest();
    let mut next = timeline.attempts().next().map_or(0, |first| first.slot.k);
    for part in timeline.parts() {
        if let Some(summary) = part.summary
            && scan.open.is_none()
            && summary.is_unbroken()
            && summary.first_k == next
            && summary.longest_us <= limits.stall
        {
            scan.last_good = Some(summary.sent_of_last);
            scan.good_until = scan.good_until.max(summary.last_settled);
            next = summary.last_k + 1;
            continue;
        }
        for attempt in part.attempts() {
            // A gap of many slots is a hole in the log or a machine that slept; its edges say enough.
            let gap = [next, attempt.slot.k.saturating_sub(1)];
            if next < attempt.slot.k {
                for k in gap {
                    let due = timeline.due(k);
                    if due.0.saturating_add(limits.stall) < newest.0 {
                        scan.bad(Bad::unanswered(due, limits), timeline.record.t0);
                    }
                }
            }
            next = attempt.slot.k + 1;
            if limits.is_good(&attempt) {
                scan.good(&attempt, &mut found);
            } else {
                let bad = match attempt.slot.outcome {
                    Outcome::NotSent => scan.unsent(&attempt.slot),
                    _ => Bad::of(&attempt, limits),
                };
                scan.bad(bad, timeline.record.t0);
            }
            scan.in_flight(&attempt);
        }
    }
    scan.finish(&mut found);
    found
}

/// What one bad slot says of the edges.
struct Bad {
    /// Service had not come back by this.
    out_at: Stamp,
    /// Service had ended by this.
    gone_by: Stamp,
    known: Stamp,
    failed: bool,
}

impl Bad {
    fn of(attempt: &Attempt, limits: &Limits) -> Self {
        let slot = &attempt.slot;
        // A server that answers with an error, or a network that resets, was broken by the time of that
        // answer. Silence says it too, by the time at which a normal answer would have come, also where an
        // error ended it later.
        let silent_by = Stamp(slot.sent.0.saturating_add(limits.latency));
        let gone_by = if is_answered(slot.outcome) {
            slot.settled.min(silent_by)
        } else {
            silent_by
        };
        let slow = Stamp(slot.sent.0.saturating_add(limits.stall));
        Self {
            out_at: slot.sent,
            gone_by,
            known: slow.min(slot.settled),
            failed: slot.outcome != Outcome::Acknowledged,
        }
    }

    fn unanswered(due: Stamp, limits: &Limits) -> Self {
        Self {
            out_at: due,
            gone_by: Stamp(due.0.saturating_add(limits.latency)),
            known: Stamp(due.0.saturating_add(limits.stall)),
            failed: false,
        }
    }
}

/// Whether somebody answered: an error or a reset, in contrast to silence and to slow acknowledgements.
fn is_answered(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Failed(class) | Outcome::InDoubt(class) => !matches!(
            class,
            ErrorClass::ConnectDeadline
                | ErrorClass::StartupDeadline
                | ErrorClass::StatementDeadline
        ),
        Outcome::Stale | Outcome::InRecovery => true,
        Outcome::Acknowledged | Outcome::AcknowledgedLate | Outcome::NotSent => false,
    }
}

/// The pass over the slots of a channel.
struct Scan<'a> {
    limits: &'a Limits,
    /// Send time of the newest good attempt that is not inside an interruption.
    last_good: Option<Stamp>,
    open: Option<Interruption>,
    /// Good slots in a row since the last bad one.
    good_since: u64,
    first_good_after: Option<Stamp>,
    /// When the last of the good attempts so far was settled, and the last of those that were sent and are
    /// not good: until then, one was under way.
    good_until: Stamp,
    bad_until: Stamp,
}

impl Scan<'_> {
    fn good(&mut self, attempt: &Attempt, found: &mut Vec<Interruption>) {
        if let Some(open) = self.open {
            // Behind a slow attempt that the outage caught, quicker ones were still served before it: they
            // say nothing of its end.
            if open.began_by != Stamp(u64::MAX) && attempt.slot.settled < open.began_by {
                return;
            }
            self.good_since += 1;
            self.first_good_after.get_or_insert(attempt.slot.settled);
            if self.good_since.saturating_mul(self.limits.period) < self.limits.join {
                return;
            }
            self.finish(found);
        }
        self.last_good = Some(attempt.slot.sent);
    }

    /// Remembers for how long an attempt was under way.
    fn in_flight(&mut self, attempt: &Attempt) {
        let until = if self.limits.is_good(attempt) {
            &mut self.good_until
        } else if attempt.slot.outcome == Outcome::NotSent {
            return;
        } else {
            &mut self.bad_until
        };
        *until = attempt.slot.settled.max(*until);
    }

    /// What a tick says that was not sent.
    fn unsent(&self, slot: &Slot) -> Bad {
        let limits = self.limits;
        let due = slot.sent.0;
        let mut gone_by = due.saturating_add(limits.latency);
        let out_at = if slot.sent < self.good_until {
            // Somebody was just being served: it was our own limit that left no session for this tick.
            gone_by = u64::MAX;
            0
        } else if slot.sent < self.bad_until {
            // Those that were sent were not answered yet, and an answer takes a while: service may have been
            // back for that long already.
            due.saturating_sub(limits.slowest)
        } else {
            // Nothing was under way, because a door that stands still is knocked at seldom: it may have
            // been open for as long as a server needs to work off what waits in front of it.
            due.saturating_sub(limits.stall)
        };
        Bad {
            out_at: Stamp(out_at),
            gone_by: Stamp(gone_by),
            known: Stamp(due.saturating_add(limits.stall)),
            failed: false,
        }
    }

    fn bad(&mut self, bad: Bad, origin: Stamp) {
        self.good_since = 0;
        self.first_good_after = None;
        let began_after = self.last_good.unwrap_or(origin);
        let open = self.open.get_or_insert(Interruption {
            began_after,
            began_by: bad.gone_by.max(began_after),
            lasted_until: bad.out_at.max(began_after),
            ended_by: None,
            known_bad: bad.known,
            failed: false,
        });
        open.began_by = open.began_by.min(bad.gone_by).max(open.began_after);
        open.lasted_until = open.lasted_until.max(bad.out_at);
        open.known_bad = open.known_bad.min(bad.known);
        open.failed |= bad.failed;
    }

    fn finish(&mut self, found: &mut Vec<Interruption>) {
        if let Some(mut done) = self.open.take() {
            // An answer cannot come before its own slot's predecessors were sent, except where stamps of
            // two threads cross by microseconds.
            done.ended_by = self
                .first_good_after
                .take()
                .map(|at| at.max(done.lasted_until));
            // Where no slot said anything of the beginning, it is only known that it came before the end.
            if done.began_by == Stamp(u64::MAX) {
                let by = done.ended_by.unwrap_or(done.lasted_until);
                done.began_by = by.max(done.began_after);
            }
            found.push(done);
        }
        self.good_since = 0;
    }
}
