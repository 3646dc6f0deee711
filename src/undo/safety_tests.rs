//! The one promise that must hold whatever happened before: undo never makes a second primary, and leaves
//! one cluster in which everybody streams.

use super::guard_tests::{Bench, cut, freeze, kill, kill_process};
use crate::fault::Fault;
use crate::fault::freeze::FreezeScope;
use crate::fault::kill_process::VictimProcess;
use crate::target::{CutFrom, Power as _, Recovery as _};
use proptest::prelude::*;
use std::path::Path;

const NODES: usize = 3;

/// Something that happens before the undo.
#[derive(Clone, Debug)]
enum Deed {
    Kill(usize),
    Freeze(usize, FreezeScope),
    Cut(usize, CutFrom),
    KillProcess(usize, VictimProcess),
    /// The stack promotes where its leader is lost.
    Promote,
    /// The drill lets a node go: its n-th fault, where there are that many.
    Release(usize),
    /// The drill undoes one step.
    UndoOne(usize),
    /// A person starts a node as it is, second primary or not.
    StartByHand(usize),
    /// A person rejoins a node.
    RejoinByHand(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let node = 0..NODES;
    let scope = prop_oneof![Just(FreezeScope::All), Just(FreezeScope::Postmaster)];
    let from = prop_oneof![
        Just(CutFrom::All),
        Just(CutFrom::Peers),
        Just(CutFrom::Clients)
    ];
    let process = prop_oneof![
        Just(VictimProcess::Postmaster),
        Just(VictimProcess::Walreceiver),
        Just(VictimProcess::Backend)
    ];
    prop_oneof![
        2 => node.clone().prop_map(Deed::Kill),
        2 => (node.clone(), scope).prop_map(|(n, scope)| Deed::Freeze(n, scope)),
        2 => (node.clone(), from).prop_map(|(n, from)| Deed::Cut(n, from)),
        1 => (node.clone(), process).prop_map(|(n, process)| Deed::KillProcess(n, process)),
        4 => Just(Deed::Promote),
        1 => (0usize..4).prop_map(Deed::Release),
        1 => (0usize..4).prop_map(Deed::UndoOne),
        1 => node.clone().prop_map(Deed::StartByHand),
        1 => node.prop_map(Deed::RejoinByHand),
    ]
}

async fn carry_out(bench: &mut Bench, deeds: &[Deed]) {
    let name = |n: usize| format!("node-{}", n + 1);
    for (step, deed) in deeds.iter().enumerate() {
        let step = step.to_string();
        let fault: Box<dyn Fault> = match deed {
            Deed::Kill(n) => Box::new(kill(&name(*n))),
            Deed::Freeze(n, scope) => Box::new(freeze(&name(*n), *scope)),
            Deed::Cut(n, from) => Box::new(cut(&name(*n), *from)),
            Deed::KillProcess(n, process) => Box::new(kill_process(&name(*n), *process)),
            Deed::Promote => {
                bench.target.stack_promotes();
                continue;
            }
            Deed::Release(of) => {
                let (guard, mut way) = bench.way();
                let _ = guard.release(&of.to_string(), &mut way).await;
                continue;
            }
            Deed::UndoOne(of) => {
                let before = bench.target.watch_writers();
                let (guard, mut way) = bench.way();
                guard.undo_one(&of.to_string(), &mut way).await;
                assert!(
                    bench.target.peak() <= before.max(1),
                    "one undo made a second primary"
                );
                continue;
            }
            Deed::StartByHand(n) => {
                let _ = bench.target.start(&name(*n)).await;
                continue;
            }
            Deed::RejoinByHand(n) => {
                let _ = bench.target.rejoin(&name(*n), Path::new("")).await;
                continue;
            }
        };
        // One that cannot be struck as things are is left out.
        let _ = bench.strike(fault.as_ref(), &step).await;
    }
}

/// Each case writes and syncs a journal, so fewer than usual unless asked for.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let cases = asked.and_then(|text| text.parse().ok()).unwrap_or(100);
    ProptestConfig::with_cases(cases)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn undo_never_makes_a_second_primary_and_leaves_a_whole_cluster(
        deeds in prop::collection::vec(deed(), 1..9)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut bench = Bench::with_nodes(NODES);
            carry_out(&mut bench, &deeds).await;
            let before = bench.target.watch_writers();
            let report = bench.undo_all().await;
            let peak = bench.target.peak();
            assert!(peak <= before.max(1), "{before} writers before, {peak} meanwhile");
            let seen = bench.seen().await;
            assert_eq!(report.failures, [""; 0], "{seen:?}");
            assert!(seen.is_whole(), "{seen:?}");
            assert!(bench.journal.as_mut().unwrap().close().unwrap());
        });
    }
}
