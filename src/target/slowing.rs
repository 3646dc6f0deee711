//! Slowing down what a node sends, while everything that is sent to it arrives as before.

use super::{CutFrom, TargetError, Way};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// How what a node sends is slowed down; 0 for not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slowness {
    /// At most so many bytes a second.
    pub bytes_per_second: u64,
    /// Each packet waits for so long, in milliseconds.
    pub delay_ms: u64,
    /// By so much longer or shorter.
    pub jitter_ms: u64,
    /// So many packets of a million are lost.
    pub lost_per_million: u64,
}

impl Slowness {
    /// Whether packets are delayed or lost, for which a kernel needs more than for a rate.
    #[must_use]
    pub fn is_more_than_a_rate(&self) -> bool {
        self.delay_ms > 0 || self.jitter_ms > 0 || self.lost_per_million > 0
    }
}

/// What packets from one end to another came to, found out by sending some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Words that were said.
    pub said: u64,
    /// Those that were answered.
    pub answered: u64,
    /// How long half of the answers took, in microseconds.
    pub round_trip_us: u64,
    /// Bytes a second that arrived of a flood, where one was sent and enough of it arrived.
    pub bytes_per_second: Option<u64>,
}

/// A way that is to be slow: by one network of the node, and at its other end somebody by whom it is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outlet {
    /// From the node.
    pub way: Way,
    /// Its pace as it was found.
    pub before: Pace,
}

/// Slowing down what a node sends: nothing is refused, and what is open stays open.
#[async_trait]
pub trait Slowing: Send + Sync {
    /// The ways by which a node sends to a side, and their pace as it is. Touches nothing.
    ///
    /// # Errors
    /// When there are none, they cannot be measured, or they are slowed down already, by whomever.
    async fn outlets(
        &self,
        node: &str,
        to: CutFrom,
        how: &Slowness,
    ) -> Result<Vec<Outlet>, TargetError>;
    /// Slows them down.
    ///
    /// # Errors
    /// When it could not be carried out; some may be slow then.
    async fn slow(&self, ways: &[Way], how: &Slowness) -> Result<(), TargetError>;
    /// Their pace now, each found out by sending as much as shows such a slowness.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn pace(&self, ways: &[Way], how: &Slowness) -> Result<Vec<Pace>, TargetError>;
    /// Lets what a node sends from these addresses of its own go as before. Harmless where it does. A node that does
    /// not run, or has begun another life, has lost what was set there.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn free(&self, node: &str, addresses: &[String]) -> Result<(), TargetError>;
    /// The addresses of its own from which a node sends slowly by what was set here.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn slowed(&self, node: &str) -> Result<Vec<String>, TargetError>;
}
