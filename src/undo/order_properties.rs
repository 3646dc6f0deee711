//! Whatever was struck, released, failed over and broken before: undoing goes newest first, tries all,
//! verifies each, makes no second primary, and once nothing fails any more, everything is back.

use super::fake_target::Breakage;
use super::guard_tests::{Bench, cut, freeze, kill, kill_process};
use super::journal::{Journal, OpenEntry};
use crate::event::ActKind;
use crate::fault::Fault;
use crate::fault::freeze::FreezeScope;
use crate::fault::kill_process::VictimProcess;
use crate::target::CutFrom;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Move {
    /// A fault of this number hits a node.
    Strike(usize, usize),
    /// The step struck at this place is released.
    Release(usize),
    /// The stack does what it does when the leader is lost.
    StackPromotes,
    /// This call goes wrong from now on.
    Break(usize, usize, Breakage),
    /// All calls work again.
    Mend,
    /// Everything is undone, as far as it goes.
    UndoAll,
}

const CALLS: [&str; 6] = ["start", "Thaw", "join", "fence", "rejoin", "power_off"];

fn a_move() -> impl Strategy<Value = Move> {
    let how = prop::sample::select(vec![
        Breakage::Fails,
        Breakage::Hangs,
        Breakage::DoesNothing,
    ]);
    prop_oneof![
        5 => (0_usize..5, 1_usize..4).prop_map(|(fault, node)| Move::Strike(fault, node)),
        2 => (0_usize..6).prop_map(Move::Release),
        3 => Just(Move::StackPromotes),
        2 => (0..CALLS.len(), 1_usize..4, how).prop_map(|(call, node, how)| Move::Break(call, node, how)),
        1 => Just(Move::Mend),
        1 => Just(Move::UndoAll),
    ]
}

fn fault(number: usize, node: &str) -> Box<dyn Fault> {
    match number {
        0 => Box::new(kill(node)),
        1 => Box::new(freeze(node, FreezeScope::All)),
        2 => Box::new(freeze(node, FreezeScope::Postmaster)),
        3 => Box::new(cut(node, CutFrom::All)),
        _ => Box::new(kill_process(node, VictimProcess::Postmaster)),
    }
}

/// One entry of the journal that is open: number, node, timeline, whether it may lead.
type OpenFault = (u32, String, u32, bool);

fn open_faults(bench: &Bench) -> Vec<OpenFault> {
    let mut open: Vec<OpenFault> = Journal::read(bench.folder.path())
        .unwrap()
        .open_entries()
        .into_iter()
        .filter_map(|entry| match entry {
            OpenEntry::Intent { n, hit, .. } => {
                Some((n, hit.node.clone(), hit.timeline, hit.may_lead()))
            }
            OpenEntry::Made { .. } => None,
        })
        .collect();
    open.sort();
    open
}

/// Whether an entry has to wait for another one: that node led a newer timeline when it was hit.
fn waits((number, node, timeline, may_lead): &OpenFault, all: &[OpenFault]) -> bool {
    *may_lead
        && all
            .iter()
            .any(|other| other.0 != *number && other.3 && other.1 != *node && other.2 > *timeline)
}

/// The numbers of undos since the last time, each with its stage.
fn acts_of_undo(bench: &mut Bench) -> Vec<(u32, String)> {
    let stages = bench.stages(ActKind::Undo);
    let parts = stages.iter().filter_map(|text| {
        let mut words = text.splitn(3, ' ');
        let number = words.next()?.parse().ok()?;
        Some((number, words.nth(1)?.to_owned()))
    });
    parts.collect()
}

async fn undo_all_and_look(bench: &mut Bench) -> Result<(), TestCaseError> {
    let before = open_faults(bench);
    let writers = bench.target.watch_writers();
    acts_of_undo(bench);
    let report = bench.undo_all().await;
    let acts = acts_of_undo(bench);
    let peak = bench.target.peak();
    prop_assert!(
        peak <= writers.max(1),
        "{writers} took writes before, {peak} meanwhile"
    );

    let of_stage = |wanted: &str| -> Vec<u32> {
        let all = acts.iter().filter(|(_, stage)| *stage == wanted);
        all.map(|(number, _)| *number).collect()
    };
    // Newest first, but for those that have to wait for a newer leader.
    let free: BTreeSet<u32> = before
        .iter()
        .filter(|entry| !waits(entry, &before))
        .map(|entry| entry.0)
        .collect();
    let requested: Vec<u32> = of_stage("requested")
        .into_iter()
        .filter(|number| free.contains(number))
        .collect();
    prop_assert!(
        requested.is_sorted_by(|a, b| a > b),
        "{requested:?} of {before:?}"
    );

    // All were tried: each was verified, or failed with its reason, and none is forgotten.
    let after: BTreeSet<u32> = open_faults(bench).iter().map(|entry| entry.0).collect();
    let effect: BTreeSet<u32> = of_stage("effect").into_iter().collect();
    for (number, ..) in &before {
        if after.contains(number) {
            prop_assert!(!report.is_complete(), "{number} is open and nobody says so");
        } else {
            prop_assert!(
                effect.contains(number),
                "{number} counts as undone and was not verified"
            );
        }
    }
    prop_assert_eq!(report.undone as usize, before.len() - after.len());
    Ok(())
}

async fn play(moves: Vec<Move>) -> Result<(), TestCaseError> {
    let mut bench = Bench::with_nodes(3);
    let mut steps = 0;
    for each in moves {
        match each {
            Move::Strike(number, node) => {
                let step = format!("s{steps}");
                steps += 1;
                let node = format!("node-{node}");
                // A fault that cannot be struck may still be open.
                let _ = bench.strike(fault(number, &node).as_ref(), &step).await;
            }
            Move::Release(step) => {
                let (guard, mut way) = bench.way();
                let _ = guard.release(&format!("s{step}"), &mut way).await;
            }
            Move::StackPromotes => {
                bench.target.stack_promotes();
            }
            Move::Break(call, node, how) => {
                bench
                    .target
                    .break_call(&format!("{} node-{node}", CALLS[call]), how);
            }
            Move::Mend => bench.target.mend(),
            Move::UndoAll => undo_all_and_look(&mut bench).await?,
        }
    }
    undo_all_and_look(&mut bench).await?;
    bench.target.mend();
    undo_all_and_look(&mut bench).await?;
    let left = open_faults(&bench);
    prop_assert_eq!(&left, &[], "nothing fails any more, and yet it is open");
    prop_assert_eq!(bench.target.watch_writers(), 1);
    let again = bench.undo_all().await;
    prop_assert!(again.is_complete() && again.undone == 0 && bench.target.calls().is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn undoing_goes_newest_first_and_forgets_nothing(moves in prop::collection::vec(a_move(), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(moves))?;
    }
}
