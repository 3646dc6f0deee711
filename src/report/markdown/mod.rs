//! The result as Markdown, for a ticket, a wiki or the summary of a CI job.
//!
//! The same facts in the same order as the last screen, in tables; nothing is left out that a reader who
//! was not there would need.

mod commits;

use super::{Reporter, wording};
use crate::event::result::{Known, Part, RunResult};
use crate::figures;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Writes Markdown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Markdown;

impl Reporter for Markdown {
    fn write(&self, result: &RunResult, out: &mut dyn Write) -> io::Result<()> {
        let mut text = String::new();
        worded(result, &mut text).map_err(io::Error::other)?;
        out.write_all(text.as_bytes())
    }
}

fn worded(result: &RunResult, text: &mut String) -> fmt::Result {
    head(result, text)?;
    objectives(result, text)?;
    faults(result, text)?;
    channels(result, text)?;
    loads(result, text)?;
    recovery(result, text)?;
    commits::write(result, text)?;
    state(result, text)?;
    environment(result, text)
}

/// A foreign text inside a line or a table's cell: nothing in it may act as markup.
fn cell(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Underscores stay: inside a word they are no markup, and escaped they are hard to read.
            '|' | '*' | '`' | '<' | '[' | ']' | '\\' | '#' => {
                clean.push('\\');
                clean.push(c);
            }
            c if c.is_control() => clean.push(' '),
            c => clean.push(c),
        }
    }
    clean
}

pub(super) fn table(text: &mut String, header: &[&str], rows: &[Vec<String>]) -> fmt::Result {
    writeln!(text, "| {} |", header.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(header.len()))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|it| cell(it)).collect();
        writeln!(text, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn head(result: &RunResult, text: &mut String) -> fmt::Result {
    let run = &result.run;
    let word = wording::headline(result);
    writeln!(
        text,
        "# {word}: {} on {}\n",
        cell(&run.drill),
        cell(&run.target)
    )?;
    if !wording::is_safe(result) {
        for left in &result.undo.left {
            writeln!(text, "**Not undone:** {}\n", cell(left))?;
        }
        writeln!(text, "**Put it back with** `firedrill undo {}`\n", run.id)?;
    }
    let downtime = wording::downtime(result);
    let lost = wording::lost(&result.ledger);
    writeln!(
        text,
        "**{}, {}, {}.**\n",
        cell(&downtime),
        cell(&lost),
        wording::undone(result)
    )?;
    writeln!(text, "{}\n", cell(&run.summary))?;
    if let Some(expected) = &result.expect.fail {
        let met = if result.expect.met { "met" } else { "not met" };
        writeln!(
            text,
            "- calibration {met}: {} alone should fail",
            cell(expected)
        )?;
    }
    for reason in &result.reasons {
        writeln!(text, "- why: {}", cell(reason))?;
    }
    for (what, why) in wording::not_observed(result) {
        writeln!(text, "- not observed: {} ({})", cell(&what), cell(&why))?;
    }
    if !run.complete {
        writeln!(
            text,
            "- the log of this run ends early; everything goes only as far as it does"
        )?;
    }
    writeln!(
        text,
        "- run `{}`, started {}, seed {}, drill file SHA-256 `{}`",
        run.id,
        wording::started(result),
        run.seed,
        run.drill_sha256
    )
}

fn objectives(result: &RunResult, text: &mut String) -> fmt::Result {
    writeln!(text, "\n## Objectives\n")?;
    let rows: Vec<Vec<String>> = result
        .objectives
        .iter()
        .map(|it| {
            vec![
                it.name.clone(),
                it.demand.clone(),
                figures::known(&it.measured, figures::measured),
                wording::verdict(it.verdict).to_owned(),
                it.note.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(
        text,
        &["objective", "demanded", "measured", "verdict", "note"],
        &rows,
    )?;
    for it in &result.settings.variables {
        write!(
            text,
            "\n`{}` is {} (from {})\n",
            it.name,
            cell(&it.value),
            cell(&it.from)
        )?;
    }
    Ok(())
}

fn faults(result: &RunResult, text: &mut String) -> fmt::Result {
    writeln!(text, "\n## What was hit\n")?;
    let rows: Vec<Vec<String>> = result
        .faults
        .iter()
        .map(|it| {
            let undo = match &it.undo {
                Some(undo) if undo.verified => undo.how.clone().unwrap_or("verified".to_owned()),
                Some(undo) => format!(
                    "NOT VERIFIED: {}",
                    undo.how.as_deref().unwrap_or("no proof")
                ),
                None => "none".to_owned(),
            };
            let proof = it.proof.clone().unwrap_or("proven".to_owned());
            vec![
                it.fault.clone(),
                format!("{} ({})", it.node, it.role),
                figures::moment(it.requested_ms),
                figures::known(&it.effect_ms, |at| {
                    format!("{} {proof}", figures::moment(*at))
                }),
                undo,
            ]
        })
        .collect();
    if rows.is_empty() {
        writeln!(text, "No fault was injected.")?;
    } else {
        table(text, &["fault", "node", "at", "effect", "undo"], &rows)?;
    }
    let primary = wording::primaries(result).unwrap_or_else(|| "not known".to_owned());
    writeln!(text, "\nPrimary: {}.", cell(&primary))
}

fn channels(result: &RunResult, text: &mut String) -> fmt::Result {
    writeln!(
        text,
        "\n## Service\n\nMeasured: {}.\n",
        cell(&result.environment.path)
    )?;
    let rows: Vec<Vec<String>> = result
        .channels
        .iter()
        .map(|(name, it)| {
            let outages = match name.starts_with("node/") {
                true => "–".to_owned(),
                false => wording::outages(it).map_or("none".to_owned(), |(text, _)| text),
            };
            vec![
                name.clone(),
                outages,
                it.outages.len().to_string(),
                it.stalls.len().to_string(),
                figures::number(it.acknowledged),
                figures::number(it.failed),
                figures::number(it.in_doubt),
                figures::number(it.not_sent),
            ]
        })
        .collect();
    let header = [
        "channel",
        "longest outage",
        "outages",
        "stalls",
        "acknowledged",
        "failed",
        "in doubt",
        "not sent",
    ];
    table(text, &header, &rows)
}

fn loads(result: &RunResult, text: &mut String) -> fmt::Result {
    let lines = super::loads::lines(result);
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## Loads\n")?;
    for (id, line) in lines {
        writeln!(text, "- {}: {}", cell(&id), cell(&line))?;
    }
    Ok(())
}

fn recovery(result: &RunResult, text: &mut String) -> fmt::Result {
    let recovery = &result.recovery;
    let total = figures::known(&recovery.total, figures::bounds);
    writeln!(
        text,
        "\n## Recovery\n\nFrom the fault to service: {}{}\n",
        cell(&total),
        cell(&wording::around_recovery(recovery))
    )?;
    if !recovery.parts.is_empty() {
        let rows: Vec<Vec<String>> = recovery.parts.iter().map(part).collect();
        table(text, &["part", "took", "contains", "set by"], &rows)?;
        writeln!(text)?;
    }
    for (what, value) in [
        ("all standbys back after", &recovery.redundancy),
        ("open sessions served again after", &recovery.pinned),
        ("latency back to normal after", &recovery.warm),
    ] {
        writeln!(
            text,
            "- {what}: {}",
            cell(&figures::known(value, figures::bounds))
        )?;
    }
    Ok(())
}

fn part(part: &Part) -> Vec<String> {
    vec![
        part.name.clone(),
        figures::known(&part.took, figures::bounds),
        part.includes.join(", "),
        part.setting.clone().unwrap_or_default(),
    ]
}

fn state(result: &RunResult, text: &mut String) -> fmt::Result {
    let state = &result.state_left;
    writeln!(text, "\n## State left\n")?;
    writeln!(text, "- {}", wording::undone(result))?;
    match &state.primary {
        Some(primary) => writeln!(
            text,
            "- {} led; {} of {} standbys stream",
            cell(primary),
            state.streaming,
            state.declared
        )?,
        None => writeln!(text, "- who led is not known")?,
    }
    writeln!(text, "- {}", cell(&state.cluster))
}

fn environment(result: &RunResult, text: &mut String) -> fmt::Result {
    let environment = &result.environment;
    writeln!(text, "\n## What took part\n")?;
    listed(&environment.versions, text)?;
    for line in wording::timers(&environment.timers) {
        writeln!(text, "- {}", cell(&line))?;
    }
    listed(&environment.durability, text)?;
    if !environment.stand_ins.is_empty() {
        let all = environment.stand_ins.join(", ");
        writeln!(
            text,
            "- stand-ins of firedrill, not your stack: {}",
            cell(&all)
        )?;
    }
    if super::loads::was_idle(result) {
        writeln!(
            text,
            "- no load beside the probes: times are a lower estimate"
        )?;
    }
    if let Some(ended) = &result.settings.background_ended {
        writeln!(
            text,
            "- the load beside the probes ended early: {}",
            cell(ended)
        )?;
    }
    let observer = &result.observer;
    writeln!(
        text,
        "- the observer was late by at most {}; its lateness widened the bounds by {} in all",
        figures::latency(observer.max_lateness_ms),
        figures::latency(observer.widened_by_ms)
    )?;
    if let Known::Observed(proof) = &result.run.selftest {
        writeln!(text, "- the instrument's own proof: {}", cell(proof))?;
    }
    writeln!(
        text,
        "- 1 run: where in the stack's cycle the fault fell decides; another run will differ"
    )
}

fn listed(pairs: &BTreeMap<String, String>, text: &mut String) -> fmt::Result {
    for (name, value) in pairs {
        writeln!(text, "- {}: {}", cell(name), cell(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
