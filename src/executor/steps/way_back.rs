//! `release` and `undo`: the two ways back from a fault.

use super::outcome;
use crate::event::StepOutcome;
use crate::executor::step_runner::StepRunner;

/// As in life, unfenced.
pub(super) async fn release(runner: &mut StepRunner, of: &str) -> StepOutcome {
    outcome(runner.undoing.lock().await.release(of).await)
}

/// Safely, and verified.
pub(super) async fn undo(runner: &mut StepRunner, of: &str) -> StepOutcome {
    outcome(runner.undoing.lock().await.undo_step(of).await)
}
