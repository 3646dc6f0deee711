//! A run of 24 hours as its log would be: probes at the default rates on two nodes, and after twelve hours
//! the primary dies and the standby takes over.

use firedrill::drill::{Given, load};
use firedrill::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use firedrill::event::log::LogWriter;
use firedrill::event::slots::{ErrorClass, Outcome, Serving, Slot, SlotBatch, pack};
use firedrill::event::{
    Act, ActKind, Audited, ChannelKind, ChannelRecord, Convergence, Entry, Event, MeasuringBegan,
    RunBegan, RunEnded, SCHEMA, Stage, Stamp, StepBegan, StepEnded, StepOutcome, TargetRecord,
    WriterAudit,
};
use firedrill::load::Limits;
use firedrill::plan::{NodeFact, TargetFacts, compile};
use firedrill::target::{Failover, local};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SECOND: u64 = 1_000_000;
const END: u64 = 24 * 3600 * SECOND;
/// The primary dies, and service is back.
const KILLED: u64 = 12 * 3600 * SECOND;
const SERVED: u64 = KILLED + 3 * SECOND;
/// The old primary is a standby.
const REJOINED: u64 = SERVED + 8 * SECOND;
const BATCH: u64 = 250_000;
const RUN: &str = "20261123t000000-24a24b";

/// The log, being written.
struct Log {
    writer: LogWriter,
    seq: u64,
    /// A source of jitter, the same in each run (Knuth's MMIX generator).
    chance: u64,
}

impl Log {
    fn add(&mut self, at: u64, event: Event) {
        let at = Stamp(at);
        let seq = self.seq;
        self.seq += 1;
        let entry = Entry { seq, at, event };
        self.writer.append(&entry).expect("room on the disk");
    }

    fn below(&mut self, end: u64) -> u64 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % end
    }
}

/// Writes the log into a new run's folder in `folder`. Returns that folder, and how many lines it has.
pub fn record(folder: &Path) -> (PathBuf, u64) {
    let run = folder.join(RUN);
    std::fs::create_dir(&run).expect("a folder");
    let mut log = Log {
        writer: LogWriter::create(&run).expect("a log"),
        seq: 0,
        chance: 7,
    };
    log.add(0, Event::RunBegan(Box::new(began())));
    let channels = channels();
    log.add(
        SECOND,
        Event::MeasuringBegan(MeasuringBegan {
            channels: channels.clone(),
            endpoints: vec![],
        }),
    );
    let mut next = vec![0; channels.len()];
    let mut last = vec![None; channels.len()];
    for at in (SECOND + BATCH..=END).step_by(BATCH as usize) {
        told(&mut log, at);
        if at.is_multiple_of(SECOND) {
            log.add(at, Event::ClusterSeen(seen(at)));
        }
        for (number, channel) in channels.iter().enumerate() {
            let batch = batch(&mut log, channel, at, &mut next[number], &mut last[number]);
            if let Some(batch) = batch {
                log.add(at, Event::Slots(batch));
            }
        }
    }
    log.add(END, Event::MeasuringEnded);
    log.add(END + 6 * SECOND, Event::Convergence(converged()));
    log.add(END + 7 * SECOND, Event::Audited(Box::new(audited())));
    log.add(
        END + 9 * SECOND,
        Event::RunEnded(RunEnded {
            interrupted: None,
            not_undone: vec![],
            undone: 1,
            writable_nodes: Some(1),
            cut_short: None,
            called_off: None,
        }),
    );
    (run, log.seq)
}

/// Steps and acts that lie in the batch before `at`.
fn told(log: &mut Log, at: u64) {
    let kill = |kind, stage| {
        Event::Act(Act {
            kind,
            number: 1,
            step: "crash".to_owned(),
            name: "kill".to_owned(),
            node: "node-1".to_owned(),
            role: "primary".to_owned(),
            stage,
        })
    };
    let begins = |step: &str, index| {
        Event::StepBegan(StepBegan {
            step: step.to_owned(),
            index,
            nodes: vec![],
        })
    };
    let ends = |step: &str| {
        Event::StepEnded(StepEnded {
            step: step.to_owned(),
            outcome: StepOutcome::Done,
        })
    };
    let seen = || Stage::Effect {
        proof: "4 of 4 processes gone".to_owned(),
    };
    let all = [
        (SECOND, begins("baseline", 0)),
        (61 * SECOND, ends("baseline")),
        (KILLED, begins("crash", 1)),
        (KILLED + 1000, kill(ActKind::Fault, Stage::Requested)),
        (KILLED + 2000, kill(ActKind::Fault, Stage::Returned)),
        (KILLED + 3000, kill(ActKind::Fault, seen())),
        (KILLED + 4000, ends("crash")),
        (REJOINED, kill(ActKind::Undo, Stage::Requested)),
        (REJOINED + 1000, kill(ActKind::Undo, Stage::Returned)),
        (REJOINED + 2000, kill(ActKind::Undo, seen())),
    ];
    for (moment, event) in all {
        if moment > at - BATCH && moment <= at || (at == SECOND + BATCH && moment == SECOND) {
            log.add(moment, event);
        }
    }
}

fn channels() -> Vec<ChannelRecord> {
    let channel = |number: u64, name: &str, kind, sessions, period_ms: u64| ChannelRecord {
        name: name.to_owned(),
        kind,
        sessions,
        t0: Stamp(SECOND + number * 1700),
        period_us: period_ms * 1000,
        deadline_us: 500_000,
        stall_us: None,
    };
    vec![
        channel(0, "writer_fresh", ChannelKind::WriterFresh, 0, 100),
        channel(1, "writer_pinned", ChannelKind::WriterPinned, 4, 20),
        channel(2, "witness", ChannelKind::Witness, 1, 1000),
        channel(3, "reader", ChannelKind::Reader, 1, 100),
        channel(4, "node/node-1/pinned", ChannelKind::NodePinned, 1, 50),
        channel(5, "node/node-1/fresh", ChannelKind::NodeFresh, 0, 500),
        channel(6, "node/node-2/pinned", ChannelKind::NodePinned, 1, 50),
        channel(7, "node/node-2/fresh", ChannelKind::NodeFresh, 0, 500),
    ]
}

/// What a slot that is due at a moment comes out as, and who answers it.
fn outcome(channel: &ChannelRecord, due: u64) -> (Outcome, Option<(&'static str, u32)>) {
    let acknowledged = |by| (Outcome::Acknowledged, Some(by));
    let refused = (Outcome::Failed(ErrorClass::Refused), None);
    let name = channel.name.as_str();
    let (old, new) = (due < KILLED, due >= SERVED);
    if name.starts_with("node/node-1") {
        return match (old, due >= REJOINED) {
            (true, _) => acknowledged(("node-1", 1)),
            (_, true) => (Outcome::InRecovery, None),
            _ => refused,
        };
    }
    if name.starts_with("node/node-2") && !new {
        return (Outcome::InRecovery, None);
    }
    match (old, new) {
        (true, _) => acknowledged(("node-1", 1)),
        (_, true) => acknowledged(("node-2", 2)),
        _ => refused,
    }
}

fn batch(
    log: &mut Log,
    channel: &ChannelRecord,
    at: u64,
    next: &mut u64,
    last: &mut Option<(&'static str, u32)>,
) -> Option<SlotBatch> {
    let mut slots = Vec::new();
    let mut serving = Vec::new();
    loop {
        let k = *next;
        let due = channel.t0.0 + k * channel.period_us;
        if due + 20_000 > at {
            break;
        }
        *next += 1;
        let sent = due + 40 + log.below(1100);
        let took = match channel.kind {
            ChannelKind::WriterFresh | ChannelKind::NodeFresh => 4000 + log.below(4000),
            _ => 600 + log.below(2400),
        };
        let (outcome, by) = outcome(channel, due);
        if by.is_some() && by != *last {
            *last = by;
            serving.extend(by.map(|(node, timeline)| Serving {
                k,
                node: Some(node.to_owned()),
                timeline,
            }));
        }
        slots.push(Slot {
            k,
            sent: Stamp(sent),
            settled: Stamp(sent + took),
            outcome,
        });
    }
    (!slots.is_empty()).then(|| SlotBatch {
        channel: channel.name.clone(),
        packed: pack(&slots, channel.t0, channel.period_us),
        serving,
    })
}

fn seen(at: u64) -> ClusterSeen {
    let lsn = 0x1_0000_0000 + at / 100;
    let standby = |name: &str| StandbySeen {
        name: name.to_owned(),
        state: "streaming".to_owned(),
        sync: "async".to_owned(),
        flushed: Some(lsn),
        replayed: Some(lsn),
    };
    let leads = |timeline, standbys| Standing::Primary {
        timeline,
        lsn,
        standbys,
    };
    let follows = |timeline| Standing::Standby {
        timeline: Some(timeline),
        received: Some(lsn),
        replayed: Some(lsn),
        streaming: true,
        paused: false,
    };
    let silent = Standing::Silent {
        why: "Connection refused (os error 111)".to_owned(),
    };
    let standings = match at {
        _ if at < KILLED => [leads(1, vec![standby("node-2")]), follows(1)],
        _ if at < SERVED => [silent, follows(1)],
        _ if at < REJOINED => [silent, leads(2, vec![])],
        _ => [follows(2), leads(2, vec![standby("node-1")])],
    };
    let nodes = ["node-1", "node-2"].into_iter().zip(standings);
    ClusterSeen {
        asked: Stamp(at - 5000),
        nodes: nodes
            .map(|(name, standing)| NodeSeen {
                name: name.to_owned(),
                standing,
            })
            .collect(),
        declared: 2,
    }
}

fn converged() -> Convergence {
    Convergence {
        since: Some(Stamp(END + SECOND)),
        missing: None,
        writable: vec![("node-2".to_owned(), 2)],
        history: vec![1, 2],
        streaming: 1,
        declared: 1,
    }
}

fn audited() -> Audited {
    let writer = |writer, channel: &str| WriterAudit {
        writer,
        channel: channel.to_owned(),
        attempted: 800_000,
        acknowledged: 800_000,
        suffix: true,
        ..WriterAudit::default()
    };
    Audited {
        writers: vec![writer(1, "writer_fresh"), writer(2, "writer_pinned")],
        at_risk: Some(1),
        ..Audited::default()
    }
}

fn began() -> RunBegan {
    let drill = load("primary-crash", &Given::default()).expect("a shipped drill");
    let node = |name: &str, role: &str| NodeFact {
        name: name.to_owned(),
        role: role.to_owned(),
    };
    let facts = TargetFacts {
        kind: "simulated".to_owned(),
        drillable: true,
        nodes: vec![node("node-1", "primary"), node("node-2", "standby")],
        live: true,
        unseen: false,
        capabilities: local::CAPABILITIES.to_vec(),
        lacks: Vec::new(),
        failover: Failover::Automatic,
        control_period: Duration::from_millis(500),
        max_connections: Some(100),
        has_reader: true,
        extras: Vec::new(),
        synchronous: false,
        limits: Limits {
            sessions: 50,
            commits_per_second: 1000,
        },
        load_limits: (60, 1000),
    };
    let plan = compile(&drill, &facts, 7).expect("a plan");
    let pairs = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    RunBegan {
        schema: SCHEMA.to_owned(),
        run: RUN.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: "2026-11-23T00:00:00Z".to_owned(),
        seed: 7,
        plan: plan.record,
        target: TargetRecord {
            kind: "simulated".to_owned(),
            identity: "a day for the bench".to_owned(),
            versions: pairs(&[("PostgreSQL", "15.18")]),
            timers: pairs(&[("agent detection", "300 ms")]),
            durability: pairs(&[("fsync", "on")]),
            stand_ins: vec![],
            path: "direct".to_owned(),
            control_period_ms: 500,
        },
        selftest: "never run here".to_owned(),
        series: None,
    }
}
