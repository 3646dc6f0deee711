//! What a step does while it is its turn: one file per kind, and its line in [`carry_out`].
//!
//! Faults are not here: they are never cut in the middle, and [`super::fault_step`] carries them out. A
//! step's limit and requests to stop are the runner's business; what is here may be dropped at any await.

mod ask;
mod brought;
mod fail_over;
mod load;
mod redundancy;
mod say;
mod switch_over;
mod time;
mod way_back;

use super::step_runner::StepRunner;
use crate::event::StepOutcome;
use crate::plan::step::{Action, Step};
use std::fmt::Display;

/// Nodes that a step was resolved to, each with the role it had.
pub(super) type Nodes = [(String, String)];

/// Carries out one step that is no fault.
pub(super) async fn carry_out(runner: &mut StepRunner, step: &Step, nodes: &Nodes) -> StepOutcome {
    match &step.action {
        Action::Fault(_) => StepOutcome::Done,
        Action::Baseline(time) | Action::Hold(time) => time::pass(runner, *time).await,
        Action::FailOver => fail_over::carry_out(runner, step).await,
        Action::Settle | Action::Wait => time::until_met(runner, step).await,
        Action::SwitchOver(_) => switch_over::carry_out(runner, step, nodes).await,
        Action::Release { of } => way_back::release(runner, of).await,
        Action::Undo { of } => way_back::undo(runner, of).await,
        Action::RestoreRedundancy => redundancy::restore(runner, step).await,
        Action::Say(text) => say::say(runner, step, text),
        Action::Load(load) => load::carry_out(runner, step, load).await,
        Action::Ask(ask) => ask::carry_out(runner, step, ask).await,
        Action::Sql(sql) => brought::sql(runner, step, sql, nodes).await,
        Action::Command(command) => brought::command(runner, step, command, nodes).await,
    }
}

/// Done, or failed for that reason.
fn outcome<T>(result: Result<T, impl Display>) -> StepOutcome {
    match result {
        Ok(_) => StepOutcome::Done,
        Err(why) => StepOutcome::Failed {
            why: why.to_string(),
        },
    }
}
