//! `cut`: a node is cut off; nothing is refused, packets are lost.

use super::{Fault, Hit, facts_of, lacks};
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::role::NodeRef;
use crate::target::{Capability, CutFrom, Target, TargetError};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A node is cut off; nothing is refused, packets are lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// clients, peers or all (the default).
    #[serde(default = "all")]
    pub from: CutFrom,
}

fn all() -> CutFrom {
    CutFrom::All
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
        match self.from {
            CutFrom::Clients => vec![Capability::CutClients],
            CutFrom::Peers => vec![Capability::CutPeers],
            CutFrom::All => vec![Capability::CutAll],
        }
    }
    fn describe(&self, node: &str) -> String {
        let from = match self.from {
            CutFrom::Clients => "clients",
            CutFrom::Peers => "the other nodes",
            CutFrom::All => "clients and the other nodes",
        };
        format!("cut {node} from {from}: nothing is refused, packets are lost")
    }
    fn describe_undo(&self, node: &str) -> String {
        format!("join {node}; where another node leads by then, take it down first and rejoin it")
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        if let Some(side) = first_unreached(target, &hit.node, self.from, true).await? {
            let what = format!("cut {}", hit.node);
            let cause = format!("{side} do not reach it as it is");
            return Err(TargetError::new(what, cause));
        }
        Ok(Box::new(CutOff {
            hit: hit.clone(),
            from: self.from,
        }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let network = target.network().ok_or_else(|| lacks("cut a node"))?;
        network.cut(&hit.node, self.from).await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let node = &hit.node;
        if first_unreached(target, node, self.from, false)
            .await?
            .is_some()
        {
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
        Ok(lives.then(|| {
            format!(
                "{node} lives, and nothing reaches it from {}",
                sides(self.from)
            )
        }))
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

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
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
