//! `power_off`: the machine under a node loses its power, and everything on it with it.

use super::powered_off::{self, PoweredOff};
use super::{Fault, Hit, Returns, lacks};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, PowerOff as How, Target, TargetError};
use crate::undo::Undo;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The machine under a node loses its power. In containers each node is a machine of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerOff {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node whose machine is hit.
    pub node: NodeRef,
    /// When it comes back: on_undo (the default), in_turn, or `{ after: 30s }`.
    #[serde(default)]
    pub returns: Returns,
}

#[async_trait]
impl Fault for PowerOff {
    fn name(&self) -> &'static str {
        "power_off"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        let returns = self.returns.needs();
        [Capability::Machines].into_iter().chain(returns).collect()
    }
    fn describe(&self, node: &str) -> String {
        format!("power off the machine of {node}{}", self.returns.describe())
    }
    fn describe_undo(&self, node: &str) -> String {
        format!("power on the machine of {node}; rejoin it where another node leads by then")
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
        PoweredOff::prepare("power_off", target, hit).await
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let power = target.power().ok_or_else(|| lacks("power off a machine"))?;
        self.returns.take_down(power, &hit.node, How::Kill).await
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
