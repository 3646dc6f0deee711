//! What the prober costs in processor time, and how its latency compares, beside pgbench: the same
//! statement, rate and number of clients, one after the other and in turns.

use crate::machine::Taken;
use crate::row::Row;
use crate::server::Server;
use firedrill::clock::Clock;
use firedrill::event::plan_record::WorkloadRecord;
use firedrill::event::slots::unpack;
use firedrill::event::{ChannelRecord, Emitter, Event};
use firedrill::load::prober::Prober;
use firedrill::load::retention::Retention;
use firedrill::load::{Limits, LoadPlan};
use std::time::Duration;

const CLIENTS: u32 = 4;
const LASTS: Duration = Duration::from_secs(15);
/// How often each takes its turn.
const TURNS: usize = 3;
const PERCENTILES: [f64; 3] = [0.5, 0.95, 0.99];
const CPU_LIMIT: f64 = 1.0;
const LATENCY_LIMIT_MS: f64 = 1.0;

/// The probe's statement as a script of pgbench.
fn script(run: &str) -> String {
    format!(
        "\\set writer :client_id + 1\n\\set seq :seq + 1\n\
         select * from firedrill.tick('{run}', :writer, :seq, :seq);\n"
    )
}

/// What one side cost and saw.
#[derive(Default)]
struct Side {
    taken: Taken,
    commits: u64,
    /// Latencies from the moment an attempt was due, in microseconds.
    waited: Vec<u64>,
}

impl Side {
    /// Seconds of processor per million commits.
    fn per_million(&self) -> f64 {
        self.taken.processor.as_secs_f64() * 1e6 / self.commits as f64
    }

    /// How often it waited per commit.
    fn waits(&self) -> f64 {
        self.taken.waits as f64 / self.commits as f64
    }

    fn percentile_ms(&mut self, quantile: f64) -> f64 {
        let rank = ((self.waited.len() as f64 * quantile).ceil() as usize).max(1) - 1;
        *self.waited.select_nth_unstable(rank).1 as f64 / 1000.0
    }
}

pub fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let settings = ["fsync=off", "autovacuum=off", "max_wal_size=4GB"];
    let server = match runtime.block_on(Server::start(&settings)) {
        Ok(server) => server,
        Err(why) => return vec![Row::skipped("the prober beside pgbench", "1.0", &why)],
    };
    [1000, 5000]
        .into_iter()
        .flat_map(|rate| beside(&runtime, &server, rate))
        .collect()
}

fn beside(runtime: &tokio::runtime::Runtime, server: &Server, rate: u64) -> Vec<Row> {
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    for turn in 0..TURNS {
        runtime.block_on(probe(
            server,
            rate,
            &format!("probe-{rate}-{turn}"),
            &mut ours,
        ));
        if let Err(why) = pgbench(server, rate, turn, &mut theirs) {
            return vec![Row::skipped("the prober beside pgbench", "1.0", &why)];
        }
    }
    let (we, they) = (ours.per_million(), theirs.per_million());
    let shown = format!("{:.2} ({we:.1} s / {they:.1} s per million)", we / they);
    let what = format!("processor time of the prober / pgbench, {rate} commits a second");
    let (our_waits, their_waits) = (ours.waits(), theirs.waits());
    let mut rows = vec![
        Row::at_most(&what, we / they, CPU_LIMIT, &shown, "1.0"),
        Row::told(
            &format!("waits per commit, prober / pgbench, {rate} commits a second"),
            &format!("{our_waits:.2} / {their_waits:.2}"),
        ),
        Row::told(
            &format!("processor time per wait, prober / pgbench, {rate} commits a second"),
            &format!("{:.1} / {:.1} µs", we / our_waits, they / their_waits),
        ),
    ];
    for quantile in PERCENTILES {
        let (we, they) = (ours.percentile_ms(quantile), theirs.percentile_ms(quantile));
        let what = format!(
            "latency recorded beside pgbench's, p{:.0}, {rate} commits a second",
            quantile * 100.0
        );
        let apart = (we - they).abs();
        let shown = format!("{we:.2} ms / {they:.2} ms");
        let limit = "1 ms apart";
        rows.push(Row::at_most(&what, apart, LATENCY_LIMIT_MS, &shown, limit));
    }
    rows
}

async fn probe(server: &Server, rate: u64, run: &str, side: &mut Side) {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = LoadPlan {
        run: run.to_owned(),
        clock: Clock::start(),
        workload: WorkloadRecord {
            fresh: (0, 500),
            writers: (1, 500),
            sessions: CLIENTS,
            stall_ms: None,
            on_deadline: "reopen".to_owned(),
            reader: None,
            nodes: (0, 0),
            stability_ms: 5000,
            background: None,
        },
        writers_every: Some(Duration::from_micros(1_000_000 / rate)),
        writer: server.address(),
        reader: None,
        extras: Vec::new(),
        watches: Vec::new(),
        nodes: Vec::new(),
        limits: Limits {
            sessions: 20,
            commits_per_second: 10_000,
        },
        durability_of: None,
        synchronous_commit: None,
        loss_unjudged: None,
        retention: Retention::default(),
        folder: folder.path().to_owned(),
    };
    let (emitter, mut events) = Emitter::channel();
    let prober = Prober::start(plan, emitter).await.expect("it starts");
    let (before, acknowledged) = (Taken::by_this(), prober.acknowledged());
    tokio::time::sleep(LASTS).await;
    side.taken.add(before, Taken::by_this());
    side.commits += prober.acknowledged() - acknowledged;
    prober.stop().await.expect("a ledger");
    let mut pinned: Option<ChannelRecord> = None;
    while let Ok((_, event)) = events.try_recv() {
        match event {
            Event::MeasuringBegan(began) => {
                let mut channels = began.channels.into_iter();
                pinned = channels.find(|channel| channel.name == "writer_pinned");
            }
            Event::Slots(batch) => {
                let Some(channel) = pinned
                    .as_ref()
                    .filter(|channel| channel.name == batch.channel)
                else {
                    continue;
                };
                let slots = unpack(&batch.packed, channel.t0, channel.period_us);
                for slot in slots.expect("its own batch") {
                    let due = channel.t0.0 + slot.k * channel.period_us;
                    side.waited.push(slot.settled.0.saturating_sub(due));
                }
            }
            _ => {}
        }
    }
}

fn pgbench(server: &Server, rate: u64, turn: usize, side: &mut Side) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("tick.sql");
    // Writing its log is not what clients do, so the processor time is that of a turn without it.
    for log in [false, true] {
        let mut command = server.client("pgbench");
        let (rate, clients) = (rate.to_string(), CLIENTS.to_string());
        let lasts = LASTS.as_secs().to_string();
        let text = script(&format!("pgbench-{rate}-{turn}-{log}"));
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        command
            .args(["-n", "-j", "1", "-R", &rate, "-c", &clients, "-T", &lasts])
            .args(["-D", "seq=0", "-f"])
            .arg(&file)
            .args(log.then_some("--log"))
            .arg("postgres")
            .current_dir(folder.path())
            .stdout(std::process::Stdio::piped());
        let before = Taken::by_children();
        let output = command
            .output()
            .map_err(|error| format!("pgbench: {error}"))?;
        if !output.status.success() {
            return Err(format!("pgbench ended with {}", output.status));
        }
        if log {
            side.waited.extend(latencies(folder.path()));
            continue;
        }
        side.taken.add(before, Taken::by_children());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let processed = said
            .lines()
            .find_map(|line| line.strip_prefix("number of transactions actually processed: "));
        let count = processed.and_then(|count| count.split('/').next()?.trim().parse::<u64>().ok());
        side.commits += count.ok_or("pgbench told no number of transactions")?;
    }
    Ok(())
}

/// The third column of its log: microseconds since the transaction was due.
fn latencies(folder: &std::path::Path) -> Vec<u64> {
    let files = std::fs::read_dir(folder).expect("a folder").flatten();
    let logs = files.filter(|file| {
        file.file_name()
            .to_string_lossy()
            .starts_with("pgbench_log")
    });
    logs.flat_map(|log| {
        let text = std::fs::read_to_string(log.path()).expect("its log");
        let column = |line: &str| line.split(' ').nth(2)?.parse().ok();
        text.lines().filter_map(column).collect::<Vec<u64>>()
    })
    .collect()
}
