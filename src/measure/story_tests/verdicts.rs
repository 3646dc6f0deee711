//! What decides the verdict of a run, and what outweighs what.

use super::*;

#[test]
fn a_proven_loss_stays_proven_when_the_observer_was_disturbed() {
    let result = with_loss(crash(), true);
    assert!(!result.observer.valid);
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(result.reasons[0], "lost_commits failed: 2, at most 0");
    assert!(result.reasons[1].contains("observer stalled for 2.0 s"));
    // Without a loss the same disturbance voids the run.
    let late = ObserverLate {
        due: ms(5_000),
        woke: ms(7_000),
    };
    let clean = finished(crash().at(8_000, Event::ObserverLate(late)));
    assert_eq!(clean.verdict, Verdict::Invalid);
}

#[test]
fn a_failover_that_nobody_asked_for_before_the_fault_makes_the_run_invalid() {
    let result = finished(crash().round(2_000, &[("node-2", 1)], Some("node-1")));
    assert_eq!(result.verdict, Verdict::Invalid);
    let why = "node-1 had taken over from node-2 by 5.0 s, before the first fault";
    assert_eq!(result.reasons, [why]);
    // The node that was hit led all the time.
    let same = finished(crash().round(2_000, &[("node-1", 1)], Some("node-2")));
    assert_eq!(same.verdict, Verdict::Pass);
}

#[test]
fn an_expected_loss_is_met_only_alone() {
    let mut story = crash();
    story.plan.expect_fail = Some("lost_commits".to_owned());
    let result = with_loss(story.clone(), false);
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.expect.met);
    assert_eq!(
        crate::verdict::Outcome::of(&result),
        crate::verdict::Outcome::Passed
    );
    assert_eq!(result.reasons[0], "as expected, lost_commits alone failed");
    let late = with_loss(story.clone(), true);
    assert!(!late.expect.met);
    let slow = with_loss(story.clone().demands("downtime", downtime(100.0)), false);
    assert!(!slow.expect.met);
    assert_eq!(
        slow.reasons[0],
        "expected that lost_commits alone fails: downtime did not pass"
    );
    let none = finished(story);
    assert!(!none.expect.met);
    assert_eq!(none.verdict, Verdict::Pass);
    assert_eq!(
        crate::verdict::Outcome::of(&none),
        crate::verdict::Outcome::Failed
    );
}

#[test]
fn a_fault_that_was_not_applied_makes_the_run_invalid() {
    use crate::event::{Act, Stage};
    let act = |stage| {
        Event::Act(Act {
            kind: ActKind::Fault,
            number: 1,
            step: "crash".to_owned(),
            name: "kill".to_owned(),
            node: "node-1".to_owned(),
            role: "primary".to_owned(),
            stage,
        })
    };
    let not_seen = Stage::NotSeen {
        why: "4 processes run".to_owned(),
    };
    let story = Story::new()
        .served((MEASURING, 12_000), "node-1", 1)
        .at(6_000, act(Stage::Requested))
        .at(6_100, act(Stage::Returned))
        .at(11_000, act(not_seen));
    let result = finished(story);
    assert_eq!(result.verdict, Verdict::Invalid);
    assert_eq!(
        result.reasons,
        ["fault not applied: kill of node-1: 4 processes run"]
    );
}

#[test]
fn a_failed_step_fails_the_run_and_an_interrupted_run_has_its_own_outcome() {
    let failed = StepOutcome::Failed {
        why: "no failover within 60 s".to_owned(),
    };
    let story = never_back(None)
        .demands("downtime", downtime(60_000.0))
        .step("fail_over", None, (6_200, 9_000), failed);
    let result = finished(story);
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(
        result.reasons[0],
        "step fail_over failed: no failover within 60 s"
    );
    let stopped = crash().at(
        12_000,
        Event::RunEnded(crate::event::RunEnded {
            interrupted: Some("SIGINT".to_owned()),
            not_undone: vec![],
            undone: 1,
            writable_nodes: Some(1),
            cut_short: Some("SIGINT".to_owned()),
            called_off: None,
        }),
    );
    let result = result_of(&stopped.entries(), 0, false);
    assert_eq!(
        crate::verdict::Outcome::of(&result),
        crate::verdict::Outcome::Interrupted
    );
    assert_eq!(result.reasons[0], "stopped by SIGINT before it was over");
}

#[test]
fn what_is_not_undone_outweighs_everything() {
    let story = crash().audit(13_000, &[1, 2], clean_audit()).at(
        14_000,
        Event::RunEnded(crate::event::RunEnded {
            interrupted: None,
            not_undone: vec!["kill of node-1".to_owned()],
            undone: 0,
            writable_nodes: Some(1),
            cut_short: None,
            called_off: None,
        }),
    );
    let result = result_of(&story.entries(), 0, false);
    assert!(!result.undo.complete);
    assert_eq!(
        crate::verdict::Outcome::of(&result),
        crate::verdict::Outcome::UndoIncomplete
    );
    assert_eq!(result.reasons[0], "not undone: kill of node-1");
}

#[test]
fn a_percentile_without_enough_samples_is_unknown() {
    let p = |percentile| Demand::LatencyMs {
        limit_ms: 10.0,
        percentile,
        phase: "baseline".to_owned(),
        channel: "writer_pinned".to_owned(),
    };
    assert_eq!(
        finished(crash().demands("latency", p(95))).verdict,
        Verdict::Pass
    );
    let few = finished(crash().demands("latency", p(99)));
    assert_eq!(few.verdict, Verdict::Unknown);
    assert_eq!(
        few.reasons,
        ["latency unknown: 250 samples in the phase baseline; p99 needs 1000"]
    );
}

#[test]
fn a_torn_log_is_reported_as_far_as_it_came() {
    let mut entries = crash().entries();
    entries.retain(|entry| entry.at <= ms(6_800));
    let result = result_of(&entries, 2, true);
    assert!(!result.run.complete);
    assert_eq!(result.verdict, Verdict::Invalid);
    assert_eq!(
        result.reasons,
        [
            "not undone: kill of node-1",
            "the log ends before the run did",
            "2 events of a newer firedrill were skipped",
            "the last line of the event log was cut short",
        ]
    );
    assert!(!result.channels["writer_fresh"].outages[0].ended);
    assert!(result_of(&[], 0, true).verdict == Verdict::Invalid);
}

#[test]
fn a_condition_passes_fails_or_is_unknown_and_says_its_values() {
    let demand = |cel: &str| Demand::Condition {
        cel: cel.to_owned(),
    };
    let judged = |cel: &str, audit: bool| {
        let story = crash().demands("condition", demand(cel));
        let story = match audit {
            true => story.audit(13_000, &[1, 2], clean_audit()),
            false => story,
        };
        let result = result_of(&story.ended(14_000).entries(), 0, false);
        let found = &result.objectives[0];
        let note = found.note.clone().unwrap_or_default();
        (found.verdict, note)
    };
    let holds = judged("ledger.duplicated == 0 && undo.complete", true);
    assert_eq!(holds.0, Verdict::Pass, "{holds:?}");
    assert_eq!(holds.1, "ledger.duplicated is 0, undo.complete is true");
    let broken = judged("channels.writer_fresh.failed > 100000", true);
    assert_eq!(broken.0, Verdict::Fail, "{broken:?}");
    assert!(broken.1.starts_with("channels.writer_fresh.failed is "));
    // A count of an audit that never was proves nothing.
    let unaudited = judged("ledger.phantom == 0", false);
    assert_eq!(unaudited.0, Verdict::Unknown, "{unaudited:?}");
    let unobserved = judged("state_left.archiving == true", true);
    assert_eq!(unobserved.0, Verdict::Unknown, "{unobserved:?}");
    assert!(
        unobserved.1.contains("not in this version"),
        "{unobserved:?}"
    );
}
