//! Who leads now, asked before anything is taken: what a plan shows of a cluster that runs.

use super::docker_target::DockerTarget;
use super::found::{Candidates, Found};
use super::settings::DockerSettings;
use crate::clock::Clock;
use crate::event::cluster::ClusterSeen;
use crate::target::{Failover, Sight as _, TargetError};
use std::sync::Arc;
use std::time::Duration;

/// How long all nodes together may take to say what they are.
const LOOK: Duration = Duration::from_secs(3);

/// A cluster that was looked at.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Its nodes.
    pub seen: ClusterSeen,
    /// Who fails over.
    pub failover: Failover,
    /// The lease or the loop of whoever does.
    pub control_period: Duration,
}

impl Overview {
    /// Looks at a cluster and changes nothing on it; no lock is taken, so that a drill may be under way there.
    ///
    /// # Errors
    /// When its containers cannot be drilled as they are, or do not say who they are; the text says what to do.
    pub async fn of(
        candidates: Candidates,
        settings: &DockerSettings,
    ) -> Result<Self, TargetError> {
        let Found {
            engine,
            facts,
            stack,
            ..
        } = Found::look(candidates, settings).await?;
        let target = DockerTarget::on(engine, facts, Arc::clone(&stack), "");
        Ok(Self {
            seen: target.see(Clock::start(), LOOK).await,
            failover: stack.failover(),
            control_period: stack.control_period(),
        })
    }
}
