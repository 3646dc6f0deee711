//! An old primary that was let go, and that its stack makes follow: it is left alone for as long as it does no harm.

use super::guard_tests::{Bench, freeze};
use crate::fault::freeze::FreezeScope;
use tokio::time::Instant;

/// node-1 was frozen, replaced, and let go.
async fn let_go() -> Bench {
    let mut bench = Bench::with_nodes(2);
    bench.target.fails_over();
    let fault = freeze("node-1", FreezeScope::All);
    bench.strike(&fault, "a").await.unwrap();
    bench.target.stack_promotes();
    let (guard, mut way) = bench.way();
    guard.release("a", &mut way).await.unwrap();
    bench.target.calls();
    bench
}

#[tokio::test(start_paused = true)]
async fn one_that_is_silent_while_its_stack_rewinds_it_is_not_taken_down() {
    let mut bench = let_go().await;
    bench.target.rewinds("node-1", 10);
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    let calls = bench.target.calls();
    assert!(
        !calls
            .iter()
            .any(|call| call.starts_with("fence") || call.starts_with("power_off")),
        "{calls:?}"
    );
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_writes_is_not_waited_for() {
    let mut bench = let_go().await;
    let began = Instant::now();
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(bench.target.calls(), ["fence node-1", "rejoin node-1"]);
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_silent_is_taken_down_in_the_end() {
    let mut bench = let_go().await;
    bench.target.mute("node-1", true);
    let began = Instant::now();
    let report = bench.undo_all().await;
    assert!(
        began.elapsed() >= super::no_second_primary::BY_ITSELF,
        "{:?}",
        began.elapsed()
    );
    let calls = bench.target.calls();
    assert!(
        calls.iter().any(|call| call == "fence node-1"),
        "{calls:?} {:?}",
        report.failures
    );
}
