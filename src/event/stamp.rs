//! The one unit of time inside a run: microseconds on a monotonic clock since the run's origin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A moment of the run: whole microseconds since the run's origin, on one monotonic clock.
///
/// Integers, so that the parts of a recovery sum to its total exactly.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The stamp as milliseconds, the unit of everything that leaves the program.
    #[must_use]
    pub fn as_ms(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Time from `earlier` to this stamp, zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Stamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This stamp moved later by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Stamp {
        Stamp(self.0.saturating_add(by.as_micros() as u64))
    }

    /// This stamp moved earlier by `by`, never before the origin.
    #[must_use]
    pub fn minus(self, by: Duration) -> Stamp {
        Stamp(self.0.saturating_sub(by.as_micros() as u64))
    }
}
