//! `firedrill show RUN`: everything that the last screen leaves out.
//!
//! Steps, stamps, outages, errors and latency in tables, for somebody who asks why.

use super::columns::columns;
use crate::event::result::{Channel, Latency, Outage, RunResult};
use crate::figures;
use crate::report::wording;
use std::collections::BTreeMap;

/// The order of the phases of a run.
const PHASES: [&str; 4] = ["baseline", "outage", "recovery", "after"];

/// The details of one run.
#[must_use]
pub fn show_text(result: &RunResult) -> String {
    let sections = [
        head(result),
        objectives(result),
        steps(result),
        phases(result),
        faults(result),
        counts(result),
        interruptions(result),
        errors(result),
        latency(result),
        lost(result),
    ];
    let mut text = String::new();
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&section);
    }
    text
}

/// A titled table; nothing where there are no rows.
fn section<const N: usize>(title: &str, header: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("{title}\n{}", columns("  ", header, rows))
}

fn head(result: &RunResult) -> String {
    let run = &result.run;
    let observer = &result.observer;
    let mut rows = vec![
        ["run", &*run.id].map(str::to_owned),
        ["verdict", &wording::headline(result).to_lowercase()].map(str::to_owned),
    ];
    let mut add = |label: &str, text: String| rows.push([label.to_owned(), text]);
    for reason in &result.reasons {
        add("why", reason.clone());
    }
    add("drill", format!("{}: {}", run.drill, run.summary));
    add("drill file", format!("SHA-256 {}", run.drill_sha256));
    add(
        "target",
        format!("{} ({})", run.target, run.target_identity),
    );
    add("started", wording::started(result));
    add("seed", run.seed.to_string());
    add("firedrill", run.version.clone());
    for it in &result.settings.variables {
        add(
            "variable",
            format!("{} = {} (from {})", it.name, it.value, it.from),
        );
    }
    let late = figures::latency(observer.max_lateness_ms);
    let widened = figures::latency(observer.widened_by_ms);
    add(
        "observer",
        format!("late by at most {late}; bounds widened by {widened}"),
    );
    columns("", ["", ""], &rows).trim_start().to_owned()
}

fn objectives(result: &RunResult) -> String {
    let rows: Vec<[String; 5]> = result
        .objectives
        .iter()
        .map(|it| {
            [
                wording::verdict(it.verdict).to_owned(),
                it.name.clone(),
                it.demand.clone(),
                figures::known(&it.measured, figures::measured),
                it.note.clone().unwrap_or_default(),
            ]
        })
        .collect();
    section(
        "Objectives",
        ["", "NAME", "DEMANDED", "MEASURED", "NOTE"],
        &rows,
    )
}

fn at(ms: Option<f64>) -> String {
    ms.map_or("–".to_owned(), figures::moment)
}

fn steps(result: &RunResult) -> String {
    let rows: Vec<[String; 5]> = result
        .steps
        .iter()
        .map(|step| {
            let took = match (step.begin_ms, step.end_ms) {
                (Some(begin), Some(end)) => figures::duration(end - begin),
                _ => "–".to_owned(),
            };
            let mut outcome = match &step.why {
                Some(why) => format!("{}: {why}", step.outcome),
                None => step.outcome.clone(),
            };
            for noted in &step.noted {
                outcome.push_str(&format!("; {noted}"));
            }
            [
                step.id.clone(),
                step.kind.clone(),
                at(step.begin_ms),
                took,
                outcome,
            ]
        })
        .collect();
    section("Steps", ["ID", "KIND", "BEGAN", "TOOK", "OUTCOME"], &rows)
}

fn phases(result: &RunResult) -> String {
    let rows: Vec<[String; 3]> = result
        .phases
        .iter()
        .map(|it| {
            let took = figures::duration(it.end_ms - it.begin_ms);
            [it.name.clone(), figures::moment(it.begin_ms), took]
        })
        .collect();
    section("Phases", ["NAME", "BEGAN", "TOOK"], &rows)
}

/// Each fault, release and undo with its three stamps: asked for, call returned, effect proven.
fn faults(result: &RunResult) -> String {
    let mut rows: Vec<[String; 6]> = Vec::new();
    for it in &result.faults {
        let proof = match (&it.proof, it.effect_ms.why()) {
            (_, Some(why)) => format!("NOT PROVEN: {why}"),
            (Some(proof), None) => proof.clone(),
            (None, None) => String::new(),
        };
        rows.push([
            it.fault.clone(),
            format!("{} ({})", it.node, it.role),
            figures::moment(it.requested_ms),
            at(it.returned_ms),
            at(it.effect_ms.observed().copied()),
            proof,
        ]);
        let mut more = |name: &str, asked: f64, returned, effect, proof: String| {
            let asked = figures::moment(asked);
            rows.push([
                name.to_owned(),
                it.node.clone(),
                asked,
                at(returned),
                at(effect),
                proof,
            ]);
        };
        if let Some(released) = it.released_ms {
            more("  release", released, None, None, String::new());
        }
        if let Some(undo) = &it.undo {
            let how = undo.how.clone().unwrap_or_default();
            let how = if undo.verified {
                how
            } else {
                format!("NOT VERIFIED: {how}")
            };
            more(
                "  undo",
                undo.requested_ms,
                undo.returned_ms,
                undo.effect_ms,
                how,
            );
        }
    }
    section(
        "Faults",
        ["FAULT", "NODE", "ASKED", "RETURNED", "PROVEN", "BY"],
        &rows,
    )
}

fn counts(result: &RunResult) -> String {
    let rows: Vec<[String; 8]> = result
        .channels
        .iter()
        .map(|(name, it)| {
            [
                name.clone(),
                figures::number(it.attempted),
                figures::number(it.acknowledged),
                figures::number(it.acknowledged_late),
                figures::number(it.failed),
                figures::number(it.in_doubt),
                figures::number(it.not_sent),
                figures::duration(it.unavailable_ms),
            ]
        })
        .collect();
    let header = [
        "CHANNEL",
        "ATTEMPTS",
        "ACKNOWLEDGED",
        "LATE",
        "FAILED",
        "IN DOUBT",
        "NOT SENT",
        "UNAVAILABLE",
    ];
    section("Channels", header, &rows)
}

fn interruptions(result: &RunResult) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (name, channel) in &result.channels {
        let outages = channel.outages.iter().map(|it| ("outage", it));
        let stalls = channel.stalls.iter().map(|it| ("stall", it));
        for (kind, it) in outages.chain(stalls) {
            rows.push([
                name.clone(),
                kind.to_owned(),
                figures::moment(it.start_ms),
                length(it),
            ]);
        }
    }
    section(
        "Interruptions",
        ["CHANNEL", "KIND", "BEGAN", "LASTED"],
        &rows,
    )
}

fn length(outage: &Outage) -> String {
    let mut text = wording::outage(outage);
    if outage.widened_ms > 0.0 {
        let widened = figures::latency(outage.widened_ms);
        text.push_str(&format!(
            ", widened by {widened} for the observer's lateness"
        ));
    }
    text
}

fn errors(result: &RunResult) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (name, channel) in &result.channels {
        for (phase, classes) in in_order(&channel.errors) {
            for (class, count) in classes {
                rows.push([
                    name.clone(),
                    phase.clone(),
                    class.clone(),
                    figures::number(*count),
                ]);
            }
        }
    }
    section("Errors", ["CHANNEL", "PHASE", "CLASS", "COUNT"], &rows)
}

fn latency(result: &RunResult) -> String {
    let mut rows: Vec<[String; 7]> = Vec::new();
    for (name, channel) in &result.channels {
        rows.extend(latency_of(name, channel));
    }
    let header = ["CHANNEL", "PHASE", "COUNT", "P50", "P95", "P99", "MAX"];
    section("Latency, from the moment an attempt was due", header, &rows)
}

fn latency_of(name: &str, channel: &Channel) -> Vec<[String; 7]> {
    // A percentile without enough samples is no figure; the maximum always is, once there is a sample.
    let known = |ms: Option<f64>| ms.map_or("–".to_owned(), figures::latency);
    let row = |(phase, it): (&String, &Latency)| {
        let max = (it.count > 0).then_some(it.max);
        [
            name.to_owned(),
            phase.clone(),
            figures::number(it.count),
            known(it.p50),
            known(it.p95),
            known(it.p99),
            known(max),
        ]
    };
    in_order(&channel.latency_ms).into_iter().map(row).collect()
}

/// Phases in the order in which they happen, and not by name.
fn in_order<T>(by_phase: &BTreeMap<String, T>) -> Vec<(&String, &T)> {
    let mut all: Vec<(&String, &T)> = by_phase.iter().collect();
    let place = |name: &str| {
        PHASES
            .iter()
            .position(|it| *it == name)
            .unwrap_or(PHASES.len())
    };
    all.sort_by_key(|(name, _)| place(name));
    all
}

fn lost(result: &RunResult) -> String {
    let rows = wording::first_lost(&result.ledger);
    let header = ["CHANNEL", "WRITER", "KEY", "ACKNOWLEDGED", "BY", "TIMELINE"];
    section("First lost commits", header, &rows)
}

#[cfg(test)]
mod tests;
