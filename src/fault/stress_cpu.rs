//! `stress_cpu`: processes beside a node's server take its CPU time.

use super::Fault;
use super::pressed::{EXPIRES, presses};
use super::stressed::{between_two_looks, in_words, known};
use crate::role::NodeRef;
use crate::target::{Pressed, Pressure, TargetError, Wanted, Weight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Processes beside a node's server take the CPU time that it may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StressCpu {
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

impl StressCpu {
    fn wanted(&self) -> Wanted {
        Wanted::Cpu {
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
        format!("take CPU time from {node}: {workers} beside its server, without a pause")
    }

    fn undo_in_words(node: &str) -> String {
        format!("end those processes on {node}, and no others")
    }

    async fn proof(
        pressure: &dyn Pressure,
        pressed: &Pressed,
    ) -> Result<Option<String>, TargetError> {
        let Weight::Cpu { workers, .. } = pressed.weight else {
            return Ok(None);
        };
        let looks = between_two_looks(pressure, pressed, workers).await?;
        let taken = looks.filter(|(done, _)| !done.cpu.is_zero());
        Ok(taken.map(|(done, seconds)| {
            format!(
                "{workers} of {workers} processes beside the server of {} took {:.2} s of CPU time in {seconds:.2} s",
                pressed.node,
                done.cpu.as_secs_f64()
            )
        }))
    }
}

presses!(StressCpu, "stress_cpu", StressCpu, takes_node: false);

#[cfg(test)]
mod tests {
    use super::*;

    fn stress(workers: Option<NonZeroU32>) -> StressCpu {
        StressCpu {
            id: None,
            node: NodeRef::Primary,
            workers,
            longest: None,
        }
    }

    #[test]
    fn what_presses_is_said() {
        assert_eq!(
            stress(None).describe("node-1"),
            "take CPU time from node-1: as many processes as it has CPUs beside its server, without a pause"
        );
        assert_eq!(
            stress(NonZeroU32::new(3)).describe("node-1"),
            "take CPU time from node-1: 3 processes beside its server, without a pause"
        );
    }

    #[test]
    fn it_ends_by_itself_when_the_drill_must_be_over() {
        let expires = |stress: &StressCpu| match stress.wanted() {
            Wanted::Cpu { expires, .. } => expires,
            other => panic!("{other:?}"),
        };
        assert_eq!(expires(&stress(None)), EXPIRES);
        let bound = StressCpu {
            longest: Some(Duration::from_secs(300)),
            ..stress(None)
        };
        assert_eq!(expires(&bound), Duration::from_secs(300));
        assert!(stress(None).within(Duration::from_secs(300)).is_some());
    }
}
