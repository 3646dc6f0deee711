//! The actions on a target in memory: what they say, and that they believe only the nodes.

use super::*;
use crate::clock::Clock;
use crate::event::{Emitter, Event, Stage};
use crate::target::{CutFrom, Network as _, Power as _, PowerOff, Recovery as _, Sight as _};
use crate::undo::fake_target::{Breakage, FakeTarget};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

fn acting<'a>(target: &'a FakeTarget, emitter: &'a Emitter) -> Acting<'a> {
    Acting {
        target,
        clock: Clock::of_runtime(),
        emitter,
        number: 7,
        step: "step",
        evidence: Path::new(""),
        within: Duration::from_secs(20),
    }
}

fn said(events: &mut UnboundedReceiver<(crate::event::Stamp, Event)>) -> Vec<String> {
    let mut said = Vec::new();
    while let Ok((_, event)) = events.try_recv() {
        if let Event::Act(act) = event {
            let stage = match act.stage {
                Stage::Requested => String::from("requested"),
                Stage::Returned => String::from("returned"),
                Stage::Effect { proof } => format!("effect: {proof}"),
                Stage::NotSeen { why } => format!("not seen: {why}"),
                Stage::Failed { why } => format!("failed: {why}"),
            };
            said.push(format!("{} {} ({}) {stage}", act.name, act.node, act.role));
        }
    }
    said
}

#[tokio::test(start_paused = true)]
async fn promote_names_who_leads_now() {
    let target = FakeTarget::with_nodes(3);
    let (emitter, mut events) = Emitter::channel();
    target.power_off("node-1", PowerOff::Kill).await.unwrap();
    let new = promote(&acting(&target, &emitter), None).await.unwrap();
    assert_eq!(new, "node-2");
    insta::assert_snapshot!(said(&mut events).join("\n"), @"
    promote  (standby) requested
    promote node-2 (standby) returned
    promote node-2 (standby) effect: node-2 takes writes on timeline 2
    ");
}

#[tokio::test(start_paused = true)]
async fn without_a_standby_promote_says_so() {
    let target = FakeTarget::with_nodes(1);
    let (emitter, mut events) = Emitter::channel();
    target.power_off("node-1", PowerOff::Kill).await.unwrap();
    let error = promote(&acting(&target, &emitter), None).await.unwrap_err();
    assert_eq!(error.to_string(), "promote: no standby answers");
    assert_eq!(said(&mut events).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_switch_over_is_about_the_previous_primary() {
    let target = FakeTarget::with_nodes(2);
    let (emitter, mut events) = Emitter::channel();
    let done = switch_over(&acting(&target, &emitter), Some("node-2"))
        .await
        .unwrap();
    assert_eq!((done.from.as_str(), done.to.as_str()), ("node-1", "node-2"));
    insta::assert_snapshot!(said(&mut events).join("\n"), @"
    switch_over node-1 (primary) requested
    switch_over node-1 (primary) returned
    switch_over node-1 (primary) effect: node-2 took over from node-1 and alone takes writes, on timeline 2
    ");
    let alone = FakeTarget::with_nodes(1);
    alone.power_off("node-1", PowerOff::Kill).await.unwrap();
    let error = switch_over(&acting(&alone, &emitter), None)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "switch over: no node takes writes");
}

#[tokio::test(start_paused = true)]
async fn redundancy_is_restored_of_what_runs_and_is_not_held() {
    let target = FakeTarget::with_nodes(4);
    let (emitter, mut events) = Emitter::channel();
    // node-1 comes back as an old primary, node-3 is cut off while node-2 is promoted.
    target.power_off("node-1", PowerOff::Kill).await.unwrap();
    target.cut("node-3", CutFrom::Peers).await.unwrap();
    target.stack_promotes().unwrap();
    target.start("node-1").await.unwrap();
    target.calls();
    let held = [String::from("node-3")];
    let error = restore_redundancy(&acting(&target, &emitter), &held).await;
    insta::assert_snapshot!(error.unwrap_err(), @"not within 20 s: node-3 is a standby that streams from nobody (it is under an open fault)");
    assert_eq!(target.calls(), ["rejoin node-1"]);

    target.join("node-3").await.unwrap();
    said(&mut events);
    let proof = restore_redundancy(&acting(&target, &emitter), &[])
        .await
        .unwrap();
    assert_eq!(proof, "3 of 3 standbys stream timeline 2 from node-2");
    let seen = target.see(Clock::of_runtime(), Duration::ZERO).await;
    assert!(seen.is_whole());
    assert_eq!(
        said(&mut events).len(),
        6,
        "its own three stamps and those of one rejoin"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_powered_on_and_a_rejoin_is_not_believed() {
    let target = FakeTarget::with_nodes(3);
    let (emitter, _events) = Emitter::channel();
    target.power_off("node-2", PowerOff::Kill).await.unwrap();
    target.calls();
    let error = restore_redundancy(&acting(&target, &emitter), &[]).await;
    insta::assert_snapshot!(error.unwrap_err(), @"not within 20 s: node-2 does not answer: no answer (nothing is powered on in this step)");
    assert!(target.calls().is_empty());

    target.break_call("rejoin node-2", Breakage::DoesNothing);
    let error = rejoin(&acting(&target, &emitter), "node-2")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "not within 20 s: node-2 does not answer: no answer"
    );
    target.mend();
    target.rejoin("node-2", Path::new("")).await.unwrap();
}
