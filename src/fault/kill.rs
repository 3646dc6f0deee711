//! `kill`: a node loses all its processes at once.

use super::powered_off::{self, PoweredOff};
use super::{Fault, Hit, Returns, lacks};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, PowerOff, Target, TargetError};
use crate::undo::Undo;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A node loses all its processes at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// When it comes back: on_undo (the default), in_turn, by_itself, or `{ after: 30s }`.
    #[serde(default)]
    pub returns: Returns,
}

#[async_trait]
impl Fault for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        let returns = self.returns.needs();
        [Capability::Power].into_iter().chain(returns).collect()
    }
    fn describe(&self, node: &str) -> String {
        format!(
            "kill {node}: all its processes at once{}",
            self.returns.describe()
        )
    }
    fn describe_undo(&self, node: &str) -> String {
        powered_off::describe_undo(node)
    }
    fn returns_after(&self) -> Option<Duration> {
        self.returns.after()
    }
    fn returns_in_turn(&self) -> bool {
        self.returns.in_turn()
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        PoweredOff::prepare("kill", target, hit).await
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let power = target.power().ok_or_else(|| lacks("kill a node"))?;
        self.returns
            .take_down(power, &hit.node, PowerOff::Kill)
            .await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        powered_off::effect(target, &hit.node, undo).await
    }
}
