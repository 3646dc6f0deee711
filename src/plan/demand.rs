//! Objectives as the measures judge them: the implicit zeros included, each with where its limit came
//! from; and what of them cannot be observed on a target.

use super::facts::TargetFacts;
use crate::drill::file::Workload;
use crate::drill::objective::{Objective, ObjectiveName, Percentile, Phase};
use crate::drill::step::Step;
use crate::drill::{Checked, Placed};
use crate::event::plan_record::{Demand, ObjectiveRecord};

/// All objectives of a drill: what is written, in its order, then the zeros that nobody wrote.
pub(super) fn all(checked: &Checked) -> Vec<ObjectiveRecord> {
    let written = checked
        .drill
        .objectives
        .iter()
        .zip(&checked.limit_from)
        .map(|(objective, limit_from)| ObjectiveRecord {
            name: objective.name().name().to_owned(),
            implicit: false,
            demand: demand(objective),
            limit_from: limit_from.clone(),
        });
    let implicit = ObjectiveName::IMPLICIT.into_iter().filter(|name| {
        checked
            .drill
            .objectives
            .iter()
            .all(|objective| objective.name() != *name)
    });
    let implicit = implicit.map(|name| ObjectiveRecord {
        name: name.name().to_owned(),
        implicit: true,
        demand: at_most(0),
        limit_from: None,
    });
    written.chain(implicit).collect()
}

fn demand(objective: &Objective) -> Demand {
    match objective {
        Objective::Downtime(body) => Demand::AtMostMs {
            limit_ms: body.at_most.as_ms() as f64,
            of: body.of.clone(),
        },
        Objective::ReadDowntime(body) => Demand::AtMostMs {
            limit_ms: body.at_most.as_ms() as f64,
            of: None,
        },
        Objective::LostCommits(body) => Demand::AtMost {
            limit: body.at_most,
            at_risk_at_least: body.at_risk_at_least,
            skip_if_unobserved: false,
        },
        Objective::IsolatedCommits(body) => Demand::AtMost {
            limit: body.at_most,
            at_risk_at_least: None,
            skip_if_unobserved: body.if_unobserved.is_some(),
        },
        Objective::TwoWriters(body) | Objective::Phantom(body) | Objective::Divergence(body) => {
            at_most(body.at_most)
        }
        Objective::Condition(source) => Demand::Condition {
            cel: source.clone(),
        },
        Objective::Redundancy(body) => Demand::WithinMs {
            limit_ms: body.within.as_ms() as f64,
        },
        Objective::Latency(body) => Demand::LatencyMs {
            limit_ms: body.at_most.as_ms() as f64,
            percentile: body.percentile.number(),
            phase: body.phase.name().to_owned(),
            channel: body.channel.clone(),
        },
    }
}

fn at_most(limit: u64) -> Demand {
    Demand::AtMost {
        limit,
        at_risk_at_least: None,
        skip_if_unobserved: false,
    }
}

/// One line for everything that is demanded and cannot be observed on this target, or says less here than
/// its name promises.
pub(super) fn not_observable(checked: &Checked, facts: &TargetFacts) -> Vec<String> {
    let mut lines = Vec::new();
    let cuts = checked
        .steps
        .iter()
        .any(|placed| matches!(placed.step, Step::Cut(_)));
    let standbys = facts.nodes.len().saturating_sub(1);
    for objective in &checked.drill.objectives {
        let name = objective.name().name();
        match objective {
            Objective::ReadDowntime(_) if !facts.has_reader => {
                lines.push(format!("{name}: the target has no reader endpoint"));
            }
            Objective::IsolatedCommits(_) if !cuts => {
                lines.push(format!(
                    "{name}: no step cuts a node off, so that none can be isolated"
                ));
            }
            Objective::Redundancy(_) if standbys == 0 => {
                lines.push(format!(
                    "{name}: no standby is declared, so that there is none to wait for"
                ));
            }
            Objective::Latency(body) if body.phase == Phase::Baseline => {
                let needed = samples(body.percentile);
                if let Some(expected) = baseline_samples(checked, &body.channel)
                    && expected < needed
                {
                    lines.push(format!(
                        "{name}: the baseline brings about {expected} samples of {}, and p{} needs {needed}",
                        body.channel,
                        body.percentile.number()
                    ));
                }
            }
            _ => {}
        }
    }
    let brings_sql = |placed: &Placed| matches!(placed.step, Step::Sql(_));
    if facts.kind == "simulated" && checked.steps.iter().any(brings_sql) {
        lines.push(
            "what the drill's own statements do: a simulated server reads no SQL, and is taken to answer \
             as the drill expects"
                .to_owned(),
        );
    }
    if facts.kind == "simulated" {
        lines.push(
            "anything real: this target is simulated, and no figure of it is a measurement"
                .to_owned(),
        );
    }
    if facts.kind == "local" {
        lines.push(
            "your own agent, router, network and names: here they are firedrill's stand-ins, on loopback".to_owned(),
        );
    }
    lines
}

/// Samples from which on a percentile p is given: 10 / (1 - p).
fn samples(percentile: Percentile) -> u64 {
    1000 / (100 - u64::from(percentile.number()))
}

fn baseline_samples(checked: &Checked, channel: &str) -> Option<u64> {
    let every = period(&checked.drill.workload, channel)?;
    let total: u64 = checked
        .steps
        .iter()
        .map(|placed| match &placed.step {
            Step::Baseline(body) => body.r#for.as_ms(),
            _ => 0,
        })
        .sum();
    Some(total / every.max(1))
}

/// The period of a channel in milliseconds.
fn period(workload: &Workload, channel: &str) -> Option<u64> {
    let every = match channel {
        "writer_fresh" => workload.fresh.every,
        "writer_pinned" => workload.writers.every,
        "reader" => workload.readers.every,
        node if node.ends_with("/pinned") => workload.nodes.pinned,
        node if node.ends_with("/fresh") => workload.nodes.fresh,
        _ => return None,
    };
    Some(every.as_ms())
}
