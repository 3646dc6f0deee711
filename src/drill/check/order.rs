//! Whether the baseline comes first and is long enough, and whether each step finds what it needs.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::duration::Duration;
use crate::drill::file::DrillFile;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;
use crate::fault::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Shorter baselines say too little about what is normal.
const SHORTEST_BASELINE: Duration = Duration::from_secs(2);

/// With fewer acknowledged commits before the fault, loss cannot be judged.
const LEAST_COMMITS: u64 = 100;

/// The baseline comes first, and each step finds what it needs.
pub(super) fn order(drill: &DrillFile, steps: &[Placed], findings: &mut Findings<'_>) {
    if drill.steps.is_empty() {
        findings.add(
            &[At::Key("steps")],
            Diagnostic::error("steps", "a drill without steps does nothing")
                .help("begin with `- baseline: { for: 5s }`"),
        );
        return;
    }
    let mut baseline: Option<u64> = None;
    let mut disturbed = false;
    let mut lost_leader = false;
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    let mut undone = BTreeSet::new();
    for (index, placed) in steps.iter().enumerate() {
        let Placed { id, step, .. } = placed;
        findings.again = placed.is_again();
        let entry = placed.at(&[]);
        let breaks = step.fault().is_some() || matches!(step, Step::SwitchOver(_));
        let presses = matches!(step, Step::Load(load) if load.does.kind().presses());
        if (breaks || presses) && !disturbed {
            disturbed = true;
            if baseline.is_none() {
                findings.add(
                    &entry,
                    Diagnostic::error("baseline", "there is no baseline before this")
                        .label("what is normal must be known before something disturbs it")
                        .help("begin with `- baseline: { for: 5s }`"),
                );
            }
        }
        lost_leader |= breaks;
        // One that comes back after a time, or within its step, is not kept down until its undo.
        let kept =
            |fault: &Arc<dyn Fault>| fault.returns_after().is_none() && !fault.returns_in_turn();
        if step.fault().as_ref().is_some_and(kept) {
            open.insert(id.clone(), index);
        }
        if let Some(fault) = step.fault()
            && fault.returns_after().is_some_and(|after| after.is_zero())
        {
            findings.add(
                &placed.at(&[At::Key("returns"), At::Key("after")]),
                Diagnostic::error("returns", "a node that comes back at once was never down")
                    .label("expected more than nothing"),
            );
        }
        if step.fault().is_some_and(|fault| fault.returns_in_turn()) {
            undone.insert(id.clone());
            if placed.together.is_some() {
                findings.add(
                    &placed.at(&[At::Key("returns")]),
                    Diagnostic::error(
                        "returns",
                        "what strikes at one moment is not put back one after the other",
                    )
                    .help("take it out of `together`, or leave out `returns` and undo it later"),
                );
            }
        }
        match step {
            Step::Baseline(body) => {
                if disturbed {
                    findings.add(
                        &entry,
                        Diagnostic::error(
                            "baseline",
                            "a baseline after a fault or a load measures that",
                        ),
                    );
                } else if body.r#for < SHORTEST_BASELINE {
                    findings.add(
                        &placed.at(&[At::Key("for")]),
                        Diagnostic::error("baseline", "a baseline of less than 2s says too little")
                            .label(format!("expected at least {SHORTEST_BASELINE}")),
                    );
                }
                *baseline.get_or_insert(0) += body.r#for.as_ms();
            }
            Step::FailOver(_) if !lost_leader => findings.add(
                &entry,
                Diagnostic::error("order", "nothing was broken before, so nothing fails over"),
            ),
            Step::RestoreRedundancy(_) => {
                for (id, _) in open.iter().filter(|(_, fault)| **fault < index) {
                    findings.add(
                        &entry,
                        Diagnostic::warning("order", format!("the fault {id} is still open here"))
                            .label("this rejoins what runs; it undoes nothing")
                            .help(format!("put `- undo: {{ of: {id} }}` before it")),
                    );
                }
            }
            Step::Release(body) => {
                if undone.contains(&body.of) {
                    findings.add(
                        &entry,
                        Diagnostic::error("order", format!("{} is undone already", body.of)),
                    );
                }
                open.remove(&body.of);
            }
            Step::Undo(body) => {
                open.remove(&body.of);
                if !undone.insert(body.of.clone()) {
                    findings.add(
                        &entry,
                        Diagnostic::warning("order", format!("{} is undone already", body.of)),
                    );
                }
            }
            _ => {}
        }
    }
    findings.again = false;
    enough(drill, steps, baseline, disturbed, findings);
}

/// The baseline must bring enough commits for loss to be judged.
fn enough(
    drill: &DrillFile,
    steps: &[Placed],
    baseline: Option<u64>,
    disturbed: bool,
    findings: &mut Findings<'_>,
) {
    let Some(ms) = baseline else {
        if !disturbed {
            findings.add(
                &[At::Key("steps")],
                Diagnostic::error("baseline", "a drill needs a baseline")
                    .help("begin with `- baseline: { for: 5s }`"),
            );
        }
        return;
    };
    let load = &drill.workload;
    let commits = |every: Duration| ms / every.as_ms().max(1);
    let expected = commits(load.writers.every) + commits(load.fresh.every);
    if ms >= SHORTEST_BASELINE.as_ms() && expected < LEAST_COMMITS {
        let first = steps
            .iter()
            .find(|placed| matches!(placed.step, Step::Baseline(_)));
        findings.add(
            &first.map_or_else(Vec::new, |placed| placed.at(&[At::Key("for")])),
            Diagnostic::error(
                "baseline",
                format!("about {expected} commits in the baseline are too few"),
            )
            .label(format!("loss is judged from {LEAST_COMMITS} commits on"))
            .help("make the baseline longer, or the writers quicker"),
        );
    }
}
