//! The verdict of the run, and its reasons for a tired person: the weightiest first.
//!
//! Facts that nobody can take back decide first: a loss that was proven stays proven when the observer was
//! disturbed. Otherwise invalid outweighs fail, fail outweighs unknown, unknown outweighs pass.

use super::Facts;
use crate::event::result::{Known, ObjectiveResult, RunResult, Verdict};
use crate::figures;

/// Objectives whose failure is a proven fact and not a timing.
const ONE_SIDED: [&str; 5] = [
    "lost_commits",
    "isolated_commits",
    "phantom",
    "divergence",
    "two_writers",
];

/// Fills `verdict` and `reasons`.
pub fn judge(result: &mut RunResult, facts: &Facts) {
    let proven: Vec<String> = failing(result, true);
    let invalid = invalid(result, facts);
    let mut failed: Vec<String> = result
        .steps
        .iter()
        .filter(|step| step.outcome == "failed")
        .map(|step| {
            let why = step.why.as_deref().unwrap_or("no reason given");
            format!("step {} failed: {why}", step.id)
        })
        .collect();
    failed.extend(failing(result, false));
    let unknown: Vec<String> = result
        .objectives
        .iter()
        .filter(|objective| objective.verdict == Verdict::Unknown)
        .map(|objective| {
            let why = objective.note.as_deref().unwrap_or("not observed");
            format!("{} unknown: {why}", objective.name)
        })
        .collect();
    result.verdict = if !proven.is_empty() {
        Verdict::Fail
    } else if !invalid.is_empty() {
        Verdict::Invalid
    } else if !failed.is_empty() {
        Verdict::Fail
    } else if !unknown.is_empty() || result.objectives.is_empty() {
        Verdict::Unknown
    } else {
        Verdict::Pass
    };
    let left = result
        .undo
        .left
        .iter()
        .map(|what| format!("not undone: {what}"));
    // What could not be judged is no news where the whole run does not count.
    let unknown = match result.verdict {
        Verdict::Invalid => Vec::new(),
        _ => unknown,
    };
    result.reasons = left
        .chain(proven)
        .chain(invalid)
        .chain(failed)
        .chain(unknown)
        .collect();
    if result.objectives.is_empty() && result.verdict == Verdict::Unknown {
        result.reasons.push("nothing was demanded".to_owned());
    }
}

/// Why the run is no valid drill, if it is not.
pub fn invalid(result: &RunResult, facts: &Facts) -> Vec<String> {
    let mut why = Vec::new();
    if !facts.planned {
        why.push("the log has no plan".to_owned());
    }
    if let Some(signal) = result
        .undo
        .interrupted
        .as_ref()
        .or(facts.stop_asked.as_ref())
    {
        why.push(format!("stopped by {signal} before it was over"));
    } else if let Some(by) = &result.called_off {
        why.push(format!("called off before anything was broken: {by}"));
    } else if !result.run.complete {
        why.push("the log ends before the run did".to_owned());
    }
    for fault in &result.faults {
        if let Known::Missing(missing) = &fault.effect_ms {
            why.push(format!(
                "fault not applied: {} of {}: {}",
                fault.fault, fault.node, missing.not_observed
            ));
        }
    }
    for step in result.steps.iter().filter(|step| step.outcome == "invalid") {
        let because = step.why.as_deref().unwrap_or("no reason given");
        why.push(format!(
            "step {} did not happen as planned: {because}",
            step.id
        ));
    }
    if let Some(unfit) = &facts.baseline_unfit {
        let line = format!("baseline unfit: {unfit}");
        if !why.iter().any(|known| known.contains(unfit.as_str())) {
            why.push(line);
        }
    }
    if let Some(how) = &facts.load_missing {
        why.push(format!(
            "the load beside the probes was gone before the first fault: {how}"
        ));
    }
    why.extend(facts.gone_wrong_before_fault.iter().cloned());
    why.extend(result.observer.why.iter().cloned());
    let ledger = &result.ledger;
    if ledger.unexpected > 0 {
        why.push(format!(
            "the ledger's table holds {} rows that nobody sent",
            ledger.unexpected
        ));
    }
    if ledger.duplicated > 0 {
        why.push(format!("{} rows are there twice", ledger.duplicated));
    }
    if facts.broken_batches > 0 {
        why.push(format!(
            "{} batches of probes in the log cannot be read",
            facts.broken_batches
        ));
    }
    if let Some(cut_short) = &facts.cut_short
        && why.is_empty()
        && !result.steps.iter().any(|step| step.outcome == "failed")
    {
        why.push(format!("the run ended early: {cut_short}"));
    }
    why
}

/// The failed objectives in words, those that are proven facts or the others.
fn failing(result: &RunResult, one_sided: bool) -> Vec<String> {
    result
        .objectives
        .iter()
        .filter(|objective| objective.verdict == Verdict::Fail)
        .filter(|objective| ONE_SIDED.contains(&objective.name.as_str()) == one_sided)
        .map(line)
        .collect()
}

fn line(objective: &ObjectiveResult) -> String {
    let found = match objective.measured.observed() {
        Some(measured) => figures::measured(measured),
        None => "not observed".to_owned(),
    };
    let channel = objective
        .channel
        .as_ref()
        .map_or_else(String::new, |channel| format!(" on {channel}"));
    let note = objective
        .note
        .as_ref()
        .map_or_else(String::new, |note| format!(" ({note})"));
    format!(
        "{} failed: {found}{channel}, {}{note}",
        objective.name, objective.demand
    )
}
