//! `stop`: PostgreSQL is shut down by its own means.

use super::Returns;
use super::powered_off::{self, TakesDown, TakingDown};
use crate::role::NodeRef;
use crate::target::{Capability, PowerOff};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl TakesDown for Stop {
    fn taking_down(&self) -> TakingDown<'_> {
        TakingDown {
            name: "stop",
            id: self.id.as_deref(),
            node: &self.node,
            needs: Capability::Power,
            returns: self.returns,
            how: match self.mode {
                StopMode::Fast => PowerOff::StopFast,
                StopMode::Immediate => PowerOff::StopImmediate,
            },
            deed: "stop a node",
            describe: |how, node| match how {
                PowerOff::StopImmediate => {
                    format!("stop {node}, immediate: no checkpoint, recovery at the next start")
                }
                _ => format!(
                    "stop {node}, fast: open transactions are rolled back, everything is written"
                ),
            },
            describe_undo: powered_off::describe_undo,
        }
    }
}
