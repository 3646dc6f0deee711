//! `fail_over`: service on a newer timeline, by whoever owns the failover.

use super::outcome;
use crate::event::StepOutcome;
use crate::executor::step_runner::StepRunner;
use crate::plan::step::Step;
use crate::recovery_action;
use crate::target::Failover;

/// Promotes where firedrill owns the failover, then waits until the measures see service.
pub(super) async fn carry_out(runner: &mut StepRunner, step: &Step) -> StepOutcome {
    if runner.target.failover() == Failover::Promote {
        let number = runner.next_number().await;
        let promoted = recovery_action::promote(&runner.acting(step, number), None).await;
        if promoted.is_err() {
            return outcome(promoted);
        }
    }
    runner.awaiting.step_met(&step.id).await;
    StepOutcome::Done
}
