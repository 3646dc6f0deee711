//! The audit against real rows: nothing lost, a loss that the count hides, and a node that differs.

use super::audit::{AtRisk, audit, barrier};
use super::ledger::{KeyRecord, Ledger, Told};
use super::ledger_table;
use crate::event::Stamp;
use crate::event::slots::{ErrorClass, Outcome};
use crate::sql::test_server::TestServer;

const DOUBT: Outcome = Outcome::InDoubt(ErrorClass::Reset);
const FAIL: Outcome = Outcome::Failed(ErrorClass::ReadOnly);
const ACK: Outcome = Outcome::Acknowledged;

/// A finished ledger of run "r" with one writer and these outcomes for its keys 1, 2, ….
fn ledger(folder: &tempfile::TempDir, outcomes: &[Outcome]) -> Ledger {
    let mut ledger = Ledger::create(
        folder.path(),
        "r",
        crate::load::ledger_file::Writing::Behind,
    )
    .unwrap();
    let writer = ledger.add_writer("writer_pinned");
    ledger.add_server(1, "127.0.0.1:1".into());
    ledger.name_server(1, "node-1");
    for (at, outcome) in outcomes.iter().enumerate() {
        let seq = at as u64 + 1;
        ledger.settle(KeyRecord {
            writer,
            seq,
            sent: Stamp(seq * 1000),
            settled: Stamp(seq * 1000 + 500),
            outcome: *outcome,
            told: Told {
                server: 1,
                timeline: 1,
                lsn: seq * 100,
            },
        });
    }
    ledger.finish().unwrap();
    ledger
}

async fn rows(server: &TestServer, keys: &str) {
    let sql =
        format!("insert into firedrill.ledger select 'r', 1, unnest(array[{keys}]::bigint[]), 0");
    server.ask(&sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_is_found_and_what_is_not_is_named() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let act = server.address();
    ledger_table::prepare(&act, "postgres").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(
        &folder,
        &[ACK, ACK, ACK, DOUBT, ACK, FAIL, Outcome::AcknowledgedLate],
    );
    let nodes = [(String::from("node-1"), act.clone())];
    let above = Some(AtRisk {
        above: 300,
        timeline: 1,
        until: Stamp(5000),
    });

    let before = barrier("r", &act).await.unwrap();
    rows(&server, "1, 2, 3, 5, 7").await;
    assert!(barrier("r", &act).await.unwrap() > before);
    let all = audit(&ledger, &act, &nodes, above, &[1]).await;
    assert_eq!((all.unjudged, all.diverged), (None, Vec::new()));
    assert_eq!(all.at_risk, Some(2), "keys 3 and 5, at 300 and 500");
    let writer = &all.writers[0];
    assert_eq!(all.writers.len(), 1, "the barrier is no writer");
    assert_eq!(
        (writer.attempted, writer.acknowledged, writer.failed),
        (7, 4, 1)
    );
    assert_eq!((writer.in_doubt, writer.acknowledged_late), (2, 1));
    assert_eq!((writer.recovered, writer.vanished), (1, 1));
    assert!(writer.lost.is_empty() && writer.phantom.is_empty());

    // The right count, minimum and maximum, and 3 is lost.
    server
        .ask("delete from firedrill.ledger where writer = 1 and seq = 3")
        .await;
    rows(&server, "4").await;
    let hole = audit(&ledger, &act, &nodes, above, &[1, 2]).await;
    let writer = &hole.writers[0];
    let lost: Vec<_> = writer
        .lost
        .iter()
        .map(|lost| (lost.seq, lost.acknowledged))
        .collect();
    assert_eq!(lost, [(3, Stamp(3500))]);
    assert_eq!(writer.lost[0].node.as_deref(), Some("node-1"));
    assert!(!writer.suffix, "5 was acknowledged later and is there");

    server
        .ask("delete from firedrill.ledger where writer = 1 and seq in (5)")
        .await;
    rows(&server, "6, 9").await;
    let end = audit(&ledger, &act, &nodes, None, &[1, 2]).await;
    let writer = &end.writers[0];
    assert_eq!(
        writer.lost.iter().map(|lost| lost.seq).collect::<Vec<_>>(),
        [3, 5]
    );
    assert!(writer.suffix);
    assert_eq!(
        (writer.phantom.as_slice(), writer.unexpected.as_slice()),
        (&[6][..], &[9][..])
    );
    assert_eq!(end.at_risk, None);

    server
        .ask("insert into firedrill.ledger values ('r', 8, 1, 0)")
        .await;
    let stranger = audit(&ledger, &act, &nodes, None, &[1]).await;
    assert_eq!(stranger.writers[1].unexpected, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_other_rows_has_diverged_and_a_dead_one_is_unjudged() {
    let (Some(one), Some(other)) = (
        TestServer::primary(&[]).await,
        TestServer::primary(&[]).await,
    ) else {
        return;
    };
    for server in [&one, &other] {
        ledger_table::prepare(&server.address(), "postgres")
            .await
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder, &[ACK, ACK, ACK]);
    rows(&one, "1, 2, 3").await;
    rows(&other, "1, 2, 4").await;
    let mut dead = one.address();
    dead.port = 1;
    let nodes = [
        (String::from("node-1"), one.address()),
        (String::from("node-2"), other.address()),
        (String::from("node-3"), dead.clone()),
    ];
    let audited = audit(&ledger, &one.address(), &nodes, None, &[1]).await;
    assert!(audited.writers[0].lost.is_empty());
    let [(node, how)] = audited.diverged.as_slice() else {
        panic!("{audited:?}");
    };
    assert_eq!(node, "node-2");
    insta::assert_snapshot!(how, @"1 rows missing (writer/key 1/3), 1 rows that the writer does not have (writer/key 1/4)");
    insta::assert_snapshot!(audited.unjudged.unwrap(), @"node-3 could not be compared: Connection refused (os error 111)");
    let audited = audit(&ledger, &dead, &[], None, &[1]).await;
    assert!(audited.unjudged.unwrap().contains("on the writer"));
}

/// More keys than one stretch holds: what the counts of most stretches prove is not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_among_many_keys_is_named_exactly() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let act = server.address();
    ledger_table::prepare(&act, "postgres").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut outcomes = vec![ACK; 20_000];
    outcomes[9_000 - 1] = DOUBT;
    outcomes[13_000 - 1] = FAIL;
    let ledger = ledger(&folder, &outcomes);
    server
        .ask(
            "insert into firedrill.ledger select 'r', 1, s, 0 from generate_series(1, 19990) s \
             where s not in (5000, 13000) union all select 'r', 1, 30000, 0",
        )
        .await;
    let nodes = [(String::from("node-1"), act.clone())];
    let risk = AtRisk {
        above: 1_999_000,
        timeline: 1,
        until: Stamp(19_995_000),
    };
    let audited = audit(&ledger, &act, &nodes, Some(risk), &[1, 2]).await;
    assert_eq!((audited.unjudged, audited.diverged), (None, Vec::new()));
    assert_eq!(audited.at_risk, Some(6), "keys 19990 to 19995");
    let [writer] = audited.writers.as_slice() else {
        panic!("one writer");
    };
    let lost: Vec<u64> = writer.lost.iter().map(|lost| lost.seq).collect();
    let expected: Vec<u64> = [5000].into_iter().chain(19_991..=20_000).collect();
    assert_eq!(lost, expected);
    assert_eq!(writer.unexpected, [30_000]);
    assert!(writer.phantom.is_empty() && !writer.suffix);
    assert_eq!((writer.recovered, writer.vanished), (1, 0));
}
