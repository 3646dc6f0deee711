//! What the measures tell a run that goes on.

use super::*;

/// Feeds a story to the live measures and returns what they concluded.
pub(super) fn conclusions(story: &Story) -> Vec<Conclusion> {
    let mut measures = Measures::new();
    let entries = story.entries();
    let signals = entries.iter().flat_map(|entry| measures.observe(entry));
    signals.map(|signal| signal.what).collect()
}

#[test]
fn the_live_run_hears_when_its_steps_are_met() {
    let mut story = crash();
    // As long as the slots need after the settle step began.
    story.plan.workload.stability_ms = 2_000;
    let heard = conclusions(&story);
    assert_eq!(
        heard,
        [
            Conclusion::BaselineJudged {
                unfit: None,
                noise: false
            },
            Conclusion::StepMet {
                step: "fail_over".to_owned(),
                at: Stamp(7_002_000),
                how: "node-2 serves timeline 2".to_owned(),
            },
            Conclusion::StepMet {
                step: "settle".to_owned(),
                at: Stamp(8_982_000),
                how: "service was good for 2.0 s".to_owned(),
            },
        ]
    );
}

#[test]
fn the_live_snapshot_is_what_the_log_says() {
    let story = crash().audit(13_000, &[1, 2], clean_audit()).ended(12_000);
    let mut measures = Measures::new();
    for entry in story.entries() {
        measures.observe(&entry);
    }
    assert_eq!(measures.snapshot(), result_of(&story.entries(), 0, false));
}

#[test]
fn a_baseline_with_too_few_acknowledgements_is_unfit() {
    let story = Story::new()
        .step(
            "baseline",
            Some(Until::BaselineOver),
            (MEASURING, 2_000),
            StepOutcome::Done,
        )
        .served((MEASURING, 1_900), "node-1", 1);
    let heard = conclusions(&story);
    let Some(Conclusion::BaselineJudged {
        unfit: Some(why), ..
    }) = heard.first()
    else {
        panic!("{heard:?}");
    };
    assert!(why.contains("commits were acknowledged"), "{why}");
}

#[test]
fn a_baseline_with_a_slow_answer_or_an_outage_is_unfit() {
    let baseline = || {
        Story::new()
            .step(
                "baseline",
                Some(Until::BaselineOver),
                (MEASURING, 6_000),
                StepOutcome::Done,
            )
            .served((MEASURING, 3_000), "node-1", 1)
    };
    let slow = (Outcome::Acknowledged, 120_000);
    let slow = baseline().every("writer_fresh", (3_000, 3_100), slow, Some(("node-1", 1)));
    let heard = format!("{:?}", conclusions(&slow));
    assert!(heard.contains("less than five times that"), "{heard}");
    let heard = format!("{:?}", conclusions(&baseline().refused((3_000, 3_300))));
    assert!(heard.contains("before any fault"), "{heard}");
}

#[test]
fn a_wait_ends_when_its_condition_holds() {
    let until = Until::Condition {
        cel: "channels.writer_fresh.unavailable_ms > 300".to_owned(),
    };
    let story = crash().step("wait", Some(until), (6_160, 12_000), StepOutcome::Done);
    // The step of the story that comes later in the plan is the one that waits.
    let heard = conclusions(&story);
    let met = heard.iter().find(
        |conclusion| matches!(conclusion, Conclusion::StepMet { step, .. } if step == "wait"),
    );
    let Some(Conclusion::StepMet { at, how, .. }) = met else {
        panic!("{heard:?}");
    };
    assert!(*at > ms(6_500) && *at <= ms(7_000), "{at:?}");
    assert_eq!(how, "channels.writer_fresh.unavailable_ms > 300 holds");
}

#[test]
fn the_first_condition_that_stops_a_drill_is_said_once() {
    let mut story = crash();
    story.plan.stop_if = vec![
        "lost_commits > 0".to_owned(),
        "channels.writer_fresh.unavailable_ms > 500".to_owned(),
        "channels.writer_fresh.failed > 0".to_owned(),
    ];
    let heard: Vec<Conclusion> = conclusions(&story)
        .into_iter()
        .filter(|each| matches!(each, Conclusion::StopIf { .. }))
        .collect();
    let [
        Conclusion::StopIf {
            condition,
            at,
            values,
        },
    ] = heard.as_slice()
    else {
        panic!("{heard:?}");
    };
    assert!(
        condition.starts_with("channels.writer_fresh."),
        "{condition}"
    );
    assert!(values.starts_with("channels.writer_fresh."), "{values}");
    // Service is lost at 6.0 s and is back at 7.0 s.
    assert!((ms(6_000)..ms(7_500)).contains(at), "{at:?}");
}

#[test]
fn nothing_stops_a_drill_whose_conditions_never_hold() {
    let mut story = crash();
    story.plan.stop_if = vec!["channels.writer_fresh.unavailable_ms > 300000".to_owned()];
    let stopped = |each: &Conclusion| matches!(each, Conclusion::StopIf { .. });
    assert!(!conclusions(&story).iter().any(stopped));
}
