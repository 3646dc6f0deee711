//! Pressing on the nodes of the target in memory, and what is promised of its undo.

use super::fake_target::{Breakage, FakeTarget};
use super::guard_tests::{Bench, kill};
use super::journal::{Journal, Record};
use super::{Around, Standing};
use crate::event::cluster::Standing as NodeStanding;
use crate::fault::clock_step::ClockStep;
use crate::fault::fill_disk::FillDisk;
use crate::fault::stress_cpu::StressCpu;
use crate::fault::{Fault, undo_from_journal};
use crate::role::NodeRef;
use crate::target::{
    Power as _, PowerOff, Pressed, Pressure, PressureSeen, Target as _, TargetError, Wanted, Weight,
};
use async_trait::async_trait;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) fn fill(node: &str) -> FillDisk {
    FillDisk {
        id: None,
        node: NodeRef::from(node),
        at_most: "1GiB".parse().unwrap(),
        leave: None,
    }
}

fn stress(node: &str) -> StressCpu {
    StressCpu {
        id: None,
        node: NodeRef::from(node),
        workers: None,
        longest: None,
    }
}

#[async_trait]
impl Pressure for FakeTarget {
    async fn resolve(&self, node: &str, wanted: Wanted) -> Result<Pressed, TargetError> {
        let weight = match wanted {
            Wanted::Fill { at_most, leave } => Weight::Fill {
                at_most,
                leave,
                free: at_most,
            },
            Wanted::Cpu { expires, .. } | Wanted::Io { expires, .. } => Weight::Cpu {
                workers: 2,
                seconds: expires.as_secs(),
            },
            Wanted::Clock { by_ms } => Weight::Clock {
                by_ms,
                set_ms: 0,
                ahead_ms: 0,
            },
        };
        Ok(Pressed {
            node: node.to_owned(),
            mark: format!("firedrill-r1-{node}"),
            weight,
            spot: None,
            before: None,
        })
    }
    async fn press(&self, pressed: &Pressed) -> Result<(), TargetError> {
        if self.call(format!("Press {}", pressed.node)).await? {
            self.pressed.lock().unwrap().push(pressed.clone());
        }
        Ok(())
    }
    async fn pressing(&self, pressed: &Pressed) -> Result<PressureSeen, TargetError> {
        let there = self.pressed.lock().unwrap().contains(pressed);
        Ok(match (pressed.weight, there) {
            (Weight::Fill { free, .. }, _) => PressureSeen {
                free: Some(if there { 0 } else { free }),
                ..PressureSeen::default()
            },
            (Weight::Clock { by_ms, .. }, _) => PressureSeen {
                stepped_ms: Some(if there { by_ms } else { 0 }),
                ..PressureSeen::default()
            },
            (_, false) => PressureSeen::default(),
            (_, true) => PressureSeen {
                workers: 2,
                // It grows with each look.
                cpu: Duration::from_millis(self.looked.fetch_add(10, Ordering::Relaxed)),
                ..PressureSeen::default()
            },
        })
    }
    async fn relieve(&self, pressed: &Pressed) -> Result<(), TargetError> {
        if self.call(format!("Relieve {}", pressed.node)).await? {
            self.pressed.lock().unwrap().retain(|each| each != pressed);
        }
        Ok(())
    }
    async fn pressing_still(&self, pressed: &Pressed) -> Result<Option<String>, TargetError> {
        let there = self.pressed.lock().unwrap().contains(pressed);
        Ok(there.then(|| format!("it still presses on {}", pressed.node)))
    }
    async fn all_pressed(&self) -> Result<Vec<Pressed>, TargetError> {
        Ok(self.pressed.lock().unwrap().clone())
    }
}

#[tokio::test(start_paused = true)]
async fn each_is_proven_undone_and_undone_again() {
    let step = ClockStep {
        id: None,
        node: NodeRef::from("node-1"),
        by: "-2m".parse().unwrap(),
    };
    let faults: [&dyn Fault; 3] = [&fill("node-1"), &stress("node-2"), &step];
    for fault in faults {
        let mut bench = Bench::with_nodes(3);
        let proof = bench.strike(fault, "a").await.unwrap();
        let proven = ["free on the disk", "CPU time", "120.00 s behind"];
        assert!(proven.iter().any(|what| proof.contains(what)), "{proof}");
        let report = bench.undo_all().await;
        assert!(report.is_complete(), "{report:?}");
        let lines = Journal::read(bench.folder.path()).unwrap().lines;
        let facts = lines.into_iter().find_map(|line| match line.record {
            Record::Intent { fault, facts, .. } => Some((fault, facts)),
            _ => None,
        });
        let (name, facts) = facts.unwrap();
        let again = undo_from_journal(&name, &facts).unwrap();
        let around = Around {
            evidence: Path::new(""),
            held: Vec::new(),
            kept_down: false,
        };
        again.put_back(&bench.target, &around).await.unwrap();
        let standing = again.standing(&bench.target).await.unwrap();
        assert!(matches!(standing, Standing::Back(_)), "{standing:?}");
        assert!(bench.seen().await.is_whole());
    }
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_went_down_on_its_full_disk_comes_back_behind_the_new_one() {
    let mut bench = Bench::with_nodes(3);
    bench.strike(&fill("node-1"), "a").await.unwrap();
    // What the full disk did to it.
    let target = bench.target.clone();
    target.power_off("node-1", PowerOff::Kill).await.unwrap();
    target.stack_promotes().unwrap();
    target.watch_writers();
    let report = bench.undo_all().await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(target.peak(), 1);
    assert_eq!(target.calls()[0], "Relieve node-1");
    let seen = bench.seen().await;
    assert!(seen.is_whole());
    assert!(matches!(
        seen.node("node-1"),
        Some(NodeStanding::Standby { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_ended_is_said_and_stays_open() {
    let mut bench = Bench::with_nodes(3);
    bench.strike(&stress("node-2"), "a").await.unwrap();
    bench
        .target
        .break_call("Relieve node-2", Breakage::DoesNothing);
    let report = bench.undo_all().await;
    assert!(!report.is_complete());
    assert!(report.failures[0].contains("it still presses on node-2"));
    bench.target.mend();
    assert!(bench.undo_all().await.is_complete());
    assert!(bench.target.pressure().is_some());
    // A node that is down beside it is another fault's.
    bench.strike(&kill("node-3"), "b").await.unwrap();
    assert!(bench.undo_all().await.is_complete());
}
