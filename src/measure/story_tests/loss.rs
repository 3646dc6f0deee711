//! What the ledger proves.

use super::*;

#[test]
fn lost_commits_are_counted_where_the_clients_stood() {
    let result = with_loss(crash(), false);
    let found = &result.ledger.lost;
    assert_eq!(found.count, Some(2));
    assert_eq!(found.shape.as_deref(), Some("suffix"));
    let rpo = found.rpo.observed().unwrap();
    assert_eq!((rpo.lower_ms, rpo.upper_ms), (100.0, Some(200.0)));
    let isolated = result.ledger.isolated.observed().unwrap();
    assert_eq!((isolated.count, isolated.span_ms), (2, 1_000.0));
    assert_eq!(result.ledger.channels["node/node-1/pinned"].lost, 3);
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(result.reasons, ["lost_commits failed: 2, at most 0"]);
}

#[test]
fn rows_that_the_timeline_in_service_acknowledged_are_another_fault() {
    let mut audited = clean_audit();
    audited.writers[1].lost = vec![lost(400, 8_000, "node-2", 2)];
    let story = crash()
        .audit(13_000, &[1, 2], audited.clone())
        .ended(12_000);
    let result = result_of(&story.entries(), 0, false);
    assert_eq!(result.ledger.lost.shape.as_deref(), Some("new_timeline"));
    audited.writers[1].lost = vec![lost(100, 3_000, "node-1", 1)];
    audited.writers[1].suffix = false;
    let story = crash().audit(13_000, &[1, 2], audited).ended(12_000);
    let result = result_of(&story.entries(), 0, false);
    assert_eq!(result.ledger.lost.shape.as_deref(), Some("holes"));
}

#[test]
fn each_of_several_failovers_loses_the_end_of_the_timeline_that_it_ended() {
    let mut audited = clean_audit();
    audited.writers[1].lost = vec![lost(400, 8_000, "node-2", 2)];
    let story = crash()
        .act(ActKind::Fault, (7, "kill", "node-2"), (8_100, 8_110, 8_120))
        .audit(13_000, &[1, 2, 3], audited)
        .ended(12_000);
    let result = result_of(&story.entries(), 0, false);
    assert_eq!(result.ledger.lost.shape.as_deref(), Some("suffix"));
}

#[test]
fn nothing_at_risk_can_be_demanded_away() {
    let mut audited = clean_audit();
    audited.at_risk = Some(0);
    let plain = crash()
        .audit(13_000, &[1, 2], audited.clone())
        .ended(12_000);
    let plain = result_of(&plain.entries(), 0, false);
    let objective = |result: &RunResult| {
        let mut all = result.objectives.iter();
        all.find(|o| o.name == "lost_commits").unwrap().clone()
    };
    assert_eq!(objective(&plain).verdict, Verdict::Pass);
    assert_eq!(objective(&plain).note.as_deref(), Some("none was at risk"));
    let strict = crash().demands(
        "lost_commits",
        Demand::AtMost {
            limit: 0,
            at_risk_at_least: Some(10),
            skip_if_unobserved: false,
        },
    );
    let strict = strict.audit(13_000, &[1, 2], audited).ended(12_000);
    let strict = result_of(&strict.entries(), 0, false);
    assert_eq!(objective(&strict).verdict, Verdict::Unknown);
}

#[test]
fn without_an_audit_loss_is_unknown_and_not_zero() {
    let story = crash().ended(12_000);
    let result = result_of(&story.entries(), 0, false);
    assert_eq!(result.ledger.lost.count, None);
    assert_eq!(result.verdict, Verdict::Unknown);
    assert!(result.ledger.acknowledged > 300);
}

#[test]
fn where_the_application_may_commit_less_durably_only_a_proven_loss_counts() {
    let why = "app may commit less durably than the probes";
    let holds = |cel: &str| Demand::Condition {
        cel: cel.to_owned(),
    };
    let judged = |lost: &[LostCommit]| {
        let mut audited = clean_audit();
        audited.loss_unjudged = Some(why.to_owned());
        audited.writers[1].lost = lost.to_vec();
        let story = crash()
            .demands("few", holds("lost_commits < 10"))
            .demands("sound", holds("ledger.phantom == 0"))
            .audit(13_000, &[1, 2], audited)
            .ended(12_000);
        let result = result_of(&story.entries(), 0, false);
        let verdicts = ["lost_commits", "few", "sound"].map(|name| {
            let mut all = result.objectives.iter();
            let it = all.find(|it| it.name == name).unwrap();
            (it.verdict, it.measured.why().map(str::to_owned))
        });
        (result, verdicts)
    };
    let unknown = (Verdict::Unknown, Some(why.to_owned()));
    let (none, verdicts) = judged(&[]);
    assert_eq!(none.ledger.lost.count, None, "not 0");
    assert!(none.ledger.judged, "the rest of the ledger is");
    assert_eq!(none.ledger.isolated.why(), Some(why));
    assert_eq!(none.ledger.lost.rpo.observed(), None);
    assert_eq!(verdicts[0], unknown);
    assert_eq!(verdicts[1].0, Verdict::Unknown);
    assert_eq!(verdicts[2].0, Verdict::Pass);
    assert_eq!(none.verdict, Verdict::Unknown);

    let (one, verdicts) = judged(&[lost(100, 3_000, "node-1", 1)]);
    assert_eq!(one.ledger.lost.count, Some(1));
    assert_eq!(verdicts[0].0, Verdict::Fail);
    assert_eq!(verdicts[1], unknown, "there may be more");
    assert_eq!(one.verdict, Verdict::Fail);
}

/// node-1 is cut off at 6.0 s and joined at 9.0 s; its own probes met this meanwhile.
fn cut_off(inside: (Outcome, u64)) -> RunResult {
    let at_most = |limit| Demand::AtMost {
        limit,
        at_risk_at_least: None,
        skip_if_unobserved: false,
    };
    let story = Story::new()
        .demands("isolated_commits", at_most(0))
        .demands("two_writers", at_most(0))
        .round(5_000, &[("node-1", 1)], Some("node-2"))
        .act(ActKind::Fault, (1, "cut", "node-1"), (6_000, 6_100, 6_150))
        .served((MEASURING, 6_050), "node-1", 1)
        .every(
            "node/node-1/pinned",
            (MEASURING, 6_050),
            GOOD,
            Some(("node-1", 1)),
        )
        .every("node/node-2/pinned", (MEASURING, 6_700), RECOVERING, None)
        .refused((6_050, 7_000))
        .every("node/node-1/pinned", (6_200, 8_900), inside, None)
        .every(
            "node/node-2/pinned",
            (6_700, 12_000),
            GOOD,
            Some(("node-2", 2)),
        )
        .served((7_000, 12_000), "node-2", 2)
        .act(ActKind::Undo, (1, "cut", "node-1"), (9_000, 9_100, 9_200))
        .round(9_300, &[("node-2", 2)], Some("node-1"));
    finished(story)
}

/// Silence from behind a cut is no proof that nothing was acknowledged there.
#[test]
fn a_node_that_nobody_saw_behind_its_cut_is_not_observed() {
    let verdicts = |result: &RunResult| {
        ["isolated_commits", "two_writers"].map(|name| {
            let mut all = result.objectives.iter();
            all.find(|it| it.name == name).unwrap().verdict
        })
    };
    let silent = cut_off((Outcome::Failed(ErrorClass::ConnectDeadline), 300));
    let why = silent.ledger.isolated.why().unwrap_or_default();
    assert!(why.contains("node-1 answered no probe of its own"), "{why}");
    assert_eq!(verdicts(&silent), [Verdict::Unknown; 2]);
    assert_eq!(silent.verdict, Verdict::Unknown);

    let heard = cut_off((Outcome::Failed(ErrorClass::ReadOnly), 2_000));
    assert_eq!(heard.ledger.isolated.observed().map(|it| it.count), Some(0));
    assert_eq!(verdicts(&heard), [Verdict::Pass; 2]);
}
