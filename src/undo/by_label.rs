//! Puts back what a run left on containers when its journal is lost: by what the lock on them says, which carries how
//! they were found. Nothing tells which faults were open, so every node is compared with how it was found and
//! put right, by the same rules as any undo: never a second primary.

use super::in_place::as_before;
use super::no_second_primary::{Lift, come_back};
use super::{Around, Standing};
use crate::fault::Hit;
use crate::target::{CutFrom, Part, ProcessScope, Target, TargetError};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long everything may take to be as it was found once it was put right.
const VERIFY: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(500);

/// What came of it, one line for each node and member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBack {
    /// What is as it was found, with the proof.
    pub back: Vec<String>,
    /// What is not, and why.
    pub missing: Vec<String>,
}

/// Puts everything right that is not as it was found; `evidence` is where diverged data is saved.
pub async fn put_back(target: &dyn Target, evidence: &Path) -> PutBack {
    let mut done = PutBack::default();
    // Before anything else: no server starts on a full disk.
    relieve(target, &mut done).await;
    // First: without its store an agent brings no node back.
    bring_parts_back(target, &mut done).await;
    // One may have to wait for another: for a leader to follow, or for an answer of who may lead.
    let mut waiting = target.nodes();
    loop {
        let mut failed = Vec::new();
        for node in &waiting {
            if let Err(error) = put_right(target, node, evidence).await {
                failed.push((node.clone(), error));
            }
        }
        if failed.is_empty() || failed.len() == waiting.len() {
            let lines = failed
                .iter()
                .map(|(node, error)| format!("{node}: {error}"));
            done.missing.extend(lines);
            break;
        }
        waiting = failed.into_iter().map(|(node, _)| node).collect();
    }
    let begun = Instant::now();
    for node in target.nodes() {
        loop {
            let missing = match as_before(target, &node).await {
                Ok(Standing::Back(proof)) => {
                    done.back.push(proof);
                    break;
                }
                Ok(Standing::Missing(what)) => what,
                Err(error) => error.to_string(),
            };
            if begun.elapsed() >= VERIFY {
                done.missing.push(format!("{node}: {missing}"));
                break;
            }
            sleep(PAUSE).await;
        }
    }
    done
}

/// Ends what the run pressed on nodes with, which the target itself remembers.
async fn relieve(target: &dyn Target, done: &mut PutBack) {
    let Some(pressure) = target.pressure() else {
        return;
    };
    let all = match pressure.all_pressed().await {
        Ok(all) => all,
        Err(error) => return done.missing.push(error.to_string()),
    };
    for pressed in all {
        let node = &pressed.node;
        let left = match pressure.relieve(&pressed).await {
            Ok(()) => pressure.pressing_still(&pressed).await,
            Err(error) => Err(error),
        };
        match left {
            Ok(None) => done.back.push(format!("what pressed on {node} is gone")),
            Ok(Some(what)) => done.missing.push(what),
            Err(error) => done.missing.push(error.to_string()),
        }
    }
}

async fn bring_parts_back(target: &dyn Target, done: &mut PutBack) {
    let Some(parts) = target.parts() else { return };
    let members = Part::ALL.into_iter().flat_map(|part| parts.members(part));
    for member in members.collect::<Vec<_>>() {
        let begun = Instant::now();
        if let Err(error) = parts.bring_back(&member).await {
            done.missing.push(format!("{member}: {error}"));
            continue;
        }
        loop {
            let missing = match parts.serves(&member).await {
                Ok(Ok(())) => {
                    done.back.push(format!("{member} serves"));
                    break;
                }
                Ok(Err(what)) => what,
                Err(error) => error.to_string(),
            };
            if begun.elapsed() >= VERIFY {
                done.missing.push(format!("{member}: {missing}"));
                break;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Ends whatever holds a node. Which role it had when it was hit is not known, so that it may lead.
async fn put_right(target: &dyn Target, node: &str, evidence: &Path) -> Result<(), TargetError> {
    let hit = Hit {
        node: node.to_owned(),
        role: "other".to_owned(),
        timeline: 0,
    };
    let around = Around {
        evidence,
        held: Vec::new(),
        kept_down: false,
    };
    // What the target itself knows to be otherwise: a node that is on no network cannot be started into service.
    if target.network().is_some() && target.altered(node).await?.is_some() {
        come_back(target, &hit, Lift::Join, &around).await?;
    }
    if let Some(packets) = target.packets() {
        let losses = packets.lost(node).await?;
        if !losses.lost.is_empty() {
            come_back(target, &hit, Lift::Pass(&losses), &around).await?;
        }
    }
    if let Some(slowing) = target.slowing() {
        let slowed = slowing.slowed(node).await?;
        if !slowed.is_empty() {
            come_back(target, &hit, Lift::Free(&slowed), &around).await?;
        }
    }
    if let Some(processes) = target.processes()
        && processes.stillness(node, ProcessScope::All).await?.still > 0
    {
        come_back(target, &hit, Lift::Thaw, &around).await?;
    }
    if let Some(power) = target.power()
        && power.running(node).await? == 0
    {
        come_back(target, &hit, Lift::Start, &around).await?;
    }
    if let Some(network) = target.network()
        && !(network.reaches(node, CutFrom::Clients).await?
            && network.reaches(node, CutFrom::Peers).await?)
    {
        come_back(target, &hit, Lift::Join, &around).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::freeze::FreezeScope;
    use crate::undo::fake_pressure::fill;
    use crate::undo::fake_target::FakeTarget;
    use crate::undo::guard_tests::{Bench, cut, freeze, kill};

    async fn after(bench: &Bench) -> (PutBack, usize) {
        let target: FakeTarget = bench.target.clone();
        let before = target.watch_writers();
        let done = put_back(&target, Path::new("")).await;
        (done, target.peak().saturating_sub(before.max(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_holds_nodes_is_ended_and_nobody_leads_beside_another() {
        let mut bench = Bench::with_nodes(4);
        bench.strike(&kill("node-1"), "a").await.unwrap();
        bench.target.stack_promotes();
        bench
            .strike(&freeze("node-3", FreezeScope::All), "b")
            .await
            .unwrap();
        bench
            .strike(&cut("node-4", CutFrom::All), "c")
            .await
            .unwrap();
        let (done, more_writers) = after(&bench).await;
        assert_eq!(done.missing, [""; 0]);
        assert_eq!(done.back.len(), 4, "{done:?}");
        assert_eq!(more_writers, 0);
        assert!(bench.seen().await.is_whole());
    }

    #[tokio::test(start_paused = true)]
    async fn what_presses_on_a_node_is_ended_before_the_node_is_started() {
        let mut bench = Bench::with_nodes(3);
        bench.strike(&fill("node-2"), "a").await.unwrap();
        bench.strike(&kill("node-2"), "b").await.unwrap();
        bench.target.calls();
        let (done, _) = after(&bench).await;
        assert_eq!(done.missing, [""; 0]);
        assert_eq!(done.back[0], "what pressed on node-2 is gone");
        assert_eq!(bench.target.calls()[0], "Relieve node-2");
        assert!(bench.seen().await.is_whole());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_is_whole_is_left_alone() {
        let bench = Bench::with_nodes(3);
        let (done, _) = after(&bench).await;
        assert_eq!(done.missing, [""; 0]);
        assert_eq!(bench.target.calls(), [""; 0]);
    }
}
