//! Two writers.

use super::*;

/// Something of the primary freezes at 6.0 s, clients are refused, and node-2 is promoted at 7.0 s.
fn replaced() -> Story {
    frozen()
        .refused((6_000, 7_000))
        .served((7_000, 12_000), "node-2", 2)
        .every(
            "node/node-2/pinned",
            (6_900, 12_000),
            GOOD,
            Some(("node-2", 2)),
        )
}

/// All of it was frozen until 9.0 s. After the thaw the old primary still takes writes for `after` ms.
fn thawed(after: u64) -> Story {
    let own = |story: Story, span, what| {
        story.every("node/node-1/pinned", span, what, Some(("node-1", 1)))
    };
    let queued = (Outcome::AcknowledgedLate, 3_000_000);
    let story = own(replaced(), (MEASURING, 6_050), GOOD);
    let story = own(story, (6_050, 6_100), queued).act(
        ActKind::Release,
        (1, "freeze", "node-1"),
        (9_000, 9_010, 9_020),
    );
    own(story, (9_050, 9_050 + after), GOOD)
}

#[test]
fn a_statement_that_was_queued_before_the_thaw_cannot_be_held_against_anybody() {
    let result = finished(thawed(0));
    let pair = result.two_writers.pairs[0];
    assert_eq!((pair.old, pair.new, pair.losing), (1, 2, 1));
    assert_eq!((pair.sent_before_thaw, pair.sent_after), (1, 0));
    assert_eq!(result.verdict, Verdict::Pass, "{:?}", result.reasons);
}

/// Only the failover agent of node-1 stands still, from 6.0 to 9.0 s, and the router takes no clients there: the server
/// itself goes on for whoever reaches it, until it is taken down in the undo.
#[test]
fn what_a_server_acknowledged_while_only_its_agent_stood_still_was_not_queued() {
    let story = replaced()
        .every(
            "node/node-1/pinned",
            (MEASURING, 9_500),
            GOOD,
            Some(("node-1", 1)),
        )
        .act(
            ActKind::Undo,
            (1, "freeze", "node-1"),
            (9_000, 10_000, 10_010),
        );
    let result = finished(story);
    let pair = result.two_writers.pairs[0];
    // One every 50 ms from 6.95 to 9.45 s; the one that was sent at 6.9 s came before the new primary's first.
    assert_eq!((pair.sent_before_thaw, pair.sent_after), (0, 51));
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(
        result.reasons[0].starts_with("two_writers failed: 51"),
        "{:?}",
        result.reasons
    );
}

#[test]
fn a_statement_that_was_sent_after_the_thaw_is_two_writers() {
    let result = finished(thawed(500));
    let pair = result.two_writers.pairs[0];
    assert_eq!((pair.sent_before_thaw, pair.sent_after), (1, 10));
    // The queued answer at 9.050 s joins the ten that follow every 50 ms from 9.052 s on.
    assert!((pair.overlap_ms - 452.0).abs() < 0.01, "{pair:?}");
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.reasons[0].starts_with("two_writers failed: 10"));
}

#[test]
fn two_leaders_in_one_round_are_flagged() {
    let story = thawed(0).round(9_100, &[("node-1", 1), ("node-2", 2)], None);
    let result = finished(story);
    assert_eq!(
        result.two_writers.flags,
        [
            "node-1 (timeline 1) and node-2 (timeline 2) took writes in the same round, first seen at 9.1 s, last at 9.1 s"
        ]
    );
}
