//! `power_off`: the machine under a node loses its power, and everything on it with it.

use super::Returns;
use super::powered_off::{TakesDown, TakingDown};
use crate::role::NodeRef;
use crate::target::{Capability, PowerOff as How};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine under a node loses its power. In containers each node is a machine of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerOff {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node whose machine is hit.
    pub node: NodeRef,
    /// When it comes back: on_undo (the default), in_turn, by_itself, or `{ after: 30s }`.
    #[serde(default)]
    pub returns: Returns,
}

impl TakesDown for PowerOff {
    fn taking_down(&self) -> TakingDown<'_> {
        TakingDown {
            name: "power_off",
            id: self.id.as_deref(),
            node: &self.node,
            needs: Capability::Machines,
            returns: self.returns,
            how: How::Kill,
            deed: "power off a machine",
            describe: |_, node| format!("power off the machine of {node}"),
            describe_undo: |node| {
                format!(
                    "power on the machine of {node}; rejoin it where another node leads by then"
                )
            },
        }
    }
}
