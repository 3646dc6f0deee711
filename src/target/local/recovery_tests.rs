//! The ways back of the embedded cluster against a real PostgreSQL: promotion, rejoin, switch-over.

use super::test_cluster::*;
use super::*;
use crate::event::cluster::Standing;
use crate::sql::Session;
use crate::target::{CutFrom, PowerOff, Target};
use std::time::Duration;

#[tokio::test]
async fn an_old_primary_is_rewound_and_what_only_it_held_is_kept() {
    if !installed() {
        return;
    }
    let target = start("rewind", by_hand()).await;
    let evidence = tempfile::tempdir().unwrap();
    make_ledger(&target).await;
    write_rows(&target, "node-1", 1, 50).await;
    wait_until("the standby has the rows", async || {
        count_rows(&target, "node-2").await == "50"
    })
    .await;
    let network = target.network().unwrap();
    network.cut("node-2", CutFrom::Peers).await.unwrap();
    write_rows(&target, "node-1", 51, 60).await;
    let power = target.power().unwrap();
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    // What the links held back died with the node.
    network.join("node-2").await.unwrap();
    let recovery = target.recovery();
    assert_eq!(recovery.promote(None).await.unwrap(), "node-2");
    assert!(
        recovery.promote(Some("node-1")).await.is_err(),
        "no second primary"
    );
    assert_eq!(leader(&target).await, Some(("node-2".to_owned(), 2)));
    write_rows(&target, "node-2", 100, 105).await;
    let line = recovery.rejoin("node-1", evidence.path()).await.unwrap();
    assert!(
        line.starts_with("node-1 was rewound and streams timeline 2; saved "),
        "{line}"
    );
    let found = recovery
        .diverged_evidence(evidence.path())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.rows, Some((51..=60).map(|seq| (3, seq)).collect()));
    assert!(found.bytes_after_fork.unwrap() > 0);
    let listing =
        std::fs::read_to_string(evidence.path().join("node-1-timeline-1.waldump.txt")).unwrap();
    assert!(listing.contains("COMMIT"), "{listing}");
    assert!(target.cluster.see().await.is_whole());
    assert_eq!(count_rows(&target, "node-1").await, "56");
    let again = recovery.rejoin("node-1", evidence.path()).await.unwrap();
    assert_eq!(again, "node-1 streams timeline 2 already");
    let leads = recovery.rejoin("node-2", evidence.path()).await.unwrap();
    assert_eq!(leads, "node-2 leads timeline 2");
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_primary_that_is_cut_off_can_be_failed_over_and_goes_on_by_itself() {
    if !installed() {
        return;
    }
    let target = start("isolated", by_hand()).await;
    let evidence = tempfile::tempdir().unwrap();
    make_ledger(&target).await;
    wait_until("the standby has the table", async || {
        let session = Session::connect(&target.act_access("node-2"), SHORT)
            .await
            .unwrap();
        session
            .query("SELECT FROM firedrill.ledger", SHORT)
            .await
            .is_ok()
    })
    .await;
    let recovery = target.recovery();
    assert!(
        recovery.promote(None).await.is_err(),
        "the primary is there"
    );
    target
        .network()
        .unwrap()
        .cut("node-1", CutFrom::Peers)
        .await
        .unwrap();
    assert_eq!(recovery.promote(None).await.unwrap(), "node-2");
    write_rows(&target, "node-1", 1, 5).await;
    target.network().unwrap().join("node-1").await.unwrap();
    let line = recovery.rejoin("node-1", evidence.path()).await.unwrap();
    assert!(line.contains("5 ledger rows that only it held"), "{line}");
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_second_writable_node_is_fenced_and_what_cannot_be_rewound_is_cloned() {
    if !installed() {
        return;
    }
    let target = start("clone", by_hand()).await;
    let evidence = tempfile::tempdir().unwrap();
    make_ledger(&target).await;
    target
        .power()
        .unwrap()
        .power_off("node-1", PowerOff::Kill)
        .await
        .unwrap();
    target.recovery().promote(None).await.unwrap();
    // As in life: the old primary comes back and takes writes.
    target.power().unwrap().start("node-1").await.unwrap();
    write_rows(&target, "node-1", 7, 9).await;
    assert_eq!(target.cluster.see().await.primaries().count(), 2);
    // Without its WAL it can neither recover nor be rewound.
    let wal = target
        .cluster
        .node("node-1")
        .unwrap()
        .server
        .data()
        .join("pg_wal");
    for entry in std::fs::read_dir(wal).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let line = target
        .recovery()
        .rejoin("node-1", evidence.path())
        .await
        .unwrap();
    assert!(
        line.contains("node-1 was cloned anew, because it could not be rewound"),
        "{line}"
    );
    assert!(
        line.contains("its diverged tail could not be saved"),
        "{line}"
    );
    assert!(target.cluster.see().await.is_whole());
    assert_eq!(count_rows(&target, "node-1").await, "0");
    assert!(
        target
            .network()
            .unwrap()
            .reaches("node-1", CutFrom::Clients)
            .await
            .unwrap(),
        "the fence is lifted"
    );
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_switch_over_loses_nothing_and_leaves_a_whole_cluster() {
    if !installed() {
        return;
    }
    let settings = LocalSettings {
        standbys: 2,
        ..LocalSettings::default()
    };
    let target = start("switch", settings).await;
    make_ledger(&target).await;
    write_rows(&target, "node-1", 1, 200).await;
    let new = target.recovery().switch_over(Some("node-3")).await.unwrap();
    assert_eq!(new, "node-3");
    wait_until("everybody streams", async || {
        target.cluster.see().await.is_whole()
    })
    .await;
    assert_eq!(leader(&target).await, Some(("node-3".to_owned(), 2)));
    assert_eq!(count_rows(&target, "node-3").await, "200");
    assert_eq!(
        target.recovery().switch_over(Some("node-3")).await.unwrap(),
        "node-3"
    );
    // Nothing diverged, and the agent, awake again, leaves it alone.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(target.cluster.see().await.is_whole());
    let writer = &target.endpoints()[0].address;
    let session = Session::connect(writer, SHORT).await.unwrap();
    let answer = session
        .query("SELECT pg_is_in_recovery()", SHORT)
        .await
        .unwrap();
    assert_eq!(answer.rows[0][0].as_deref(), Some("f"));
    target.close().await.unwrap();
}

#[tokio::test]
async fn the_agent_fails_over_and_an_old_primary_that_comes_back_is_demoted() {
    if !installed() {
        return;
    }
    let settings = LocalSettings {
        standbys: 2,
        ..LocalSettings::default()
    };
    let target = start("agent", settings).await;
    let evidence = tempfile::tempdir().unwrap();
    make_ledger(&target).await;
    let power = target.power().unwrap();
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    wait_until("a standby leads", async || {
        leader(&target)
            .await
            .is_some_and(|(name, timeline)| name != "node-1" && timeline == 2)
    })
    .await;
    wait_until("the other streams from it", async || {
        target.cluster.see().await.streaming() == 1
    })
    .await;
    assert_eq!(
        power.running("node-1").await.unwrap(),
        0,
        "nobody restarts it"
    );
    power.start("node-1").await.unwrap();
    wait_until("it is demoted", async || {
        power.running("node-1").await.unwrap() == 0
    })
    .await;
    target
        .recovery()
        .rejoin("node-1", evidence.path())
        .await
        .unwrap();
    assert!(target.cluster.see().await.is_whole());
    target.close().await.unwrap();
}

#[tokio::test]
async fn synchronous_commits_wait_for_a_standby() {
    if !installed() {
        return;
    }
    let settings = LocalSettings {
        synchronous: true,
        ..by_hand()
    };
    let target = start("sync", settings).await;
    make_ledger(&target).await;
    let seen = target.cluster.see().await;
    let Some(Standing::Primary { standbys, .. }) = seen.node("node-1") else {
        panic!("{seen:?}")
    };
    assert_eq!(standbys[0].sync, "quorum");
    target
        .power()
        .unwrap()
        .power_off("node-2", PowerOff::Kill)
        .await
        .unwrap();
    let session = Session::connect(&target.act_access("node-1"), SHORT)
        .await
        .unwrap();
    let write = "INSERT INTO firedrill.ledger VALUES ('x', 1, 1)";
    let waits = session.query(write, Duration::from_millis(500)).await;
    assert!(waits.is_err(), "nobody is left who could confirm it");
    target.close().await.unwrap();
}
