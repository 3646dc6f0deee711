//! How the nodes were found, as the journal keeps it: enough for another process to reach them again and to put
//! back what was changed on them. No password.

use super::client::{Attachment, Policy};
use super::place::Place;
use super::stack::StackKind;
use crate::target::Part;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The cluster as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Where its engine is.
    pub engine: Place,
    /// By which that engine is told from another one at the same place.
    pub engine_id: String,
    /// Its nodes, in declared order.
    pub nodes: Vec<NodeFacts>,
    /// Networks by which clients, and the other nodes, reach a node, by their full names.
    pub networks: Option<(String, String)>,
    /// Who leads and fails over.
    #[serde(default)]
    pub stack: StackKind,
    /// Port of Patroni's REST interface inside a container; without Patroni PostgreSQL's own.
    pub patroni_port: u16,
    /// PostgreSQL's port inside a container.
    pub port: u16,
    /// Name of the container that keeps other drills away.
    pub lock: String,
    /// What stands beside the nodes, in declared order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartFacts>,
}

/// A member of a part as it was found; as a node it is a member of no cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFacts {
    /// Of what.
    pub part: Part,
    /// Its container.
    pub container: NodeFacts,
}

/// One node as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFacts {
    /// Its name in drills and reports.
    pub name: String,
    /// The container's id.
    pub id: String,
    /// The container's name.
    pub container: String,
    /// The name under which it streams: with Patroni its member's.
    pub member: String,
    /// Its restart policy.
    pub policy: Policy,
    /// How it was attached to each network.
    pub networks: BTreeMap<String, Attachment>,
}

impl Facts {
    /// By which an open journal on the same containers is found again.
    #[must_use]
    pub fn identity(&self) -> String {
        let ids = self.nodes.iter().map(|node| node.id.as_str());
        identity(&self.engine_id, ids)
    }

    /// The networks that traffic of clients, or of the other nodes, comes by at a node.
    #[must_use]
    pub fn networks_of(&self, node: &NodeFacts, from: crate::target::CutFrom) -> Vec<String> {
        use crate::target::CutFrom;
        match (&self.networks, from) {
            (None, _) | (_, CutFrom::All) => node.networks.keys().cloned().collect(),
            (Some((clients, _)), CutFrom::Clients) => vec![clients.clone()],
            (Some((_, peers)), CutFrom::Peers) => vec![peers.clone()],
        }
    }
}

/// The identity of the cluster that these containers are.
#[must_use]
pub(super) fn identity<'a>(engine: &str, containers: impl Iterator<Item = &'a str>) -> String {
    let mut ids: Vec<&str> = containers.map(short).collect();
    ids.sort_unstable();
    format!("docker:{engine}:{}", ids.join(","))
}

/// The first twelve digits of an id, as the engine's own programs print it.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::CutFrom;

    fn node(name: &str, id: &str) -> NodeFacts {
        let networks =
            ["front", "back", "third"].map(|name| (name.to_owned(), Attachment::default()));
        NodeFacts {
            name: name.to_owned(),
            id: id.repeat(32),
            container: format!("demo-{name}-1"),
            member: name.to_owned(),
            policy: Policy::none(),
            networks: networks.into_iter().collect(),
        }
    }

    fn facts(nodes: Vec<NodeFacts>) -> Facts {
        Facts {
            engine: Place::Socket("/var/run/docker.sock".into()),
            engine_id: "ENGINE".to_owned(),
            nodes,
            networks: Some(("front".to_owned(), "back".to_owned())),
            stack: StackKind::Patroni,
            patroni_port: 8008,
            port: 5432,
            lock: "firedrill-lock-0".to_owned(),
            parts: vec![PartFacts {
                part: Part::Dcs,
                container: node("etcd-1", "3d"),
            }],
        }
    }

    #[test]
    fn the_order_of_the_nodes_is_no_part_of_their_identity() {
        let there = facts(vec![node("a", "1f"), node("b", "2e")]);
        let back = facts(vec![node("b", "2e"), node("a", "1f")]);
        assert_eq!(there.identity(), "docker:ENGINE:1f1f1f1f1f1f,2e2e2e2e2e2e");
        assert_eq!(there.identity(), back.identity());
        assert_ne!(there.identity(), facts(vec![node("a", "1f")]).identity());
    }

    #[test]
    fn a_journal_gives_back_what_was_written() {
        let facts = facts(vec![node("a", "1f")]);
        let text = serde_json::to_value(&facts).unwrap();
        assert_eq!(serde_json::from_value::<Facts>(text).unwrap(), facts);
    }

    #[test]
    fn a_cut_takes_off_the_networks_that_the_file_names() {
        let facts = facts(vec![node("a", "1f")]);
        let of = |from| facts.networks_of(&facts.nodes[0], from);
        assert_eq!(of(CutFrom::Clients), ["front"]);
        assert_eq!(of(CutFrom::Peers), ["back"]);
        assert_eq!(of(CutFrom::All), ["back", "front", "third"]);
    }
}
