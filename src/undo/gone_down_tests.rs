//! A node that goes down under another fault: it is started when that one ends, unless something else keeps it down.

use super::guard_tests::{Bench, cut, freeze, kill};
use crate::fault::freeze::FreezeScope;
use crate::target::{CutFrom, PowerOff, Target as _};
use std::time::Duration;

/// node-1 was frozen, and then somebody took it down.
async fn frozen_and_taken_down() -> Bench {
    let mut bench = Bench::with_nodes(2);
    let fault = freeze("node-1", FreezeScope::All);
    bench.strike(&fault, "a").await.unwrap();
    let power = bench.target.power().unwrap();
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_frozen_primary_that_was_taken_down_by_a_promotion_that_never_came_is_started() {
    let mut bench = frozen_and_taken_down().await;
    bench.target.calls();
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(bench.target.calls(), ["Thaw node-1", "start node-1"]);
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn what_ends_on_a_primary_that_another_fault_keeps_down_leaves_it_down() {
    let mut bench = Bench::with_nodes(2);
    let fault = freeze("node-1", FreezeScope::All);
    bench.strike(&fault, "a").await.unwrap();
    bench.strike(&kill("node-1"), "b").await.unwrap();
    let (guard, mut way) = bench.way();
    guard.undo_one("a", &mut way).await;
    assert!(bench.guard.is_open("b"));
    let power = bench.target.power().unwrap();
    assert_eq!(power.running("node-1").await.unwrap(), 0);
    assert!(bench.undo_all().await.is_complete());
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn one_that_went_down_under_two_faults_is_started_by_the_first_to_end() {
    let mut bench = Bench::with_nodes(2);
    let freeze = freeze("node-1", FreezeScope::All);
    bench
        .strike(&cut("node-1", CutFrom::All), "a")
        .await
        .unwrap();
    bench.strike(&freeze, "b").await.unwrap();
    let power = bench.target.power().unwrap();
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_comes_after_all_is_followed() {
    let mut bench = frozen_and_taken_down().await;
    let promoting = bench.target.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let recovery = promoting.recovery();
        recovery.promote(Some("node-2")).await.unwrap();
    });
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    let seen = bench.seen().await;
    assert_eq!(seen.leader().map(|(name, _)| name), Some("node-2"));
    assert!(seen.is_whole());
}
