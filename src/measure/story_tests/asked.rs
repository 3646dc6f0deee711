//! Waiting for a person: outside the recovery, inside the downtime.

use super::*;
use crate::event::answer::Way;
use crate::event::{Answered, Asked};

/// A primary that is killed at 5 s and served again at 15 s, with a question from 6 s to 14 s.
fn asked(counts: bool) -> RunResult {
    let question = Asked {
        step: "decide".to_owned(),
        who: "on call".to_owned(),
        question: "Promote?".to_owned(),
        answers: vec!["go".to_owned()],
        within_ms: 60_000,
        counts,
    };
    let answer = Answered {
        step: "decide".to_owned(),
        answer: "go".to_owned(),
        by: "alice".to_owned(),
        way: Way::Command,
        stops: false,
    };
    let story = Story::new()
        .planned("decide", None)
        .round(1_100, &[("node-1", 1)], Some("node-2"))
        .served((1_000, 5_000), "node-1", 1)
        .act(ActKind::Fault, (1, "kill", "node-1"), (5_000, 5_010, 5_020))
        .refused((5_000, 15_000))
        .round(5_500, &[], None)
        .at(6_000, Event::Asked(question))
        .at(14_000, Event::Answered(answer))
        .round(14_500, &[("node-2", 2)], None)
        .served((15_000, 20_000), "node-2", 2)
        .round(19_000, &[("node-2", 2)], Some("node-1"))
        .audit(21_000, &[1, 2], clean_audit())
        .ended(20_000);
    result_of(&story.entries(), 0, false)
}

#[test]
fn the_wait_is_no_recovery_time_unless_it_counts() {
    let (aside, inside) = (asked(false), asked(true));
    let total = |run: &RunResult| *run.recovery.total.observed().unwrap();
    assert_eq!(total(&inside).lower_ms - total(&aside).lower_ms, 8_000.0);
    assert_eq!(
        total(&inside).upper_ms.unwrap() - total(&aside).upper_ms.unwrap(),
        8_000.0
    );
    assert_eq!(aside.recovery.waited_ms, 8_000.0);
    assert_eq!(inside.recovery.waited_ms, 0.0);
    let redundancy = |run: &RunResult| *run.recovery.redundancy.observed().unwrap();
    assert_eq!(
        redundancy(&inside).upper_ms.unwrap() - redundancy(&aside).upper_ms.unwrap(),
        8_000.0
    );
    // What clients saw is the same.
    assert_eq!(
        aside.channels["writer_fresh"].outages,
        inside.channels["writer_fresh"].outages
    );
}

#[test]
fn parts_still_sum_to_the_total() {
    for run in [asked(false), asked(true)] {
        let sum: u64 = run.recovery.parts.iter().filter_map(|part| part.us).sum();
        assert_eq!(Some(sum), run.recovery.total_us);
    }
}

#[test]
fn the_answer_is_on_record() {
    let run = asked(false);
    assert_eq!(run.asked[0].answer.as_deref(), Some("go"));
    assert_eq!(run.asked[0].waited_ms, 8_000.0);
    assert_eq!(
        run.steps[0].noted,
        ["go after 8.00 s, by alice (by firedrill answer)"]
    );
    assert!(matches!(run.recovery.total, Known::Observed(_)));
}
