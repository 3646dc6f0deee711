//! Who leads, by the word of each node's Patroni, which asks PostgreSQL for every answer. It needs no password,
//! so that a run can be put back by anybody who may use the engine. Where Patroni is silent, PostgreSQL is asked
//! itself, if somebody can log in.

use super::client::Container;
use super::docker_target::{DockerTarget, Node};
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use crate::role::{Held, patroni, sql};
use crate::target::{Sight, Target as _};
use async_trait::async_trait;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// How long a login is waited for once Patroni has answered.
const BESIDE: Duration = Duration::from_millis(300);

#[async_trait]
impl Sight for DockerTarget {
    async fn see(&self, clock: Clock, deadline: Duration) -> ClusterSeen {
        let asked = clock.now();
        let answers = self.nodes.iter().map(async |node| NodeSeen {
            name: node.facts.name.clone(),
            standing: self.standing(node, deadline).await,
        });
        let mut nodes: Vec<NodeSeen> = join_all(answers).await;
        fill_in_timelines(&mut nodes);
        ClusterSeen {
            asked,
            declared: nodes.len(),
            nodes,
        }
    }
}

impl DockerTarget {
    /// What one node is now.
    pub(super) async fn standing(&self, node: &Node, deadline: Duration) -> Standing {
        let silent = |why: String| Standing::Silent { why };
        let until = Instant::now() + deadline;
        let container = match tokio::time::timeout(deadline, self.inspect(node)).await {
            Ok(Ok(container)) => container,
            Ok(Err(error)) if error.is_missing() => {
                return silent("its container was removed".to_owned());
            }
            Ok(Err(error)) => return silent(format!("the engine does not say: {error}")),
            Err(_) => return silent("the engine does not answer".to_owned()),
        };
        if let Some(why) = unable(&container) {
            return silent(why);
        }
        let left = || until.saturating_duration_since(Instant::now());
        if !self.has_ways() {
            return self.by_patroni(node, left()).await;
        }
        let by_sql = self.by_sql(node, left());
        tokio::pin!(by_sql);
        let mut told = None;
        let patroni = {
            let by_patroni = self.by_patroni(node, left());
            tokio::pin!(by_patroni);
            loop {
                tokio::select! {
                    said = &mut by_patroni => break said,
                    said = &mut by_sql, if told.is_none() => told = Some(said),
                }
            }
        };
        let postgresql = match told {
            Some(told) => told,
            // Where Patroni has answered, a login that hangs is not waited for to the end.
            None => {
                let wait = match patroni {
                    Standing::Silent { .. } => left(),
                    _ => left().min(BESIDE),
                };
                let late = || silent("no answer by SQL".to_owned());
                tokio::time::timeout(wait, by_sql)
                    .await
                    .unwrap_or_else(|_| late())
            }
        };
        together(patroni, postgresql)
    }

    /// What the node's Patroni says that it is.
    async fn by_patroni(&self, node: &Node, deadline: Duration) -> Standing {
        let until = Instant::now() + deadline;
        let left = || until.saturating_duration_since(Instant::now());
        let (first, port) = (self.clients_network(), self.facts.patroni_port);
        let mut why = "it is on no network".to_owned();
        for address in node.addresses.all(first) {
            match patroni::node(&address, port, left()).await {
                Ok(said) if said.member != node.facts.member => {
                    why = format!("at its address answers {}", said.member);
                }
                Ok(said) => match self.by_nodes(said.standing) {
                    Standing::Silent { why: said } => why = said,
                    told => return told,
                },
                Err(error) => why = error,
            }
        }
        Standing::Silent { why }
    }

    /// What PostgreSQL itself says that the node is.
    async fn by_sql(&self, node: &Node, deadline: Duration) -> Standing {
        let mut held = Held::new(self.observe_access(&node.facts.name));
        let told = sql::ask_standing(&mut held, &sql::whole_statement(), deadline).await;
        self.by_nodes(told)
    }

    /// The network by which a node is asked first.
    pub(super) fn clients_network(&self) -> Option<&str> {
        self.facts
            .networks
            .as_ref()
            .map(|(clients, _)| clients.as_str())
    }

    /// Standbys by the names of their nodes.
    fn by_nodes(&self, mut standing: Standing) -> Standing {
        if let Standing::Primary { standbys, .. } = &mut standing {
            for row in standbys {
                row.name = self.node_of(&row.name);
            }
        }
        standing
    }
}

/// One node by both: PostgreSQL's own words have more in them, and where the two differ it takes writes if either
/// says so, because what is taken for a standby may be let go.
fn together(patroni: Standing, postgresql: Standing) -> Standing {
    match (patroni, postgresql) {
        (patroni, Standing::Silent { .. }) => patroni,
        (patroni @ Standing::Primary { .. }, Standing::Standby { .. }) => patroni,
        (_, postgresql) => postgresql,
    }
}

/// Patroni learns a standby's timeline over a replication connection to itself, which many clusters do not let in.
/// A standby that streams, and is listed as streaming by the one primary that there is, streams its timeline: a
/// primary sends an older one only up to where that ended.
fn fill_in_timelines(nodes: &mut [NodeSeen]) {
    let primaries = nodes.iter().filter_map(|node| match &node.standing {
        Standing::Primary {
            timeline, standbys, ..
        } => Some((*timeline, standbys.clone())),
        _ => None,
    });
    let [(leads, listed)] = &primaries.collect::<Vec<_>>()[..] else {
        return;
    };
    for node in nodes {
        let is_listed = |row: &StandbySeen| row.name == node.name && row.state == "streaming";
        if let Standing::Standby {
            timeline: timeline @ None,
            streaming: true,
            ..
        } = &mut node.standing
            && listed.iter().any(is_listed)
        {
            *timeline = Some(*leads);
        }
    }
}

/// Why nobody in a container can answer.
fn unable(container: &Container) -> Option<String> {
    if !container.running {
        return Some(format!("its container ended ({})", container.exit_code));
    }
    container
        .paused
        .then(|| "its container is paused".to_owned())
}

#[cfg(test)]
#[path = "sight_tests.rs"]
mod tests;
