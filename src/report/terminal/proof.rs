//! What became of the commits, the state left, what took part, the run before, and what to do next.

use super::PreviousFigure;
use super::page::Page;
use crate::event::result::{Known, RunResult, TwoWriters, Verdict};
use crate::figures;
use crate::report::{Paint, wording};
use std::collections::BTreeMap;

/// Lost, at risk, isolated, in doubt, and whether two nodes took writes.
pub fn commits(result: &RunResult, page: &mut Page) {
    let ledger = &result.ledger;
    let bad = ledger
        .lost
        .count
        .is_some_and(|lost| lost > 0)
        .then_some(Paint::Bad);
    let mut text = wording::lost(ledger);
    if let Some(at_risk @ 1..) = ledger.at_risk.observed() {
        text.push_str(&format!(", {} at risk", figures::number(*at_risk)));
    }
    if let Some(why) = ledger.loss_unjudged() {
        text.push_str(&format!(": {why}"));
    }
    page.line_painted("Commits", bad, &text);
    if bad.is_some() {
        lost_in_detail(result, page);
    }
    let isolated = match &ledger.isolated {
        Known::Observed(isolated) if isolated.count == 0 => {
            "0 isolated: acknowledged only inside the node that was hit".to_owned()
        }
        Known::Observed(isolated) => format!(
            "{} isolated: acknowledged only inside the node that was hit, over {}",
            figures::number(isolated.count),
            figures::duration(isolated.span_ms)
        ),
        Known::Missing(missing) => format!("isolated: not observed: {}", missing.not_observed),
    };
    page.line("", &isolated);
    let doubt = ledger.in_doubt;
    if doubt.count > 0 && ledger.judged {
        let text = format!(
            "{} in doubt: {} found, {} not, and both are allowed",
            figures::number(doubt.count),
            figures::number(doubt.recovered),
            figures::number(doubt.vanished)
        );
        page.line("", &text);
    }
    for (count, what) in [
        (ledger.phantom, "refused, and yet there"),
        (ledger.unexpected, "there, and never sent"),
        (ledger.duplicated, "there more than once"),
    ] {
        if count > 0 {
            let text = format!("{} {what}", figures::count(count, "commit"));
            page.line_painted("", Some(Paint::Bad), &text);
        }
    }
    for node in &ledger.diverged_nodes {
        page.line_painted("", Some(Paint::Bad), &format!("different rows: {node}"));
    }
    two_writers(&result.two_writers, page);
}

fn lost_in_detail(result: &RunResult, page: &mut Page) {
    let lost = &result.ledger.lost;
    if let Known::Observed(rpo) = &lost.rpo {
        let mut text = format!(
            "the oldest was acknowledged {} before the fault",
            figures::bounds(rpo)
        );
        if let Some(bytes) = lost.rpo_bytes {
            text.push_str(&format!("; {} of log", figures::bytes(bytes)));
        }
        page.line("", &text);
    }
    let shape = match lost.shape.as_deref() {
        Some("suffix") => Some("they are the newest ones, as a plain failover loses them"),
        Some("holes") => Some("with HOLES: newer ones survived, which no plain failover does"),
        Some("abandoned_timeline") => Some(
            "among them what a node that had taken over acknowledged: its whole TIMELINE IS GIVEN UP, and in \
             nobody's history",
        ),
        Some("new_timeline") => Some("the NEW primary acknowledged them, and yet they are gone"),
        _ => None,
    };
    if let Some(shape) = shape {
        page.line("", shape);
    }
    if let Some(found) = lost.found_in_old_data {
        let text = format!(
            "{} of them found in the old primary's own data",
            figures::number(found)
        );
        page.line("", &text);
    }
}

fn two_writers(two: &TwoWriters, page: &mut Page) {
    for pair in &two.pairs {
        if pair.overlap_ms <= 0.0 && pair.sent_before_thaw + pair.sent_after == 0 {
            continue;
        }
        let text = format!(
            "two writers: timelines {} and {} both acknowledged for {} ({}); late by the old one: {} sent \
             before it came back, {} after",
            pair.old,
            pair.new,
            figures::duration(pair.overlap_ms),
            figures::count(pair.acks, "commit"),
            figures::number(pair.sent_before_thaw),
            figures::number(pair.sent_after),
        );
        page.line_painted("", Some(Paint::Bad), &text);
    }
    for flag in &two.flags {
        page.line_painted(
            "",
            Some(Paint::Doubt),
            &format!("sign of two writers: {flag}"),
        );
    }
}

/// Who leads now, who streams, and whether everything was put back.
pub fn state_left(result: &RunResult, page: &mut Page) {
    let state = &result.state_left;
    let leads = match (&state.primary, state.timeline) {
        (Some(node), Some(timeline)) => format!("{node} led on timeline {timeline}"),
        (Some(node), None) => format!("{node} led"),
        (None, _) => "who led is not known".to_owned(),
    };
    let streaming = match state.primary {
        Some(_) => format!(
            ", {} of {} standbys streaming",
            state.streaming, state.declared
        ),
        None => String::new(),
    };
    let text = format!(
        "{}; {leads}{streaming}; {}",
        wording::undone(result),
        state.cluster
    );
    page.line("State left", &text);
}

/// Versions, live timers and durability settings.
pub fn environment(result: &RunResult, page: &mut Page) {
    let environment = &result.environment;
    if !environment.versions.is_empty() {
        page.line("Versions", &listed(&environment.versions));
    }
    for (index, line) in wording::timers(&environment.timers).iter().enumerate() {
        page.line(if index == 0 { "Timers" } else { "" }, line);
    }
    if !environment.durability.is_empty() {
        page.line("Durability", &listed(&environment.durability));
    }
}

fn listed(pairs: &BTreeMap<String, String>) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name} {value}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// The figure of the run before.
pub fn previous(previous: Option<&PreviousFigure>, page: &mut Page) {
    let Some(previous) = previous else {
        page.line("Before", "no earlier run of this drill on this target");
        return;
    };
    let downtime = previous
        .downtime
        .map_or("not observed".to_owned(), |it| figures::bounds(&it));
    let lost = match previous.lost {
        Some(lost) => format!("{} lost", figures::number(lost)),
        None => "loss not known".to_owned(),
    };
    let changed = if previous.drill_changed {
        "; the drill file changed since"
    } else {
        ""
    };
    let day = previous.started_at.split('T').next().unwrap_or_default();
    let text = format!(
        "{}: downtime {downtime}, {lost} ({day}, run {}{changed})",
        wording::verdict(previous.verdict),
        previous.run
    );
    page.line("Before", &text);
}

/// One run is one moment of the stack's cycle, and must not be quoted as more.
pub fn one_run(result: &RunResult, page: &mut Page) {
    if result.recovery.total.observed().is_some() {
        let text =
            "1 run: where in the stack's cycle the fault fell decides; another run will differ";
        page.line("Repeats", text);
    }
}

/// The one command that makes sense now.
pub fn next(result: &RunResult, page: &mut Page) {
    let run = &result.run;
    let text = if !wording::is_safe(result) {
        format!("firedrill undo {}", run.id)
    } else if result.undo.interrupted.is_some() || result.verdict == Verdict::Invalid {
        format!("firedrill run {}", run.drill)
    } else {
        format!("firedrill show {}", run.id)
    };
    page.line("Next", &text);
}
