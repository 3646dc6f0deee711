//! Whether conditions are conditions, and whether those of `require` name what nodes say.
//!
//! The names of results are the measures' to know: `cli/` asks them.

use super::Findings;
use crate::condition::Condition;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::file::DrillFile;
use crate::drill::objective::Objective;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;
use crate::event::cluster_names;

/// All conditions of a drill.
pub(super) fn conditions(drill: &DrillFile, steps: &[Placed], findings: &mut Findings<'_>) {
    for (index, source) in drill.require.iter().enumerate() {
        let place = [At::Key("require"), At::Item(index)];
        if let Some(condition) = compiled(source, &place, findings) {
            named(&condition, &place, findings);
        }
    }
    for (index, source) in drill.stop_if.iter().enumerate() {
        compiled(source, &[At::Key("stop_if"), At::Item(index)], findings);
    }
    for (index, objective) in drill.objectives.iter().enumerate() {
        if let Objective::Condition(source) = objective {
            let place = [At::Key("objectives"), At::Item(index), At::Key("condition")];
            compiled(source, &place, findings);
        }
    }
    for placed in steps {
        if let Step::Wait(body) = &placed.step {
            compiled(&body.until, &placed.at(&[At::Key("until")]), findings);
        }
    }
}

fn compiled(source: &str, place: &[At<'_>], findings: &mut Findings<'_>) -> Option<Condition> {
    match Condition::compile(source) {
        Ok(condition) => Some(condition),
        Err(malformed) => {
            findings.add(
                place,
                Diagnostic::error("condition", "this is no condition")
                    .label(malformed.to_string())
                    .help(
                        "a condition is CEL, such as `channels.writer_fresh.unavailable_ms > 1000`",
                    ),
            );
            None
        }
    }
}

/// A requirement is looked at before anything has happened: it can name the nodes, and nothing of a result.
fn named(condition: &Condition, place: &[At<'_>], findings: &mut Findings<'_>) {
    if condition.names().is_empty() {
        findings.add(
            place,
            Diagnostic::error("condition", "this requires nothing: it names no value"),
        );
    }
    let Some((name, near)) = cluster_names::unknown(condition) else {
        return;
    };
    let wrong = Diagnostic::error(
        "condition",
        format!("{name} is nothing that nodes say before a drill"),
    );
    let wrong = match near {
        Some(near) => wrong.label(format!("did you mean {near}?")),
        None => wrong.label("an unknown name can never be required"),
    };
    let known: Vec<&str> = cluster_names::NAMES.iter().map(|(name, _)| *name).collect();
    findings.add(
        place,
        wrong.help(format!("names are: {}", known.join(", "))),
    );
}
