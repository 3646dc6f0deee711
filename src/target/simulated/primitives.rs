//! What faults and recovery actions ask of the simulated cluster.

use super::server::Path;
use super::simulated_target::SimulatedTarget;
use crate::event::slots::ErrorClass;
use crate::sql::Session;
use crate::target::{
    CutFrom, DivergedEvidence, Network, Power, PowerOff, ProcessId, ProcessScope, ProcessSignal,
    ProcessState, Processes, Recovery, Storage, TargetError,
};
use async_trait::async_trait;
use std::path::Path as FilePath;
use std::time::Duration;
use tokio::time::sleep;

/// How long a way may take to let an answer through before it counts as cut.
const REACH: Duration = Duration::from_millis(500);
/// How long the agent may take to end what it is in the middle of.
const STILL: Duration = Duration::from_secs(2);

#[async_trait]
impl Power for SimulatedTarget {
    async fn power_off(&self, node: &str, how: PowerOff) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        match how {
            PowerOff::Kill => self.simulation.change(|state, _| state.kill(n)),
            PowerOff::StopFast => self.hands.shut_down(n, node, true).await?,
            PowerOff::StopImmediate => self.hands.shut_down(n, node, false).await?,
        }
        Ok(())
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        if self.simulation.with(|state, _| !state.has_data(n)) {
            let cause = "its data are gone, and it has nothing to start from";
            return Err(TargetError::new(format!("start {node}"), cause));
        }
        self.hands.start(n).await;
        Ok(())
    }

    async fn running(&self, node: &str) -> Result<usize, TargetError> {
        let n = self.simulation.node(node)?;
        let found = |state: &mut super::state::State, _| state.processes(n, ProcessScope::All);
        Ok(self.simulation.with(found).len())
    }
}

#[async_trait]
impl Processes for SimulatedTarget {
    async fn find(&self, node: &str, scope: ProcessScope) -> Result<Vec<ProcessId>, TargetError> {
        let n = self.simulation.node(node)?;
        let found = self
            .simulation
            .with(|state, _| state.processes(n, scope))
            .into_iter();
        // No number is ever given twice here.
        Ok(found.map(|pid| ProcessId { pid, started: 0 }).collect())
    }

    async fn signal(
        &self,
        node: &str,
        processes: &[ProcessId],
        signal: ProcessSignal,
    ) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        let pids: Vec<i32> = processes.iter().map(|process| process.pid).collect();
        self.simulation.change(|state, now| match signal {
            ProcessSignal::Freeze => state.freeze(n, &pids, true),
            ProcessSignal::Thaw => state.freeze(n, &pids, false),
            ProcessSignal::Kill => state.kill_processes(n, &pids, now),
        });
        Ok(())
    }

    async fn states(
        &self,
        node: &str,
        processes: &[ProcessId],
    ) -> Result<Vec<ProcessState>, TargetError> {
        let n = self.simulation.node(node)?;
        let states = self.simulation.with(|state, _| {
            let states = processes
                .iter()
                .map(|process| state.state_of(n, process.pid));
            states.collect()
        });
        Ok(states)
    }
}

#[async_trait]
impl Network for SimulatedTarget {
    async fn cut(&self, node: &str, from: CutFrom) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        self.simulation.change(|state, _| {
            if let Some(node) = state.nodes.get_mut(n) {
                node.cut_from_clients |= matches!(from, CutFrom::Clients | CutFrom::All);
                node.cut_from_peers |= matches!(from, CutFrom::Peers | CutFrom::All);
            }
        });
        Ok(())
    }

    async fn join(&self, node: &str) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        self.simulation.change(|state, _| {
            if let Some(node) = state.nodes.get_mut(n) {
                node.cut_from_clients = false;
                node.cut_from_peers = false;
            }
        });
        Ok(())
    }

    async fn reaches(&self, node: &str, from: CutFrom) -> Result<bool, TargetError> {
        self.simulation.node(node)?;
        let paths: &[Path] = match from {
            CutFrom::Clients => &[Path::Clients],
            CutFrom::Peers => &[Path::Peers],
            CutFrom::All => &[Path::Clients, Path::Peers],
        };
        for path in paths {
            let way = self.access(node, "firedrill_act", *path);
            match Session::connect(&way, REACH).await {
                Ok(_) => return Ok(true),
                Err(error)
                    if matches!(
                        error.class,
                        ErrorClass::ConnectDeadline | ErrorClass::StartupDeadline
                    ) => {}
                // Words of the server came through.
                Err(error) if error.state.is_some() => return Ok(true),
                Err(error) => return Err(TargetError::new(format!("reach {node}"), error)),
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Storage for SimulatedTarget {
    async fn lose_data(&self, node: &str) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        self.simulation.change(|state, _| state.lose_data(n));
        Ok(())
    }

    async fn has_data(&self, node: &str) -> Result<bool, TargetError> {
        let n = self.simulation.node(node)?;
        Ok(self.simulation.with(|state, _| state.has_data(n)))
    }

    async fn clone_anew(&self, node: &str) -> Result<String, TargetError> {
        let n = self.simulation.node(node)?;
        self.hands.clone_anew(n, node).await
    }
}

#[async_trait]
impl Recovery for SimulatedTarget {
    async fn promote(&self, node: Option<&str>) -> Result<String, TargetError> {
        let what = "promote a standby";
        let (leader, best) = self.simulation.with(|state, _| {
            let reached = state.nodes.iter().filter(|each| {
                let frozen = each.up.as_ref().is_some_and(|up| !up.frozen.is_empty());
                each.up.is_some() && !each.cut_from_peers && !frozen
            });
            let leader = reached.clone().filter(|each| each.is_writable());
            let leader = leader.max_by_key(|each| each.timeline);
            // Of equals the one that was declared first is the last here, and is taken.
            let standbys = reached.filter(|each| each.in_recovery);
            let best: Vec<_> = standbys
                .map(|each| (each.written, each.name.clone()))
                .collect();
            let best = best.into_iter().rev().max_by_key(|(written, _)| *written);
            let leader = leader.map(|each| (each.name.clone(), each.timeline));
            (leader, best.map(|(_, name)| name))
        });
        if let Some((leader, timeline)) = leader
            && node != Some(leader.as_str())
        {
            let cause = format!(
                "{leader} takes writes on timeline {timeline}; a second primary is not made"
            );
            return Err(TargetError::new(what, cause));
        }
        let name = node.map(str::to_owned).or(best);
        let name = name.ok_or_else(|| TargetError::new(what, "no standby answers"))?;
        let new = self.simulation.node(&name)?;
        self.hands.promote(new, &name).await?;
        self.lead_all_to(new);
        Ok(name)
    }

    async fn switch_over(&self, to: Option<&str>) -> Result<String, TargetError> {
        let what = "switch over";
        let still = self.agent.pause();
        tokio::time::timeout(STILL, still.quiet())
            .await
            .map_err(|_| TargetError::new(what, "the agent is in the middle of a failover"))?;
        let (old, streaming) = self.simulation.with(|state, _| {
            let writable = state.nodes.iter().enumerate();
            let mut writable = writable.filter(|(_, node)| node.is_writable());
            let old = writable.next().map(|(n, node)| (n, node.name.clone()));
            let streaming = state.nodes.iter().filter(|node| node.streaming);
            let streaming = streaming.map(|node| node.name.clone()).collect::<Vec<_>>();
            (old.filter(|_| writable.next().is_none()), streaming)
        });
        let (old, old_name) =
            old.ok_or_else(|| TargetError::new(what, "not exactly one node takes writes"))?;
        let name = match to {
            Some(name) if name == old_name => return Ok(old_name),
            Some(name) => Some(name.to_owned()),
            None => streaming.first().cloned(),
        };
        let name = name
            .filter(|name| streaming.contains(name))
            .ok_or_else(|| TargetError::new(what, "no standby streams; nothing was changed"))?;
        let new = self.simulation.node(&name)?;
        self.hands.shut_down(old, &old_name, true).await?;
        if let Err(error) = self.hands.promote(new, &name).await {
            self.hands.start(old).await;
            let cause = format!("{error}; {old_name} leads again");
            return Err(TargetError::new(what, cause));
        }
        self.lead_all_to(new);
        self.simulation.change(|state, _| {
            if let Some(node) = state.nodes.get_mut(old) {
                node.in_recovery = true;
                node.upstream = Some(new);
            }
        });
        self.hands.start(old).await;
        // A moment until it streams, so that the agent finds nothing to do.
        sleep(REACH).await;
        drop(still);
        Ok(name)
    }

    async fn rejoin(&self, node: &str, _evidence: &FilePath) -> Result<String, TargetError> {
        let n = self.simulation.node(node)?;
        let rejoined = self.hands.rejoin(n, node).await?;
        if rejoined.bytes_alone > 0
            && let Ok(mut evidence) = self.evidence.lock()
        {
            let (bytes, rows) = evidence.get_or_insert_default();
            *bytes = rejoined.bytes_alone.max(*bytes);
            rows.extend(rejoined.rows_alone);
        }
        Ok(rejoined.line)
    }

    async fn fence(&self, node: &str) -> Result<(), TargetError> {
        self.hands.fence(self.simulation.node(node)?, node);
        Ok(())
    }

    async fn diverged_evidence(
        &self,
        _evidence: &FilePath,
    ) -> Result<Option<DivergedEvidence>, TargetError> {
        let found = self.evidence.lock().ok().and_then(|found| found.clone());
        Ok(found.map(|(bytes, rows)| DivergedEvidence {
            bytes_after_fork: Some(bytes),
            rows: Some(rows),
        }))
    }
}

impl SimulatedTarget {
    /// Points every other node at this one.
    fn lead_all_to(&self, leader: usize) {
        for other in 0..self.settings.nodes.len() {
            self.hands.follow(other, leader);
        }
    }
}
