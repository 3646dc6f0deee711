//! What faults and recovery actions ask of the embedded cluster.

use super::cluster::ASK;
use super::configuration::PROBE;
use super::local_target::LocalTarget;
use super::node::Node;
use super::process_tree::{self, Process};
use super::server::{STOP_LIMIT, Shutdown};
use super::{evidence, rejoin, switch_over};
use crate::event::slots::ErrorClass;
use crate::sql::Session;
use crate::target::{
    CutFrom, DivergedEvidence, Network, Power, PowerOff, ProcessId, ProcessScope, ProcessSignal,
    ProcessState, Processes, Recovery, Storage, TargetError,
};
use async_trait::async_trait;
use std::path::Path;
use std::time::Duration;

/// How long a link may take to let an answer through before it counts as cut. On loopback an answer takes
/// a few milliseconds.
const REACH: Duration = Duration::from_millis(500);

#[async_trait]
impl Power for LocalTarget {
    async fn power_off(&self, node: &str, how: PowerOff) -> Result<(), TargetError> {
        let node = self.cluster.node(node)?;
        let _alone = node.operation.lock().await;
        match how {
            PowerOff::Kill => self.cluster.kill(node).await,
            PowerOff::StopFast => node.server.stop(Shutdown::Fast, STOP_LIMIT).await,
            PowerOff::StopImmediate => node.server.stop(Shutdown::Immediate, STOP_LIMIT).await,
        }
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        let node = self.cluster.node(node)?;
        let _alone = node.operation.lock().await;
        node.server.start().await
    }

    async fn running(&self, node: &str) -> Result<usize, TargetError> {
        Ok(self.cluster.node(node)?.server.processes()?.len())
    }
}

#[async_trait]
impl Processes for LocalTarget {
    async fn find(&self, node: &str, scope: ProcessScope) -> Result<Vec<ProcessId>, TargetError> {
        let node = self.cluster.node(node)?;
        let found = match scope {
            ProcessScope::All => node.server.processes()?,
            ProcessScope::Postmaster => node.server.postmaster()?.into_iter().collect(),
            ProcessScope::WalReceiver => titled(node, "walreceiver", usize::MAX)?,
            // The oldest session of a probe; those of firedrill's own control are another role's.
            ProcessScope::OneBackend => titled(node, &format!("{PROBE} "), 1)?,
            // The stand-in for one is in firedrill itself.
            ProcessScope::Agent => Vec::new(),
        };
        Ok(found.into_iter().map(|process| process.id).collect())
    }

    async fn signal(
        &self,
        _node: &str,
        processes: &[ProcessId],
        signal: ProcessSignal,
    ) -> Result<(), TargetError> {
        for process in processes {
            process_tree::signal(*process, signal)?;
        }
        Ok(())
    }

    async fn states(
        &self,
        _node: &str,
        processes: &[ProcessId],
    ) -> Result<Vec<ProcessState>, TargetError> {
        Ok(processes
            .iter()
            .map(|process| process_tree::state_of(*process))
            .collect())
    }
}

/// Processes whose title goes on with `start` after the cluster's name: "postgres: node-1: walreceiver …"
/// or, for a session, "postgres: node-1: USER DATABASE HOST(PORT) …"; oldest first.
fn titled(node: &Node, start: &str, most: usize) -> Result<Vec<Process>, TargetError> {
    let start = format!("postgres: {}: {start}", node.name());
    let mut found = node.server.processes()?;
    found.retain(|process| process.title.starts_with(&start));
    found.sort_by_key(|process| process.id.started);
    found.truncate(most);
    Ok(found)
}

#[async_trait]
impl Network for LocalTarget {
    async fn cut(&self, node: &str, from: CutFrom) -> Result<(), TargetError> {
        self.cluster.node(node)?.cut(from);
        Ok(())
    }

    async fn join(&self, node: &str) -> Result<(), TargetError> {
        self.cluster.node(node)?.join();
        Ok(())
    }

    async fn reaches(&self, node: &str, from: CutFrom) -> Result<bool, TargetError> {
        let found = self.cluster.node(node)?;
        let ports = match from {
            CutFrom::Clients => vec![found.clients_port()],
            CutFrom::Peers => vec![found.peers_port()],
            CutFrom::All => vec![found.clients_port(), found.peers_port()],
        };
        for port in ports {
            match Session::connect(&self.cluster.as_act(port), REACH).await {
                Ok(_) => return Ok(true),
                Err(error)
                    if matches!(
                        error.class,
                        ErrorClass::ConnectDeadline | ErrorClass::StartupDeadline
                    ) => {}
                // Words of the server came through the link.
                Err(error) if error.state.is_some() => return Ok(true),
                Err(error) => {
                    return Err(TargetError::new(format!("reach {node}"), error));
                }
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Storage for LocalTarget {
    async fn lose_data(&self, node: &str) -> Result<(), TargetError> {
        rejoin::lose_data(&self.cluster, node).await
    }

    async fn has_data(&self, node: &str) -> Result<bool, TargetError> {
        rejoin::has_data(&self.cluster, node)
    }

    async fn clone_anew(&self, node: &str) -> Result<String, TargetError> {
        rejoin::clone_from_leader(&self.cluster, node).await
    }
}

#[async_trait]
impl Recovery for LocalTarget {
    async fn promote(&self, node: Option<&str>) -> Result<String, TargetError> {
        // A person decides by what can be reached: a primary that is cut off counts as lost, though it may
        // go on acknowledging.
        let mut seen = self.cluster.see().await;
        let cut_off = |name: &str| self.cluster.node(name).is_ok_and(Node::is_cut_from_peers);
        seen.nodes.retain(|node| !cut_off(&node.name));
        if let Some((leader, timeline)) = seen.leader()
            && node != Some(leader)
        {
            return Err(TargetError::new(
                "promote a standby",
                format!(
                    "{leader} takes writes on timeline {timeline}; a second primary is not made"
                ),
            ));
        }
        let name = match node {
            Some(name) => name.to_owned(),
            None => switch_over::most_advanced(&seen)
                .ok_or_else(|| TargetError::new("promote a standby", "no standby answers"))?,
        };
        let new = self.cluster.node(&name)?;
        let _alone = new.operation.lock().await;
        self.cluster.promote(new).await?;
        for other in &self.cluster.nodes {
            if other.name() != name {
                other.stream_from(new);
            }
        }
        Ok(name)
    }

    async fn switch_over(&self, to: Option<&str>) -> Result<String, TargetError> {
        let still = self.agent.pause();
        tokio::time::timeout(ASK * 4, still.quiet())
            .await
            .map_err(|_| {
                TargetError::new(
                    "switch over",
                    "the failover agent is in the middle of a failover",
                )
            })?;
        let done = switch_over::switch_over(&self.cluster, to).await;
        drop(still);
        done
    }

    async fn rejoin(&self, node: &str, evidence: &Path) -> Result<String, TargetError> {
        rejoin::rejoin(&self.cluster, node, evidence).await
    }

    async fn fence(&self, node: &str) -> Result<(), TargetError> {
        let node = self.cluster.node(node)?;
        let _alone = node.operation.lock().await;
        self.cluster.fence(node).await
    }

    async fn diverged_evidence(
        &self,
        evidence: &Path,
    ) -> Result<Option<DivergedEvidence>, TargetError> {
        evidence::read(evidence)
    }
}
