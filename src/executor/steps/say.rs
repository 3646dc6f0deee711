//! `say`: a line for people.

use crate::event::{Event, StepOutcome};
use crate::executor::step_runner::StepRunner;
use crate::plan::step::Step;

/// Says it once.
pub(super) fn say(runner: &StepRunner, step: &Step, text: &str) -> StepOutcome {
    runner.emit(Event::Said {
        step: step.id.clone(),
        text: text.to_owned(),
    });
    StepOutcome::Done
}
