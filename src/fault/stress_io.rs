//! `stress_io`: processes beside a node's server write to the disk of its data.

use super::Fault;
use super::pressed::{EXPIRES, presses};
use super::stressed::{between_two_looks, in_words, known};
use crate::figures;
use crate::role::NodeRef;
use crate::target::{Pressed, Pressure, TargetError, Wanted, Weight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Processes beside a node's server write to the disk of its data and wait for it, over and over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StressIo {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// How many processes; without it one for each CPU that the node may use.
    #[serde(default)]
    pub workers: Option<NonZeroU32>,
    /// The longest that the drill can take: after it each process ends by itself.
    #[serde(skip)]
    pub longest: Option<Duration>,
}

impl StressIo {
    fn wanted(&self) -> Wanted {
        Wanted::Io {
            workers: self.workers,
            expires: self.longest.unwrap_or(EXPIRES),
        }
    }

    fn within(&self, longest: Duration) -> Option<Arc<dyn Fault>> {
        Some(Arc::new(Self {
            longest: known(longest),
            ..self.clone()
        }))
    }

    fn in_words(&self, node: &str) -> String {
        let workers = in_words(self.workers);
        format!("write to the disk under the data of {node}: {workers}, 64 MiB each, over and over")
    }

    fn undo_in_words(node: &str) -> String {
        format!("end those processes on {node}, and no others; remove their files")
    }

    async fn proof(
        pressure: &dyn Pressure,
        pressed: &Pressed,
    ) -> Result<Option<String>, TargetError> {
        let Weight::Io { workers, .. } = pressed.weight else {
            return Ok(None);
        };
        let looks = between_two_looks(pressure, pressed, workers).await?;
        let written = looks.filter(|(done, _)| done.written > 0);
        Ok(written.map(|(done, seconds)| {
            format!(
                "{workers} of {workers} processes beside the server of {} sent {} to its disk in {seconds:.2} s",
                pressed.node,
                figures::bytes(done.written)
            )
        }))
    }
}

presses!(StressIo, "stress_io", StressIo, takes_node: false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_presses_is_said() {
        let stress = StressIo {
            id: None,
            node: NodeRef::Primary,
            workers: NonZeroU32::new(1),
            longest: None,
        };
        assert_eq!(
            stress.describe("node-1"),
            "write to the disk under the data of node-1: one process, 64 MiB each, over and over"
        );
        assert_eq!(
            stress.describe_undo("node-1"),
            "end those processes on node-1, and no others; remove their files"
        );
    }
}
