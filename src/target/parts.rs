//! What stands beside the nodes and without which clients reach nobody, or nobody can decide who leads.

use super::{Capability, TargetError};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A part of the stack that is no node.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The store that holds the leader key (etcd, Consul, ZooKeeper).
    Dcs,
    /// What leads clients to the primary.
    Router,
    /// What keeps sessions to the servers for clients.
    Pooler,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dcs, Self::Router, Self::Pooler];
    /// The role of what is hit, in reports and journals.
    pub const ROLE: &'static str = crate::event::PART_ROLE;

    /// Its name, as files and reports spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dcs => "dcs",
            Self::Router => "router",
            Self::Pooler => "pooler",
        }
    }

    /// What a target must have to lose it.
    #[must_use]
    pub fn capability(self) -> Capability {
        match self {
            Self::Dcs => Capability::LoseDcs,
            Self::Router => Capability::LoseRouter,
            Self::Pooler => Capability::LosePooler,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a member of a part is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// All its processes at once: connections are reset, new ones refused.
    #[default]
    Kill,
    /// It stands still: connections stay open and silent.
    Freeze,
}

/// Losing members of a part, and having them back.
#[async_trait]
pub trait Parts: Send + Sync {
    /// The members of a part in declared order; empty where the target names none.
    fn members(&self, part: Part) -> Vec<String>;
    /// Takes a member out of service and keeps it out until [`Parts::bring_back`].
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn lose(&self, member: &str, how: Loss) -> Result<(), TargetError>;
    /// Lets it go on, or starts it. Harmless where it serves.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn bring_back(&self, member: &str) -> Result<(), TargetError>;
    /// Whether it serves; the error of the inner result says what is missing.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn serves(&self, member: &str) -> Result<Result<(), String>, TargetError>;
    /// Whether nothing of it runs, or all of it stands still.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn is_lost(&self, member: &str) -> Result<bool, TargetError>;
}
