//! A node that goes down under another fault: it is started when that one ends, unless something else keeps it down.

use super::guard_tests::{Bench, freeze, kill};
use crate::fault::freeze::FreezeScope;
use crate::target::{PowerOff, Target as _};

#[tokio::test(start_paused = true)]
async fn a_frozen_primary_that_was_taken_down_by_a_promotion_that_never_came_is_started() {
    let mut bench = Bench::with_nodes(2);
    let fault = freeze("node-1", FreezeScope::All);
    bench.strike(&fault, "a").await.unwrap();
    let power = bench.target.power().unwrap();
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    bench.target.calls();
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(bench.target.calls(), ["Thaw node-1", "start node-1"]);
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn what_ends_on_a_node_that_another_fault_keeps_down_leaves_it_down() {
    let mut bench = Bench::with_nodes(3);
    bench
        .strike(&freeze("node-3", FreezeScope::All), "a")
        .await
        .unwrap();
    bench.strike(&kill("node-3"), "b").await.unwrap();
    let (guard, mut way) = bench.way();
    guard.undo_one("a", &mut way).await;
    assert!(bench.guard.is_open("b"));
    let calls = bench.target.calls();
    assert!(
        !calls.iter().any(|call| call.starts_with("start")),
        "{calls:?}"
    );
    assert!(bench.undo_all().await.is_complete());
    assert!(bench.seen().await.is_whole());
}
