//! What came of the clients of `load` steps, in one line for each, for every report.

use crate::event::loads::{HeldSessions, LoadKind, LoadResult, Reconnects};
use crate::event::result::{Known, Latency, RunResult};
use crate::figures;

/// Each load's id, and its line.
pub(super) fn lines(result: &RunResult) -> Vec<(String, String)> {
    let loads = result.loads.iter();
    loads.map(|(id, load)| (id.clone(), line(load))).collect()
}

fn line(load: &LoadResult) -> String {
    let clients = match load.clients {
        1 => "1 client".to_owned(),
        many => format!("{} clients", figures::number(u64::from(many))),
    };
    let does = load.does.in_words();
    let endpoint = match load.endpoint.as_str() {
        "writer" => String::new(),
        other => format!(" through {other}"),
    };
    let mut parts = Vec::new();
    match (&load.reconnects, &load.sessions) {
        (_, Some(sessions)) => held(sessions, &mut parts),
        (Some(reconnects), None) => {
            if load.does == LoadKind::Reconnect {
                came_back(reconnects, &mut parts);
            } else {
                asked(load, &mut parts);
            }
            let refused = figures::number(load.refused);
            parts.push(format!("{refused} refused for too many connections"));
        }
        (None, None) => {}
    }
    felt(load, &mut parts);
    if !load.ended {
        parts.push("not over when the log ends".to_owned());
    }
    format!("{clients} {does}{endpoint}: {}", parts.join("; "))
}

fn asked(load: &LoadResult, parts: &mut Vec<String>) {
    let (answered, sent) = (figures::number(load.answered), figures::number(load.sent));
    parts.push(format!("{answered} of {sent} requests answered"));
    if load.not_sent > 0 {
        let not_sent = figures::number(load.not_sent);
        parts.push(format!("{not_sent} not sent, their client being busy"));
    }
}

fn came_back(reconnects: &Reconnects, parts: &mut Vec<String>) {
    if reconnects.lost == 0 {
        parts.push("none lost its session".to_owned());
        return;
    }
    let Reconnects { lost, served, .. } = reconnects;
    let after = figures::known(&reconnects.all_served, figures::bounds);
    let after = match reconnects.all_served {
        Known::Observed(_) => format!(", all of them {after} after the fault"),
        Known::Missing(_) => String::new(),
    };
    parts.push(format!("{lost} lost their session, {served} were served again{after}"));
    parts.push(format!("{} connects", figures::number(reconnects.tries)));
}

fn held(sessions: &HeldSessions, parts: &mut Vec<String>) {
    for (count, what) in [
        (sessions.noticed, "noticed that they were lost"),
        (sessions.hung, "HUNG"),
        (sessions.alive, "were alive at the end"),
        (sessions.unknown, "still waited at the end"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    match (&sessions.fastest, &sessions.slowest) {
        (Known::Observed(fastest), Known::Observed(slowest)) => parts.push(format!(
            "first after {}, last after {}",
            figures::bounds(fastest),
            figures::bounds(slowest)
        )),
        (Known::Missing(_), Known::Observed(slowest)) => {
            parts.push(format!("none in {}", figures::bounds(slowest)));
        }
        (_, Known::Missing(missing)) => parts.push(missing.not_observed.clone()),
    }
}

/// What the probes felt of it.
fn felt(load: &LoadResult, parts: &mut Vec<String>) {
    let Some(beside) = &load.beside else {
        return;
    };
    if let (Some(before), Some(during)) = (p95(&beside.before), p95(&beside.during)) {
        let channel = &beside.channel;
        parts.push(format!("p95 of {channel} {before} before it and {during} during it"));
    }
    match &beside.back {
        Known::Observed(back) => {
            let from = match load.does {
                LoadKind::Reconnect => "the fault",
                _ => "its end",
            };
            let (percentile, back) = (beside.percentile, figures::bounds(back));
            parts.push(format!("p{percentile} back {back} after {from}"));
        }
        Known::Missing(missing) => parts.push(format!(
            "p{} back: not observed ({})",
            beside.percentile, missing.not_observed
        )),
    }
}

fn p95(latency: &Latency) -> Option<String> {
    latency.p95.map(figures::latency)
}
