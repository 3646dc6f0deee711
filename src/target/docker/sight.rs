//! Who leads, by the word of each node's Patroni, which asks PostgreSQL for every answer. It needs no password,
//! so that a run can be put back by anybody who may use the engine. Where Patroni is silent, PostgreSQL is asked
//! itself, if somebody can log in.

use super::client::Container;
use super::docker_target::{DockerTarget, Node};
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, NodeSeen, Standing};
use crate::role::{Held, patroni, sql};
use crate::target::{Sight, Target as _};
use async_trait::async_trait;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait]
impl Sight for DockerTarget {
    async fn see(&self, clock: Clock, deadline: Duration) -> ClusterSeen {
        let asked = clock.now();
        let answers = self.nodes.iter().map(async |node| NodeSeen {
            name: node.facts.name.clone(),
            standing: self.standing(node, deadline).await,
        });
        let nodes: Vec<NodeSeen> = join_all(answers).await;
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
        if self.has_ways() && !left().is_zero() {
            let mut held = Held::new(self.observe_access(&node.facts.name));
            let told = sql::ask_standing(&mut held, &sql::short_statement(), left()).await;
            if !matches!(told, Standing::Silent { .. }) {
                return told;
            }
        }
        silent(why)
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

/// Why nobody in a container can answer.
fn unable(container: &Container) -> Option<String> {
    if !container.running {
        return Some(format!("its container ended ({})", container.exit_code));
    }
    container
        .paused
        .then(|| "its container is paused".to_owned())
}
