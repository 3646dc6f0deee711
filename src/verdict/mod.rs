//! 6. Objectives judged.
//!
//! Reads a measured result and what was demanded, and says pass, fail, unknown or invalid, with reasons. It
//! measures nothing itself.

mod expectation;
mod objectives;
mod overall;

use crate::event::plan_record::ObjectiveRecord;
use crate::event::result::{RunResult, Verdict};

/// What the verdict needs beside the measured result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// What was demanded.
    pub objectives: Vec<ObjectiveRecord>,
    /// A plan was there: a log without one has nothing to judge.
    pub planned: bool,
    /// Outages and changes of the leader before the first fault, in words.
    pub gone_wrong_before_fault: Vec<String>,
    /// Why the baseline refused the drill.
    pub baseline_unfit: Option<String>,
    /// How the load beside the probes ended by itself before the first fault, where it did.
    pub load_missing: Option<String>,
    /// Batches of slots that did not decode.
    pub broken_batches: usize,
    /// Why the run ended before its last step.
    pub cut_short: Option<String>,
    /// Who asked the run to stop.
    pub stop_asked: Option<String>,
}

/// How a run ended, as the exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything demanded was observed to hold, or the expectation was met.
    Passed,
    /// An objective or a step failed, or an expected failure did not come.
    Failed,
    /// It could not be judged.
    Unknown,
    /// The drill did not happen as planned, or the observer was disturbed.
    Invalid,
    /// Something is not undone.
    UndoIncomplete,
    /// A signal stopped it, or an answer called it off; everything was undone.
    Interrupted,
}

impl Outcome {
    /// The outcome of a judged result. What is not undone outweighs everything; then a stopped run.
    #[must_use]
    pub fn of(result: &RunResult) -> Self {
        if !result.undo.complete {
            return Self::UndoIncomplete;
        }
        if result.undo.interrupted.is_some() || result.called_off.is_some() {
            return Self::Interrupted;
        }
        if result.expect.met {
            return Self::Passed;
        }
        match result.verdict {
            // The expected failure did not come, so the instrument was not proven.
            Verdict::Pass | Verdict::Fail => Self::Failed,
            Verdict::Unknown => Self::Unknown,
            Verdict::Invalid => Self::Invalid,
        }
    }
}

/// Judges the objectives, then the run, then what was expected of it; fills `objectives`, `verdict`,
/// `reasons` and `expect` of the result.
pub fn judge(result: &mut RunResult, facts: &Facts) {
    result.objectives = facts
        .objectives
        .iter()
        .map(|objective| objectives::judge(objective, result))
        .collect();
    overall::judge(result, facts);
    expectation::judge(result, facts);
}
