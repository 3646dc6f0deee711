//! The recovery, its parts, and redundancy.

use super::live::conclusions;
use super::*;

#[test]
fn a_crash_is_measured_from_end_to_end() {
    let result = finished(crash());
    assert_eq!(result.reasons, Vec::<String>::new());
    assert_eq!(result.verdict, Verdict::Pass);
    assert!(result.expect.met);
    let fresh = &result.channels["writer_fresh"];
    // Last good slot at 6.0 s, first refusal at 6.1 s + 0.5 ms; last bad at 6.9 s, first good at 7.002 s.
    insta::assert_json_snapshot!(fresh.outages, @r#"
    [
      {
        "start_ms": 6000.0,
        "lower_ms": 799.5,
        "upper_ms": 1002.0,
        "ended": true,
        "censored_by_undo": false,
        "widened_ms": 0.0
      }
    ]
    "#);
    assert_eq!(fresh.errors["outage"]["refused"], 9);
    insta::assert_json_snapshot!(result.recovery, @r#"
    {
      "total": {
        "lower_ms": 800.0,
        "upper_ms": 1002.0
      },
      "total_us": 1002000,
      "began": {
        "lower_ms": 0.0,
        "upper_ms": 100.5
      },
      "lost_again": false,
      "between": null,
      "parts": [
        {
          "name": "detect",
          "took": {
            "lower_ms": 200.0,
            "upper_ms": 400.0
          },
          "us": 400000,
          "includes": [],
          "setting": "agent detection 300 ms"
        },
        {
          "name": "elect",
          "took": {
            "lower_ms": 0.0,
            "upper_ms": 120.0
          },
          "us": 20000,
          "includes": [],
          "setting": null
        },
        {
          "name": "promote",
          "took": {
            "lower_ms": 230.0,
            "upper_ms": 302.0
          },
          "us": 282000,
          "includes": [],
          "setting": null
        },
        {
          "name": "route",
          "took": {
            "lower_ms": 198.0,
            "upper_ms": 352.0
          },
          "us": 300000,
          "includes": [],
          "setting": "router check interval 50 ms"
        },
        {
          "name": "stabilise",
          "took": {
            "lower_ms": 0.0,
            "upper_ms": 102.0
          },
          "us": 0,
          "includes": [],
          "setting": null
        }
      ],
      "old_primary": "node-1",
      "new_primary": "node-2",
      "promoted_by": "local agent",
      "redundancy": {
        "lower_ms": 1890.0,
        "upper_ms": 3000.0
      },
      "pinned": {
        "lower_ms": 919.5,
        "upper_ms": 1002.0
      },
      "warm": {
        "not_observed": "measuring ended less than 30 s after the outage"
      },
      "waited_ms": 0.0
    }
    "#);
    insta::assert_json_snapshot!(result.phases, @r#"
    [
      {
        "name": "baseline",
        "begin_ms": 1000.0,
        "end_ms": 6000.0
      },
      {
        "name": "outage",
        "begin_ms": 6000.0,
        "end_ms": 7002.0
      },
      {
        "name": "recovery",
        "begin_ms": 7002.0,
        "end_ms": 9000.0
      },
      {
        "name": "after",
        "begin_ms": 9000.0,
        "end_ms": 12000.0
      }
    ]
    "#);
    insta::assert_json_snapshot!(result.objectives[0], @r#"
    {
      "name": "downtime",
      "demand": "at most 30 s",
      "limit_ms": 30000.0,
      "limit": null,
      "measured": {
        "lower_ms": 919.5,
        "upper_ms": 1002.0
      },
      "channel": "writer_fresh",
      "implicit": false,
      "verdict": "pass",
      "note": "lower bound by writer_pinned"
    }
    "#);
}

#[test]
fn the_parts_sum_to_the_total_and_name_their_setting() {
    let result = finished(crash());
    let parts = &result.recovery.parts;
    let sum: u64 = parts.iter().filter_map(|part| part.us).sum();
    assert_eq!(Some(sum), result.recovery.total_us);
    assert_eq!(parts[0].setting.as_deref(), Some("agent detection 300 ms"));
}

#[test]
fn a_part_that_nobody_saw_is_in_the_next_one() {
    let entries: Vec<_> = crash()
        .audit(13_000, &[1, 2], clean_audit())
        .ended(12_000)
        .entries()
        .into_iter()
        .filter(|entry| !matches!(entry.event, Event::StackSaw(_)))
        .collect();
    let result = result_of(&entries, 0, false);
    let promote = &result.recovery.parts[2];
    assert_eq!(promote.name, "promote");
    assert_eq!(promote.includes, ["detect", "elect"]);
    let sum: u64 = result
        .recovery
        .parts
        .iter()
        .filter_map(|part| part.us)
        .sum();
    assert_eq!(Some(sum), result.recovery.total_us);
    assert!(result.recovery.parts[0].took.why().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn parts_sum_whatever_the_stack_says(
        lost in 5_000u64..9_000, named in 5_000u64..9_000, width in 0u64..500,
    ) {
        let story = crash()
            .at(lost, saw(StackView::LeaderLost, "node-1", lost.saturating_sub(width), lost))
            .at(named, saw(StackView::LeaderNamed, "node-2", named.saturating_sub(width), named));
        let result = finished(story);
        let sum: u64 = result.recovery.parts.iter().filter_map(|part| part.us).sum();
        prop_assert_eq!(Some(sum), result.recovery.total_us);
        let total = result.recovery.total.observed().unwrap();
        prop_assert!(total.lower_ms <= sum as f64 / 1000.0);
        prop_assert!(total.upper_ms.unwrap() >= sum as f64 / 1000.0);
    }
}

#[test]
fn a_restart_in_place_meets_the_step_and_elects_nobody() {
    let mut story = Story::new()
        .demands("downtime", downtime(30_000.0))
        .round(5_000, &[("node-1", 1)], Some("node-2"))
        .act(
            ActKind::Fault,
            (1, "kill_process", "node-1"),
            (6_000, 6_010, 6_020),
        )
        .step(
            "fail_over",
            Some(Until::FailedOver { or_restart: true }),
            (6_030, 7_300),
            StepOutcome::Done,
        )
        .served((MEASURING, 6_050), "node-1", 1)
        .refused((6_050, 7_000))
        .served((7_000, 12_000), "node-1", 1);
    assert_eq!(
        conclusions(&story),
        [Conclusion::StepMet {
            step: "fail_over".to_owned(),
            at: Stamp(7_002_000),
            how: "node-1 serves again".to_owned(),
        }]
    );
    story = story.round(8_000, &[("node-1", 1)], Some("node-2"));
    let result = finished(story);
    let parts = &result.recovery.parts;
    assert_eq!(
        parts[1].took.why(),
        Some("restart in place: nobody was elected")
    );
    assert_eq!(parts[3].includes, ["detect"]);
    let sum: u64 = parts.iter().filter_map(|part| part.us).sum();
    assert_eq!(Some(sum), result.recovery.total_us);
}

#[test]
fn redundancy_is_counted_from_the_fault() {
    let within = |limit_ms| crash().demands("redundancy", Demand::WithinMs { limit_ms });
    let result = finished(within(5_000.0));
    let Known::Observed(bounds) = &result.recovery.redundancy else {
        panic!("{:?}", result.recovery.redundancy);
    };
    // Last seen broken by the round asked at 7.99 s, f1 at 6.1 s; whole at 9.0 s, f0 at 6.0 s.
    assert_eq!((bounds.lower_ms, bounds.upper_ms), (1_890.0, Some(3_000.0)));
    assert_eq!(result.verdict, Verdict::Pass);
    assert_eq!(finished(within(1_000.0)).verdict, Verdict::Fail);
    assert_eq!(finished(within(2_000.0)).verdict, Verdict::Unknown);
}

#[test]
fn a_switch_over_is_counted_from_its_request_and_is_ours() {
    let story = Story::new()
        .demands("downtime", downtime(2_000.0))
        .round(5_000, &[("node-1", 1)], Some("node-2"))
        .act(
            ActKind::RecoveryAction,
            (1, "switch_over", "node-1"),
            (6_000, 7_100, 7_200),
        )
        .served((MEASURING, 6_300), "node-1", 1)
        .refused((6_300, 7_000))
        .served((7_000, 12_000), "node-2", 2)
        .round(7_200, &[("node-2", 2)], Some("node-1"));
    let result = finished(story);
    assert_eq!(result.verdict, Verdict::Pass, "{:?}", result.reasons);
    let recovery = &result.recovery;
    assert_eq!(recovery.promoted_by.as_deref(), Some("firedrill"));
    assert_eq!(recovery.old_primary.as_deref(), Some("node-1"));
    assert_eq!(recovery.new_primary.as_deref(), Some("node-2"));
    // The call returned after service was back, so that only the outage itself says how long it lasted at
    // least: from the first refusal at 6.3 s + 0.5 ms to the last at 6.9 s.
    let total = recovery.total.observed().unwrap();
    assert_eq!((total.lower_ms, total.upper_ms), (599.5, Some(1_002.0)));
    assert!(result.faults.is_empty());
}
