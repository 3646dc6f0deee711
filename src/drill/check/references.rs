//! Whether ids name one step each, and whether what refers to a step refers to an earlier one that fits.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::nearest::nearest;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;
use crate::role::NodeRef;
use std::collections::BTreeMap;

/// Ids are unique, and made of what fits into names of files and labels.
pub(super) fn identities(steps: &[Placed], findings: &mut Findings<'_>) {
    let mut first = BTreeMap::new();
    for (index, placed) in steps.iter().enumerate() {
        findings.again = placed.is_again();
        if findings.again {
            continue;
        }
        let id = &placed.base;
        let place = placed.at(&[At::Key("id")]);
        let fits = !id.is_empty()
            && id.len() <= 40
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !fits {
            findings.add(
                &place,
                Diagnostic::error("id", "this is no id for a step")
                    .label("expected letters, digits, - and _, at most 40"),
            );
        }
        if let Some(other) = first.insert(id.clone(), index) {
            findings.add(
                &place,
                Diagnostic::error("id", format!("step {} has the id {id} too", other + 1))
                    .label("an id names one step"),
            );
        }
    }
    findings.again = false;
}

/// What refers to a step refers to an earlier one that fits.
pub(super) fn references(steps: &[Placed], findings: &mut Findings<'_>) {
    for (index, placed) in steps.iter().enumerate() {
        let step = &placed.step;
        findings.again = placed.is_again();
        if let Some(of) = step.of() {
            let place = placed.at(&[At::Key("of")]);
            let fits = |other: &Step| other.fault().is_some();
            reference(steps, index, of, &place, fits, "fault", findings);
        }
        if let Some((field, NodeRef::Of(of))) = step.node() {
            let place = placed.at(&[At::Key(field), At::Key("of")]);
            let fits =
                |other: &Step| other.fault().is_some() || matches!(other, Step::SwitchOver(_));
            reference(
                steps,
                index,
                &of,
                &place,
                fits,
                "fault or switch-over",
                findings,
            );
        }
    }
    findings.again = false;
}

fn reference(
    steps: &[Placed],
    index: usize,
    of: &str,
    place: &[At<'_>],
    fits: impl Fn(&Step) -> bool,
    wanted: &str,
    findings: &mut Findings<'_>,
) {
    let possible = || {
        steps
            .iter()
            .take(index)
            .filter(|placed| fits(&placed.step))
            .map(|placed| placed.id.as_str())
    };
    if possible().any(|id| id == of) {
        return;
    }
    let wrong = match steps.iter().position(|placed| placed.id == of) {
        Some(other) if other == index => {
            Diagnostic::error("reference", "a step cannot refer to itself")
        }
        Some(other) if other > index => Diagnostic::error(
            "reference",
            format!("{of} comes later, as step {}", other + 1),
        ),
        Some(_) => Diagnostic::error("reference", format!("{of} is no {wanted}")),
        None => Diagnostic::error("reference", format!("there is no step {of}")),
    };
    let wrong = match nearest(of, possible()) {
        Some(near) => wrong.label(format!("did you mean {near}?")),
        None => wrong.label(format!("expected the id of an earlier {wanted}")),
    };
    let known: Vec<&str> = possible().collect();
    let wrong = if known.is_empty() {
        wrong.help(format!("no {wanted} comes before this step"))
    } else {
        wrong.help(format!("earlier ones are: {}", known.join(", ")))
    };
    findings.add(place, wrong);
}
