//! The plan as people read it: the text of `firedrill plan`, and the first screen of `firedrill run`.
//!
//! Makes text and prints nothing.

use super::facts::TargetFacts;
use crate::event::plan_record::{Demand, ObjectiveRecord, PlanRecord, VariableRecord};
use crate::figures;
use crate::screen::{COLUMNS, wrap};
use crate::target::Failover;
use std::fmt::Write as _;

/// The whole plan as text, with a line end after each line.
#[must_use]
pub fn preview(plan: &PlanRecord, facts: &TargetFacts, seed: u64) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, plan, facts, seed);
    text
}

fn write(text: &mut String, plan: &PlanRecord, facts: &TargetFacts, seed: u64) -> std::fmt::Result {
    writeln!(text, "{}: {}", plan.drill, plan.summary)?;
    if !plan.why.is_empty() {
        hanging(text, "", &plan.why)?;
    }
    writeln!(text)?;
    hanging(text, "target   ", &target(facts))?;
    writeln!(text, "seed     {seed}")?;
    for (index, variable) in plan.variables.iter().enumerate() {
        let head = if index == 0 { "with" } else { "" };
        let VariableRecord { name, value, from } = variable;
        hanging(
            text,
            &format!("{head:<9}"),
            &format!("{name} = {value} (from {from})"),
        )?;
    }

    writeln!(text, "\nsteps, each with the longest it can take")?;
    steps(text, plan)?;

    writeln!(text, "\nobjectives")?;
    objectives(text, plan)?;

    for (head, conditions) in [
        (
            "required at the beginning and before each fault",
            &plan.require,
        ),
        ("ends the drill early, by its undo", &plan.stop_if),
    ] {
        if !conditions.is_empty() {
            writeln!(text, "\n{head}")?;
            for line in conditions {
                hanging(text, "  ", line)?;
            }
        }
    }

    if !plan.not_observable.is_empty() {
        writeln!(text, "\ncannot be observed here")?;
        for line in &plan.not_observable {
            hanging(text, "  ", line)?;
        }
    }

    let cost = &plan.cost;
    let most = match cost.max_connections {
        Some(most) => format!("of {most} "),
        None => String::new(),
    };
    writeln!(text, "\nthe probes cost")?;
    writeln!(
        text,
        "  up to {} {most}connections of one node, {:.0} new connections and {:.0} commits a second in sum",
        cost.sessions_per_node, cost.connects_per_second, cost.commits_per_second
    )?;
    if plan.steps.iter().any(|step| step.kind == "load") {
        writeln!(
            text,
            "  and the loads up to {} connections more and {:.0} requests a second",
            cost.clients, cost.requests_per_second
        )?;
    }
    match &plan.workload.background {
        None if cost.requests_per_second > 0.0 => Ok(()),
        None => writeln!(
            text,
            "  no other load runs, so that recovery times are a lower estimate"
        ),
        Some(command) => hanging(text, "  load beside them: ", command),
    }?;
    let (healthy, all) = plan.healthy_nodes;
    match healthy {
        0 => writeln!(text, "\nno node stays untouched"),
        1 => writeln!(text, "\n1 of {all} nodes stays untouched"),
        _ => writeln!(text, "\n{healthy} of {all} nodes stay untouched"),
    }
}

/// A line whose continuations stand below its text and not below its head.
fn hanging(text: &mut String, head: &str, line: &str) -> std::fmt::Result {
    let indent = head.chars().count();
    let width = COLUMNS.saturating_sub(indent);
    for (index, part) in wrap(line, width, width).iter().enumerate() {
        if index == 0 {
            writeln!(text, "{}", format!("{head}{part}").trim_end())?;
        } else {
            writeln!(text, "{:indent$}{part}", "")?;
        }
    }
    Ok(())
}

/// Each step with its longest time and its way back, and the sum.
fn steps(text: &mut String, plan: &PlanRecord) -> std::fmt::Result {
    let id = width(plan.steps.iter().map(|step| step.id.as_str()));
    let total = figures::limit(plan.longest_ms);
    let times: Vec<String> = plan
        .steps
        .iter()
        .map(|step| figures::limit(step.longest_ms))
        .collect();
    let time = width(times.iter().chain([&total]).map(String::as_str));
    let mut before = None;
    for (step, longest) in plan.steps.iter().zip(&times) {
        let head = format!("  {:<id$}  {longest:>time$}  ", step.id);
        let same = step.together.is_some() && step.together == before;
        before = step.together;
        let at_once = if same { "at the same moment: " } else { "" };
        hanging(text, &head, &format!("{at_once}{}", step.what))?;
        if let Some(undo) = &step.undo {
            let head = format!("  {:<id$}  {:>time$}  ", "", "");
            hanging(text, &head, &format!("undo: {undo}"))?;
        }
    }
    let head = format!("  {:<id$}  {total:>time$}  ", "");
    hanging(text, &head, "in all, undo included")
}

/// What the drill demands, each on its line, and in one line what every drill demands.
fn objectives(text: &mut String, plan: &PlanRecord) -> std::fmt::Result {
    let zero = |objective: &&ObjectiveRecord| {
        objective.implicit && matches!(objective.demand, Demand::AtMost { limit: 0, .. })
    };
    let always: Vec<&str> = plan
        .objectives
        .iter()
        .filter(zero)
        .map(|objective| objective.name.as_str())
        .collect();
    let written: Vec<&ObjectiveRecord> = plan
        .objectives
        .iter()
        .filter(|objective| !zero(objective))
        .collect();
    let name = width(written.iter().map(|objective| objective.name.as_str()));
    let name = name.max("always".len());
    for objective in written {
        let head = format!("  {:<name$}  ", objective.name);
        hanging(text, &head, &figures::demand(objective))?;
    }
    if !always.is_empty() {
        let head = format!("  {:<name$}  ", "always");
        hanging(text, &head, &format!("{} at most 0", always.join(", ")))?;
    }
    if let Some(expected) = &plan.expect_fail {
        writeln!(text, "  a calibration: met only if {expected} alone fails")?;
    }
    Ok(())
}

fn target(facts: &TargetFacts) -> String {
    let nodes: Vec<String> = facts
        .nodes
        .iter()
        .map(|node| format!("{} ({})", node.name, node.role))
        .collect();
    let failover = match facts.failover {
        Failover::Automatic => "fails over by itself",
        Failover::Promote => "firedrill promotes",
    };
    let replication = if facts.synchronous {
        "synchronous"
    } else {
        "asynchronous"
    };
    if facts.unseen {
        let count = facts.nodes.len();
        return format!(
            "{}: {count} nodes, which are asked for their roles when it begins; {failover}",
            facts.kind
        );
    }
    let when = if facts.live { " now" } else { "" };
    format!(
        "{}: {}{when}; {replication}, {failover}",
        facts.kind,
        nodes.join(", ")
    )
}

fn width<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(|word| word.chars().count()).max().unwrap_or(0)
}
