//! A checked drill and the facts of a target become a plan, or a list of everything that speaks against
//! it. Nothing is asked of the target and nothing is changed.

use super::facts::TargetFacts;
use super::kinds::{self, Planning};
use super::outlook::{Aim, Outlook};
use super::step::Step;
use super::{Plan, cost, demand};
use crate::drill::file::{OnDeadline, Workload};
use crate::drill::objective::{Expect, Objective};
use crate::drill::step::Step as DrillStep;
use crate::drill::{Checked, Diagnostic, nearest};
use crate::event::plan_record::{PlanRecord, StepRecord, WorkloadRecord};
use crate::role::NodeRef;
use crate::target::Capability;
use std::fmt;
use std::time::Duration;

/// Why a drill cannot be run on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, with its place in the drill file where it has one.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

/// How long the way back of a fault may take that no step of the drill undoes: as long as an `undo` step
/// without `within`.
pub(super) const UNDO_LIMIT: Duration = Duration::from_secs(60);

/// Makes the plan of a drill for a target.
///
/// # Errors
/// Everything that speaks against it, at once.
pub fn compile(checked: &Checked, facts: &TargetFacts, seed: u64) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut refuse = |diagnostic: Diagnostic| refusals.push(Refusal { diagnostic });
    if !facts.drillable {
        refuse(
            Diagnostic::error(
                "refused",
                "the target must not be drilled: it says `drillable: false`",
            )
            .help("set `drillable: true` in the target file if drills are meant to break it"),
        );
    }
    let mut outlook = Outlook::new(facts);
    let mut records = Vec::new();
    let mut steps = Vec::new();
    for (index, placed) in checked.steps.iter().enumerate() {
        let (step, id) = (&placed.step, &placed.id);
        outlook.group(placed.together);
        let mut needs = kinds::needs(step);
        needs.retain(|capability| !facts.capabilities.contains(capability));
        let missing: Vec<&str> = needs.iter().copied().map(kinds::in_words).collect();
        if !missing.is_empty() {
            let message = format!(
                "{} needs what this target has not: {}",
                step.kind(),
                missing.join(", ")
            );
            let mut wrong = Diagnostic::error("capability", message);
            let mut whys = facts.lacks.iter();
            if let Some((_, why)) = whys.find(|(capability, _)| needs.contains(capability)) {
                wrong = wrong.help(why.clone());
            }
            refuse(checked.at_step(index, wrong));
        }
        let mut planning = Planning {
            id,
            index,
            seed,
            facts,
            together: placed.together,
            outlook: &mut outlook,
            workload: &checked.drill.workload,
        };
        match compile_step(step, &mut planning) {
            Ok((record, step)) => {
                records.push(record);
                steps.push(step);
            }
            Err(why) => {
                let mut diagnostic = Diagnostic::error("node", why);
                if let Some((_, NodeRef::Named(name))) = step.node() {
                    let known = facts.nodes.iter().map(|node| node.name.as_str());
                    if let Some(near) = nearest(&name, known.clone().chain(NodeRef::ROLES)) {
                        diagnostic = diagnostic.label(format!("did you mean {near}?"));
                    }
                    let known: Vec<&str> = known.collect();
                    diagnostic = diagnostic.help(format!(
                        "nodes are: {}; roles are: {}",
                        known.join(", "),
                        NodeRef::ROLES.join(", ")
                    ));
                }
                refuse(checked.at_step(index, diagnostic.label_or("on this target")));
                // What comes after is still looked at, as if the step had hit something unknown.
                outlook.hit(id, Aim::unknown(id));
            }
        }
    }
    for (index, objective) in checked.drill.objectives.iter().enumerate() {
        if let Objective::Downtime(body) = objective
            && let Some(wrong) = body.of.as_deref().and_then(|of| not_named(of, facts))
        {
            refuse(checked.at_objective(index, wrong));
        }
        if let Objective::Latency(body) = objective
            && let Some(wrong) = no_channel(&body.channel, facts)
        {
            refuse(checked.at_objective(index, wrong));
        }
    }
    if checked.drill.workload.background.is_some()
        && !facts.capabilities.contains(&Capability::OtherClients)
    {
        let message = format!(
            "workload.background needs what this target has not: {}",
            kinds::in_words(Capability::OtherClients)
        );
        refuse(Diagnostic::error("capability", message));
    }
    let cost = cost::of(&checked.drill.workload, &checked.steps, facts);
    let loads = cost::Loads::of(&checked.steps, facts).too_much(facts);
    for (why, help) in cost::too_much(&cost, facts).into_iter().chain(loads) {
        refuse(Diagnostic::error("limits", why).help(help));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let drill = &checked.drill;
    let total = facts.nodes.len();
    let record = PlanRecord {
        drill: drill.name.clone(),
        summary: drill.summary.clone(),
        why: drill.why.clone(),
        drill_sha256: checked.sha256.clone(),
        variables: checked.variables.clone(),
        objectives: demand::all(checked),
        expect_fail: match drill.expect {
            Expect::Pass => None,
            Expect::Fail(name) => Some(name.name().to_owned()),
        },
        require: drill.require.clone(),
        workload: workload(&drill.workload, facts),
        stop_if: drill.stop_if.clone(),
        longest_ms: longest(&records),
        steps: records,
        not_observable: demand::not_observable(checked, facts),
        cost,
        healthy_nodes: (total - outlook.hit_count(), total),
    };
    Ok(Plan { record, steps })
}

/// Plans one step; its record for people, and itself for the executor.
fn compile_step(
    step: &DrillStep,
    planning: &mut Planning<'_, '_>,
) -> Result<(StepRecord, Step), String> {
    let planned = kinds::plan(step, planning)?;
    let record = StepRecord {
        id: planning.id.to_owned(),
        kind: step.kind().to_owned(),
        what: planned.what,
        undo: planned.undo,
        longest_ms: ms(planned.longest),
        until: planned.until,
        of: step.of().map(str::to_owned),
        together: planning.together,
    };
    let step = Step {
        id: planning.id.to_owned(),
        action: planned.action,
        limit: planned.limit,
        together: planning.together,
    };
    Ok((record, step))
}

/// All steps one after the other, those that strike at one moment as one, and the way back of each fault that no step undoes.
fn longest(records: &[StepRecord]) -> u64 {
    let mut steps = 0;
    let mut rest = records;
    while let Some(first) = rest.first() {
        let at_once = match first.together {
            None => 1,
            group => rest
                .iter()
                .take_while(|step| step.together == group)
                .count(),
        };
        let (group, after) = rest.split_at(at_once.max(1));
        steps += group.iter().map(|step| step.longest_ms).max().unwrap_or(0);
        rest = after;
    }
    let faults = records.iter().filter(|record| record.undo.is_some());
    let left = faults.filter(|fault| {
        !records
            .iter()
            .any(|other| other.kind == "undo" && other.of.as_deref() == Some(&fault.id))
    });
    steps + left.count() as u64 * ms(UNDO_LIMIT)
}

/// What is wrong with a downtime of something that the target does not name.
fn not_named(of: &str, facts: &TargetFacts) -> Option<Diagnostic> {
    let known = || facts.extras.iter().map(|extra| extra.name.as_str());
    if matches!(of, "writer_fresh" | "writer_pinned") || known().any(|name| name == of) {
        return None;
    }
    let message = format!("the target names no endpoint and no watch {of}");
    let wrong = Diagnostic::error("channel", message)
        .help("add it to `endpoints` or `watch` of the target file");
    Some(match nearest(of, known()) {
        Some(near) => wrong.label(format!("did you mean {near}?")),
        None => wrong,
    })
}

/// What is wrong with a channel's name, where it names a node or an endpoint that is not there.
fn no_channel(channel: &str, facts: &TargetFacts) -> Option<Diagnostic> {
    if channel == "reader" && !facts.has_reader {
        return Some(Diagnostic::error(
            "channel",
            "the target has no reader endpoint",
        ));
    }
    let Some(node) = channel.strip_prefix("node/") else {
        let mut channels = facts.extras.iter().flat_map(|extra| &extra.channels);
        let ours = ["writer_fresh", "writer_pinned", "reader"].contains(&channel);
        if ours || channels.any(|name| name == channel) {
            return None;
        }
        let message = format!("the target has no channel {channel}");
        return Some(Diagnostic::error("channel", message));
    };
    let node = node.split('/').next()?;
    let known = || facts.nodes.iter().map(|each| each.name.as_str());
    if known().any(|name| name == node) {
        return None;
    }
    let wrong = Diagnostic::error(
        "channel",
        format!("there is no node {node}, so no channel {channel}"),
    );
    Some(match nearest(node, known()) {
        Some(near) => wrong.label(format!("did you mean {near}?")),
        None => wrong,
    })
}

/// The probes' settings: what the drill asks for, as far as the target has it.
#[must_use]
pub fn workload(load: &Workload, facts: &TargetFacts) -> WorkloadRecord {
    WorkloadRecord {
        fresh: (load.fresh.every.as_ms(), load.fresh.deadline.as_ms()),
        writers: (load.writers.every.as_ms(), load.writers.deadline.as_ms()),
        sessions: load.writers.sessions,
        stall_ms: load.writers.stall.map(|stall| stall.as_ms()),
        on_deadline: match load.writers.on_deadline {
            OnDeadline::Reopen => "reopen",
            OnDeadline::Keep => "keep",
        }
        .to_owned(),
        reader: facts.has_reader.then(|| {
            let readers = &load.readers;
            (
                readers.every.as_ms(),
                readers.deadline.as_ms(),
                readers.stale.as_ms(),
            )
        }),
        nodes: (load.nodes.pinned.as_ms(), load.nodes.fresh.as_ms()),
        stability_ms: load.stability.as_ms(),
        background: load
            .background
            .as_ref()
            .map(|background| background.run.join(" ")),
    }
}

/// Whole milliseconds, rounded up: a longest time must not be shorter than it is.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}
