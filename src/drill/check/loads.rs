//! Whether loads have clients, take some time, and are called by their own names.

use super::Findings;
use crate::condition::Condition;
use crate::drill::clients::{Does, Load};
use crate::drill::diagnostic::Diagnostic;
use crate::drill::duration::Duration;
use crate::drill::file::DrillFile;
use crate::drill::nearest::nearest;
use crate::drill::objective::Objective;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;

/// More often than this no client asks.
const SHORTEST: Duration = Duration::from_ms(10);

/// Checks all loads of a drill, and the conditions that name them.
pub(super) fn loads(drill: &DrillFile, steps: &[Placed], findings: &mut Findings<'_>) {
    for placed in steps.iter().filter(|placed| !placed.is_again()) {
        if let Step::Load(load) = &placed.step {
            one(load, placed, findings);
        }
    }
    let ids: Vec<&str> = steps
        .iter()
        .filter(|placed| matches!(placed.step, Step::Load(_)))
        .map(|placed| placed.id.as_str())
        .collect();
    for (index, objective) in drill.objectives.iter().enumerate() {
        if let Objective::Condition(source) = objective {
            let place = [At::Key("objectives"), At::Item(index), At::Key("condition")];
            named(source, &ids, &place, findings);
        }
    }
    for (index, source) in drill.stop_if.iter().enumerate() {
        named(
            source,
            &ids,
            &[At::Key("stop_if"), At::Item(index)],
            findings,
        );
    }
    for placed in steps.iter().filter(|placed| !placed.is_again()) {
        if let Step::Wait(body) = &placed.step {
            named(&body.until, &ids, &placed.at(&[At::Key("until")]), findings);
        }
    }
}

fn one(load: &Load, placed: &Placed, findings: &mut Findings<'_>) {
    let mut wrong = |place: &[At<'_>], what: String| {
        findings.add(&placed.at(place), Diagnostic::error("load", what));
    };
    if load.clients == 0 {
        wrong(
            &[At::Key("clients")],
            "a load without clients is none".to_owned(),
        );
    }
    for (field, time) in [("for", load.r#for), ("deadline", Some(load.deadline))] {
        if time.is_some_and(|time| time.as_ms() == 0) {
            wrong(
                &[At::Key(field)],
                format!("{field} must be more than nothing"),
            );
        }
    }
    let again = match load.does {
        Does::Reconnect { again, .. } => Some(again),
        _ => None,
    };
    let kind = match load.does {
        Does::Write { .. } => "write",
        Does::Read { .. } => "read",
        _ => "reconnect",
    };
    for (field, time) in [("every", load.does.every()), ("again", again)] {
        if time.is_some_and(|time| time < SHORTEST) {
            let place = [At::Key("does"), At::Key(kind), At::Key(field)];
            let what = format!("a client does not ask more often than every {SHORTEST}");
            findings.add(
                &placed.at(&place),
                Diagnostic::error("load", what)
                    .label(format!("expected at least {SHORTEST}"))
                    .help("for more requests, have more clients"),
            );
        }
    }
}

/// A name of a load that no step has would be one that is never known.
fn named(source: &str, ids: &[&str], place: &[At<'_>], findings: &mut Findings<'_>) {
    let Ok(condition) = Condition::compile(source) else {
        return;
    };
    for path in condition.names() {
        let [first, id, ..] = path.as_slice() else {
            continue;
        };
        if first != "loads" || id == "[]" || ids.contains(&id.as_str()) {
            continue;
        }
        let wrong = Diagnostic::error("condition", format!("no step is a load called {id}"));
        let wrong = match nearest(id, ids.iter().copied()) {
            Some(near) => wrong.label(format!("did you mean {near}?")),
            None => wrong.help("a load's name is the id of its step"),
        };
        findings.add(place, wrong);
    }
}
