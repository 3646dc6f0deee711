//! The old primary wakes up and takes the lead back from the one that was promoted: what looked recovered was not.

use super::*;
use crate::report::wording;

/// Frozen at 6.0 s, replaced by node-2 at 7.0 s, awake again at 9.0 s, and leading at 10.4 s; undone from 9.6 s on.
fn taken_back() -> Story {
    frozen()
        .refused((6_000, 7_000))
        .at(6_400, saw(StackView::LeaderLost, "node-1", 6_300, 6_400))
        .at(6_420, saw(StackView::LeaderNamed, "node-2", 6_400, 6_420))
        .round(6_800, &[("node-2", 2)], None)
        .served((7_000, 9_000), "node-2", 2)
        .act(
            ActKind::Release,
            (1, "freeze", "node-1"),
            (9_000, 9_010, 9_020),
        )
        .refused((9_000, 10_400))
        .act(
            ActKind::Undo,
            (1, "freeze", "node-1"),
            (9_600, 9_700, 9_800),
        )
        .round(10_300, &[("node-1", 1)], Some("node-2"))
        .served((10_400, 12_000), "node-1", 1)
}

/// The same with one commit lost, and what the nodes that are one again have in their history.
fn with(lost: LostCommit, history: &[u32]) -> RunResult {
    let mut audited = clean_audit();
    audited.writers[1].lost = vec![lost];
    let story = taken_back().audit(13_000, history, audited).ended(12_000);
    result_of(&story.entries(), 0, false)
}

fn with_the_loss() -> RunResult {
    with(lost(400, 8_000, "node-2", 2), &[1])
}

#[test]
fn its_commits_are_those_of_a_timeline_that_nobody_follows() {
    let lost = with_the_loss().ledger.lost;
    assert_eq!(lost.shape.as_deref(), Some("abandoned_timeline"));
    let why = "all that was lost was acknowledged after the fault";
    assert_eq!(lost.rpo.why(), Some(why));
}

#[test]
fn a_row_whose_timeline_is_not_known_says_nothing_about_timelines() {
    let lost = with(lost(400, 0, "node-2", 0), &[1]).ledger.lost;
    assert_eq!(lost.shape.as_deref(), Some("suffix"));
}

#[test]
fn the_recovery_that_was_seen_is_told_with_the_outage_after_it() {
    let result = with_the_loss();
    let recovery = &result.recovery;
    assert_eq!(recovery.new_primary.as_deref(), Some("node-2"));
    let total = recovery.total.observed().unwrap();
    assert!(total.lower_ms > 800.0, "{total:?}");
    assert_eq!(
        total.upper_ms, None,
        "who knows when it would have been back for good"
    );
    assert!(recovery.total_us.is_some_and(|us| us < 1_100_000));
    let elect = &recovery.parts[1];
    assert!(elect.took.observed().is_some(), "{elect:?}");
    assert!(recovery.lost_again);
    let said = wording::around_recovery(recovery);
    assert_eq!(said, "; a later outage did not end by itself");
    let primaries = wording::primaries(&result).unwrap();
    assert!(
        primaries.starts_with("node-1 → node-2, promoted by local agent"),
        "{primaries}"
    );
    // Downtime as it is judged is not known: the second outage was ended by firedrill.
    let fresh = &result.channels["writer_fresh"];
    let (both, shown) = wording::outages(fresh).unwrap();
    assert_eq!(both, "0.89–1.11 s, and > 0.59 s, open until the undo");
    assert_eq!(shown, 2);
}

#[test]
fn whoever_led_meanwhile_is_told_where_the_second_outage_is_the_longer_one() {
    let story = frozen()
        .refused((6_000, 7_000))
        .at(6_420, saw(StackView::LeaderNamed, "node-2", 6_400, 6_420))
        .round(6_800, &[("node-2", 2)], None)
        .served((7_000, 8_000), "node-2", 2)
        .refused((8_000, 10_000))
        .round(9_900, &[("node-1", 1)], Some("node-2"))
        .served((10_000, 12_000), "node-1", 1);
    let result = finished(story);
    let recovery = &result.recovery;
    assert_eq!(recovery.between.as_deref(), Some("node-2"));
    let elect = &recovery.parts[1];
    assert!(elect.took.observed().is_some(), "{elect:?}");
    let primaries = wording::primaries(&result).unwrap();
    let led = "node-1 → node-2 → node-1, which led again";
    assert!(primaries.starts_with(led), "{primaries}");
}

#[test]
fn of_older_timelines_nothing_is_said_where_only_the_newest_is_known() {
    let lost = with(lost(400, 5_900, "node-1", 1), &[4]).ledger.lost;
    assert_eq!(lost.shape.as_deref(), Some("suffix"));
}

#[test]
fn a_longer_outage_that_did_not_end_stands_for_all() {
    let mut result = with_the_loss();
    let fresh = result.channels.get_mut("writer_fresh").unwrap();
    fresh.outages[0].lower_ms = 100.0;
    let (longest, shown) = wording::outages(fresh).unwrap();
    assert_eq!(
        (longest.as_str(), shown),
        ("> 0.59 s, open until the undo", 1)
    );
    fresh.outages.clear();
    assert_eq!(wording::outages(fresh), None);
}

#[test]
fn an_outage_long_after_the_fault_is_told_as_that() {
    let story = frozen()
        .served((6_000, 8_000), "node-1", 1)
        .refused((8_000, 9_000))
        .served((9_000, 12_000), "node-1", 1);
    let recovery = finished(story).recovery;
    assert!(!recovery.lost_again);
    let said = wording::around_recovery(&recovery);
    assert_eq!(said, "; the outage began 1.88–2.01 s after the fault");
}
