//! `freeze`: processes of a node stand still; its sockets stay open.

use super::{Fault, Hit, facts_of, lacks};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, ProcessScope, Stillness, Target, TargetError};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreezeScope {
    /// The whole process tree.
    #[default]
    All,
    /// The postmaster alone: open sessions go on, new ones hang.
    Postmaster,
    /// The agent that decides about failover alone: the server goes on, and nobody looks after it.
    Agent,
}

/// Processes of a node stand still; its sockets stay open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// all (the default), postmaster or agent.
    #[serde(default)]
    pub scope: FreezeScope,
}

#[async_trait]
impl Fault for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        match self.scope {
            FreezeScope::All | FreezeScope::Postmaster => vec![Capability::Processes],
            FreezeScope::Agent => vec![Capability::Processes, Capability::Agents],
        }
    }
    fn describe(&self, node: &str) -> String {
        match self.scope {
            FreezeScope::All => format!("freeze {node}: all its processes stand still"),
            FreezeScope::Postmaster => {
                format!("freeze the postmaster of {node}: open sessions go on, new ones hang")
            }
            FreezeScope::Agent => {
                format!("freeze the failover agent of {node}: the server goes on without it")
            }
        }
    }
    fn describe_undo(&self, node: &str) -> String {
        format!("thaw {node}; kill and rejoin it where another node leads by then")
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("freeze a node"))?;
        let seen = processes.stillness(&hit.node, self.scope.processes());
        if seen.await? == Stillness::default() {
            let what = format!("freeze {}", hit.node);
            return Err(TargetError::new(what, "it has no such process now"));
        }
        Ok(Box::new(Frozen {
            hit: hit.clone(),
            scope: self.scope,
        }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("freeze a node"))?;
        processes.freeze(&hit.node, self.scope.processes()).await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("see a process"))?;
        let seen = processes.stillness(&hit.node, self.scope.processes());
        let Stillness { still, moving } = seen.await?;
        let all = still > 0 && moving == 0;
        Ok(all.then(|| format!("{still} of {still} processes stand still")))
    }
}

impl FreezeScope {
    fn processes(self) -> ProcessScope {
        match self {
            Self::All => ProcessScope::All,
            Self::Postmaster => ProcessScope::Postmaster,
            Self::Agent => ProcessScope::Agent,
        }
    }
}

/// A node whose processes stand still.
#[derive(Debug, Serialize, Deserialize)]
struct Frozen {
    hit: Hit,
    scope: FreezeScope,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = Frozen::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

impl Frozen {
    /// How many processes of the node stand still, whoever stopped them.
    async fn still(&self, target: &dyn Target) -> Result<usize, TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("see a process"))?;
        let seen = processes.stillness(&self.hit.node, ProcessScope::All);
        Ok(seen.await?.still)
    }
}

#[async_trait]
impl Undo for Frozen {
    fn fault(&self) -> &'static str {
        "freeze"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        Ok(match self.still(target).await? {
            0 => in_place::as_before(target, node).await?,
            still => Standing::Missing(format!("{still} processes of {node} stand still")),
        })
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        come_back(target, &self.hit, Lift::Thaw, around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        end(target, &self.hit.node, Lift::Thaw).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        Ok(match self.still(target).await? {
            0 => Standing::Back(format!("no process of {node} stands still")),
            still => Standing::Missing(format!("{still} processes of {node} stand still")),
        })
    }
}
