//! The undisturbed time before the first fault, and the limits that follow from it.

use super::gathered::Gathered;
use super::outage::{Limits, interruptions};
use super::slot_store::Part;
use super::timeline::Timeline;
use crate::event::Stamp;
use crate::event::plan_record::Until;
use crate::event::slots::Outcome;
use crate::figures;

/// Fewer acknowledgements than this on the endpoints' writers before the fault prove nothing.
pub const ENOUGH_ACKS: u64 = 100;
/// The smallest default stall limit, in microseconds.
const LEAST_STALL_US: u64 = 50_000;
/// The smallest join gap, in microseconds.
const LEAST_JOIN_US: u64 = 250_000;
/// How much of a run without baseline step and without fault serves as its baseline.
const FALLBACK_US: u64 = 10_000_000;

/// When the baseline was: from the beginning of its step (what came before is warm-up; a baseline that was
/// measured again counts from there) to the first fault, or the first load before it; in a run without either
/// to the end of its step.
#[must_use]
pub fn window(run: &Gathered) -> Option<(Stamp, Stamp)> {
    let (began, _) = run.measuring.as_ref()?;
    let step = run.plan().and_then(|plan| {
        let baseline = |until: &Option<Until>| *until == Some(Until::BaselineOver);
        plan.steps.iter().find(|step| baseline(&step.until))
    });
    let step = step.and_then(|step| run.steps.get(&step.id));
    let step_end = step.and_then(|step| step.ended);
    let began = step
        .and_then(|step| step.began)
        .map_or(*began, |step| step.max(*began));
    // A load disturbs as a fault does.
    let disturbed = run.acts.first_f0().into_iter().chain(run.first_pressed());
    let end = disturbed
        .min()
        .or(step_end)
        .unwrap_or(Stamp(began.0.saturating_add(FALLBACK_US)));
    Some((began, end))
}

/// Largest latency of the baseline (L) of a channel, in microseconds: from sending to acknowledgement.
#[must_use]
pub fn largest_latency(timeline: &Timeline, window: (Stamp, Stamp)) -> Option<u64> {
    let (from, to) = window;
    let of_part = |part: Part<'_>| match part.summary {
        Some(summary) if summary.last_sent < from || summary.first_settled > to => None,
        Some(summary) if summary.first_sent >= from && summary.last_settled <= to => {
            (summary.acknowledged > 0).then_some(summary.longest_us)
        }
        _ => {
            let inside = part.attempts().filter(|attempt| {
                attempt.slot.outcome == Outcome::Acknowledged
                    && attempt.slot.sent >= from
                    && attempt.slot.settled <= to
            });
            inside.map(|attempt| attempt.took_us()).max()
        }
    };
    timeline.parts().filter_map(of_part).max()
}

/// The limits in force on a channel of a run.
#[must_use]
pub fn limits_in(run: &Gathered, timeline: &Timeline, window: Option<(Stamp, Stamp)>) -> Limits {
    let pinned = timeline.kind().is_client_writer();
    let stem = timeline.name().strip_suffix("_pinned");
    let fresh = stem
        .filter(|_| pinned)
        .and_then(|stem| run.channels.get(&format!("{stem}_fresh")))
        .zip(window)
        .and_then(|(fresh, window)| largest_latency(fresh, window));
    limits(timeline, window, fresh)
}

/// The limits in force on a channel: B is the drill's, else the larger of 50 ms and 3 L, at most D.
///
/// A pinned session that broke is opened anew, and its next attempt is as slow as one of the fresh channel.
/// `reopening` is the largest latency of that channel in microseconds. It counts for B, so that such an
/// attempt is not taken for more outage, and not for L.
#[must_use]
pub fn limits(
    timeline: &Timeline,
    window: Option<(Stamp, Stamp)>,
    reopening: Option<u64>,
) -> Limits {
    let record = &timeline.record;
    let seen = window.and_then(|window| largest_latency(timeline, window));
    // Without any acknowledgement nothing is known of latency but that it may be as long as the deadline.
    let latency = seen.unwrap_or(record.deadline_us);
    let slowest = latency.max(reopening.unwrap_or(0));
    let stall = record
        .stall_us
        .unwrap_or_else(|| slowest.saturating_mul(3).max(LEAST_STALL_US))
        .min(record.deadline_us);
    Limits {
        period: record.period_us,
        deadline: record.deadline_us,
        stall,
        latency,
        slowest,
        join: record.period_us.saturating_mul(5).max(LEAST_JOIN_US),
    }
}

/// Why the drill must not go on to its first fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// In one line.
    pub why: String,
    /// It was only too slow, or too few came through: another time it may be fit.
    pub noise: bool,
}

impl Unfit {
    fn for_good(why: String) -> Self {
        Self { why, noise: false }
    }

    fn for_now(why: String) -> Self {
        Self { why, noise: true }
    }
}

/// Why the drill must not go on to its first fault; `None` when it may.
#[must_use]
pub fn unfit(run: &Gathered) -> Option<Unfit> {
    let window = window(run)?;
    let void = run.observer_stalled();
    if let Some(why) = void.first() {
        return Some(Unfit::for_good(why.clone()));
    }
    // However quick it was: from here on it is another cluster than the one that the drill was planned for.
    if let Some(taken_over) = run.taken_over(window.0, window.1) {
        return Some(Unfit::for_good(format!("{taken_over}, before any fault")));
    }
    let mut acknowledged = 0;
    for timeline in run.channels.values() {
        if !run.is_judged(timeline.kind()) {
            continue;
        }
        let name = timeline.name();
        if timeline.kind().is_client_writer() {
            acknowledged += timeline.acknowledged_before(Stamp(u64::MAX));
        }
        let limits = limits_in(run, timeline, Some(window));
        let outages = interruptions(timeline, &limits);
        if let Some(outage) = outages.iter().find(|found| found.failed) {
            return Some(Unfit::for_good(format!(
                "{name} had an outage at {:.1} s, before any fault",
                outage.known_bad.as_ms() / 1000.0
            )));
        }
        let largest = largest_latency(timeline, window).unwrap_or(0);
        if largest.saturating_mul(5) > limits.deadline {
            return Some(Unfit::for_now(format!(
                "{name}: the slowest answer took {} and the deadline, {}, is less than five times that: is \
                 the machine busy, or the deadline too short?",
                figures::latency(largest as f64 / 1000.0),
                figures::limit(limits.deadline / 1000)
            )));
        }
    }
    if acknowledged < ENOUGH_ACKS {
        return Some(Unfit::for_now(format!(
            "only {acknowledged} commits were acknowledged on the endpoints; {ENOUGH_ACKS} are needed"
        )));
    }
    None
}
