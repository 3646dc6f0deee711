//! What each node is now. Whether its container runs at all is the engine's word; who leads among those that do is
//! the stack's.

use super::client::Container;
use super::docker_target::{DockerTarget, Node};
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, NodeSeen, Standing};
use crate::role::{Held, sql};
use crate::target::{Sight, Target as _, TargetError};
use async_trait::async_trait;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(1);

#[async_trait]
impl Sight for DockerTarget {
    async fn see(&self, clock: Clock, deadline: Duration) -> ClusterSeen {
        let asked = clock.now();
        let answers = self.nodes.iter().map(async |node| NodeSeen {
            name: node.facts.name.clone(),
            standing: self.standing(node, deadline).await,
        });
        let mut nodes: Vec<NodeSeen> = join_all(answers).await;
        self.stack.complete(&mut nodes);
        ClusterSeen {
            asked,
            declared: nodes.len(),
            nodes,
        }
    }
}

impl DockerTarget {
    /// All nodes, now.
    pub(super) async fn look(&self) -> ClusterSeen {
        self.see(Clock::start(), LOOK).await
    }

    /// The node that alone takes writes, for `what` is to be done with it.
    ///
    /// # Errors
    /// When no node does, or more than one.
    pub(super) fn only_primary(
        &self,
        what: &str,
        seen: &ClusterSeen,
    ) -> Result<&Node, TargetError> {
        match seen.primaries().collect::<Vec<_>>()[..] {
            [(name, _)] => self.node(name),
            [] => Err(TargetError::new(what, "no node takes writes")),
            _ => Err(TargetError::new(what, "several nodes take writes")),
        }
    }

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
        let left = until.saturating_duration_since(Instant::now());
        self.stack.standing(self, node, left).await
    }

    /// What PostgreSQL itself says that the node is, to whoever observes.
    pub(super) async fn by_sql(&self, node: &Node, deadline: Duration) -> Standing {
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
    pub(super) fn by_nodes(&self, mut standing: Standing) -> Standing {
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
