//! The top of the screen: the verdict, why, what was left undone, and everything that was not observed.

use super::page::Page;
use crate::event::result::{ObjectiveResult, RunResult, Verdict};
use crate::report::{Paint, wording};

/// Writes it.
pub fn write(result: &RunResult, page: &mut Page) {
    let run = &result.run;
    let paint = match wording::is_good(result) {
        true => Paint::Good,
        false if result.verdict == Verdict::Fail || !wording::is_safe(result) => Paint::Bad,
        false => Paint::Doubt,
    };
    let about = format!("{} on {} (run {})", run.drill, run.target, run.id);
    page.title(wording::headline(result), paint, &about);
    // What is still broken comes before every figure: somebody has to act on it now.
    if !wording::is_safe(result) {
        still_broken(result, page);
        let verdict = wording::verdict(result.verdict);
        page.below(None, &format!("the drill itself: {verdict}"));
    }
    if result.verdict == Verdict::Invalid {
        let text = "the times below do not count; what was proven lost stays proven";
        page.below(Some(Paint::Doubt), text);
    }
    page.below(None, &in_short(result));
    for reason in result.reasons.iter().filter(|it| !is_told(result, it)) {
        page.below(Some(paint), &format!("why: {reason}"));
    }
    // An invalid run met nothing: its figures count for no demand.
    if result.verdict != Verdict::Invalid {
        demands(result, page);
    }
    if !run.complete {
        page.below(
            Some(Paint::Doubt),
            "the log of this run ends early: everything below goes only as far as it does",
        );
    }
    let mut missing = wording::not_observed(result);
    missing.retain(|(what, why)| {
        let name = what.replace(' ', "_");
        !result
            .reasons
            .iter()
            .any(|it| it.contains(&name) && it.contains(why))
    });
    let groups: Vec<String> = grouped(&missing)
        .into_iter()
        .map(|(why, what)| format!("{} ({why})", what.join(", ")))
        .collect();
    if !groups.is_empty() {
        page.below(None, &format!("not observed: {}", groups.join("; ")));
    }
}

/// Whether a reason only repeats what was not undone, which stands above everything already.
fn is_told(result: &RunResult, reason: &str) -> bool {
    result
        .undo
        .left
        .iter()
        .any(|left| reason.ends_with(left.as_str()))
}

fn still_broken(result: &RunResult, page: &mut Page) {
    for left in &result.undo.left {
        page.below(Some(Paint::Bad), &format!("NOT UNDONE: {left}"));
    }
    if let Some(writable @ 2..) = result.undo.writable_nodes_after {
        let text = format!("DANGER: {writable} nodes take writes at the same time");
        page.below(Some(Paint::Bad), &text);
    }
    let command = format!("put it back with: firedrill undo {}", result.run.id);
    page.below(Some(Paint::Bad), &command);
}

/// Downtime, loss and undo in one line.
fn in_short(result: &RunResult) -> String {
    let downtime = wording::downtime(result);
    let lost = wording::lost(&result.ledger);
    format!("{downtime}, {lost}, {}", wording::undone(result))
}

/// How many demands were met, which of them the drill wrote, and the limits that did not come from it.
fn demands(result: &RunResult, page: &mut Page) {
    let all = &result.objectives;
    if all.is_empty() {
        return;
    }
    let met: Vec<&ObjectiveResult> = all
        .iter()
        .filter(|it| it.verdict == Verdict::Pass)
        .collect();
    let mut text = match met.len() == all.len() {
        true => format!("all {} demands met", all.len()),
        false => format!("{} of {} demands met", met.len(), all.len()),
    };
    let mut named: Vec<String> = met
        .iter()
        .filter(|it| !it.implicit)
        .map(|it| format!("{} {}", it.name.replace('_', " "), demand(it)))
        .collect();
    let always = |it: &&ObjectiveResult| it.implicit;
    let (kept, of) = (
        met.iter().copied().filter(always).count(),
        all.iter().filter(always).count(),
    );
    if kept > 0 && kept == of {
        named.push(format!("and the {of} that always hold"));
    } else if kept > 0 {
        named.push(format!("and {kept} of the {of} that always hold"));
    }
    if !named.is_empty() {
        text.push_str(&format!(": {}", named.join(", ")));
    }
    page.below(None, &text);
    let variables = &result.settings.variables;
    for variable in variables.iter().filter(|it| it.from != "drill") {
        let text = format!(
            "{} is {}, from {}",
            variable.name, variable.value, variable.from
        );
        page.below(None, &text);
    }
}

/// A demand without the variable that its limit came from: where that matters, it has its own line.
fn demand(objective: &ObjectiveResult) -> &str {
    let end = objective
        .demand
        .find(" (")
        .unwrap_or(objective.demand.len());
    objective.demand.get(..end).unwrap_or(&objective.demand)
}

/// Puts together what has one reason, in order of its first mention: (why, what).
fn grouped(missing: &[(String, String)]) -> Vec<(&str, Vec<&str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, why) in missing {
        match groups.iter_mut().find(|(known, _)| known == why) {
            Some((_, all)) => all.push(what),
            None => groups.push((why, vec![what])),
        }
    }
    groups
}
