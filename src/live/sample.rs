//! The events of one small run, made by hand; for tests only.

use crate::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use crate::event::observer::{Conclusion, Signal};
use crate::event::plan_record::*;
use crate::event::slots::{self, ErrorClass, Outcome, Slot, SlotBatch};
use crate::event::*;

/// Milliseconds as a stamp.
pub fn ms(ms: u64) -> Stamp {
    Stamp(ms * 1000)
}

fn step(id: &str, kind: &str, what: &str, longest_ms: u64) -> StepRecord {
    StepRecord {
        id: id.to_owned(),
        kind: kind.to_owned(),
        what: what.to_owned(),
        undo: None,
        longest_ms,
        until: None,
        of: None,
        together: None,
    }
}

/// The first event.
pub fn began() -> RunBegan {
    RunBegan {
        schema: SCHEMA.to_owned(),
        run: "20261123t012233-1a2b3c".to_owned(),
        version: "0.1.0".to_owned(),
        started_at: "2026-11-23T01:22:33Z".to_owned(),
        seed: 7,
        plan: PlanRecord {
            drill: "primary-crash".to_owned(),
            summary: "The primary dies without a word; a standby takes over.".to_owned(),
            why: "Nobody knows the recovery time of a failover that was never practised."
                .to_owned(),
            drill_sha256: "ab".repeat(32),
            variables: Vec::new(),
            objectives: Vec::new(),
            expect_fail: None,
            require: vec![],
            stop_if: vec![],
            workload: WorkloadRecord {
                fresh: (100, 500),
                writers: (20, 500),
                sessions: 4,
                stall_ms: None,
                on_deadline: "reopen".to_owned(),
                reader: Some((100, 500, 1000)),
                nodes: (50, 500),
                stability_ms: 5000,
                background: None,
            },
            steps: vec![
                step("baseline-1", "baseline", "watch the healthy cluster", 5_000),
                step("crash", "kill", "kill node-1 (primary now)", 5_000),
                step(
                    "fail_over-1",
                    "fail_over",
                    "wait until another node serves writes",
                    60_000,
                ),
                step("undo-1", "undo", "put node-1 back", 60_000),
            ],
            longest_ms: 130_000,
            not_observable: Vec::new(),
            cost: CostRecord {
                sessions_per_node: 8,
                max_connections: Some(100),
                connects_per_second: 10.0,
                commits_per_second: 60.0,
                clients: 0,
                requests_per_second: 0.0,
            },
            healthy_nodes: (1, 2),
        },
        target: TargetRecord {
            kind: "local".to_owned(),
            identity: "local".to_owned(),
            versions: Vec::new(),
            timers: Vec::new(),
            durability: Vec::new(),
            stand_ins: Vec::new(),
            path: "loopback".to_owned(),
            control_period_ms: 250,
        },
        selftest: "never run on this machine".to_owned(),
        series: None,
    }
}

fn channel(name: &str, kind: ChannelKind) -> ChannelRecord {
    ChannelRecord {
        name: name.to_owned(),
        kind,
        sessions: 4,
        t0: ms(0),
        period_us: 20_000,
        deadline_us: 500_000,
        stall_us: None,
    }
}

fn slots(name: &str, from: u64, to: u64, outcome: Outcome) -> Event {
    let slots: Vec<Slot> = (from / 20..to / 20)
        .map(|k| Slot {
            k,
            sent: ms(k * 20),
            settled: ms(k * 20 + 2),
            outcome,
        })
        .collect();
    Event::Slots(SlotBatch {
        channel: name.to_owned(),
        packed: slots::pack(&slots, ms(0), 20_000),
        serving: Vec::new(),
    })
}

fn primary(timeline: u32) -> Standing {
    Standing::Primary {
        timeline,
        lsn: 10_240,
        standbys: vec![StandbySeen {
            name: "node-2".to_owned(),
            state: "streaming".to_owned(),
            sync: "async".to_owned(),
            flushed: Some(10_240),
            replayed: Some(9_000),
        }],
    }
}

/// A round of two nodes.
pub fn seen(first: Standing, second: Standing) -> ClusterSeen {
    let node = |name: &str, standing| NodeSeen {
        name: name.to_owned(),
        standing,
    };
    ClusterSeen {
        asked: ms(0),
        nodes: vec![node("node-1", first), node("node-2", second)],
        declared: 2,
    }
}

fn act(kind: ActKind, stage: Stage) -> Event {
    Event::Act(Act {
        kind,
        number: 1,
        step: "crash".to_owned(),
        name: "kill".to_owned(),
        node: "node-1".to_owned(),
        role: "primary".to_owned(),
        stage,
    })
}

fn begins(index: usize, step: &str) -> Event {
    Event::StepBegan(StepBegan {
        step: step.to_owned(),
        index,
        nodes: Vec::new(),
    })
}

fn ends(step: &str) -> Event {
    Event::StepEnded(StepEnded {
        step: step.to_owned(),
        outcome: StepOutcome::Done,
    })
}

/// A primary that is killed, a standby that takes over, an undo.
pub fn run() -> Vec<Entry> {
    let refused = Outcome::Failed(ErrorClass::Refused);
    let standby = Standing::Standby {
        timeline: Some(1),
        received: Some(10_240),
        replayed: Some(9_000),
        streaming: true,
        paused: false,
    };
    let silent = Standing::Silent {
        why: "refused".to_owned(),
    };
    let proof = "7 of 7 processes gone".to_owned();
    let writer = "writer_pinned";
    let events = [
        (0, Event::RunBegan(Box::new(began()))),
        (
            10,
            Event::MeasuringBegan(MeasuringBegan {
                channels: vec![
                    channel(writer, ChannelKind::WriterPinned),
                    channel("reader", ChannelKind::Reader),
                    channel("node/node-1/pinned", ChannelKind::NodePinned),
                ],
                endpoints: Vec::new(),
            }),
        ),
        (20, Event::ClusterSeen(seen(primary(1), standby))),
        (20, begins(0, "baseline-1")),
        (1000, slots(writer, 0, 1000, Outcome::Acknowledged)),
        (1000, slots("reader", 0, 1000, Outcome::Acknowledged)),
        (1000, ends("baseline-1")),
        (1001, begins(1, "crash")),
        (1002, act(ActKind::Fault, Stage::Requested)),
        (1003, act(ActKind::Fault, Stage::Returned)),
        (1008, act(ActKind::Fault, Stage::Effect { proof })),
        (1008, ends("crash")),
        (1008, begins(2, "fail_over-1")),
        (1250, slots(writer, 1000, 1240, refused)),
        (1260, Event::ClusterSeen(seen(silent.clone(), primary(2)))),
        (
            1300,
            Event::StackSaw(StackSaw {
                source: "local agent".to_owned(),
                what: StackView::LeaderNamed,
                node: "node-2".to_owned(),
                last_negative: ms(1200),
                first_positive: ms(1250),
            }),
        ),
        (1800, slots(writer, 1400, 1800, Outcome::Acknowledged)),
        (
            1800,
            Event::Signal(Signal {
                what: Conclusion::StepMet {
                    step: "fail_over-1".to_owned(),
                    at: ms(1402),
                    how: "node-2 serves timeline 2".to_owned(),
                },
                rests_on: vec![16],
            }),
        ),
        (1800, ends("fail_over-1")),
        (1801, begins(3, "undo-1")),
        (1802, act(ActKind::Undo, Stage::Requested)),
        (
            2400,
            act(
                ActKind::Undo,
                Stage::Effect {
                    proof: "node-1 streams timeline 2".to_owned(),
                },
            ),
        ),
        (2400, ends("undo-1")),
        (2500, Event::MeasuringEnded),
        (
            4000,
            Event::Convergence(Convergence {
                since: Some(ms(2500)),
                missing: None,
                writable: vec![("node-2".to_owned(), 2)],
                history: vec![1, 2],
                streaming: 1,
                declared: 1,
            }),
        ),
        (
            4100,
            Event::Audited(Box::new(Audited {
                writers: vec![WriterAudit {
                    channel: writer.to_owned(),
                    acknowledged: 2_143,
                    ..WriterAudit::default()
                }],
                ..Audited::default()
            })),
        ),
        (
            4200,
            Event::RunEnded(RunEnded {
                interrupted: None,
                not_undone: Vec::new(),
                undone: 1,
                writable_nodes: Some(1),
                cut_short: None,
                called_off: None,
            }),
        ),
    ];
    let entries = events.into_iter().enumerate();
    entries
        .map(|(seq, (at, event))| Entry {
            seq: seq as u64,
            at: ms(at),
            event,
        })
        .collect()
}
