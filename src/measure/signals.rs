//! When a waiting step has got what it waits for, and when a drill is to be stopped.
//!
//! Conclusions rest on the same slots as the report's numbers. Each is drawn once per step, and logged by
//! the executor, so that a replay reads it and never decides again.

use super::baseline;
use super::condition::Condition;
use super::gathered::Gathered;
use super::timeline::{Attempt, Timeline};
use crate::event::observer::Conclusion;
use crate::event::plan_record::Until;
use crate::event::slots::Outcome;
use crate::event::{ActKind, ChannelKind, Entry, Event, Signal, Stamp, StepOutcome};

/// A condition is evaluated at most this often, in microseconds.
const CONDITION_EVERY_US: u64 = 250_000;

/// What is waited for now.
#[derive(Debug, Default)]
pub struct Watch {
    waiting: Option<Waiting>,
    stop_if: StopIf,
}

#[derive(Debug)]
struct Waiting {
    step: String,
    until: Until,
    condition: Option<Condition>,
    evaluated: Option<Stamp>,
}

impl Watch {
    /// What follows from an entry that was just filed.
    pub fn after(&mut self, entry: &Entry, run: &Gathered) -> Vec<Signal> {
        let mut signals = self.steps(entry, run);
        signals.extend(self.stop_if.after(entry, run));
        signals
    }

    fn steps(&mut self, entry: &Entry, run: &Gathered) -> Vec<Signal> {
        match &entry.event {
            Event::StepBegan(began) => {
                let step = run
                    .plan()
                    .and_then(|plan| plan.steps.iter().find(|step| step.id == began.step));
                self.waiting = step.and_then(|step| {
                    let until = step.until.clone()?;
                    Some(Waiting {
                        step: step.id.clone(),
                        condition: match &until {
                            // A condition that does not compile is refused when the plan is made.
                            Until::Condition { cel } => Condition::compile(cel).ok(),
                            _ => None,
                        },
                        until,
                        evaluated: None,
                    })
                });
            }
            Event::StepEnded(ended) => {
                let baseline = self.waiting.as_ref().is_some_and(|waiting| {
                    waiting.step == ended.step && waiting.until == Until::BaselineOver
                });
                self.waiting = None;
                if baseline && ended.outcome == StepOutcome::Done {
                    let unfit = baseline::unfit(run);
                    return vec![Signal {
                        what: Conclusion::BaselineJudged {
                            noise: unfit.as_ref().is_some_and(|unfit| unfit.noise),
                            unfit: unfit.map(|unfit| unfit.why),
                        },
                        rests_on: vec![entry.seq],
                    }];
                }
                return Vec::new();
            }
            _ => {}
        }
        let Some(waiting) = &mut self.waiting else {
            return Vec::new();
        };
        let Some((at, how, cause)) = waiting.met(entry, run) else {
            return Vec::new();
        };
        let step = waiting.step.clone();
        self.waiting = None;
        vec![Signal {
            what: Conclusion::StepMet { step, at, how },
            rests_on: cause.into_iter().chain([entry.seq]).collect(),
        }]
    }
}

/// The conditions that end a drill. The first that holds while the probes measure is the only one said.
#[derive(Debug, Default)]
struct StopIf {
    conditions: Vec<Condition>,
    evaluated: Option<Stamp>,
}

impl StopIf {
    fn after(&mut self, entry: &Entry, run: &Gathered) -> Option<Signal> {
        if let Event::RunBegan(began) = &entry.event {
            // A condition that does not compile is refused when the drill is checked.
            let compiled = began.plan.stop_if.iter().map(|cel| Condition::compile(cel));
            self.conditions = compiled.filter_map(Result::ok).collect();
        }
        let measuring = run.measuring.is_some() && run.measuring_ended.is_none();
        if self.conditions.is_empty() || !measuring || !due(&mut self.evaluated, entry.at) {
            return None;
        }
        let result = super::judged(run);
        let met = |condition: &&Condition| condition.holds(&result).unwrap_or(false);
        let condition = self.conditions.iter().find(met)?;
        let what = Conclusion::StopIf {
            condition: condition.source().to_owned(),
            at: entry.at,
            values: condition.values(&result),
        };
        self.conditions.clear();
        Some(Signal {
            what,
            rests_on: vec![entry.seq],
        })
    }
}

/// Whether conditions are to be evaluated again.
fn due(evaluated: &mut Option<Stamp>, now: Stamp) -> bool {
    let due = evaluated.is_none_or(|last| now.0.saturating_sub(last.0) >= CONDITION_EVERY_US);
    if due {
        *evaluated = Some(now);
    }
    due
}

/// When something came true, how, and the entry before this one that it rests on.
type Met = (Stamp, String, Option<u64>);

impl Waiting {
    fn met(&mut self, entry: &Entry, run: &Gathered) -> Option<Met> {
        let speaks = matches!(entry.event, Event::Slots(_) | Event::StepBegan(_));
        match self.until {
            Until::BaselineOver => None,
            Until::FailedOver { or_restart } if speaks => failed_over(run, or_restart),
            Until::Settled if speaks => settled(run),
            Until::FailedOver { .. } | Until::Settled => None,
            Until::Condition { .. } => {
                if !due(&mut self.evaluated, entry.at) {
                    return None;
                }
                let condition = self.condition.as_ref()?;
                let holds = condition.holds(&super::judged(run)).unwrap_or(false);
                holds.then(|| (entry.at, format!("{} holds", condition.source()), None))
            }
        }
    }
}

/// The first acknowledgement on writer_fresh from a timeline that is newer than the newest before the
/// latest fault; with `or_restart` also the first one of the same node after a slot that failed.
fn failed_over(run: &Gathered, or_restart: bool) -> Option<Met> {
    let fresh = run.channel_of(ChannelKind::WriterFresh)?;
    let cause = run.acts.origins().max_by_key(|act| act.requested)?;
    let acknowledged = |attempt: &&Attempt| attempt.slot.outcome == Outcome::Acknowledged;
    let served_before = fresh
        .parts()
        .filter_map(|part| match part.summary {
            Some(summary) if summary.last_settled <= cause.requested => summary.newest_acknowledged,
            _ => {
                let before = part.attempts().filter(|attempt| {
                    acknowledged(&attempt) && attempt.slot.settled <= cause.requested
                });
                before.map(|attempt| attempt.timeline).max()
            }
        })
        .max();
    let led_before = cause.before.as_ref().map(|(_, timeline)| *timeline);
    let newest_before = served_before.max(led_before).unwrap_or(0);
    let after: Vec<Attempt> = fresh
        .parts()
        .filter(|part| !part.is_skipped(|summary| summary.last_settled <= cause.requested))
        .flat_map(|part| part.attempts())
        .filter(|attempt| attempt.slot.settled > cause.requested)
        .collect();
    let newer = after
        .iter()
        .filter(|attempt| acknowledged(attempt) && attempt.timeline > newest_before)
        .min_by_key(|attempt| attempt.slot.settled);
    if let Some(first) = newer {
        let node = fresh.node_of(first).unwrap_or("a new primary");
        let how = format!("{node} serves timeline {}", first.timeline);
        return Some((first.slot.settled, how, Some(cause.seq)));
    }
    if !or_restart {
        return None;
    }
    let (old, _) = cause.before.as_ref()?;
    let missed = after.iter().position(|attempt| {
        matches!(
            attempt.slot.outcome,
            Outcome::Failed(_) | Outcome::InDoubt(_)
        )
    })?;
    let back = after
        .get(missed..)?
        .iter()
        .find(|attempt| acknowledged(attempt) && fresh.node_of(attempt) == Some(old.as_str()))?;
    let how = format!("{old} serves again");
    Some((back.slot.settled, how, Some(cause.seq)))
}

/// All endpoint channels were good for the stability time, counted on slots since the latest fault or
/// release: what was good before it says nothing about afterwards.
fn settled(run: &Gathered) -> Option<Met> {
    let stability = run.plan()?.workload.stability_ms.saturating_mul(1000);
    let disturbed = run
        .acts
        .all()
        .iter()
        .filter(|act| act.may_interrupt() || act.kind == ActKind::Release)
        .max_by_key(|act| act.requested);
    let from = disturbed.map_or(Stamp(0), |act| act.requested);
    let window = baseline::window(run);
    let mut judged = 0;
    let mut at = Stamp(0);
    for channel in run.channels.values() {
        if !run.is_judged(channel.kind()) {
            continue;
        }
        judged += 1;
        let limits = baseline::limits_in(run, channel, window);
        let (first, last, settled) = closing_stretch(channel, &limits, from)?;
        if (last - first + 1).saturating_mul(limits.period) < stability {
            return None;
        }
        at = at.max(settled);
    }
    if judged == 0 {
        return None;
    }
    let how = format!(
        "service was good for {:.1} s",
        stability as f64 / 1_000_000.0
    );
    Some((at, how, disturbed.map(|act| act.seq)))
}

/// The newest unbroken run of good slots that were sent after `from`: its first and last number, and when
/// the last was settled. Younger slots beyond a hanging one wait for that one.
fn closing_stretch(
    channel: &Timeline,
    limits: &super::outage::Limits,
    from: Stamp,
) -> Option<(u64, u64, Stamp)> {
    let mut stretch: Option<(u64, u64, Stamp)> = None;
    for attempt in channel.newest_first() {
        if attempt.slot.sent < from || !limits.is_good(&attempt) {
            break;
        }
        let k = attempt.slot.k;
        stretch = match stretch {
            Some((first, last, settled)) if k + 1 == first => Some((k, last, settled)),
            // A number is missing between this slot and the younger ones.
            _ => Some((k, k, attempt.slot.settled)),
        };
    }
    stretch
}
