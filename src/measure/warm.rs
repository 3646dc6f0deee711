//! How long after the fault latency was back to what it had been.

use super::acts::Done;
use super::baseline;
use super::gathered::Gathered;
use super::outage::Interruption;
use super::timeline::Timeline;
use super::waiting::Waiting;
use crate::event::result::{Bounds, Known};
use crate::event::slots::Outcome;
use crate::event::{ChannelKind, Stamp};
use std::iter::Peekable;

/// For this long the 95th percentile must stay near the baseline's.
const HELD_US: u64 = 30_000_000;
/// Resolution in which the beginning of that time is looked for.
const STEP_US: u64 = 1_000_000;
/// Samples that a 95th percentile needs.
const ENOUGH: u64 = 200;

/// From the fault until the 95th percentile of writer_pinned was within 20 % of the baseline's for 30 s.
#[must_use]
pub fn measure(
    run: &Gathered,
    outage: Option<(Interruption, &Done)>,
    waiting: &Waiting,
) -> Known<Bounds> {
    let Some((outage, cause)) = outage else {
        return Known::missing("there was no outage to recover from");
    };
    let Some(end) = outage.ended_by else {
        return Known::missing("the outage did not end");
    };
    let (Some(pinned), Some(window)) = (
        run.channel_of(ChannelKind::WriterPinned),
        baseline::window(run),
    ) else {
        return Known::missing("writer_pinned was not probed");
    };
    let until = run.measured_until();
    if until.0.saturating_sub(end.0) < HELD_US {
        return Known::missing("measuring ended less than 30 s after the outage");
    }
    let Some(before) = percentile_of(pinned, window, 95, ENOUGH) else {
        return Known::missing("the baseline is too short for a 95th percentile");
    };
    let held = Held::new(pinned, before.saturating_mul(6) / 5, 95, ENOUGH, end);
    let Some((last_cold, from)) = held.first_near((end, until), HELD_US, STEP_US) else {
        return Known::missing("latency was not back to the baseline's while it was watched");
    };
    let since = |at: Stamp, from: Stamp| {
        let passed = waiting.at(at).0.saturating_sub(waiting.at(from).0);
        passed as f64 / 1000.0
    };
    Known::Observed(Bounds {
        lower_ms: since(last_cold, cause.struck_by()),
        upper_ms: Some(since(from, cause.requested)),
    })
}

/// A window that moves over a channel's slots and counts how many waited no longer than a limit: the 95th
/// percentile is at most the limit where 95 of 100 did not. Each slot is looked at twice in all.
pub(super) struct Held<'a> {
    entering: Peekable<Box<dyn Iterator<Item = Waited> + 'a>>,
    leaving: Peekable<Box<dyn Iterator<Item = Waited> + 'a>>,
    limit_us: u64,
    percentile: u64,
    /// Samples that the percentile needs.
    needed: u64,
    inside: u64,
    within: u64,
}

/// When a slot was due and how long it waited since then, in microseconds.
type Waited = (Stamp, u64);

impl<'a> Held<'a> {
    pub(super) fn new(
        timeline: &'a Timeline,
        limit_us: u64,
        percentile: u8,
        needed: u64,
        from: Stamp,
    ) -> Self {
        let slots = || -> Box<dyn Iterator<Item = Waited> + 'a> {
            Box::new(waits(timeline, from, Stamp(u64::MAX)))
        };
        Self {
            entering: slots().peekable(),
            leaving: slots().peekable(),
            limit_us,
            percentile: u64::from(percentile),
            needed,
            inside: 0,
            within: 0,
        }
    }

    /// The first moment of a stretch from which on a window of this length is near, behind the last one from
    /// which none is; looked for in steps.
    pub(super) fn first_near(
        mut self,
        (begin, until): (Stamp, Stamp),
        length_us: u64,
        step_us: u64,
    ) -> Option<(Stamp, Stamp)> {
        let mut from = begin;
        let mut last_far = begin;
        while let Some(to) = from.0.checked_add(length_us).filter(|to| *to <= until.0) {
            if self.is_near(from, Stamp(to)) {
                return Some((last_far, from));
            }
            // A log may be silent for years; a window without samples is passed over.
            let steps = match self.silent_until() {
                None => 1,
                Some(due) => due.0.saturating_sub(to).div_ceil(step_us).max(1),
            };
            last_far = Stamp(from.0.saturating_add((steps - 1).saturating_mul(step_us)));
            from = Stamp(last_far.0.saturating_add(step_us));
        }
        None
    }

    /// Whether the percentile of what was due in `[from, to)` is known and within the limit. Windows only
    /// move forward.
    fn is_near(&mut self, from: Stamp, to: Stamp) -> bool {
        while let Some((_, waited)) = self.entering.next_if(|(due, _)| *due < to) {
            self.inside += 1;
            self.within += u64::from(waited <= self.limit_us);
        }
        while let Some((_, waited)) = self.leaving.next_if(|(due, _)| *due < from) {
            self.inside -= 1;
            self.within -= u64::from(waited <= self.limit_us);
        }
        self.inside >= self.needed && self.within >= (self.inside * self.percentile).div_ceil(100)
    }

    /// Where no slot is in the window: when the next one is due, or never.
    fn silent_until(&mut self) -> Option<Stamp> {
        let next = |held: &mut Self| held.entering.peek().map(|(due, _)| *due);
        (self.inside == 0).then(|| next(self).unwrap_or(Stamp(u64::MAX)))
    }
}

fn waits(timeline: &Timeline, from: Stamp, to: Stamp) -> impl Iterator<Item = Waited> {
    let inside = timeline.due_between(from, to);
    let sent = inside.filter(|attempt| attempt.slot.outcome != Outcome::NotSent);
    sent.map(|attempt| {
        let due = timeline.due(attempt.slot.k);
        (due, attempt.slot.settled.0.saturating_sub(due.0))
    })
}

/// A percentile of latency from the due time in a stretch, in microseconds; `None` with fewer samples than it
/// needs.
pub(super) fn percentile_of(
    timeline: &Timeline,
    (from, to): (Stamp, Stamp),
    percentile: u8,
    needed: u64,
) -> Option<u64> {
    let mut waited: Vec<u64> = waits(timeline, from, to)
        .map(|(_, waited)| waited)
        .collect();
    if (waited.len() as u64) < needed.max(1) {
        return None;
    }
    let rank = (waited.len() * usize::from(percentile))
        .div_ceil(100)
        .max(1)
        - 1;
    Some(*waited.select_nth_unstable(rank).1)
}
