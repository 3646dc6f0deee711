//! What the agent and people do to the cluster, and how each behaviour does it badly.

use super::settings::Behaviour;
use super::simulation::Simulation;
use crate::target::TargetError;
use crate::target::local::agent::AgentActions;
use crate::target::local::routes::Routes;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long a promotion takes.
const PROMOTES: Duration = Duration::from_millis(100);
/// How long PostgreSQL is waited for until a promotion has failed.
const PROMOTION_LIMIT: Duration = Duration::from_secs(29);
/// How long a server takes to start.
const STARTS: Duration = Duration::from_millis(300);
/// How long it takes to shut down.
const SHUTS_DOWN: Duration = Duration::from_millis(100);
/// How long a rewind takes.
const REWINDS: Duration = Duration::from_millis(400);

/// How long a fresh copy takes.
const COPIES: Duration = Duration::from_secs(2);

/// The hands of the stack.
#[derive(Clone, Debug)]
pub(super) struct Hands {
    pub(super) simulation: Arc<Simulation>,
    pub(super) routes: Arc<Routes>,
    pub(super) behaviour: Behaviour,
}

/// What a rejoin found on the node and took away.
#[derive(Debug)]
pub(super) struct Rejoined {
    pub(super) line: String,
    pub(super) bytes_alone: u64,
    pub(super) rows_alone: Vec<(u32, u64)>,
}

impl Hands {
    /// Promotes a standby, as the behaviour has it.
    pub(super) async fn promote(&self, n: usize, name: &str) -> Result<(), TargetError> {
        match self.behaviour {
            Behaviour::NeverPromotes => {
                sleep(PROMOTION_LIMIT).await;
                let limit = PROMOTION_LIMIT.as_secs();
                let cause = format!("it did not leave recovery within {limit} s");
                return Err(TargetError::new(format!("promote {name}"), cause));
            }
            Behaviour::PromotesLate(after) => return self.promote_late(n, after).await,
            Behaviour::LosesLast(commits) => {
                self.simulation
                    .change(|state, _| state.lose_last(n, commits));
            }
            Behaviour::Good | Behaviour::TwoPrimaries | Behaviour::ComesBackDiverged => {}
        }
        sleep(PROMOTES).await;
        self.simulation.change(|state, _| {
            state.promote(n);
            if self.behaviour != Behaviour::TwoPrimaries {
                return;
            }
            for other in 0..state.nodes.len() {
                let node = state.nodes.get(other);
                if node.is_some_and(|node| node.in_recovery && node.talks_to_peers()) {
                    state.promote(other);
                }
            }
        });
        let up = self.simulation.with(|state, _| {
            let node = state.nodes.get(n);
            node.is_some_and(super::node::Node::is_writable)
        });
        match up {
            true => Ok(()),
            false => Err(TargetError::new(format!("promote {name}"), "it is down")),
        }
    }

    /// Whoever asked may give up meanwhile, and ask again: it goes on all the same, once.
    async fn promote_late(&self, n: usize, after: Duration) -> Result<(), TargetError> {
        if self.simulation.with(|state, _| state.promoting.insert(n)) {
            let simulation = Arc::clone(&self.simulation);
            tokio::spawn(async move {
                sleep(after + PROMOTES).await;
                simulation.change(|state, _| {
                    state.promote(n);
                    state.promoting.remove(&n);
                });
            });
        }
        self.simulation
            .until(|state, _| (!state.promoting.contains(&n)).then_some(()))
            .await;
        Ok(())
    }

    /// Points standbys at another node.
    pub(super) fn follow(&self, standby: usize, leader: usize) {
        self.simulation.change(|state, _| {
            if standby != leader
                && let Some(node) = state.nodes.get_mut(standby)
            {
                node.upstream = Some(leader);
            }
        });
    }

    /// Starts a node as it is.
    pub(super) async fn start(&self, n: usize) {
        if self.simulation.with(|state, _| !is_down(state, n)) {
            return;
        }
        sleep(STARTS).await;
        self.simulation.change(|state, now| state.start(n, now));
    }

    /// PostgreSQL shuts down by its own means; one that stands still never does.
    pub(super) async fn shut_down(
        &self,
        n: usize,
        name: &str,
        fast: bool,
    ) -> Result<(), TargetError> {
        const LIMIT: Duration = Duration::from_secs(30);
        if self.simulation.with(|state, _| state.is_frozen(n)) {
            sleep(LIMIT).await;
            let cause = format!("it did not stop within {} s", LIMIT.as_secs());
            return Err(TargetError::new(format!("stop {name}"), cause));
        }
        sleep(SHUTS_DOWN).await;
        self.simulation
            .change(|state, now| state.shut_down(n, fast, now));
        Ok(())
    }

    /// Takes a node out of reach of clients and down.
    pub(super) fn fence(&self, n: usize, name: &str) {
        self.routes.fence(name, true);
        self.simulation.change(|state, _| state.kill(n));
    }

    /// Makes a node a standby from a fresh copy of the leader; says how. A copy has nothing of its own, so
    /// that no behaviour can make it diverge.
    pub(super) async fn clone_anew(&self, n: usize, name: &str) -> Result<String, TargetError> {
        let what = format!("clone {name} anew");
        let leader = self.simulation.with(|state, _| {
            let writable = state.nodes.iter().enumerate();
            let writable = writable.filter(|(_, node)| node.is_writable());
            let leader = writable.max_by_key(|(_, node)| node.timeline);
            leader.map(|(n, node)| (n, node.name.clone()))
        });
        let Some((leader, from)) = leader else {
            return Err(TargetError::new(what, "no node takes writes"));
        };
        let settled = self.simulation.with(|state, _| {
            let node = state.nodes.get(n);
            leader == n || node.is_some_and(|node| node.streaming && node.upstream == Some(leader))
        });
        if !settled {
            self.fence(n, name);
            sleep(COPIES).await;
            self.simulation
                .change(|state, _| state.rewind(n, leader, false));
            self.start(n).await;
        }
        self.routes.fence(name, false);
        Ok(format!("{name} was cloned anew from {from}"))
    }

    /// Makes a node stream from the leader, whatever it was.
    pub(super) async fn rejoin(&self, n: usize, name: &str) -> Result<Rejoined, TargetError> {
        let what = format!("rejoin {name}");
        let (leader, settled) = self.simulation.with(|state, _| {
            let writable = state.nodes.iter().enumerate();
            let writable = writable.filter(|(_, node)| node.is_writable());
            let leader = writable
                .max_by_key(|(_, node)| node.timeline)
                .map(|(n, _)| n);
            let node = state.nodes.get(n);
            let streams = node.is_some_and(|node| node.streaming && node.upstream == leader);
            (leader, streams || leader == Some(n))
        });
        let Some(leader) = leader else {
            return Err(TargetError::new(what, "no node takes writes"));
        };
        if settled {
            self.routes.fence(name, false);
            return Ok(Rejoined {
                line: format!("{name} streams already"),
                bytes_alone: 0,
                rows_alone: Vec::new(),
            });
        }
        let cut = self.simulation.with(|state, _| {
            let node = state.nodes.get(n);
            node.is_some_and(|node| node.cut_from_peers)
        });
        if cut {
            return Err(TargetError::new(what, "it does not reach the other nodes"));
        }
        self.fence(n, name);
        sleep(REWINDS).await;
        let diverged = self.behaviour == Behaviour::ComesBackDiverged;
        let (bytes, rows, timeline) = self.simulation.change(|state, _| {
            let (bytes, rows) = state.rewind(n, leader, diverged);
            let timeline = state.nodes.get(n).map_or(0, |node| node.timeline);
            (bytes, rows, timeline)
        });
        self.start(n).await;
        self.routes.fence(name, false);
        Ok(Rejoined {
            line: format!("{name} was rewound and streams timeline {timeline}"),
            bytes_alone: bytes,
            rows_alone: rows.iter().map(|row| (row.writer, row.seq)).collect(),
        })
    }
}

fn is_down(state: &super::state::State, n: usize) -> bool {
    state.nodes.get(n).is_none_or(|node| node.up.is_none())
}

#[async_trait]
impl AgentActions for Hands {
    async fn promote(&self, node: &str) -> Result<(), TargetError> {
        let n = self.simulation.node(node)?;
        Self::promote(self, n, node).await
    }

    async fn follow(&self, standby: &str, primary: &str) -> Result<(), TargetError> {
        let standby = self.simulation.node(standby)?;
        Self::follow(self, standby, self.simulation.node(primary)?);
        Ok(())
    }

    async fn demote(&self, node: &str) -> Result<(), TargetError> {
        if self.behaviour == Behaviour::TwoPrimaries {
            let cause = "this stack takes no old primary down";
            return Err(TargetError::new(format!("demote {node}"), cause));
        }
        let n = self.simulation.node(node)?;
        let leads = self.simulation.with(|state, _| {
            let newest = state.nodes.iter().filter(|node| node.is_writable());
            let newest = newest.map(|node| node.timeline).max();
            let node = state.nodes.get(n);
            node.is_none_or(|node| !node.is_writable() || Some(node.timeline) == newest)
        });
        if leads {
            return Ok(());
        }
        sleep(SHUTS_DOWN).await;
        self.simulation
            .change(|state, now| state.shut_down(n, false, now));
        Ok(())
    }
}
