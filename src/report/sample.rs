//! Results made by hand, one for each kind of run that a report must be able to tell; for tests only.

use crate::event::result::*;
use std::collections::BTreeMap;

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn bounds(lower_ms: f64, upper_ms: f64) -> Bounds {
    Bounds {
        lower_ms,
        upper_ms: Some(upper_ms),
    }
}

fn outage(start_ms: f64, lower_ms: f64, upper_ms: f64) -> Outage {
    Outage {
        start_ms,
        lower_ms,
        upper_ms: Some(upper_ms),
        ended: true,
        censored_by_undo: false,
        widened_ms: 0.0,
    }
}

fn latency(count: u64, p50: f64, p95: f64, max: f64) -> Latency {
    Latency {
        count,
        p50: Some(p50),
        p95: Some(p95),
        p99: None,
        max,
    }
}

fn channel(sessions: u32, acknowledged: u64, outages: Vec<Outage>) -> Channel {
    let unavailable_ms = outages.iter().map(|outage| outage.lower_ms).sum();
    Channel {
        sessions,
        attempted: acknowledged + 20,
        acknowledged,
        failed: 16,
        in_doubt: 4,
        outages,
        unavailable_ms,
        stuck_ms: 12.0,
        errors: BTreeMap::from([(
            "outage".to_owned(),
            BTreeMap::from([("refused".to_owned(), 16), ("reset".to_owned(), 4)]),
        )]),
        latency_ms: BTreeMap::from([
            ("baseline".to_owned(), latency(500, 1.8, 4.2, 9.0)),
            ("outage".to_owned(), latency(20, 210.0, 420.0, 441.0)),
            ("after".to_owned(), latency(700, 1.9, 4.6, 14.0)),
        ]),
        ..Channel::default()
    }
}

fn demand(name: &str, demand: &str, measured: Measured) -> ObjectiveResult {
    let (limit, limit_ms) = match measured {
        Measured::Duration(_) => (None, Some(30_000.0)),
        Measured::Count { .. } => (Some(0), None),
        Measured::Holds { .. } => (None, None),
    };
    ObjectiveResult {
        name: name.to_owned(),
        demand: demand.to_owned(),
        limit_ms,
        limit,
        measured: Known::Observed(measured),
        channel: limit_ms.map(|_| "writer_fresh".to_owned()),
        implicit: false,
        verdict: Verdict::Pass,
        note: None,
    }
}

fn zero(name: &str) -> ObjectiveResult {
    ObjectiveResult {
        implicit: true,
        ..demand(name, "at most 0", Measured::Count { count: 0 })
    }
}

fn part(name: &str, us: u64, setting: Option<&str>) -> Part {
    let ms = us as f64 / 1000.0;
    Part {
        name: name.to_owned(),
        took: Known::Observed(bounds((ms - 20.0).max(0.0), ms + 20.0)),
        us: Some(us),
        includes: Vec::new(),
        setting: setting.map(str::to_owned),
    }
}

fn step(id: &str, kind: &str, begin_ms: f64, end_ms: f64) -> StepResult {
    StepResult {
        id: id.to_owned(),
        kind: kind.to_owned(),
        begin_ms: Some(begin_ms),
        end_ms: Some(end_ms),
        outcome: "done".to_owned(),
        why: None,
        noted: Vec::new(),
    }
}

fn phase(name: &str, begin_ms: f64, end_ms: f64) -> Phase {
    Phase {
        name: name.to_owned(),
        begin_ms,
        end_ms,
    }
}

/// A primary that was killed and taken over from, with nothing to complain of.
pub fn pass() -> RunResult {
    RunResult {
        schema: SCHEMA.to_owned(),
        run: RunHead {
            id: "20261123t012233-1a2b3c".to_owned(),
            drill: "primary-crash".to_owned(),
            summary: "The primary dies without a word; a standby takes over.".to_owned(),
            drill_sha256: "ab".repeat(32),
            target: "local".to_owned(),
            target_identity: "local".to_owned(),
            started_at: "2026-11-23T01:22:33Z".to_owned(),
            version: "0.1.0".to_owned(),
            seed: 7,
            folder: "20261123t012233-1a2b3c".to_owned(),
            selftest: Known::missing("never run here"),
            complete: true,
        },
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        expect: Expected {
            fail: None,
            met: true,
        },
        settings: Settings {
            endpoints: Vec::new(),
            channels: BTreeMap::from([(
                "writer_fresh".to_owned(),
                ChannelSettings {
                    period_ms: 100.0,
                    deadline_ms: 500.0,
                    stall_ms: 50.0,
                    join_ms: 500.0,
                    baseline_max_ms: Some(9.0),
                },
            )]),
            stability_ms: 5000.0,
            variables: vec![Variable {
                name: "downtime_limit".to_owned(),
                value: "30s".to_owned(),
                from: "drill".to_owned(),
            }],
            background: false,
            background_ended: None,
        },
        objectives: vec![
            demand(
                "downtime",
                "at most 30 s",
                Measured::Duration(bounds(402.1, 441.7)),
            ),
            demand("lost_commits", "at most 0", Measured::Count { count: 0 }),
            demand(
                "redundancy",
                "within 2 min",
                Measured::Duration(bounds(1210.0, 1290.0)),
            ),
            zero("two_writers"),
            zero("phantom"),
            zero("divergence"),
        ],
        steps: vec![
            step("baseline-1", "baseline", 0.0, 10_420.0),
            step("crash", "kill", 10_420.0, 10_431.0),
            step("fail_over-1", "fail_over", 10_431.0, 10_850.0),
            step("undo-1", "undo", 10_850.0, 11_600.0),
        ],
        phases: vec![
            phase("baseline", 0.0, 10_420.0),
            phase("outage", 10_420.0, 10_858.0),
            phase("recovery", 10_858.0, 11_700.0),
            phase("after", 11_700.0, 22_000.0),
        ],
        asked: Vec::new(),
        called_off: None,
        faults: vec![FaultResult {
            step: "crash".to_owned(),
            fault: "kill".to_owned(),
            node: "node-1".to_owned(),
            role: "primary".to_owned(),
            requested_ms: 10_420.4,
            returned_ms: Some(10_421.2),
            effect_ms: Known::Observed(10_424.9),
            proof: Some("7 of 7 processes gone".to_owned()),
            released_ms: None,
            undo: Some(UndoStamps {
                requested_ms: 10_850.0,
                returned_ms: Some(11_500.0),
                effect_ms: Some(11_600.0),
                verified: true,
                how: Some("node-1 streams timeline 2 from node-2".to_owned()),
            }),
        }],
        channels: BTreeMap::from([
            (
                "writer_fresh".to_owned(),
                channel(0, 214, vec![outage(10_400.0, 402.1, 441.7)]),
            ),
            (
                "writer_pinned".to_owned(),
                channel(4, 1_929, vec![outage(10_419.0, 406.0, 431.0)]),
            ),
            ("reader".to_owned(), channel(1, 220, Vec::new())),
            ("node/node-1/pinned".to_owned(), channel(1, 400, Vec::new())),
            ("node/node-2/pinned".to_owned(), channel(1, 400, Vec::new())),
        ]),
        loads: BTreeMap::new(),
        recovery: Recovery {
            total: Known::Observed(bounds(401.0, 440.9)),
            total_us: Some(421_000),
            parts: vec![
                part(
                    "detect",
                    262_000,
                    Some("agent detection 300 ms + loop 50 ms"),
                ),
                part("elect", 4_000, None),
                part("promote", 61_000, None),
                part(
                    "route",
                    92_000,
                    Some("router check interval 50 ms × fall 3 / rise 2"),
                ),
                part("stabilise", 2_000, None),
            ],
            old_primary: Some("node-1".to_owned()),
            new_primary: Some("node-2".to_owned()),
            promoted_by: Some("firedrill's failover agent".to_owned()),
            redundancy: Known::Observed(bounds(1210.0, 1290.0)),
            pinned: Known::Observed(bounds(404.0, 431.0)),
            warm: Known::missing("measuring ended less than 30 s after the outage"),
            waited_ms: 0.0,
            began: Some(Bounds {
                lower_ms: 0.0,
                upper_ms: Some(40.0),
            }),
            lost_again: false,
            between: None,
        },
        ledger: Ledger {
            judged: true,
            unjudged: None,
            converged_ms: Known::Observed(12_010.0),
            attempted: 2_183,
            acknowledged: 2_143,
            failed: 32,
            in_doubt: InDoubt {
                count: 8,
                recovered: 5,
                vanished: 3,
            },
            at_risk: Known::Observed(37),
            lost: Lost {
                count: Some(0),
                unjudged: None,
                rpo: Known::Observed(bounds(0.0, 0.0)),
                rpo_bytes: Some(0),
                shape: None,
                found_in_old_data: None,
                first: Vec::new(),
            },
            isolated: Known::Observed(Isolated {
                count: 0,
                span_ms: 0.0,
            }),
            phantom: 0,
            unexpected: 0,
            duplicated: 0,
            diverged_nodes: Vec::new(),
            channels: BTreeMap::new(),
        },
        two_writers: TwoWriters::default(),
        restore: None,
        observer: ObserverResult {
            max_lateness_ms: 3.4,
            widened_by_ms: 0.0,
            valid: true,
            why: Vec::new(),
        },
        state_left: StateLeft {
            primary: Some("node-2".to_owned()),
            timeline: Some(2),
            streaming: 1,
            declared: 1,
            archiving: Known::missing("not in this version"),
            cluster: "the throw-away cluster was removed".to_owned(),
        },
        undo: UndoResult {
            complete: true,
            steps: 1,
            writable_nodes_after: Some(1),
            left: Vec::new(),
            interrupted: None,
        },
        environment: Environment {
            versions: map([("PostgreSQL", "18.6"), ("firedrill", "0.1.0")]),
            timers: map([
                ("agent detection", "300 ms"),
                ("agent loop", "50 ms"),
                ("router check interval", "50 ms"),
                ("router fall", "3"),
                ("router rise", "2"),
                ("wal_receiver_timeout", "5 s"),
                ("wal_sender_timeout", "5 s"),
            ]),
            durability: map([
                ("fsync", "on"),
                ("synchronous_commit", "on"),
                ("synchronous_standby_names", "empty"),
            ]),
            stand_ins: vec![
                "the failover agent".to_owned(),
                "the router in the manner of HAProxy".to_owned(),
            ],
            path:
                "clients over loopback through firedrill's router; not measured: DNS, TLS, a pooler"
                    .to_owned(),
        },
    }
}

/// Three acknowledged commits are gone.
pub fn loss() -> RunResult {
    let mut result = pass();
    result.verdict = Verdict::Fail;
    result.reasons = vec!["lost_commits: 3 lost, at most 0 demanded".to_owned()];
    let lost = &mut result.objectives[1];
    lost.measured = Known::Observed(Measured::Count { count: 3 });
    lost.verdict = Verdict::Fail;
    result.ledger.lost = Lost {
        count: Some(3),
        unjudged: None,
        rpo: Known::Observed(bounds(41.0, 63.0)),
        rpo_bytes: Some(1_840),
        shape: Some("suffix".to_owned()),
        found_in_old_data: Some(3),
        first: vec![LostRow {
            channel: "writer_pinned".to_owned(),
            writer: 2,
            seq: 501,
            acknowledged_ms: 10_371.5,
            node: Some("node-1".to_owned()),
            timeline: 1,
        }],
    };
    result
}

/// Loss that the drill was made to provoke.
pub fn calibration_met() -> RunResult {
    let mut result = loss();
    result.run.drill = "lagging-promotion".to_owned();
    result.expect.fail = Some("lost_commits".to_owned());
    let met = "as expected, lost_commits alone failed".to_owned();
    result.reasons.insert(0, met);
    result
}

/// The downtime straddles its limit, and the isolated commits were not seen.
pub fn unknown() -> RunResult {
    let mut result = pass();
    result.verdict = Verdict::Unknown;
    result.reasons = vec![
        "downtime: 0.40–0.45 s lies on both sides of the limit 420 ms".to_owned(),
        "isolated_commits unknown: node-1 was not probed".to_owned(),
    ];
    result.objectives[0].verdict = Verdict::Unknown;
    result.objectives.push(ObjectiveResult {
        measured: Known::missing("node-1 was not probed"),
        verdict: Verdict::Unknown,
        ..zero("isolated_commits")
    });
    result.ledger.isolated = Known::missing("node-1 was not probed");
    result.two_writers.not_observed = vec!["node-1".to_owned()];
    result
}

/// The observer stood still in the middle of the outage.
pub fn invalid() -> RunResult {
    let mut result = pass();
    result.verdict = Verdict::Invalid;
    result.reasons = vec!["observer stalled: 2.01 s late while the outage began".to_owned()];
    result.observer = ObserverResult {
        max_lateness_ms: 2_010.0,
        widened_by_ms: 2_010.0,
        valid: false,
        why: vec!["2.01 s late while the outage began".to_owned()],
    };
    result
}

/// The writers were never served again.
pub fn unended() -> RunResult {
    let mut result = pass();
    result.verdict = Verdict::Fail;
    result.reasons = vec!["downtime: > 60.00 s, at most 30 s demanded".to_owned()];
    let open = Bounds {
        lower_ms: 60_004.0,
        upper_ms: None,
    };
    for name in ["writer_fresh", "writer_pinned"] {
        if let Some(channel) = result.channels.get_mut(name) {
            channel.outages = vec![Outage {
                start_ms: 10_400.0,
                lower_ms: open.lower_ms,
                upper_ms: None,
                ended: false,
                censored_by_undo: true,
                widened_ms: 0.0,
            }];
        }
    }
    result.objectives[0].measured = Known::Observed(Measured::Duration(open));
    result.objectives[0].verdict = Verdict::Fail;
    result.recovery.total = Known::Observed(open);
    result.recovery.total_us = None;
    result.recovery.parts = vec![
        part("detect", 262_000, Some("detection period 250 ms")),
        Part {
            name: "promote".to_owned(),
            took: Known::missing("no node of a newer timeline took writes"),
            us: None,
            includes: Vec::new(),
            setting: None,
        },
    ];
    result.recovery.new_primary = None;
    result.recovery.promoted_by = None;
    result
}

/// Ctrl-C in the middle of the outage; everything was undone, and nothing was audited.
pub fn interrupted() -> RunResult {
    let mut result = pass();
    result.verdict = Verdict::Invalid;
    result.reasons = vec!["stopped by SIGINT".to_owned()];
    result.undo.interrupted = Some("SIGINT".to_owned());
    let why = "stopped by SIGINT before the ledger was audited";
    result.ledger.judged = false;
    result.ledger.unjudged = Some(why.to_owned());
    result.ledger.lost.count = None;
    result.ledger.lost.rpo = Known::missing(why);
    result.ledger.isolated = Known::missing(why);
    result.ledger.converged_ms = Known::missing(why);
    result.objectives[1].measured = Known::missing(why);
    result.objectives[1].verdict = Verdict::Unknown;
    result
}

/// The runner was killed, and one fault could not be undone.
pub fn not_undone() -> RunResult {
    let mut result = interrupted();
    result.undo.complete = false;
    result.undo.writable_nodes_after = Some(2);
    let left = "not undone: node-1 still frozen: its processes did not continue in 10 s";
    result.reasons.insert(0, left.to_owned());
    result.undo.left =
        vec!["node-1 still frozen: its processes did not continue in 10 s".to_owned()];
    result
}

/// A log that ends just after it began: nothing was observed.
pub fn nothing_observed() -> RunResult {
    let why = "the log ends before measuring began";
    let mut result = pass();
    result.verdict = Verdict::Invalid;
    result.reasons = vec!["the log ends before the run did".to_owned()];
    result.run.complete = false;
    for objective in &mut result.objectives {
        objective.measured = Known::missing(why);
        objective.verdict = Verdict::Unknown;
        objective.channel = None;
    }
    result.steps.truncate(1);
    result.steps[0].end_ms = None;
    result.steps[0].outcome = "unfinished".to_owned();
    result.phases.clear();
    result.faults.clear();
    result.channels.clear();
    result.recovery = Recovery {
        total: Known::missing(why),
        total_us: None,
        parts: Vec::new(),
        old_primary: None,
        new_primary: None,
        promoted_by: None,
        redundancy: Known::missing(why),
        pinned: Known::missing(why),
        warm: Known::missing(why),
        waited_ms: 0.0,
        began: None,
        lost_again: false,
        between: None,
    };
    result.ledger = Ledger::unjudged(why, Known::missing(why));
    result.two_writers.not_observed = vec!["node-1".to_owned(), "node-2".to_owned()];
    result.state_left = StateLeft {
        primary: None,
        timeline: None,
        streaming: 0,
        declared: 1,
        archiving: Known::missing(why),
        cluster: "unknown: the log ends before the run did".to_owned(),
    };
    result.undo = UndoResult {
        complete: false,
        steps: 0,
        writable_nodes_after: None,
        left: Vec::new(),
        interrupted: None,
    };
    result
}

/// All of them.
pub fn all() -> Vec<RunResult> {
    vec![
        pass(),
        loss(),
        calibration_met(),
        unknown(),
        invalid(),
        unended(),
        interrupted(),
        not_undone(),
        nothing_observed(),
    ]
}
