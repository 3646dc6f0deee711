//! A simulated cluster as a target file describes it: what there is, how quick it is, and how it fails.

use super::duration::Duration;
use super::target_file::{AgentFile, FailoverFile, RouterFile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scripted cluster under a virtual clock: no database, no network, no waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Simulated {
    /// `false` forbids drills on it.
    pub drillable: bool,
    /// Nodes, the primary included.
    pub nodes: u32,
    /// Who promotes a standby when the primary is lost.
    pub failover: FailoverFile,
    /// Commits wait for a standby.
    pub synchronous: bool,
    /// The failover agent.
    pub agent: AgentFile,
    /// The router in front of the nodes.
    pub router: RouterFile,
    /// From a client to a server and back, in the mean.
    pub latency: Duration,
    /// From a commit until a standby has it.
    pub lag: Duration,
    /// `max_connections` of each node.
    pub max_connections: u32,
    /// How the stack does its work, or does it badly.
    pub behaviour: BehaviourFile,
}

impl Default for Simulated {
    fn default() -> Self {
        Self {
            drillable: true,
            nodes: 3,
            failover: FailoverFile::Automatic,
            synchronous: true,
            agent: AgentFile::default(),
            router: RouterFile::default(),
            latency: Duration::from_ms(2),
            lag: Duration::from_ms(5),
            max_connections: 100,
            behaviour: BehaviourFile::Good,
        }
    }
}

/// How the stack does its work, or does it badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BehaviourFile {
    /// As it should.
    Good,
    /// A standby that is told to take over never leaves recovery.
    NeverPromotes,
    /// It takes over, but late.
    PromotesLate {
        /// How much later than a good one.
        after: Duration,
    },
    /// Every standby that answers takes over, and no old primary is taken down.
    TwoPrimaries,
    /// The standbys confirm what they have not kept: whoever takes over lacks the last commits.
    LosesLast {
        /// How many.
        commits: u64,
    },
    /// A node that is rejoined keeps what it had alone, and lacks what was written meanwhile.
    ComesBackDiverged,
}

impl Simulated {
    /// Names of the nodes: the first begins as the primary.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        (1..=self.nodes)
            .map(|number| format!("node-{number}"))
            .collect()
    }
}
