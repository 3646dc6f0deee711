//! `restore_redundancy`: rejoins what runs and does not stream.

use super::outcome;
use crate::event::StepOutcome;
use crate::executor::step_runner::StepRunner;
use crate::plan::step::Step;
use crate::recovery_action;

/// Nodes under open faults are left to their undo.
pub(super) async fn restore(runner: &mut StepRunner, step: &Step) -> StepOutcome {
    let held = runner.undoing.lock().await.open_nodes();
    let number = runner.next_number().await;
    let acting = runner.acting(step, number);
    outcome(recovery_action::restore_redundancy(&acting, &held).await)
}
