//! Outages of known length on a real server: the truth must lie within the bounds that are measured.
//!
//! A server is frozen (SIGSTOP of its whole process tree) or cut off with a reset at a random phase of the
//! probes, for 1 and 3 s, and for 0.3 s, which must come out as a stall. The truth of each is an interval
//! itself: from `heal requested - fault returned` to `heal returned - fault requested`.
//!
//! `FIREDRILL_KNOWN_OUTAGES=200` sets how many; the default keeps the test short.

use crate::support::Turn;
use firedrill::clock::Clock;
use firedrill::event::plan_record::{CostRecord, PlanRecord, StepRecord, Until, WorkloadRecord};
use firedrill::event::result::{ChannelSettings, Outage, RunResult};
use firedrill::event::slots::unpack;
use firedrill::event::{
    Emitter, Entry, Event, RunBegan, SCHEMA, Stamp, StepBegan, StepEnded, StepOutcome, TargetRecord,
};
use firedrill::fault::freeze::{Freeze, FreezeScope};
use firedrill::fault::{Fault, Hit};
use firedrill::load::prober::Prober;
use firedrill::load::{Limits, LoadPlan, NodeAccess, ledger_table};
use firedrill::measure;
use firedrill::role::NodeRef;
use firedrill::sql::Address;
use firedrill::target::local::link::Link;
use firedrill::target::local::{LocalSettings, LocalTarget};
use firedrill::target::{Failover, Target, see_cluster};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::net::SocketAddr;
use std::time::Duration;

/// Longer than any outage takes to be over on both channels, and longer than the join gap.
const BETWEEN: Duration = Duration::from_millis(2000);
const BASELINE: Duration = Duration::from_secs(5);
const NODE: &str = "node-1";
/// Between two knocks at a door that stands still.
const KNOCK_AGAIN_MS: f64 = 250.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Freeze,
    Reset,
}

/// What was done, with the stamps of each call in milliseconds.
#[derive(Debug)]
struct Known {
    how: Break,
    length: Duration,
    fault: (f64, f64),
    heal: (f64, f64),
}

impl Known {
    fn truth(&self) -> (f64, f64) {
        (self.heal.0 - self.fault.1, self.heal.1 - self.fault.0)
    }
}

#[test]
fn the_truth_lies_within_the_bounds() {
    if !super::available() {
        return;
    }
    let _turn = Turn::alone();
    let count = std::env::var("FIREDRILL_KNOWN_OUTAGES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(12);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (known, entries) = runtime.block_on(break_and_measure(count));
    let result = measure::result_of(&entries, 0, false);
    let mut missed = Vec::new();
    let mut wide = Vec::new();
    let mut judged = 0;
    for channel in ["writer_fresh", "writer_pinned"] {
        let settings = &result.settings.channels[channel];
        println!("{channel}: {settings:?}");
        for known in &known {
            if is_stall(known) && settings.stall_ms > 200.0 {
                println!("too noisy here for a stall of 0.3 s to differ from latency");
                continue;
            }
            judged += 1;
            let line = match found(&result, channel, known) {
                None => {
                    missed.push(format!("{channel}: not found: {known:?}"));
                    continue;
                }
                Some(outage) => describe(channel, known, outage),
            };
            let outage = found(&result, channel, known).unwrap();
            let (lower, upper) = (outage.lower_ms, outage.upper_ms.unwrap_or(f64::INFINITY));
            let truth = known.truth();
            if truth.1 < lower || truth.0 > upper {
                let around = slots_around(&entries, channel, known.heal.0);
                missed.push(format!("{line}\n{around}"));
            }
            if upper - lower > allowed_width(known, settings, outage, truth) {
                wide.push(line.clone());
            }
            println!("{line}");
        }
    }
    println!(
        "{judged} known outages on two channels: truth outside the bounds in {}, wider than promised {}",
        missed.len(),
        wide.len()
    );
    // 1 in 100 may be missed: the specification of the instrument. One of a short series may not.
    assert!(missed.len() <= judged / 100, "{}", missed.join("\n"));
    assert!(wide.len() <= judged / 20, "{}", wide.join("\n"));
    let unexpected: usize = ["writer_fresh", "writer_pinned"]
        .iter()
        .map(|channel| result.channels[*channel].outages.len())
        .sum();
    let longer = known.iter().filter(|known| !is_stall(known)).count();
    assert!(
        unexpected <= 2 * longer,
        "{unexpected} outages were found and {} were made",
        2 * longer
    );
}

fn is_stall(known: &Known) -> bool {
    known.how == Break::Freeze && known.length < Duration::from_millis(400)
}

/// B + 2T + 2L for a hang, 2T + 2L for a reset, with what the observer's lateness and the calls' own
/// duration add, and with the pauses between two knocks at a door that has stood still for longer than a
/// deadline (`load/room.rs`).
fn allowed_width(
    known: &Known,
    settings: &ChannelSettings,
    outage: &Outage,
    truth: (f64, f64),
) -> f64 {
    let hang = match known.how {
        Break::Freeze if is_stall(known) => settings.stall_ms,
        Break::Freeze => settings.stall_ms + KNOCK_AGAIN_MS,
        Break::Reset => 0.0,
    };
    hang + 2.0 * settings.period_ms
        + 2.0 * settings.baseline_max_ms.unwrap_or_default()
        + outage.widened_ms
        + (truth.1 - truth.0)
}

/// The outage, or the stall, that began where the fault struck.
fn found<'a>(result: &'a RunResult, channel: &str, known: &Known) -> Option<&'a Outage> {
    let channel = &result.channels[channel];
    let list = if is_stall(known) {
        &channel.stalls
    } else {
        &channel.outages
    };
    list.iter()
        .find(|outage| outage.start_ms > known.fault.0 - 500.0 && outage.start_ms < known.heal.0)
}

fn describe(channel: &str, known: &Known, outage: &Outage) -> String {
    let truth = known.truth();
    format!(
        "{channel} {:?} {:?}: truth {:.1}..{:.1} ms, measured {:.1}..{:.1} ms",
        known.how,
        known.length,
        truth.0,
        truth.1,
        outage.lower_ms,
        outage.upper_ms.unwrap_or(f64::INFINITY)
    )
}

/// The slots of a channel from shortly before a moment to half a second after it, for a miss to be explained.
fn slots_around(entries: &[Entry], channel: &str, moment_ms: f64) -> String {
    let mut record = None;
    let mut slots = Vec::new();
    for entry in entries {
        match &entry.event {
            Event::MeasuringBegan(began) => {
                record = began.channels.iter().find(|one| one.name == channel);
            }
            Event::Slots(batch) if batch.channel == channel => {
                let record = record.unwrap();
                slots.extend(unpack(&batch.packed, record.t0, record.period_us).unwrap());
            }
            _ => {}
        }
    }
    slots.sort_by_key(|slot| slot.k);
    let lines = slots.iter().filter_map(|slot| {
        let (sent, settled) = (
            slot.sent.as_ms() - moment_ms,
            slot.settled.as_ms() - moment_ms,
        );
        let near = (-200.0..=500.0).contains(&sent) || (-50.0..=500.0).contains(&settled);
        near.then(|| {
            format!(
                "    heal {sent:+.1} to {settled:+.1} ms: {:?}",
                slot.outcome
            )
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn break_and_measure(count: usize) -> (Vec<Known>, Vec<Entry>) {
    let run = format!("known-{}", std::process::id());
    let clock = Clock::start();
    // Nobody fails over here, and no router stands between: the server alone decides.
    let settings = LocalSettings {
        failover: Failover::Promote,
        ..LocalSettings::default()
    };
    let target = LocalTarget::start(&settings, &run, clock, |_| {})
        .await
        .unwrap();
    let server = target.probe_access(NODE);
    let direct: SocketAddr = format!("127.0.0.1:{}", server.port).parse().unwrap();
    let link = Link::open(&tokio::runtime::Handle::current(), direct).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plan = load_plan(&run, clock, &target, &link, folder.path());
    let act = target.act_access(NODE);
    ledger_table::prepare(&act, &server.user).await.unwrap();
    ledger_table::wait_everywhere(&plan.observed(), BASELINE)
        .await
        .unwrap();

    let (emitter, mut events) = Emitter::channel();
    emitter.emit(
        clock.now(),
        Event::RunBegan(Box::new(began(&run, &plan.workload))),
    );
    let prober = Prober::start(plan, emitter.clone()).await.unwrap();
    emitter.emit(clock.now(), step_began());
    tokio::time::sleep(BASELINE).await;
    emitter.emit(clock.now(), step_ended());

    let mut rng = ChaCha8Rng::seed_from_u64(count as u64);
    let mut known = Vec::new();
    for number in 0..count {
        let phase = Duration::from_micros(u64::from(rng.next_u32()) % 100_000);
        tokio::time::sleep(BETWEEN + phase).await;
        let length = [1000, 3000, 300][if number % 10 == 9 { 2 } else { number / 2 % 2 }];
        let how = if number % 2 == 0 || length == 300 {
            Break::Freeze
        } else {
            Break::Reset
        };
        let length = Duration::from_millis(length);
        known.push(match how {
            Break::Freeze => freeze(&target, clock, length).await,
            Break::Reset => reset(&link, direct, clock, length).await,
        });
    }
    tokio::time::sleep(BETWEEN).await;
    prober.stop().await.unwrap();
    target.close().await.unwrap();
    drop(emitter);
    let mut entries = Vec::new();
    while let Ok((at, event)) = events.try_recv() {
        entries.push(Entry {
            seq: entries.len() as u64,
            at,
            event,
        });
    }
    (known, entries)
}

async fn freeze(target: &LocalTarget, clock: Clock, length: Duration) -> Known {
    let fault = Freeze {
        id: None,
        node: NodeRef::Primary,
        scope: FreezeScope::All,
    };
    let hit = Hit {
        node: NODE.to_owned(),
        role: "primary".to_owned(),
        timeline: 1,
    };
    let seen = see_cluster(target, clock, Duration::from_secs(1)).await;
    let undo = fault.prepare(target, &hit, &seen).await.unwrap();
    let f0 = clock.now();
    fault.inject(target, &hit, undo.as_ref()).await.unwrap();
    let f1 = clock.now();
    tokio::time::sleep(length).await;
    let h0 = clock.now();
    undo.release(target).await.unwrap();
    let h1 = clock.now();
    known(Break::Freeze, length, (f0, f1), (h0, h1))
}

/// Everything under way is reset, and everything new is refused.
async fn reset(link: &Link, server: SocketAddr, clock: Clock, length: Duration) -> Known {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = nobody.local_addr().unwrap();
    drop(nobody);
    let f0 = clock.now();
    link.retarget(refusing);
    link.reset_sessions();
    let f1 = clock.now();
    tokio::time::sleep(length).await;
    let h0 = clock.now();
    link.retarget(server);
    let h1 = clock.now();
    known(Break::Reset, length, (f0, f1), (h0, h1))
}

fn known(how: Break, length: Duration, fault: (Stamp, Stamp), heal: (Stamp, Stamp)) -> Known {
    let ms = |(from, to): (Stamp, Stamp)| (from.as_ms(), to.as_ms());
    Known {
        how,
        length,
        fault: ms(fault),
        heal: ms(heal),
    }
}

fn load_plan(
    run: &str,
    clock: Clock,
    target: &LocalTarget,
    link: &Link,
    folder: &std::path::Path,
) -> LoadPlan {
    LoadPlan {
        extras: Vec::new(),
        watches: Vec::new(),
        durability_of: None,
        synchronous_commit: None,
        retention: Default::default(),
        run: run.to_owned(),
        clock,
        workload: WorkloadRecord {
            fresh: (100, 500),
            writers: (20, 500),
            sessions: 4,
            stall_ms: None,
            on_deadline: "reopen".to_owned(),
            reader: None,
            nodes: (50, 500),
            stability_ms: 5000,
            background: None,
        },
        writers_every: None,
        writer: Address {
            port: link.port(),
            ..target.probe_access(NODE)
        },
        reader: None,
        nodes: target
            .nodes()
            .into_iter()
            .map(|name| NodeAccess {
                probe: target.probe_access(&name),
                observe: target.act_access(&name),
                name,
            })
            .collect(),
        limits: Limits {
            sessions: 20,
            commits_per_second: 100,
        },
        folder: folder.to_owned(),
    }
}

fn step_began() -> Event {
    Event::StepBegan(StepBegan {
        step: "baseline".to_owned(),
        index: 0,
        nodes: Vec::new(),
    })
}

fn step_ended() -> Event {
    Event::StepEnded(StepEnded {
        step: "baseline".to_owned(),
        outcome: StepOutcome::Done,
    })
}

/// As much of a plan as the measures need.
fn began(run: &str, workload: &WorkloadRecord) -> RunBegan {
    let plan = PlanRecord {
        drill: "known-outages".to_owned(),
        summary: String::new(),
        why: String::new(),
        drill_sha256: String::new(),
        variables: Vec::new(),
        objectives: Vec::new(),
        expect_fail: None,
        require: vec![],
        stop_if: vec![],
        workload: workload.clone(),
        steps: vec![StepRecord {
            id: "baseline".to_owned(),
            kind: "baseline".to_owned(),
            what: String::new(),
            undo: None,
            longest_ms: BASELINE.as_millis() as u64,
            until: Some(Until::BaselineOver),
            of: None,
            together: None,
        }],
        longest_ms: 0,
        not_observable: Vec::new(),
        cost: CostRecord {
            sessions_per_node: 0,
            max_connections: None,
            connects_per_second: 0.0,
            commits_per_second: 0.0,
            clients: 0,
            requests_per_second: 0.0,
        },
        healthy_nodes: (2, 2),
    };
    RunBegan {
        schema: SCHEMA.to_owned(),
        run: run.to_owned(),
        version: String::new(),
        started_at: String::new(),
        seed: 0,
        plan,
        target: TargetRecord {
            kind: "local".to_owned(),
            identity: String::new(),
            versions: Vec::new(),
            timers: Vec::new(),
            durability: Vec::new(),
            stand_ins: Vec::new(),
            path: String::new(),
            control_period_ms: 300,
        },
        selftest: String::new(),
    }
}
