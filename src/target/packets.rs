//! Losing the packets between a node and others, one way or both, while the node stays on its networks.

use super::TargetError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Which way packets are lost, as the node sees it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// Nothing of the others reaches the node; what it sends arrives.
    In,
    /// Nothing of the node reaches the others; what they send arrives.
    Out,
}

/// Who the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// The other nodes, and nobody else.
    Nodes,
    /// The members of the store that holds the leader key, and nobody else.
    Dcs,
}

/// One end of a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Its name for people.
    pub name: String,
    /// By which the target finds it again: a container's id.
    pub place: String,
    /// Its address on the network that both ends are on.
    pub address: String,
}

/// A way that packets take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Who sends.
    pub from: End,
    /// Who receives.
    pub to: End,
}

impl std::fmt::Display for Way {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = (&self.from, &self.to);
        write!(out, "{} to {} at {}", from.name, to.name, to.address)
    }
}

/// What is to be lost, found out without touching anything; a journal keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Packets of these ways are lost.
    pub lost: Vec<Way>,
    /// Those of these must pass all the same.
    pub open: Vec<Way>,
}

/// Losing packets: nothing is refused or reset, and what is open stays open.
#[async_trait]
pub trait Packets: Send + Sync {
    /// The ways between a node and others, all of which pass now. Touches nothing.
    ///
    /// # Errors
    /// When there are none, they cannot be told, packets could not be lost there, or are lost already.
    async fn between(
        &self,
        node: &str,
        others: Others,
        direction: Direction,
    ) -> Result<Losses, TargetError>;
    /// Loses the packets.
    ///
    /// # Errors
    /// When it could not be carried out; some may be lost then.
    async fn lose(&self, losses: &Losses) -> Result<(), TargetError>;
    /// Lets them pass again. Harmless where they do. An end that is gone, or has begun another life, has lost what was
    /// set there.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn pass(&self, losses: &Losses) -> Result<(), TargetError>;
    /// The ways of `ways` on which packets pass now, found out by sending some from one end and listening at the other.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn passing(&self, ways: &[Way]) -> Result<Vec<Way>, TargetError>;
    /// What is not as it was before [`Packets::lose`]: something that was set, or packets that are lost between ends
    /// that are both there; `None` where all is.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn left(&self, losses: &Losses) -> Result<Option<String>, TargetError>;
    /// Every way from or to a node on which packets are lost by what was set here, for when nobody remembers; none that is
    /// open is named.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn lost(&self, node: &str) -> Result<Losses, TargetError>;
}
