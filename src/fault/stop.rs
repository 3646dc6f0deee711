//! `stop`: PostgreSQL is shut down by its own means.

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

/// How PostgreSQL is shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// Open transactions are rolled back, everything is written.
    #[default]
    Fast,
    /// No checkpoint: recovery at the next start.
    Immediate,
}

/// PostgreSQL is shut down by its own means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// How: fast (the default) or immediate.
    #[serde(default)]
    pub mode: StopMode,
    /// When it comes back: on_undo (the default), in_turn, by_itself, or `{ after: 30s }`.
    #[serde(default)]
    pub returns: Returns,
}

#[async_trait]
impl Fault for Stop {
    fn name(&self) -> &'static str {
        "stop"
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
        let how = match self.mode {
            StopMode::Fast => "fast: open transactions are rolled back, everything is written",
            StopMode::Immediate => "immediate: no checkpoint, recovery at the next start",
        };
        format!("stop {node}, {how}{}", self.returns.describe())
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
        PoweredOff::prepare("stop", target, hit).await
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let power = target.power().ok_or_else(|| lacks("stop a node"))?;
        let how = match self.mode {
            StopMode::Fast => PowerOff::StopFast,
            StopMode::Immediate => PowerOff::StopImmediate,
        };
        self.returns.take_down(power, &hit.node, how).await
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
