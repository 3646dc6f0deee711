//! `kill`: a node loses all its processes at once.

use super::Returns;
use super::powered_off::{self, TakesDown, TakingDown};
use crate::role::NodeRef;
use crate::target::{Capability, PowerOff};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl TakesDown for Kill {
    fn taking_down(&self) -> TakingDown<'_> {
        TakingDown {
            name: "kill",
            id: self.id.as_deref(),
            node: &self.node,
            needs: Capability::Power,
            returns: self.returns,
            how: PowerOff::Kill,
            deed: "kill a node",
            describe: |_, node| format!("kill {node}: all its processes at once"),
            describe_undo: powered_off::describe_undo,
        }
    }
}
