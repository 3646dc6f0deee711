//! What counts as an outage, when it ended, and how it is held against a limit.

use super::*;

#[test]
fn an_outage_that_does_not_end_fails_only_beyond_its_limit() {
    let judged = |limit| {
        let story = never_back(None).demands("downtime", downtime(limit));
        let result = finished(story);
        let outage = result.channels["writer_pinned"].outages[0].clone();
        assert!(!outage.ended && outage.upper_ms.is_none() && !outage.censored_by_undo);
        result.objectives[0].verdict
    };
    assert_eq!(judged(800.0), Verdict::Fail);
    assert_eq!(judged(10_000.0), Verdict::Unknown);
}

#[test]
fn our_own_repair_is_not_their_recovery() {
    let result = finished(never_back(Some(8_000)).demands("downtime", downtime(10_000.0)));
    let outage = &result.channels["writer_pinned"].outages[0];
    assert!(outage.censored_by_undo && !outage.ended);
    assert_eq!(outage.upper_ms, None);
    // From the first refusal at 6.06 s to the undo at 8.0 s.
    assert!((outage.lower_ms - 1_939.5).abs() < 0.01, "{outage:?}");
    assert_eq!(result.objectives[0].verdict, Verdict::Unknown);
    assert_eq!(result.recovery.total_us, None);
    assert!(result.recovery.total.observed().unwrap().upper_ms.is_none());
}

#[test]
fn a_session_that_still_waits_when_the_undo_begins_is_not_repaired_by_it() {
    // Fresh connections are served from 7.0 s, pinned sessions hang until 7.6 s, the undo begins at 7.5 s.
    let hung = (Outcome::InDoubt(ErrorClass::StatementDeadline), 500_000);
    let story = frozen()
        .demands("downtime", downtime(2_000.0))
        .every("writer_fresh", (6_000, 7_000), hung, None)
        .every("writer_pinned", (6_000, 7_600), hung, None)
        .every("writer_fresh", (7_000, 12_000), GOOD, Some(("node-2", 2)))
        .every("writer_pinned", (7_600, 12_000), GOOD, Some(("node-2", 2)))
        .act(
            ActKind::Undo,
            (1, "freeze", "node-1"),
            (7_500, 7_800, 8_000),
        );
    let result = finished(story);
    let outage = &result.channels["writer_pinned"].outages[0];
    assert!(outage.ended && !outage.censored_by_undo, "{outage:?}");
    assert_eq!(result.objectives[0].verdict, Verdict::Pass);
    assert_eq!(
        result.objectives[0].channel.as_deref(),
        Some("writer_pinned")
    );
}

#[test]
fn a_limit_between_the_bounds_is_unknown() {
    let verdict = |limit| {
        let result = finished(crash().demands("downtime", downtime(limit)));
        (result.objectives[0].verdict, result.verdict)
    };
    assert_eq!(verdict(1_002.0), (Verdict::Pass, Verdict::Pass));
    assert_eq!(verdict(1_001.9), (Verdict::Unknown, Verdict::Unknown));
    // writer_pinned has the larger lower bound of the two.
    assert_eq!(verdict(900.0), (Verdict::Fail, Verdict::Fail));
}

#[test]
fn an_outage_before_the_fault_makes_the_run_invalid() {
    let story = Story::new()
        .served((MEASURING, 4_000), "node-1", 1)
        .refused((4_000, 4_300))
        .served((4_300, 12_000), "node-1", 1)
        .act(ActKind::Fault, (1, "kill", "node-2"), (6_000, 6_100, 6_150));
    let result = finished(story);
    assert_eq!(result.verdict, Verdict::Invalid);
    assert!(result.reasons[0].contains("before the first fault"));
}

#[test]
fn the_null_drill_finds_nothing() {
    let story =
        Story::new()
            .demands("downtime", downtime(0.0))
            .served((MEASURING, 12_000), "node-1", 1);
    let result = finished(story);
    assert_eq!(result.verdict, Verdict::Pass, "{:?}", result.reasons);
    assert_eq!(result.recovery.total.why(), Some("there was no fault"));
    assert_eq!(result.phases[0].name, "baseline");
}
