//! What only the local target has: a cluster that dies with its run is swept, whatever stands still in it.
//! Skipped, with the reason printed, where no PostgreSQL is installed. Faults and their undos on every kind
//! of target are checked in `target/conformance/`.

use super::guard_tests::freeze;
use super::journal::{Journal, Opened};
use super::recover::recover;
use super::throw_away::ThrowAwayLocal;
use super::*;
use crate::clock::Clock;
use crate::event::Emitter;
use crate::fault::freeze::FreezeScope;
use crate::target::local::test_installation;
use crate::target::local::{LocalSettings, LocalTarget};
use crate::target::see_cluster;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_run_is_swept_with_its_frozen_servers() {
    if test_installation().is_none() {
        return;
    }
    let run = format!("test-undo-sweep-{}", std::process::id());
    let clock = Clock::start();
    let cluster = LocalTarget::plan_folder(&run);
    let facts = serde_json::json!({ "folder": &cluster });
    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::by_this_process(&run, "local", &format!("local:{run}"), facts, clock);
    let mut journal = JournalOwner::create(folder.path(), opened).unwrap();
    let mut target = LocalTarget::start(&LocalSettings::default(), &run, clock, |_| {})
        .await
        .unwrap();
    let seen = see_cluster(&target, clock, Duration::from_secs(1)).await;
    let hit = Hit {
        node: "node-1".into(),
        role: "primary".into(),
        timeline: 1,
    };
    let mut way = WayBack {
        target: &target,
        clock,
        emitter: &Emitter::channel().0,
        journal: &mut journal,
        evidence: folder.path(),
        limits: Limits::default(),
        urgency: Urgency::Patient,
    };
    let fault = freeze("node-1", FreezeScope::All);
    let mut guard = Guard::new();
    let struck = guard.strike(&fault, "step", &hit, &seen, &mut way).await;
    struck.unwrap();
    target.abandon();
    drop(journal);
    let report = recover(folder.path(), &[&ThrowAwayLocal], None)
        .await
        .unwrap();
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(report.undone.len(), 1);
    assert!(!cluster.exists());
    assert!(Journal::read(folder.path()).unwrap().is_closed());
}
