//! `sql` and `command`: what a drill brings along and that changes nothing. What changes something is a
//! fault, with the way back on disk.

use super::Nodes;
use crate::event::{Event, StepOutcome};
use crate::executor::step_runner::StepRunner;
use crate::fault::command::Command;
use crate::fault::sql::Sql;
use crate::plan::step::Step;
use std::fmt::Display;

/// Asks each node in turn.
pub(super) async fn sql(runner: &StepRunner, step: &Step, sql: &Sql, nodes: &Nodes) -> StepOutcome {
    for (node, _) in nodes {
        match sql.ask(runner.target.as_ref(), node).await {
            Ok(brought) => {
                note(runner, step, brought.note);
                if let Some(why) = brought.unexpected {
                    return StepOutcome::Failed { why };
                }
            }
            Err(error) => return did_not_work(runner, error),
        }
    }
    StepOutcome::Done
}

/// Runs it for each node in turn, or once where it names none.
pub(super) async fn command(
    runner: &StepRunner,
    step: &Step,
    command: &Command,
    nodes: &Nodes,
) -> StepOutcome {
    let mut about: Vec<Option<(&str, &str)>> = nodes
        .iter()
        .map(|(node, role)| Some((node.as_str(), role.as_str())))
        .collect();
    if about.is_empty() {
        about.push(None);
    }
    for node in about {
        let binding = runner.binding(&step.id, node);
        match command.carry_out(&binding).await {
            Ok(text) => {
                let of = node.map_or_else(String::new, |(node, _)| format!("{node}: "));
                note(runner, step, format!("{of}{text}"));
            }
            Err(error) => return did_not_work(runner, error),
        }
    }
    StepOutcome::Done
}

fn note(runner: &StepRunner, step: &Step, text: String) {
    runner.emit(Event::StepNoted {
        step: step.id.clone(),
        text,
    });
}

fn did_not_work(runner: &StepRunner, why: impl Display) -> StepOutcome {
    runner.over_early(why.to_string())
}
