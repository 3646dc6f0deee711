//! Holding a ledger of twenty million keys against the rows of a server.

use crate::machine::{median, scratch, timed};
use crate::row::Row;
use crate::server::Server;
use firedrill::clock::Clock;
use firedrill::event::slots::{ErrorClass, Outcome};
use firedrill::event::{Audited, Stamp};
use firedrill::load::audit::{AtRisk, audit};
use firedrill::load::ledger::{KeyRecord, Ledger, Told};
use firedrill::load::ledger_file::Writing;
use std::time::Duration;

const WRITERS: u32 = 6;
/// Keys of each writer: twenty million in all.
const KEYS: u64 = 20_000_000 / WRITERS as u64;
/// Keys that failed, and keys that stayed in doubt and are there.
const FAILED: u64 = 50_021;
const DOUBTFUL: u64 = 50_023;
const TIMES: usize = 5;
const LIMIT: f64 = 1.3;

const PLAIN: &str = "select writer, count(*), min(seq), max(seq) from firedrill.ledger \
     where run = 'bench' group by writer";
const COPY: &str = "copy (select writer, seq from firedrill.ledger where run = 'bench') \
     to stdout (format binary)";

pub fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(rows())
}

async fn rows() -> Vec<Row> {
    let settings = [
        "fsync=off",
        "max_wal_size=8GB",
        "shared_buffers=512MB",
        "maintenance_work_mem=512MB",
        "autovacuum=off",
    ];
    let server = match Server::start(&settings).await {
        Ok(server) => server,
        Err(why) => return vec![Row::skipped("audit of 20 million rows", "1.3", &why)],
    };
    let folder = scratch();
    let ledger = ledger(folder.path());
    fill(&server).await;
    let mut rows = vec![];

    let mut plain = Vec::new();
    let mut ours = Vec::new();
    let mut both = Vec::new();
    for _ in 0..TIMES {
        plain.push(took(server.ask(PLAIN)).await.0);
        let (time, audited) = took(audited(&ledger, &server, false)).await;
        assert_eq!((lost(&audited), &audited.unjudged), (0, &None));
        ours.push(time);
        let (time, audited) = took(self::audited(&ledger, &server, true)).await;
        assert_eq!((lost(&audited), audited.diverged.len()), (0, 0));
        both.push(time);
    }
    let plain = median(plain);
    rows.push(ratio(
        "audit of 20 million rows, nothing lost / plain count per writer",
        median(ours),
        plain,
    ));
    rows.push(ratio(
        "the same with one standby compared / two plain counts",
        median(both),
        plain * 2,
    ));

    // As after a failover: the last commits of each writer are gone.
    let gone =
        "delete from firedrill.ledger where seq > (select max(seq) - 500 from firedrill.ledger)";
    server.ask(gone).await;
    rows.push(named(&ledger, &server, "the last 500 of each writer").await);
    let gone = "delete from firedrill.ledger where seq % 20011 = 7";
    server.ask(gone).await;
    let scattered = "those and 1,000 scattered ones";
    rows.push(named(&ledger, &server, scattered).await);
    rows
}

/// Names what is lost, beside a COPY by psql.
async fn named(ledger: &Ledger, server: &Server, which: &str) -> Row {
    let mut copies = Vec::new();
    let mut ours = Vec::new();
    let mut count = 0;
    for _ in 0..TIMES {
        let copy = || server.client("psql").args(["-qc", COPY]).status();
        let (time, status) = timed(copy);
        assert!(status.is_ok_and(|status| status.success()), "psql");
        copies.push(time);
        let (time, audited) = took(audited(ledger, server, false)).await;
        assert_eq!(audited.unjudged, None);
        count = lost(&audited);
        ours.push(time);
    }
    let what =
        format!("audit that names {count} lost rows ({which}) / binary COPY of both columns");
    ratio(&what, median(ours), median(copies))
}

fn ratio(what: &str, ours: Duration, theirs: Duration) -> Row {
    let times = ours.as_secs_f64() / theirs.as_secs_f64();
    let shown = format!(
        "{times:.2} ({:.2} s / {:.2} s)",
        ours.as_secs_f64(),
        theirs.as_secs_f64()
    );
    Row::at_most(what, times, LIMIT, &shown, "1.3")
}

async fn took<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let clock = Clock::start();
    let result = work.await;
    (clock.now().since(Stamp(0)), result)
}

async fn audited(ledger: &Ledger, server: &Server, with_node: bool) -> Audited {
    let address = server.address();
    let node = with_node.then(|| ("node-1".to_owned(), address.clone()));
    let nodes: Vec<_> = node.into_iter().collect();
    // As after a fault near the end: the last thousand positions had reached no standby.
    let risk = AtRisk {
        above: position(KEYS * u64::from(WRITERS) - 1000),
        timeline: 1,
        until: Stamp(u64::MAX),
    };
    let audited = audit(ledger, &address, &nodes, Some(risk), &[1, 2]).await;
    assert!(audited.at_risk.is_some_and(|count| count > 900));
    audited
}

fn lost(audited: &Audited) -> usize {
    audited.writers.iter().map(|writer| writer.lost.len()).sum()
}

fn position(number: u64) -> u64 {
    (1 << 40) + number * 180
}

fn ledger(folder: &std::path::Path) -> Ledger {
    let mut ledger = Ledger::create(folder, "bench", Writing::Behind).expect("a ledger");
    for _ in 0..WRITERS {
        ledger.add_writer("writer_pinned");
    }
    ledger.add_server(1, "127.0.0.1:5432 started 1".to_owned());
    let mut number = 0;
    for seq in 1..=KEYS {
        for writer in 1..=WRITERS {
            let sent = Stamp(number * 100);
            let outcome = if seq % FAILED == 0 {
                Outcome::Failed(ErrorClass::Refused)
            } else if seq % DOUBTFUL == 1 {
                Outcome::InDoubt(ErrorClass::Reset)
            } else {
                Outcome::Acknowledged
            };
            ledger.settle(KeyRecord {
                writer,
                seq,
                sent,
                settled: Stamp(sent.0 + 1200),
                outcome,
                told: Told {
                    server: 1,
                    timeline: 1,
                    lsn: position(number),
                },
            });
            number += 1;
        }
    }
    ledger.finish().expect("the disk takes it");
    ledger
}

/// Rows for all keys but the failed ones, in the order in which probes would have written them.
async fn fill(server: &Server) {
    let insert = format!(
        "insert into firedrill.ledger select 'bench', w, s, s from generate_series(1, {KEYS}) s, \
           generate_series(1, {WRITERS}) w where s % {FAILED} <> 0"
    );
    for sql in [
        "alter table firedrill.ledger drop constraint ledger_pkey",
        &insert,
        "alter table firedrill.ledger add primary key (run, writer, seq)",
        "vacuum analyze firedrill.ledger",
        "checkpoint",
    ] {
        server.ask(sql).await;
    }
}
