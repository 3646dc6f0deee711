//! `clock_step`: the clock that a node's processes read is stepped.

use super::Fault;
use super::pressed::presses;
use crate::drill::amount::Shift;
use crate::role::NodeRef;
use crate::target::{Pressed, Pressure, TargetError, Wanted, Weight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// By so much, in milliseconds, a step may be off: as long as the clocks took to be asked.
const AS_GOOD_AS: i64 = 1000;

/// The clock that a node's processes read is stepped, and goes on from there. Time that was measured goes on: what is stepped
/// is the time of day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// By how much, such as 2m; with - before it the clock is set back.
    pub by: Shift,
}

impl ClockStep {
    fn wanted(&self) -> Wanted {
        Wanted::Clock {
            by_ms: self.by.as_ms(),
        }
    }

    fn in_words(&self, node: &str) -> String {
        let by = self.by.to_string();
        let (way, by) = match by.strip_prefix('-') {
            Some(by) => ("back", by),
            None => ("forward", by.as_str()),
        };
        format!(
            "set the clock of {node} {way} by {by}: its processes read it, and nobody else does"
        )
    }

    fn undo_in_words(node: &str) -> String {
        format!("set the clock of {node} as it was; where another node leads by then, rejoin it")
    }

    /// A clock stays as it is set.
    fn within(&self, _longest: Duration) -> Option<Arc<dyn Fault>> {
        None
    }

    async fn proof(
        pressure: &dyn Pressure,
        pressed: &Pressed,
    ) -> Result<Option<String>, TargetError> {
        let Weight::Clock { by_ms, .. } = pressed.weight else {
            return Ok(None);
        };
        let seen = pressure.pressing(pressed).await?;
        let stepped = seen
            .stepped_ms
            .filter(|stepped| stepped.abs_diff(by_ms) <= AS_GOOD_AS.unsigned_abs());
        Ok(stepped.map(|stepped| {
            format!(
                "the clock of {}'s server is {:.2} s {} of where it would be",
                pressed.node,
                stepped.unsigned_abs() as f64 / 1000.0,
                if stepped < 0 { "behind" } else { "ahead" }
            )
        }))
    }
}

presses!(ClockStep, "clock_step", StepClock, takes_node: false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_way_it_goes_is_said() {
        let step = |by: &str| ClockStep {
            id: None,
            node: NodeRef::Primary,
            by: by.parse().unwrap(),
        };
        assert_eq!(
            step("2m").describe("node-1"),
            "set the clock of node-1 forward by 2m: its processes read it, and nobody else does"
        );
        assert_eq!(
            step("-90s").describe("node-1"),
            "set the clock of node-1 back by 90s: its processes read it, and nobody else does"
        );
    }
}
