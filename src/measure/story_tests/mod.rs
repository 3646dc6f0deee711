//! Whole runs, from their events to their numbers.

mod asked;
mod live;
mod loads;
mod loss;
mod outages;
mod recovery;
mod taken_back;
mod verdicts;
mod writers;

use super::story::{MEASURING, Story, clean_audit, cluster, ms};
use super::{Measures, result_of};
use crate::event::observer::Conclusion;
use crate::event::plan_record::{Demand, Until};
use crate::event::result::{Known, RunResult, Verdict};
use crate::event::slots::{ErrorClass, Outcome};
use crate::event::{
    ActKind, Event, LostCommit, Observer, ObserverLate, StackSaw, StackView, Stamp, StepOutcome,
};
use proptest::prelude::*;

const GOOD: (Outcome, u64) = (Outcome::Acknowledged, 2_000);
const RECOVERING: (Outcome, u64) = (Outcome::InRecovery, 1_000);

fn saw(what: StackView, node: &str, from: u64, to: u64) -> Event {
    Event::StackSaw(StackSaw {
        source: "local agent".to_owned(),
        what,
        node: node.to_owned(),
        last_negative: ms(from),
        first_positive: ms(to),
    })
}

fn downtime(limit_ms: f64) -> Demand {
    Demand::AtMostMs { limit_ms, of: None }
}

/// A primary is killed at 6.0 s, the standby serves from 7.0 s on.
fn crash() -> Story {
    Story::new()
        .demands("downtime", downtime(30_000.0))
        .step(
            "baseline",
            Some(Until::BaselineOver),
            (MEASURING, 5_990),
            StepOutcome::Done,
        )
        .step("crash", None, (5_995, 6_150), StepOutcome::Done)
        .step(
            "fail_over",
            Some(Until::FailedOver { or_restart: false }),
            (6_160, 7_300),
            StepOutcome::Done,
        )
        .step("undo", None, (7_500, 9_000), StepOutcome::Done)
        .step(
            "settle",
            Some(Until::Settled),
            (9_000, 9_300),
            StepOutcome::Done,
        )
        .round(5_000, &[("node-1", 1)], Some("node-2"))
        .at(
            5_996,
            Event::SeenBeforeFault(cluster(5_996, &[("node-1", 1)], Some("node-2"))),
        )
        .act(ActKind::Fault, (1, "kill", "node-1"), (6_000, 6_100, 6_150))
        .served((MEASURING, 6_050), "node-1", 1)
        .every(
            "node/node-1/pinned",
            (MEASURING, 6_050),
            GOOD,
            Some(("node-1", 1)),
        )
        .every("node/node-2/pinned", (MEASURING, 6_700), RECOVERING, None)
        .refused((6_050, 7_000))
        .every(
            "node/node-1/pinned",
            (6_050, 12_000),
            (Outcome::Failed(ErrorClass::Refused), 300),
            None,
        )
        .round(6_200, &[], None)
        .at(6_400, saw(StackView::LeaderLost, "node-1", 6_300, 6_400))
        .at(6_420, saw(StackView::LeaderNamed, "node-2", 6_400, 6_420))
        .every(
            "node/node-2/pinned",
            (6_700, 12_000),
            GOOD,
            Some(("node-2", 2)),
        )
        .round(6_800, &[("node-2", 2)], None)
        .served((7_000, 12_000), "node-2", 2)
        .act(ActKind::Undo, (1, "kill", "node-1"), (7_500, 8_500, 9_000))
        .round(8_000, &[("node-2", 2)], None)
        .round(9_000, &[("node-2", 2)], Some("node-1"))
}

fn finished(story: Story) -> RunResult {
    result_of(
        &story
            .audit(13_000, &[1, 2], clean_audit())
            .ended(12_000)
            .entries(),
        0,
        false,
    )
}

/// node-1 leads, node-2 streams, and something of node-1 freezes at 6.0 s.
fn frozen() -> Story {
    Story::new()
        .round(5_000, &[("node-1", 1)], Some("node-2"))
        .act(
            ActKind::Fault,
            (1, "freeze", "node-1"),
            (6_000, 6_020, 6_030),
        )
        .served((MEASURING, 6_000), "node-1", 1)
}

/// The primary is killed at 6.0 s and nobody takes over.
fn never_back(undo_at: Option<u64>) -> Story {
    let story = Story::new()
        .demands("downtime", downtime(800.0))
        .round(5_000, &[("node-1", 1)], Some("node-2"))
        .act(ActKind::Fault, (1, "kill", "node-1"), (6_000, 6_100, 6_150))
        .served((MEASURING, 6_050), "node-1", 1);
    match undo_at {
        None => story.refused((6_050, 9_000)),
        Some(at) => story
            .refused((6_050, at + 500))
            .act(
                ActKind::Undo,
                (1, "kill", "node-1"),
                (at, at + 400, at + 450),
            )
            .served((at + 500, 12_000), "node-1", 1),
    }
}

fn lost(seq: u64, acknowledged: u64, node: &str, timeline: u32) -> LostCommit {
    LostCommit {
        seq,
        acknowledged: ms(acknowledged),
        node: Some(node.to_owned()),
        timeline,
    }
}

fn with_loss(story: Story, disturb: bool) -> RunResult {
    let mut audited = clean_audit();
    audited.writers[1].lost = vec![lost(230, 5_900, "node-1", 1), lost(231, 5_920, "node-1", 1)];
    // Inside the node that was hit: one before it was hit, two after.
    audited.writers[2].lost = vec![
        lost(90, 5_950, "node-1", 1),
        lost(91, 6_600, "node-1", 1),
        lost(92, 7_100, "node-1", 1),
    ];
    let mut story = story;
    if disturb {
        story = story.at(
            8_000,
            Event::ObserverLate(ObserverLate {
                due: ms(5_000),
                woke: ms(7_000),
            }),
        );
    }
    let story = story.audit(13_000, &[1, 2], audited).ended(12_000);
    result_of(&story.entries(), 0, false)
}
