//! The run as sentences: what each entry means to a person, or nothing.
//!
//! Both views tell the same story, so that a log of CI and a terminal can be held side by side.

use super::picture::Picture;
use super::service::Turn;
use crate::event::cluster::ClusterSeen;
use crate::event::observer::Conclusion;
use crate::event::{
    Act, ActKind, Asked, Audited, Convergence, Entry, Event, RunBegan, RunEnded, StackSaw,
    StackView, Stage, Stamp, StepOutcome,
};
use crate::figures;
use crate::report::Paint;
use crate::screen::harmless;

/// The observer's lateness from which people are told, in milliseconds: below it, it only widens bounds.
const TOLD_LATENESS_MS: f64 = 250.0;

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it happened.
    pub at: Stamp,
    /// What.
    pub text: String,
    /// How it is painted, where it is.
    pub paint: Option<Paint>,
}

impl Line {
    /// The sentence behind its moment: `+12.345 s  text`. What would steer a terminal is left out.
    pub fn written(&self) -> String {
        let text = harmless(&self.text);
        format!("{:>11}  {text}", figures::moment(self.at.as_ms()))
    }
}

/// Tells a run.
#[derive(Debug, Default)]
pub struct Story {
    /// The state so far.
    pub picture: Picture,
    /// The primaries last told of, as (node, timeline).
    primaries: Vec<(String, u32)>,
    /// The run's id.
    run: String,
    /// Why steps are skipped, once that was told.
    skipped: Option<String>,
}

impl Story {
    /// Takes the next entry; returns what is to be told of it.
    pub fn take(&mut self, entry: &Entry) -> Vec<Line> {
        let turns = self.picture.take(entry);
        let at = entry.at;
        let mut lines: Vec<Line> = turns
            .into_iter()
            .map(|(name, turn)| served(at, &name, turn))
            .collect();
        let line = |paint, text| Some(Line { at, text, paint });
        let told = match &entry.event {
            Event::RunBegan(began) => {
                self.run.clone_from(&began.run);
                line(None, began_text(began))
            }
            Event::StepBegan(began) => {
                let (place, record) = self.picture.place(&began.step);
                let what = record.map_or(began.step.as_str(), |record| record.what.as_str());
                line(None, format!("step {place}  {what}"))
            }
            Event::StepEnded(ended) => self.step_ended(at, &ended.step, &ended.outcome),
            // The step's own line has just said it.
            Event::Act(act) if act.stage == Stage::Requested && self.picture.step.is_some() => None,
            Event::Act(act) => act_line(at, act),
            Event::StackSaw(saw) => line(None, saw_text(saw)),
            Event::ClusterSeen(seen) | Event::SeenBeforeFault(seen) => {
                self.primaries_line(at, seen)
            }
            Event::ObserverLate(late) => {
                let ms = late.woke.since(late.due).as_secs_f64() * 1000.0;
                let text = format!("the observer was late by {}", figures::duration(ms));
                (ms >= TOLD_LATENESS_MS).then_some(Line {
                    at,
                    text,
                    paint: Some(Paint::Doubt),
                })
            }
            Event::MachineSlept { us } => {
                let slept = figures::duration(*us as f64 / 1000.0);
                line(
                    Some(Paint::Bad),
                    format!("the machine slept for {slept}: this run is invalid"),
                )
            }
            Event::UnknownNode { channel, server } => {
                let text =
                    format!("{channel} was answered by a server that is no known node: {server}");
                line(Some(Paint::Doubt), text)
            }
            Event::OwnLimit { channel } => {
                let text = format!("{channel} reached firedrill's own limit of sessions");
                line(Some(Paint::Doubt), text)
            }
            Event::Signal(signal) => match &signal.what {
                Conclusion::StepMet { how, .. } => line(Some(Paint::Good), how.clone()),
                Conclusion::StopIf {
                    condition, values, ..
                } => line(
                    Some(Paint::Bad),
                    format!("stop_if {condition} holds ({values}): everything is put back"),
                ),
                // It is measured again, and says so; where it stays unfit, the skipped steps say why.
                Conclusion::BaselineJudged { noise: true, .. } => None,
                Conclusion::BaselineJudged {
                    unfit: Some(why), ..
                } => {
                    self.skipped = Some(why.clone());
                    line(Some(Paint::Bad), format!("the baseline is unfit: {why}"))
                }
                Conclusion::BaselineJudged { unfit: None, .. } => {
                    line(None, "the baseline is steady".to_owned())
                }
            },
            Event::StopAsked { by, count } => line(Some(Paint::Doubt), stop_text(by, *count)),
            Event::Said { text, .. } => line(None, format!("» {text}")),
            Event::BackgroundBegan { command } => {
                line(None, format!("load beside the probes: {command}"))
            }
            Event::BackgroundEnded(ended) if ended.asked => None,
            Event::BackgroundEnded(ended) => line(
                Some(Paint::Doubt),
                format!("the load beside the probes ended: {}", ended.how),
            ),
            Event::Asked(asked) => line(Some(Paint::Doubt), self.question(asked)),
            Event::Answered(answered) => line(
                None,
                format!(
                    "{}: {}, by {} ({})",
                    answered.step,
                    answered.answer,
                    answered.by,
                    answered.way.in_words()
                ),
            ),
            Event::StepNoted { step, text } => line(None, format!("{step}: {text}")),
            Event::Noted { text } => line(None, text.clone()),
            Event::Convergence(convergence) => Some(converged(at, convergence)),
            Event::Audited(audited) => Some(self.audited_line(at, audited)),
            Event::RunEnded(ended) => Some(self.ended_line(at, ended)),
            Event::MeasuringEnded if !self.picture.stopped => {
                let text =
                    "measuring is over; putting back what is left, then comparing the ledger";
                line(None, text.to_owned())
            }
            Event::LoadEnded { load } => line(None, format!("the load {load} is over")),
            Event::MeasuringBegan(_)
            | Event::MeasuringEnded
            | Event::Slots(_)
            | Event::LoadBegan(_)
            | Event::LoadClient(_) => None,
        };
        lines.extend(told);
        lines
    }

    /// A question with the two ways to answer it. The words may be typed wherever the run can read them.
    fn question(&self, asked: &Asked) -> String {
        let words = asked.answers.join(", ");
        let run = &self.run;
        let step = &asked.step;
        format!(
            "? {}: {} [{words}]  type a word, or: firedrill answer {run} {step} WORD",
            asked.who, asked.question
        )
    }

    fn step_ended(&mut self, at: Stamp, step: &str, outcome: &StepOutcome) -> Option<Line> {
        let (place, _) = self.picture.place(step);
        let (word, why, paint) = match outcome {
            // The next step's own line says that this one is done.
            StepOutcome::Done => return None,
            StepOutcome::Failed { why } => ("failed", why, Paint::Bad),
            StepOutcome::Invalid { why } => ("could not be carried out", why, Paint::Bad),
            // All steps after it are skipped for the same reason, which is told once.
            StepOutcome::Skipped { why } if self.has_told(why) => return None,
            StepOutcome::Skipped { why } => {
                self.skipped = Some(why.clone());
                ("and what follows skipped", why, Paint::Doubt)
            }
        };
        Some(Line {
            at,
            text: format!("step {place}  {step} {word}: {why}"),
            paint: Some(paint),
        })
    }

    /// Whether this reason for skipping was told; the executor names it behind words of its own.
    fn has_told(&self, why: &str) -> bool {
        let told = self.skipped.as_deref();
        told.is_some_and(|told| why.ends_with(told))
    }

    /// Tells who takes writes, when that changed. Nobody is told of a round in which none did: a dead
    /// primary is silent, and its fault was told already.
    fn primaries_line(&mut self, at: Stamp, seen: &ClusterSeen) -> Option<Line> {
        let primaries: Vec<(String, u32)> = seen
            .primaries()
            .map(|(name, timeline)| (name.to_owned(), timeline))
            .collect();
        if primaries.is_empty() || primaries == self.primaries {
            return None;
        }
        let names: Vec<String> = primaries
            .iter()
            .map(|(name, timeline)| format!("{name} on timeline {timeline}"))
            .collect();
        let two = primaries.len() > 1;
        self.primaries = primaries;
        let text = match two {
            true => format!("{} nodes take writes: {}", names.len(), names.join(", ")),
            false => format!("{} takes writes", names.concat()),
        };
        Some(Line {
            at,
            text,
            paint: two.then_some(Paint::Bad),
        })
    }

    /// The result of the audit, for the same writers whose commits the report counts.
    fn audited_line(&self, at: Stamp, audited: &Audited) -> Line {
        if let Some(why) = &audited.unjudged {
            let text = format!("the ledger could not be judged: {why}");
            return Line {
                at,
                text,
                paint: Some(Paint::Doubt),
            };
        }
        let clients = audited
            .writers
            .iter()
            .filter(|writer| self.picture.writers.contains(&writer.channel));
        // A damaged log may hold any number.
        let (acknowledged, lost) = clients.fold((0, 0_u64), |(acknowledged, lost), writer| {
            (
                writer.acknowledged.saturating_add(acknowledged),
                lost + writer.lost.len() as u64,
            )
        });
        let mut text = format!(
            "the ledger was compared: {} of {} lost",
            figures::number(lost),
            figures::count(acknowledged, "acknowledged commit")
        );
        if let Some(why) = &audited.loss_unjudged {
            text.push_str(&format!(", but {why}"));
        }
        let paint = match (lost, &audited.loss_unjudged) {
            (0, None) => Paint::Good,
            (0, Some(_)) => Paint::Doubt,
            _ => Paint::Bad,
        };
        Line {
            at,
            text,
            paint: Some(paint),
        }
    }

    fn ended_line(&self, at: Stamp, ended: &RunEnded) -> Line {
        let mut text = match ended.not_undone.is_empty() {
            true => "the run is over, everything is undone".to_owned(),
            false => format!(
                "the run is over; NOT undone: {}",
                ended.not_undone.join("; ")
            ),
        };
        if let Some(why) = &ended.cut_short
            && !self.has_told(why)
        {
            text.push_str(&format!(" (cut short: {why})"));
        }
        let paint = if ended.not_undone.is_empty() {
            None
        } else {
            Some(Paint::Bad)
        };
        Line { at, text, paint }
    }
}

/// A turn of service is only known a little later; the line says when it was, and stands where it is known.
fn served(at: Stamp, channel: &str, turn: Turn) -> Line {
    let (text, paint) = match turn {
        Turn::Lost { since } => (
            format!(
                "{channel}: no service since {}",
                figures::moment(since.as_ms())
            ),
            Paint::Bad,
        ),
        Turn::Back { at, after } => (
            format!(
                "{channel}: served again at {}, after about {}",
                figures::moment(at.as_ms()),
                figures::duration(after.as_secs_f64() * 1000.0)
            ),
            Paint::Good,
        ),
    };
    Line {
        at,
        text,
        paint: Some(paint),
    }
}

fn began_text(began: &RunBegan) -> String {
    format!(
        "run {}: {} on {}, {}, at most {}",
        began.run,
        began.plan.drill,
        began.target.kind,
        figures::count(began.plan.steps.len() as u64, "step"),
        figures::limit(began.plan.longest_ms)
    )
}

fn act_line(at: Stamp, act: &Act) -> Option<Line> {
    let name = act.name.replace('_', " ");
    let what = match act.kind {
        ActKind::Fault => format!("{name} of {} ({})", act.node, act.role),
        ActKind::Undo => format!("undo of {name} on {}", act.node),
        ActKind::Release => format!("release of {} after {name}", act.node),
        // An action on the whole cluster names no node, nor does a promotion before its choice is known.
        ActKind::RecoveryAction if act.node.is_empty() => name,
        ActKind::RecoveryAction => format!("{name} of {}", act.node),
    };
    let (text, paint) = match (&act.stage, act.kind) {
        (Stage::Requested, _) => (what, None),
        (Stage::Returned, _) => return None,
        (Stage::Effect { proof }, ActKind::Fault) => (format!("{what} is proven: {proof}"), None),
        (Stage::Effect { proof }, ActKind::Undo) => {
            (format!("{what} is verified: {proof}"), Some(Paint::Good))
        }
        (Stage::Effect { proof }, _) => (format!("{what} worked: {proof}"), Some(Paint::Good)),
        (Stage::NotSeen { why }, ActKind::Fault) => (
            format!("{what} was NOT seen to work: {why}"),
            Some(Paint::Bad),
        ),
        (Stage::NotSeen { why }, _) => (format!("{what} NOT verified: {why}"), Some(Paint::Bad)),
        (Stage::Failed { why }, _) => (format!("{what} FAILED: {why}"), Some(Paint::Bad)),
    };
    Some(Line { at, text, paint })
}

fn saw_text(saw: &StackSaw) -> String {
    let StackSaw { source, node, .. } = saw;
    match saw.what {
        StackView::LeaderLost => format!("{source}: {node} is no longer the leader"),
        StackView::LeaderNamed => format!("{source}: {node} is named leader"),
        StackView::Demoted => format!("{source}: {node} is taken out of service"),
        StackView::RoutedTo => format!("{source}: clients are sent to {node}"),
    }
}

fn stop_text(by: &str, count: u32) -> String {
    match count {
        0 | 1 => {
            format!("{by}: stopping; everything is put back first (once more to skip the rest)")
        }
        2 => format!("{by} again: putting everything back now, nothing else"),
        _ => format!("{by} for the third time: leaving"),
    }
}

fn converged(at: Stamp, convergence: &Convergence) -> Line {
    let (text, paint) = match (&convergence.missing, convergence.writable.first()) {
        (Some(missing), _) => (
            format!("the nodes did not come together: {missing}"),
            Paint::Bad,
        ),
        (None, Some((node, _))) => (
            format!(
                "the nodes are one again: {} of {} standbys stream from {node}",
                convergence.streaming, convergence.declared
            ),
            Paint::Good,
        ),
        (None, None) => ("the nodes did not come together".to_owned(), Paint::Bad),
    };
    Line {
        at,
        text,
        paint: Some(paint),
    }
}
