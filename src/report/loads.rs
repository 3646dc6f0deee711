//! What came of the clients of `load` steps, in one line for each, for every report.

use crate::event::loads::{HeldSessions, LoadKind, LoadResult, Reconnects};
use crate::event::result::{Known, Latency, RunResult};
use crate::figures;

/// Each load's id, and its line.
pub(super) fn lines(result: &RunResult) -> Vec<(String, String)> {
    let loads = result.loads.iter();
    loads.map(|(id, load)| (id.clone(), line(load))).collect()
}

/// Whether the cluster had nothing to do beside the probes, so that its figures are a lower estimate.
pub(super) fn was_idle(result: &RunResult) -> bool {
    let mut loads = result.loads.values();
    !result.settings.background && !loads.any(|load| load.does.presses())
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
    parts.push(format!(
        "{lost} lost their session, {served} were served again{after}"
    ));
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
    if let Known::Observed(fastest) = &sessions.fastest {
        parts.push(format!("first after {}", figures::bounds(fastest)));
    }
    parts.push(match &sessions.slowest {
        Known::Observed(slowest) if slowest.upper_ms.is_none() => {
            format!("longest hung {}", figures::bounds(slowest))
        }
        Known::Observed(slowest) => format!("last after {}", figures::bounds(slowest)),
        Known::Missing(missing) => missing.not_observed.clone(),
    });
}

/// What the probes felt of it.
fn felt(load: &LoadResult, parts: &mut Vec<String>) {
    let Some(beside) = &load.beside else {
        return;
    };
    if let (Some(before), Some(during)) = (p95(&beside.before), p95(&beside.during)) {
        let channel = &beside.channel;
        parts.push(format!(
            "p95 of {channel} {before} before it and {during} during it"
        ));
    }
    match &beside.back {
        Known::Observed(back) => {
            let from = match load.does {
                LoadKind::Reconnect => "the fault",
                _ => "its end",
            };
            let percentile = beside.percentile;
            parts.push(match back.upper_ms {
                Some(0.0) => format!("p{percentile} back at once after {from}"),
                _ => format!("p{percentile} back {} after {from}", figures::bounds(back)),
            });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::loads::Beside;
    use crate::event::result::Bounds;
    use crate::report::sample;
    use crate::report::{Reporter, Style, Terminal};
    use std::collections::BTreeMap;

    fn bounds(lower_ms: f64, upper_ms: Option<f64>) -> Known<Bounds> {
        Known::Observed(Bounds { lower_ms, upper_ms })
    }

    fn load(does: LoadKind) -> LoadResult {
        let latency = |p95| Latency {
            count: 400,
            p95: Some(p95),
            ..Latency::default()
        };
        let beside = Beside {
            channel: "writer_pinned".to_owned(),
            before: latency(2.1),
            during: latency(8.4),
            after: latency(2.2),
            percentile: 95,
            back: bounds(250.0, Some(500.0)),
        };
        LoadResult {
            does,
            endpoint: "writer".to_owned(),
            clients: 12,
            began_ms: 5_000.0,
            ended_ms: Some(11_000.0),
            ended: true,
            sent: 1_440,
            answered: 1_438,
            failed: 2,
            not_sent: 3,
            refused: 2,
            errors: BTreeMap::from([("53300".to_owned(), 2)]),
            latency_ms: BTreeMap::new(),
            reconnects: Some(Reconnects {
                lost: 12,
                served: 12,
                tries: 96,
                longest: bounds(480.0, Some(1_510.0)),
                all_served: bounds(510.0, Some(620.0)),
            }),
            sessions: None,
            beside: Some(beside),
        }
    }

    #[test]
    fn every_load_has_its_line_in_every_report() {
        let mut result = sample::pass();
        let idle = LoadResult {
            sessions: Some(HeldSessions {
                opened: 12,
                noticed: 9,
                hung: 2,
                alive: 0,
                unknown: 1,
                fastest: bounds(300.0, Some(320.0)),
                slowest: bounds(10_400.0, None),
            }),
            reconnects: None,
            beside: None,
            ..load(LoadKind::Idle)
        };
        let named = |name: &str, load| (name.to_owned(), load);
        result.loads = BTreeMap::from([
            named("idle", idle),
            named("spike", load(LoadKind::Write)),
            named("storm", load(LoadKind::Reconnect)),
        ]);
        let told: Vec<String> = lines(&result)
            .into_iter()
            .map(|(id, line)| format!("{id}: {line}"))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        idle: 12 clients idle: 9 noticed that they were lost; 2 HUNG; 1 still waited at the end; first after 0.30–0.32 s; longest hung > 10.40 s
        spike: 12 clients writing: 1,438 of 1,440 requests answered; 3 not sent, their client being busy; 2 refused for too many connections; p95 of writer_pinned 2.1 ms before it and 8.4 ms during it; p95 back 0.25–0.50 s after its end
        storm: 12 clients reconnecting: 12 lost their session, 12 were served again, all of them 0.51–0.62 s after the fault; 96 connects; 2 refused for too many connections; p95 of writer_pinned 2.1 ms before it and 8.4 ms during it; p95 back 0.25–0.50 s after the fault
        ");
        let written = |reporter: &dyn Reporter| {
            let mut out = Vec::new();
            reporter.write(&result, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let terminal = Terminal {
            style: Style::Plain,
            previous: None,
        };
        assert!(written(&terminal).contains("  Loads       idle: 12 clients idle"));
        assert!(!written(&terminal).contains("lower estimate"));
        assert!(written(&crate::report::Markdown).contains("\n## Loads\n\n- idle: 12 clients"));
        assert!(written(&crate::report::Junit).contains("name=\"load spike\" value=\"12 clients"));
    }
}
