//! `switch_over`: the primary's role handed to a standby without a loss.

use super::{Nodes, outcome};
use crate::event::StepOutcome;
use crate::executor::step_runner::StepRunner;
use crate::fault::Hit;
use crate::plan::step::Step;
use crate::recovery_action;

/// Switches over, and remembers who was primary before.
pub(super) async fn carry_out(runner: &mut StepRunner, step: &Step, nodes: &Nodes) -> StepOutcome {
    runner.at_risk = runner.flushed.at_risk(runner.clock.now());
    let number = runner.next_number().await;
    let to = nodes.first().map(|(node, _)| node.as_str());
    let acting = runner.acting(step, number);
    match recovery_action::switch_over(&acting, to).await {
        Ok(switched) => {
            let hit = Hit {
                node: switched.from,
                role: "primary".to_owned(),
                timeline: 0,
            };
            runner.hits.insert(step.id.clone(), hit);
            runner.proven = true;
            StepOutcome::Done
        }
        Err(error) => outcome::<()>(Err(error)),
    }
}
