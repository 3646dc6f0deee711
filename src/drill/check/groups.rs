//! Whether `together` and `repeat` hold what they can: faults at one moment, and rounds that end.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::file::DrillFile;
use crate::drill::places::At;
use crate::drill::sequence::{MOST_ROUNDS, MOST_STEPS, Placed};
use crate::drill::step::{Repeat, Step};

/// Checks all groups of a drill.
pub(super) fn groups(drill: &DrillFile, steps: &[Placed], findings: &mut Findings<'_>) {
    for placed in steps.iter().filter(|placed| !placed.is_again()) {
        if matches!(placed.step, Step::Together(_) | Step::Repeat(_)) {
            let kind = placed.step.kind();
            findings.add(
                &placed.at(&[]),
                Diagnostic::error("group", format!("a {kind} cannot stand in here"))
                    .label("expected plain steps")
                    .help("together holds faults; repeat holds steps and together"),
            );
        } else if placed.together.is_some() && placed.step.fault().is_none() {
            findings.add(
                &placed.at(&[]),
                Diagnostic::error("group", "only faults can strike together")
                    .label("this is no fault")
                    .help("put it before or after the together"),
            );
        }
    }
    let mut all = 0_u64;
    for (index, step) in drill.steps.iter().enumerate() {
        let entry = [At::Key("steps"), At::Item(index), At::Key(step.kind())];
        all = all.saturating_add(match step {
            Step::Together(body) => {
                few(body.0.len(), &entry, findings);
                body.0.len() as u64
            }
            Step::Repeat(body) => repeat(body, &entry, findings),
            _ => 1,
        });
    }
    if all > MOST_STEPS as u64 {
        findings.add(
            &[At::Key("steps")],
            Diagnostic::error(
                "group",
                format!("with all rounds counted these are {all} steps"),
            )
            .label(format!("expected at most {MOST_STEPS}"))
            .help("repeat less often"),
        );
    }
}

/// Checks one repeat; returns how many steps it comes to.
fn repeat(body: &Repeat, entry: &[At<'_>], findings: &mut Findings<'_>) -> u64 {
    if body.times == 0 || body.times > MOST_ROUNDS {
        findings.add(
            &[entry, &[At::Key("times")]].concat(),
            Diagnostic::error("group", format!("{} rounds are none to plan", body.times))
                .label(format!("expected 1 to {MOST_ROUNDS}")),
        );
    }
    if body.steps.is_empty() {
        findings.add(
            entry,
            Diagnostic::error("group", "a repeat without steps does nothing"),
        );
    }
    let mut one = 0;
    for (index, step) in body.steps.iter().enumerate() {
        one += match step {
            Step::Together(inner) => {
                let place = [At::Key("steps"), At::Item(index), At::Key("together")];
                few(inner.0.len(), &[entry, &place].concat(), findings);
                inner.0.len() as u64
            }
            _ => 1,
        };
    }
    one * u64::from(body.times)
}

fn few(faults: usize, entry: &[At<'_>], findings: &mut Findings<'_>) {
    if faults < 2 {
        findings.add(
            entry,
            Diagnostic::error("group", "together is for two faults or more")
                .label(format!("here are {faults}"))
                .help("a fault alone needs no together"),
        );
    }
}
