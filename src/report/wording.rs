//! Sentences about a result that more than one report uses, without colours or layout.

use crate::event::result::{
    Bounds, Channel, Known, Ledger, ObjectiveResult, Outage, Recovery, RunResult, Verdict,
};
use crate::figures;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// From how long after the fault the beginning of an outage is told: until then clients have only not asked yet.
const WORTH_SAYING_MS: f64 = 1_000.0;

/// A verdict's word.
#[must_use]
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Unknown => "unknown",
        Verdict::Fail => "fail",
        Verdict::Invalid => "invalid",
    }
}

/// The word that opens a report: the verdict, unless something else decides what has to be done now.
#[must_use]
pub fn headline(result: &RunResult) -> &'static str {
    // A log that ends early says nothing about the undo; its own word is the verdict.
    if result.run.complete && !is_safe(result) {
        return "NOT UNDONE";
    }
    if result.undo.interrupted.is_some() {
        return "STOPPED";
    }
    if result.called_off.is_some() {
        return "CALLED OFF";
    }
    match (result.verdict, &result.expect.fail) {
        (Verdict::Fail | Verdict::Pass, Some(_)) if result.expect.met => "AS EXPECTED",
        (Verdict::Pass, Some(_)) => "NOT AS EXPECTED",
        (Verdict::Pass, None) => "PASS",
        (Verdict::Fail, _) => "FAIL",
        (Verdict::Unknown, _) => "UNKNOWN",
        (Verdict::Invalid, _) => "INVALID",
    }
}

/// Whether everything was put back and at most one node takes writes.
#[must_use]
pub fn is_safe(result: &RunResult) -> bool {
    result.undo.complete && !matches!(result.undo.writable_nodes_after, Some(2..))
}

/// Whether the run came out as it should: a pass, or a calibration that was met, and all undone.
#[must_use]
pub fn is_good(result: &RunResult) -> bool {
    let expected = match result.expect.fail {
        Some(_) => result.expect.met,
        None => result.verdict == Verdict::Pass,
    };
    expected && is_safe(result) && result.undo.interrupted.is_none()
}

/// An objective in one line: `lost_commits: 3, demanded at most 0`.
#[must_use]
pub fn objective(objective: &ObjectiveResult) -> String {
    let measured = match &objective.measured {
        Known::Observed(measured) => figures::measured(measured),
        Known::Missing(missing) => format!("not observed: {}", missing.not_observed),
    };
    let mut text = format!(
        "{}: {measured}, demanded {}",
        objective.name, objective.demand
    );
    if let Some(note) = &objective.note {
        text.push_str(&format!(" ({note})"));
    }
    text
}

/// The outages of the writer channels; `None` when neither was probed.
fn writer_outages(result: &RunResult) -> Option<Vec<&Outage>> {
    let writers: Vec<&Channel> = ["writer_fresh", "writer_pinned"]
        .into_iter()
        .filter_map(|name| result.channels.get(name))
        .collect();
    let outages = writers.iter().flat_map(|channel| &channel.outages);
    (!writers.is_empty()).then(|| outages.collect())
}

/// The longest outage of the writer channels, whichever it is: no shorter than the largest lower bound, no
/// longer than the largest upper one. Both are 0 when there was none; `None` when no writer was probed.
#[must_use]
pub fn worst_downtime(result: &RunResult) -> Option<Bounds> {
    let outages = writer_outages(result)?;
    let none = Bounds {
        lower_ms: 0.0,
        upper_ms: Some(0.0),
    };
    Some(outages.iter().fold(none, |worst, it| Bounds {
        lower_ms: worst.lower_ms.max(it.lower_ms),
        // One that did not end leaves the longest without an upper bound.
        upper_ms: worst.upper_ms.zip(it.upper_ms).map(|(a, b)| a.max(b)),
    }))
}

/// The downtime as a phrase: `downtime 0.42–0.46 s`.
#[must_use]
pub fn downtime(result: &RunResult) -> String {
    let Some((bounds, outages)) = worst_downtime(result).zip(writer_outages(result)) else {
        return "downtime not observed".to_owned();
    };
    if outages.is_empty() {
        return "no downtime".to_owned();
    }
    format!(
        "downtime {}{}",
        figures::bounds(&bounds),
        how_it_ended(&bounds, outages.iter().any(|it| it.censored_by_undo))
    )
}

/// What has to be said of an outage beside its bounds.
fn how_it_ended(bounds: &Bounds, censored_by_undo: bool) -> &'static str {
    match (bounds.upper_ms, censored_by_undo) {
        (Some(_), _) => "",
        (None, true) => ", open until the undo",
        (None, false) => ", not ended",
    }
}

/// One that did not end is longer than any that did; of two that did not end, the one that was seen for longer.
fn compare(a: &&Outage, b: &&Outage) -> Ordering {
    let key = |outage: &Outage| outage.upper_ms.unwrap_or(f64::INFINITY);
    let by_upper = key(a).total_cmp(&key(b));
    by_upper.then(a.lower_ms.total_cmp(&b.lower_ms))
}

/// The longest of some outages or stalls.
#[must_use]
pub fn longest_of(outages: &[Outage]) -> Option<&Outage> {
    outages.iter().max_by(compare)
}

/// A channel's outages, where there are any: the longest one, and beside it one that did not end by itself and was
/// seen for less, and how many these are. `30.28–30.77 s, and > 2.85 s, open until the undo`.
#[must_use]
pub fn outages(channel: &Channel) -> Option<(String, usize)> {
    let all = channel.outages.iter();
    let ended = all.clone().filter(|outage| outage.upper_ms.is_some());
    let open = all.filter(|outage| outage.upper_ms.is_none());
    match (ended.max_by(compare), open.max_by(compare)) {
        (Some(ended), Some(open)) if ended.lower_ms > open.lower_ms => {
            Some((format!("{}, and {}", outage(ended), outage(open)), 2))
        }
        (ended, open) => open.or(ended).map(|longest| (outage(longest), 1)),
    }
}

/// One outage: `0.42–0.46 s`, `> 12.30 s, not ended`, or `> 12.30 s, open until the undo` where our own
/// repair ended it.
#[must_use]
pub fn outage(outage: &Outage) -> String {
    let bounds = Bounds {
        lower_ms: outage.lower_ms,
        upper_ms: outage.upper_ms,
    };
    let ended = how_it_ended(&bounds, outage.censored_by_undo);
    format!("{}{ended}", figures::bounds(&bounds))
}

/// Who led before and after: `node-1 → node-2, promoted by Patroni`; `None` where nobody was seen to lead.
#[must_use]
pub fn primaries(result: &RunResult) -> Option<String> {
    let recovery = &result.recovery;
    let leads = result.state_left.primary.as_ref();
    let text = match (&recovery.old_primary, &recovery.new_primary) {
        (None, None) => return None,
        (Some(old), None) if leads.is_none_or(|leads| leads == old) => {
            return Some(format!("was {old}; no other took over"));
        }
        (Some(old), None) => format!("was {old}"),
        (Some(old), Some(new)) if old == new => match &recovery.between {
            Some(between) => format!("{old} → {between} → {old}, which led again"),
            None => format!("{old} before and after"),
        },
        (old, Some(new)) => {
            let old = old.as_deref().unwrap_or("not known");
            let by = recovery.promoted_by.as_deref();
            let by = by.unwrap_or("somebody who was not observed");
            format!("{old} → {new}, promoted by {by}")
        }
    };
    Some(
        match leads.filter(|leads| Some(*leads) != recovery.new_primary.as_ref()) {
            Some(leads) => format!("{text}; {leads} led at the end"),
            None => text,
        },
    )
}

/// What belongs to a recovery's length, where there is anything: an outage that began long after the fault, and service
/// that was lost once more.
#[must_use]
pub fn around_recovery(recovery: &Recovery) -> String {
    let mut text = String::new();
    if let Some(began) = recovery.began.filter(|it| it.lower_ms >= WORTH_SAYING_MS) {
        let began = figures::bounds(&began);
        text.push_str(&format!("; the outage began {began} after the fault"));
    }
    if recovery.lost_again {
        text.push_str("; a later outage did not end by itself");
    }
    text
}

/// How many acknowledged commits were lost, of how many; says so where none could have been. Why nobody
/// knows, where nobody does, stands in the ledger.
#[must_use]
pub fn lost(ledger: &Ledger) -> String {
    let acknowledged = figures::count(ledger.acknowledged, "acknowledged commit");
    let text = match (ledger.lost.count, ledger.loss_unjudged()) {
        (Some(lost), None) => format!("{} of {acknowledged} lost", figures::number(lost)),
        // Loss that was proven stands, even where the rest could not be judged.
        (Some(lost), Some(_)) if lost > 0 => {
            format!("at least {} of {acknowledged} lost", figures::number(lost))
        }
        (_, Some(_)) | (None, None) => return "lost commits not known".to_owned(),
    };
    match (ledger.lost.count, ledger.at_risk.observed()) {
        // Nothing could be lost, so that nothing was proven: this must never be read as a good result.
        (Some(0), Some(0)) => format!("{text} (none was at risk)"),
        _ => text,
    }
}

/// Whether everything was put back, in two or three words.
#[must_use]
pub fn undone(result: &RunResult) -> String {
    match (result.undo.complete, result.undo.left.len()) {
        (true, _) if !is_safe(result) => "TWO PRIMARIES LEFT".to_owned(),
        (true, _) if result.faults.is_empty() => "nothing was broken".to_owned(),
        (true, _) => "everything undone".to_owned(),
        (false, 0) => "NOT KNOWN WHETHER UNDONE".to_owned(),
        (false, left) => format!("{left} NOT UNDONE"),
    }
}

/// The timers: a line for each part of the stack that has several, one for all the others.
#[must_use]
pub fn timers(timers: &BTreeMap<String, String>) -> Vec<String> {
    let pairs = timers.iter();
    let phrases = figures::settings(pairs.map(|(name, value)| (name.as_str(), value.as_str())));
    let (mut lines, single): (Vec<String>, Vec<String>) = phrases
        .into_iter()
        .partition(|phrase| phrase.contains(" + ") || phrase.contains(" × "));
    if !single.is_empty() {
        lines.push(single.join(", "));
    }
    lines
}

/// When a run started, to the second: `2026-11-23T01:22:33Z`.
#[must_use]
pub fn started(result: &RunResult) -> String {
    let started = &result.run.started_at;
    match started.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => started.clone(),
    }
}

/// The first lost commits as cells: channel, writer, key, when it was acknowledged, by which node, on which
/// timeline.
#[must_use]
pub fn first_lost(ledger: &Ledger) -> Vec<[String; 6]> {
    let rows = ledger.lost.first.iter().map(|row| {
        [
            row.channel.clone(),
            row.writer.to_string(),
            row.seq.to_string(),
            figures::moment(row.acknowledged_ms),
            row.node.clone().unwrap_or("not known".to_owned()),
            row.timeline.to_string(),
        ]
    });
    rows.collect()
}

/// Everything that the result does not know, as (what, why); the same order in every report.
#[must_use]
pub fn not_observed(result: &RunResult) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    // A run that was refused before its fault was called invalid for that; its objectives are no news.
    let refused = result.verdict == Verdict::Invalid && result.faults.is_empty();
    let demanded = !(refused && result.run.complete);
    let mut ask = |what: &str, why: Option<&str>| {
        let told = missing
            .iter()
            .any(|(known, _): &(String, String)| known == what);
        if let (Some(why), false) = (why, told) {
            missing.push((what.to_owned(), why.to_owned()));
        }
    };
    for objective in result.objectives.iter().filter(|_| demanded) {
        ask(&objective.name.replace('_', " "), objective.measured.why());
    }
    let recovery = &result.recovery;
    let was_out = |name: &str| {
        let channel = result.channels.get(name);
        channel.is_none_or(|channel| !channel.outages.is_empty())
    };
    // Where nothing was broken, or nobody was without service, there was no recovery to observe.
    let broken = !result.faults.is_empty() || !result.run.complete;
    if broken && was_out("writer_fresh") {
        ask("recovery", recovery.total.why());
        for part in &recovery.parts {
            ask(&part.name, part.took.why());
        }
        ask("latency back to normal", recovery.warm.why());
    }
    if broken && was_out("writer_pinned") {
        ask("open sessions served again", recovery.pinned.why());
    }
    if broken {
        ask("redundancy", recovery.redundancy.why());
    }
    let ledger = &result.ledger;
    if ledger.lost.count.is_none() {
        ask(
            "lost commits",
            Some(ledger.loss_unjudged().unwrap_or("not judged")),
        );
    }
    if broken {
        ask("commits at risk", ledger.at_risk.why());
    }
    ask("isolated commits", ledger.isolated.why());
    for node in &result.two_writers.not_observed {
        ask("two writers", Some(&format!("{node} was not probed")));
    }
    ask("archiving", result.state_left.archiving.why());
    ask("the instrument's own proof", result.run.selftest.why());
    missing
}
