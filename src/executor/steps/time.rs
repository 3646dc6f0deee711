//! `baseline` and `hold` let time pass; `settle` and `wait` wait for the measures.

use crate::event::StepOutcome;
use crate::executor::step_runner::StepRunner;
use crate::plan::step::Step;
use std::time::Duration;

/// Lets time pass.
pub(super) async fn pass(runner: &StepRunner, time: Duration) -> StepOutcome {
    let end = runner.clock.now().plus(time);
    runner.clock.sleep_until(end).await;
    StepOutcome::Done
}

/// Waits until the observer concludes that the step has what it waits for; the step's limit ends it else.
pub(super) async fn until_met(runner: &mut StepRunner, step: &Step) -> StepOutcome {
    runner.awaiting.step_met(&step.id).await;
    StepOutcome::Done
}
