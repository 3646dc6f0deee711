//! `cut`: a node is cut off; nothing is refused, packets are lost.

use super::lost_packets::{self, LostPackets};
use super::{Fault, Hit, facts_of, lacks};
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::role::NodeRef;
use crate::target::{Capability, CutFrom, Direction, Others, Target, TargetError};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Why a cut of one way is refused, and what to do.
pub const ONE_WAY: &str = "one way alone can be cut between a node and peers or dcs: write from: peers or from: dcs, or \
     leave direction out";

/// From whom a node is cut, as a drill says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutSide {
    /// Clients and the router in front of the node.
    Clients,
    /// The other nodes and whoever decides about failover; with `direction: in` or `out` the other nodes alone.
    Peers,
    /// Both.
    All,
    /// The members of the store that holds the leader key (etcd) and nobody else.
    Dcs,
}

impl From<CutFrom> for CutSide {
    fn from(from: CutFrom) -> Self {
        match from {
            CutFrom::Clients => Self::Clients,
            CutFrom::Peers => Self::Peers,
            CutFrom::All => Self::All,
        }
    }
}

impl CutSide {
    /// What is cut by networks; the rest is cut by packets.
    fn networks(self, direction: Direction) -> Option<CutFrom> {
        match (self, direction) {
            (Self::Clients, _) => Some(CutFrom::Clients),
            (Self::All, _) => Some(CutFrom::All),
            (Self::Peers, Direction::Both) => Some(CutFrom::Peers),
            (Self::Peers, _) | (Self::Dcs, _) => None,
        }
    }

    fn in_words(self, direction: Direction) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Peers => "the other nodes",
            Self::All if direction == Direction::Both => "clients and the other nodes",
            Self::All => "everybody",
            Self::Dcs => "the store that holds the leader key",
        }
    }
}

/// A node is cut off; nothing is refused, packets are lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// clients, peers, all (the default) or dcs.
    #[serde(default = "all")]
    pub from: CutSide,
    /// both (the default), in or out: one way alone, from peers and from dcs.
    #[serde(default)]
    pub direction: Direction,
}

fn all() -> CutSide {
    CutSide::All
}

impl Cut {
    /// Whether its sides can be cut its way: who all the clients are is known to nobody, and their packets are lost
    /// only with their network.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.direction == Direction::Both || matches!(self.from, CutSide::Peers | CutSide::Dcs)
    }

    /// Whether it loses what passes one way between its node and the others, and needs that the other way passes.
    #[must_use]
    pub fn is_one_way_between_nodes(&self) -> bool {
        self.direction != Direction::Both && self.from == CutSide::Peers
    }

    /// Who is on the other side of lost packets.
    fn others(&self) -> Others {
        match self.from {
            CutSide::Dcs => Others::Dcs,
            _ => Others::Nodes,
        }
    }
}

#[async_trait]
impl Fault for Cut {
    fn name(&self) -> &'static str {
        "cut"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        let mut needs = match self.from {
            CutSide::Clients => vec![Capability::CutClients],
            CutSide::Peers if self.direction == Direction::Both => vec![Capability::CutPeers],
            CutSide::Peers => Vec::new(),
            CutSide::All => vec![Capability::CutAll],
            CutSide::Dcs => vec![Capability::CutDcs],
        };
        if self.direction != Direction::Both {
            needs.push(Capability::CutOneWay);
        }
        needs
    }
    fn describe(&self, node: &str) -> String {
        let from = self.from.in_words(self.direction);
        match self.direction {
            Direction::Both => {
                format!("cut {node} from {from}: nothing is refused, packets are lost")
            }
            Direction::In => format!("lose what {from} send to {node}: nothing is refused"),
            Direction::Out => format!("lose what {node} sends to {from}: nothing is refused"),
        }
    }
    fn describe_undo(&self, node: &str) -> String {
        format!("join {node}; where another node leads by then, take it down first and rejoin it")
    }
    fn limit(&self) -> Duration {
        match self.from.networks(self.direction) {
            Some(_) => Duration::from_secs(10),
            // At each end somebody must be let in first, who sends and listens.
            None => Duration::from_secs(30),
        }
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let what = || format!("cut {}", hit.node);
        if !self.is_possible() {
            return Err(TargetError::new(what(), ONE_WAY));
        }
        let Some(from) = self.from.networks(self.direction) else {
            let packets = target
                .packets()
                .ok_or_else(|| lacks("lose single packets"))?;
            let losses = packets.between(&hit.node, self.others(), self.direction);
            return Ok(Box::new(LostPackets {
                hit: hit.clone(),
                losses: losses.await?,
            }));
        };
        if let Some(side) = first_unreached(target, &hit.node, from, true).await? {
            let cause = format!("{side} do not reach it as it is");
            return Err(TargetError::new(what(), cause));
        }
        Ok(Box::new(CutOff {
            hit: hit.clone(),
            from,
        }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        match self.from.networks(self.direction) {
            Some(from) => {
                let network = target.network().ok_or_else(|| lacks("cut a node"))?;
                network.cut(&hit.node, from).await
            }
            None => lost_packets::lose(target, undo).await,
        }
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let node = &hit.node;
        let Some(from) = self.from.networks(self.direction) else {
            return lost_packets::effect(target, undo).await;
        };
        if first_unreached(target, node, from, false).await?.is_some() {
            return Ok(None);
        }
        // A dead node is not reached either: only one that lives behind the cut proves the cut.
        let network = target.network().ok_or_else(|| lacks("cut a node"))?;
        let lives = match network.lives(node).await? {
            Some(lives) => lives,
            None => {
                let seen = in_place::look(target).await;
                !matches!(seen.node(node), None | Some(NodeStanding::Silent { .. }))
            }
        };
        Ok(lives.then(|| format!("{node} lives, and nothing reaches it from {}", sides(from))))
    }
}

fn sides(from: CutFrom) -> &'static str {
    match from {
        CutFrom::Clients => "clients",
        CutFrom::Peers => "peers",
        CutFrom::All => "clients or peers",
    }
}

/// The first side of a cut whose traffic does not behave as `expected`.
async fn first_unreached(
    target: &dyn Target,
    node: &str,
    from: CutFrom,
    expected: bool,
) -> Result<Option<&'static str>, TargetError> {
    let network = target.network().ok_or_else(|| lacks("cut a node"))?;
    let asked: &[CutFrom] = match from {
        CutFrom::Clients => &[CutFrom::Clients],
        CutFrom::Peers => &[CutFrom::Peers],
        CutFrom::All => &[CutFrom::Clients, CutFrom::Peers],
    };
    for side in asked {
        if network.reaches(node, *side).await? != expected {
            return Ok(Some(sides(*side)));
        }
    }
    Ok(None)
}

/// A node that was cut off.
#[derive(Debug, Serialize, Deserialize)]
struct CutOff {
    hit: Hit,
    from: CutFrom,
}

/// A journal knows both kinds of cut by one name; their facts tell them apart.
pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    if let Some(undo) = lost_packets::from_facts(facts) {
        return Some(undo);
    }
    let undo = CutOff::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

#[async_trait]
impl Undo for CutOff {
    fn fault(&self) -> &'static str {
        "cut"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        Ok(
            match first_unreached(target, node, self.from, true).await? {
                Some(side) => Standing::Missing(format!("{side} do not reach {node}")),
                None => in_place::as_before(target, node).await?,
            },
        )
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        come_back(target, &self.hit, Lift::Join, around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        end(target, &self.hit.node, Lift::Join).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        Ok(
            match first_unreached(target, node, self.from, true).await? {
                Some(side) => Standing::Missing(format!("{side} do not reach {node}")),
                None => Standing::Back(format!("{} reach {node} again", sides(self.from))),
            },
        )
    }
}
