//! A cluster in containers as a target. How it is taken is in `taking.rs`.
//!
//! What faults and recovery ask of it is in `power.rs`, `processes.rs`, `network.rs`, `packets.rs`, `slowing.rs`,
//! `pressure.rs` and `recovery.rs`.

use super::access::{self, Access};
use super::addresses::Addresses;
use super::client::{Container, Engine, EngineError};
use super::facts::{Facts, NodeFacts};
use super::hands::Hands;
use super::inside::{self, Visitors};
use super::routing::Routing;
use super::stack::Stack;
use super::{lock, watcher};
use crate::event::{Emitter, TargetRecord};
use crate::sql::Address;
use crate::target::local::emitter_slot::EmitterSlot;
use crate::target::{
    Capability, Endpoint, Failover, Network, Packets, Part, Parts, Power, Pressure, Processes,
    Recovery, Sight, Slowing, Target, TargetError,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// How long the lock may take to be given back.
const CLOSE: Duration = Duration::from_secs(30);

/// A cluster in containers that is being drilled, or put back after a drill.
#[derive(Debug)]
pub struct DockerTarget {
    pub(super) engine: Engine,
    pub(super) facts: Facts,
    pub(super) nodes: Vec<Node>,
    /// What stands beside them.
    pub(super) parts: Vec<(Part, Node)>,
    pub(super) emitter: EmitterSlot,
    pub(super) stack: Arc<dyn Stack>,
    pub(super) run: String,
    pub(super) capabilities: Vec<Capability>,
    /// Why it has not what it could have.
    pub(super) lacks: Vec<(Capability, String)>,
    pub(super) hands: Hands,
    pub(super) record: Option<TargetRecord>,
    pub(super) ways: Option<Ways>,
    pub(super) visitors: tokio::sync::Mutex<Option<Visitors>>,
    pub(super) watching: Option<watcher::Watcher>,
    pub(super) routing: Option<Routing>,
    /// How often something was to press on a node.
    pub(super) marks: AtomicU32,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    /// How it was found.
    pub(super) facts: NodeFacts,
    /// Where it is now.
    pub(super) addresses: Arc<Addresses>,
    /// One deed at a time.
    pub(super) operation: tokio::sync::Mutex<()>,
}

/// The ways that need a login.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) writer: Address,
    pub(super) reader: Option<Address>,
    /// For each node: as the probe, as whoever looks, as whoever acts.
    pub(super) nodes: BTreeMap<String, [Address; 3]>,
    /// The name of the probe's role.
    pub(super) probe: String,
    pub(super) _sockets: Access,
}

impl DockerTarget {
    /// A node by its name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(super) fn node(&self, name: &str) -> Result<&Node, TargetError> {
        self.nodes
            .iter()
            .find(|node| node.facts.name == name)
            .ok_or_else(|| {
                TargetError::new(format!("find {name}"), "there is no node of this name")
            })
    }

    /// What the engine says of a node's container now; where it is, is remembered.
    ///
    /// # Errors
    /// The engine's.
    pub(super) async fn inspect(&self, node: &Node) -> Result<Container, EngineError> {
        let container = self.engine.inspect(&node.facts.id).await?;
        node.addresses.set(addresses(&container.networks));
        Ok(container)
    }

    /// The same, in the words of a target.
    ///
    /// # Errors
    /// When the engine does not say, or the container is gone.
    pub(super) async fn look_at(&self, node: &Node) -> Result<Container, TargetError> {
        self.inspect(node).await.map_err(|error| {
            let what = format!("look at {}", node.facts.name);
            match error.is_missing() {
                true => TargetError::new(
                    what,
                    format!(
                        "its container {} ({}) was removed; a new one of the same name is another node",
                        node.facts.container,
                        super::facts::short(&node.facts.id)
                    ),
                ),
                false => TargetError::new(what, error),
            }
        })
    }

    fn way(&self, node: &str, of: impl Fn(&[Address; 3]) -> &Address) -> Address {
        let ways = self.ways.as_ref().and_then(|ways| ways.nodes.get(node));
        ways.map_or_else(nowhere, |ways| of(ways).clone())
    }

    /// The name of the role that probes; empty where nobody logs in.
    pub(super) fn probe_role(&self) -> &str {
        self.ways.as_ref().map_or("", |ways| &ways.probe)
    }

    /// Whether nodes can be asked by SQL.
    pub(super) fn has_ways(&self) -> bool {
        self.ways.is_some()
    }

    /// The name of a member's node; the member's own where it is none of ours.
    pub(super) fn node_of(&self, member: &str) -> String {
        let found = self.nodes.iter().find(|node| node.facts.member == member);
        found.map_or_else(|| member.to_owned(), |node| node.facts.name.clone())
    }
}

/// Addresses by network, without those that are not there now.
pub(super) fn addresses(
    networks: &BTreeMap<String, super::client::Attachment>,
) -> BTreeMap<String, String> {
    let there = networks
        .iter()
        .filter(|(_, network)| !network.address.is_empty());
    there
        .map(|(name, network)| (name.clone(), network.address.clone()))
        .collect()
}

/// Where nobody listens, for a name that no node has and where nobody logs in.
fn nowhere() -> Address {
    Address {
        host: "127.0.0.1".to_owned(),
        port: 0,
        user: String::new(),
        password: None,
        database: String::new(),
        application: String::new(),
        simulated: None,
        way: None,
    }
}

#[async_trait]
impl Target for DockerTarget {
    fn record(&self) -> TargetRecord {
        self.record.clone().unwrap_or_else(|| TargetRecord {
            kind: "docker".to_owned(),
            identity: self.facts.identity(),
            versions: Vec::new(),
            timers: Vec::new(),
            durability: Vec::new(),
            stand_ins: Vec::new(),
            path: "none: it is only put back".to_owned(),
            control_period_ms: 0,
        })
    }

    fn nodes(&self) -> Vec<String> {
        self.nodes
            .iter()
            .map(|node| node.facts.name.clone())
            .collect()
    }

    fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    fn lacks(&self, capability: Capability) -> Option<String> {
        let mut lacks = self.lacks.iter();
        let found = lacks.find(|(lacking, _)| *lacking == capability);
        found.map(|(_, why)| why.clone())
    }

    fn failover(&self) -> Failover {
        self.stack.failover()
    }

    fn control_period(&self) -> Duration {
        self.stack.control_period()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let Some(ways) = &self.ways else {
            return Vec::new();
        };
        let writer = Endpoint {
            name: "writer",
            address: ways.writer.clone(),
        };
        let reader = ways.reader.iter().map(|address| Endpoint {
            name: "reader",
            address: address.clone(),
        });
        std::iter::once(writer).chain(reader).collect()
    }

    fn probe_access(&self, node: &str) -> Address {
        self.way(node, |[probe, _, _]| probe)
    }

    fn act_access(&self, node: &str) -> Address {
        self.way(node, |[_, _, act]| act)
    }

    fn observe_access(&self, node: &str) -> Address {
        self.way(node, |[_, observe, _]| observe)
    }

    fn reached_at(&self, node: &str) -> (String, u16) {
        let first = self.clients_network();
        let at = self
            .node(node)
            .ok()
            .and_then(|node| node.addresses.all(first).into_iter().next());
        (at.unwrap_or_default(), self.facts.port)
    }

    async fn history(&self, node: &str, timeline: u32) -> Option<Vec<u32>> {
        self.stack.history(self, node, timeline).await
    }

    fn tell(&self, events: Emitter) {
        self.emitter.set(events);
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn processes(&self) -> Option<&dyn Processes> {
        Some(self)
    }

    fn network(&self) -> Option<&dyn Network> {
        Some(self)
    }

    fn parts(&self) -> Option<&dyn Parts> {
        (!self.parts.is_empty()).then_some(self)
    }

    fn packets(&self) -> Option<&dyn Packets> {
        Some(self)
    }

    fn pressure(&self) -> Option<&dyn Pressure> {
        Some(self)
    }

    fn slowing(&self) -> Option<&dyn Slowing> {
        Some(self)
    }

    fn recovery(&self) -> &dyn Recovery {
        self
    }

    fn sight(&self) -> Option<&dyn Sight> {
        Some(self)
    }

    fn streams_as(&self, node: &str) -> String {
        self.node(node)
            .map_or_else(|_| node.to_owned(), |node| node.facts.member.clone())
    }

    async fn altered(&self, node: &str) -> Result<Option<String>, TargetError> {
        let node = self.node(node)?;
        let now = self.look_at(node).await?;
        let (name, before) = (&node.facts.name, &node.facts.policy);
        if now.policy != *before {
            return Ok(Some(format!(
                "the restart policy of {name} is {} and was {}",
                now.policy.name, before.name
            )));
        }
        if let Some(what) = super::network::missing(&node.facts, &now) {
            return Ok(Some(what));
        }
        let forgotten = self.forgotten(node, &now).await;
        Ok((!forgotten.is_empty()).then(|| {
            format!(
                "{name} has forgotten names of its /etc/hosts: {}",
                forgotten.join(", ")
            )
        }))
    }

    async fn close(&self) -> Result<String, TargetError> {
        // Whether or not all could be brought back, nobody is kept out of the cluster for it.
        let left = self.stack.leave(self).await;
        let closed = self.give_back().await;
        left.and(closed)
    }
}

impl DockerTarget {
    /// Takes away what firedrill looked from, and gives the lock back.
    async fn give_back(&self) -> Result<String, TargetError> {
        // First, so that nobody is in the nodes' networks when the lock says that the run is over.
        self.hands.close();
        match self.visitors.lock().await.take() {
            Some(mut visitors) => visitors.close().await?,
            None => inside::sweep(&self.engine, &self.run).await?,
        }
        // They lead nowhere now. Before the journal says that all is done: nobody would look for them after that.
        access::sweep(&self.run)?;
        let given = lock::give_back(&self.engine, &self.facts.lock, &self.run);
        match tokio::time::timeout(CLOSE, given).await {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(error)) => Err(TargetError::new("give back the lock on the cluster", error)),
            Err(_) => Err(TargetError::new(
                "give back the lock on the cluster",
                "the engine does not answer",
            )),
        }
    }
}
