//! Whether a run did what was expected of it.
//!
//! A drill that must lose commits proves that loss is seen. It counts only when exactly that objective
//! fails: anything else that went wrong may have hidden what was to be proven.

use super::Facts;
use super::overall::invalid;
use crate::event::result::{RunResult, Verdict};

/// Fills `expect.met`, and says in the reasons why it is not.
pub fn judge(result: &mut RunResult, facts: &Facts) {
    let Some(name) = result.expect.fail.clone() else {
        result.expect.met = result.verdict == Verdict::Pass;
        return;
    };
    let why_not = unmet(result, facts, &name);
    result.expect.met = why_not.is_none();
    let line = match why_not {
        None => format!("as expected, {name} alone failed"),
        Some(why) => format!("expected that {name} alone fails: {why}"),
    };
    result.reasons.insert(0, line);
}

fn unmet(result: &RunResult, facts: &Facts, name: &str) -> Option<String> {
    let named = result.objectives.iter().filter(|o| o.name == name);
    if !named.into_iter().any(|o| o.verdict == Verdict::Fail) {
        return Some("it did not fail".to_owned());
    }
    let other = result
        .objectives
        .iter()
        .find(|o| o.name != name && o.verdict != Verdict::Pass);
    if let Some(other) = other {
        return Some(format!("{} did not pass", other.name));
    }
    let step = result.steps.iter().find(|step| step.outcome == "failed");
    if let Some(step) = step {
        return Some(format!("step {} failed", step.id));
    }
    invalid(result, facts).into_iter().next()
}
