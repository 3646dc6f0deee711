//! What was hit, which path was measured, how long clients were without service, and where the time went.

use super::page::Page;
use crate::event::result::{Channel, FaultResult, Known, Part, RunResult};
use crate::figures;
use crate::report::{Paint, loads, wording};

/// The faults, the old and the new primary, and who promoted it.
pub fn hit(result: &RunResult, page: &mut Page) {
    if result.faults.is_empty() {
        let text = match result.run.complete {
            true => "nothing: no fault was injected",
            false => "nothing, as far as the log goes",
        };
        page.line("Hit", text);
    }
    for (index, fault) in result.faults.iter().enumerate() {
        let label = if index == 0 { "Hit" } else { "" };
        page.line(label, &one_hit(fault));
    }
    let noted = result
        .steps
        .iter()
        .flat_map(|step| step.noted.iter().map(move |noted| (&step.id, noted)));
    for (index, (id, noted)) in noted.enumerate() {
        let label = if index == 0 { "Noted" } else { "" };
        page.line(label, &format!("{id}: {noted}"));
    }
    if let Some(text) = wording::primaries(result) {
        page.line("Primary", &text);
    }
}

fn one_hit(fault: &FaultResult) -> String {
    let mut text = format!(
        "{} of {} ({}) at {}",
        fault.fault.replace('_', " "),
        fault.node,
        fault.role,
        figures::moment(fault.requested_ms)
    );
    match (&fault.effect_ms, &fault.proof) {
        (Known::Observed(_), Some(proof)) => text.push_str(&format!("; proven: {proof}")),
        (Known::Observed(_), None) => text.push_str("; effect proven"),
        (Known::Missing(missing), _) => {
            text.push_str(&format!("; NOT PROVEN: {}", missing.not_observed));
        }
    }
    if let Some(released) = fault.released_ms {
        text.push_str(&format!("; let back at {}", figures::moment(released)));
    }
    text
}

/// Which path clients took, and what of it is only firedrill's own.
pub fn path(result: &RunResult, page: &mut Page) {
    let environment = &result.environment;
    page.line("Measured", &environment.path);
    if !environment.stand_ins.is_empty() {
        let text = format!(
            "firedrill's own stand-ins, not your stack: {}",
            environment.stand_ins.join(", ")
        );
        page.line("", &text);
    }
    if loads::was_idle(result) {
        page.line("", "no load beside the probes: times are a lower estimate");
    }
    if let Some(ended) = &result.settings.background_ended {
        let text = format!("the load beside the probes ended early: {ended}");
        page.line_painted("", Some(Paint::Doubt), &text);
    }
    if !result.observer.valid {
        page.line_painted(
            "",
            Some(Paint::Doubt),
            "the observer itself was disturbed, as said above",
        );
    }
}

/// Downtime by channel, then what was slow and no downtime.
pub fn downtime(result: &RunResult, page: &mut Page) {
    // Node channels have no downtime: they watch single servers, which are meant to be lost.
    let mut channels: Vec<(&String, &Channel)> = result
        .channels
        .iter()
        .filter(|(name, _)| !name.starts_with("node/"))
        .collect();
    channels.sort_by_key(|(name, _)| (order(name), (*name).clone()));
    if channels.is_empty() {
        page.line("Downtime", "not observed");
        return;
    }
    let rows: Vec<[String; 3]> = channels
        .iter()
        .map(|(name, channel)| {
            let figure = figure(name, channel);
            [(*name).clone(), figure, meaning(name, result)]
        })
        .collect();
    page.table("Downtime", &rows);
    let stalls: Vec<String> = channels
        .iter()
        .filter_map(|(name, channel)| Some(format!("{name} {}", stalls(channel)?)))
        .collect();
    if !stalls.is_empty() {
        page.line(
            "Stalls",
            &format!("{}: slow, none failed", stalls.join("; ")),
        );
    }
}

fn order(name: &str) -> usize {
    let known = ["writer_fresh", "writer_pinned", "reader", "witness"];
    known
        .iter()
        .position(|it| *it == name)
        .unwrap_or(known.len())
}

/// What a channel stands for.
fn meaning(name: &str, result: &RunResult) -> String {
    let mut endpoints = result.settings.endpoints.iter();
    let endpoint = endpoints.find(|endpoint| endpoint.channels.iter().any(|it| it == name));
    let pooled = endpoint.is_some_and(|endpoint| endpoint.pooled);
    match (name, endpoint) {
        ("reader", _) => "reads",
        ("witness", _) => "a client without time-outs",
        (name, _) if name.ends_with("_fresh") => "a new connection for each write",
        (name, _) if name.ends_with("_pinned") && pooled => {
            "writes on sessions pinned to the pooler"
        }
        (name, _) if name.ends_with("_pinned") => "writes on open sessions",
        (name, Some(_)) if name.ends_with("_reader") => "reads",
        (_, Some(endpoint)) => return endpoint.about.clone(),
        _ => "",
    }
    .to_owned()
}

fn figure(name: &str, channel: &Channel) -> String {
    if name == "witness" {
        return format!("{} stuck", figures::duration(channel.stuck_ms));
    }
    let Some((mut text, shown)) = wording::outages(channel) else {
        return "none".to_owned();
    };
    if channel.outages.len() > shown {
        text.push_str(&format!(" (longest of {})", channel.outages.len()));
    }
    text
}

/// How often answers were late without one that failed, and for how long at the most: `2, longest
/// 0.88–1.46 s`.
fn stalls(channel: &Channel) -> Option<String> {
    let longest = wording::outage(wording::longest_of(&channel.stalls)?);
    Some(match channel.stalls.len() {
        1 => format!("1 of {longest}"),
        many => format!("{many}, longest {longest}"),
    })
}

/// The drill's own clients beside the probes.
pub fn loads(result: &RunResult, page: &mut Page) {
    for (index, (id, line)) in loads::lines(result).into_iter().enumerate() {
        let label = if index == 0 { "Loads" } else { "" };
        page.line(label, &format!("{id}: {line}"));
    }
}

/// From the fault to service, in parts; the largest one with the setting behind it.
pub fn recovery(result: &RunResult, page: &mut Page) {
    let recovery = &result.recovery;
    if let Known::Observed(total) = &recovery.total {
        let total = figures::bounds(total);
        let around = wording::around_recovery(recovery);
        page.line(
            "Recovery",
            &format!("{total} from the fault to service{around}"),
        );
        let largest = recovery.parts.iter().filter_map(|part| part.us).max();
        let rows: Vec<[String; 3]> = recovery
            .parts
            .iter()
            .map(|part| {
                let is_largest = part.us.is_some() && part.us == largest;
                [part.name.clone(), took(part), remark(part, is_largest)]
            })
            .collect();
        page.table("", &rows);
    }
    if recovery.waited_ms > 0.0 {
        let waited = figures::duration(recovery.waited_ms);
        page.line("", &format!("not counted: {waited} of waiting for people"));
    }
    let label = match recovery.total {
        Known::Observed(_) => "",
        Known::Missing(_) => "Recovery",
    };
    if let Known::Observed(bounds) = &recovery.redundancy {
        let text = match bounds.upper_ms {
            Some(_) => format!("all standbys back after {}", figures::bounds(bounds)),
            None => "not all standbys came back while it was watched".to_owned(),
        };
        page.line(label, &text);
    }
}

fn took(part: &Part) -> String {
    part.took
        .observed()
        .map_or("not observed".to_owned(), figures::bounds)
}

/// What a part is, what it contains, and the setting that decides it.
fn remark(part: &Part, is_largest: bool) -> String {
    let mut text = match part.name.as_str() {
        "detect" => "the loss noticed",
        "elect" => "a successor chosen",
        "promote" => "the successor writable",
        "route" => "clients sent there",
        "stabilise" => "service steady",
        _ => "",
    }
    .to_owned();
    if !part.includes.is_empty() {
        text.push_str(&format!(" (with {})", part.includes.join(", ")));
    }
    match (&part.setting, is_largest) {
        (Some(setting), true) => text.push_str(&format!("; largest: {setting}")),
        (None, true) => text.push_str("; largest"),
        // Every setting stands below, among the timers.
        (_, false) => {}
    }
    text
}
