//! `fill_disk`: the disk that a node's data lie on is full.

use super::Fault;
use super::pressed::presses;
use crate::drill::identity_file::Size;
use crate::figures;
use crate::role::NodeRef;
use crate::target::{Pressed, Pressure, TargetError, Wanted, Weight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The disk that a node's data lie on is full: one file of firedrill's takes what was free.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FillDisk {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// The file is no larger than this. Where more is free, nothing is filled and the step is refused.
    pub at_most: Size,
    /// How much is left free; nothing without it.
    #[serde(default)]
    pub leave: Option<Size>,
}

impl FillDisk {
    fn leave(&self) -> u64 {
        self.leave.map_or(0, Size::as_bytes)
    }

    fn wanted(&self) -> Wanted {
        Wanted::Fill {
            at_most: self.at_most.as_bytes(),
            leave: self.leave(),
        }
    }

    fn in_words(&self, node: &str) -> String {
        let left = match self.leave {
            Some(leave) => format!("until {leave} is free"),
            None => "until nothing is free".to_owned(),
        };
        let at_most = self.at_most;
        format!("fill the disk under the data of {node} {left}: one file of at most {at_most}")
    }

    fn undo_in_words(node: &str) -> String {
        format!(
            "remove that file; where {node} is down, start it or rejoin it behind whoever leads"
        )
    }

    /// A file does not go away by itself: without its space nothing else of the node does.
    fn within(&self, _longest: Duration) -> Option<Arc<dyn Fault>> {
        None
    }

    async fn proof(
        pressure: &dyn Pressure,
        pressed: &Pressed,
    ) -> Result<Option<String>, TargetError> {
        let Weight::Fill { leave, free, .. } = pressed.weight else {
            return Ok(None);
        };
        let seen = pressure.pressing(pressed).await?;
        Ok(seen.free.filter(|now| *now <= leave).map(|now| {
            format!(
                "{} are free on the disk of {}'s data, and {} were",
                figures::bytes(now),
                pressed.node,
                figures::bytes(free)
            )
        }))
    }
}

presses!(FillDisk, "fill_disk", FillDisk, takes_node: true);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_said() {
        let fill = |leave| FillDisk {
            id: None,
            node: NodeRef::Primary,
            at_most: "2GiB".parse().unwrap(),
            leave,
        };
        assert_eq!(
            fill(None).describe("node-1"),
            "fill the disk under the data of node-1 until nothing is free: one file of at most 2GiB"
        );
        assert_eq!(
            fill(Some("64MiB".parse().unwrap())).describe("node-1"),
            "fill the disk under the data of node-1 until 64MiB is free: one file of at most 2GiB"
        );
    }
}
