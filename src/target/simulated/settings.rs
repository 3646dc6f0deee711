//! What can be set about a simulated cluster.

use crate::drill::simulated::{BehaviourFile, Simulated};
use crate::drill::target_file::FailoverFile;
use crate::target::Failover;
use std::time::Duration;

/// What can be set about a simulated cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedSettings {
    /// Names of the nodes: the first is the primary at the start.
    pub nodes: Vec<String>,
    /// Who promotes when the primary is lost.
    pub failover: Failover,
    /// Commits wait for one standby.
    pub synchronous: bool,
    /// How often the agent looks.
    pub agent_loop: Duration,
    /// How long the primary must be silent until the agent acts.
    pub agent_detection: Duration,
    /// How often the router asks each node.
    pub router_check: Duration,
    /// Failed checks in a row after which a node is taken out.
    pub router_fall: u32,
    /// Good checks in a row after which it is taken in.
    pub router_rise: u32,
    /// When a check that is not answered has failed.
    pub router_timeout: Duration,
    /// From a client to a server and back, in the mean.
    pub latency: Duration,
    /// From a commit until a standby has it.
    pub lag: Duration,
    /// `max_connections` of each node.
    pub max_connections: u32,
    /// How the stack does its work.
    pub behaviour: Behaviour,
}

/// How the stack does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Good,
    /// No standby ever leaves recovery.
    NeverPromotes,
    /// It takes over so much later.
    PromotesLate(Duration),
    /// Every standby takes over, and no old primary is taken down.
    TwoPrimaries,
    /// Whoever takes over lacks so many of the last commits, which it had confirmed.
    LosesLast(u64),
    /// A node that is rejoined has other rows than its primary.
    ComesBackDiverged,
}

impl Behaviour {
    /// One line for reports.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Good => "good".to_owned(),
            Self::NeverPromotes => "never promotes".to_owned(),
            Self::PromotesLate(after) => format!("promotes {} ms late", after.as_millis()),
            Self::TwoPrimaries => "makes two primaries".to_owned(),
            Self::LosesLast(commits) => format!("loses the last {commits} commits"),
            Self::ComesBackDiverged => "comes back diverged".to_owned(),
        }
    }
}

impl From<&Simulated> for SimulatedSettings {
    fn from(file: &Simulated) -> Self {
        Self {
            nodes: file.node_names(),
            failover: match file.failover {
                FailoverFile::Automatic => Failover::Automatic,
                FailoverFile::Promote => Failover::Promote,
            },
            synchronous: file.synchronous,
            agent_loop: file.agent.r#loop.get(),
            agent_detection: file.agent.detection.get(),
            router_check: file.router.check.get(),
            router_fall: file.router.fall,
            router_rise: file.router.rise,
            router_timeout: file.router.timeout.get(),
            latency: file.latency.get(),
            lag: file.lag.get(),
            max_connections: file.max_connections,
            behaviour: match &file.behaviour {
                BehaviourFile::Good => Behaviour::Good,
                BehaviourFile::NeverPromotes => Behaviour::NeverPromotes,
                BehaviourFile::PromotesLate { after } => Behaviour::PromotesLate(after.get()),
                BehaviourFile::TwoPrimaries => Behaviour::TwoPrimaries,
                BehaviourFile::LosesLast { commits } => Behaviour::LosesLast(*commits),
                BehaviourFile::ComesBackDiverged => Behaviour::ComesBackDiverged,
            },
        }
    }
}

impl SimulatedSettings {
    /// The longest period of the stack: the fault's moment is drawn over it.
    #[must_use]
    pub fn control_period(&self) -> Duration {
        self.agent_detection
            .max(self.agent_loop)
            .max(self.router_check)
    }
}
