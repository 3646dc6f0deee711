//! What all recovery actions need, and how they say what they do.

use crate::clock::Clock;
use crate::event::cluster::ClusterSeen;
use crate::event::{Act, ActKind, Emitter, Event, Stage};
use crate::target::{Target, TargetError, see_cluster};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long one node may take to answer one look.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// The surroundings of one recovery action.
pub struct Acting<'a> {
    /// The cluster.
    pub target: &'a dyn Target,
    /// The run's clock, which stamps the acts.
    pub clock: Clock,
    /// Takes the acts.
    pub emitter: &'a Emitter,
    /// Number of the act, unique in the run; an action on several nodes says several acts under it.
    pub number: u32,
    /// Id of the step.
    pub step: &'a str,
    /// Folder where diverged data is saved before it is rewound.
    pub evidence: &'a Path,
    /// How long the whole action may take.
    pub within: Duration,
}

/// Why a recovery action did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// It could not be carried out.
    #[error("{0}")]
    Target(TargetError),
    /// It was carried out, or ran out of time, and the nodes do not say what they should.
    #[error("not within {} s: {missing}", within.as_secs_f64())]
    NotSeen {
        /// The limit.
        within: Duration,
        /// What is missing.
        missing: String,
    },
}

/// Who an act is about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// Name of the action.
    pub name: &'a str,
    /// The node; empty where the target chooses it and has not yet.
    pub node: &'a str,
    /// Its role before.
    pub role: &'a str,
}

impl Acting<'_> {
    pub(super) fn say(&self, about: About<'_>, stage: Stage) {
        self.emitter.emit(
            self.clock.now(),
            Event::Act(Act {
                kind: ActKind::RecoveryAction,
                number: self.number,
                step: self.step.to_owned(),
                name: about.name.to_owned(),
                node: about.node.to_owned(),
                role: about.role.to_owned(),
                stage,
            }),
        );
    }

    pub(super) async fn look(&self) -> ClusterSeen {
        see_cluster(self.target, self.clock, LOOK).await
    }

    /// Calls the target within what is left since `begun`, and says that it was asked and how it ended.
    pub(super) async fn call<T>(
        &self,
        about: About<'_>,
        begun: Instant,
        call: impl Future<Output = Result<T, TargetError>>,
    ) -> Result<T, ActionError> {
        self.say(about, Stage::Requested);
        let left = self.within.saturating_sub(begun.elapsed());
        let error = match tokio::time::timeout(left, call).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => ActionError::Target(error),
            Err(_) => ActionError::NotSeen {
                within: self.within,
                missing: format!("{} did not return", about.name),
            },
        };
        let why = error.to_string();
        self.say(about, Stage::Failed { why });
        Err(error)
    }

    /// Looks until `met` gives its proof, and says Effect; at the limit NotSeen, with what was missing. The
    /// look that proves it is told as well: the step may be the last, and what was proven then counts.
    pub(super) async fn until(
        &self,
        about: About<'_>,
        begun: Instant,
        met: impl Fn(&ClusterSeen) -> Result<String, String>,
    ) -> Result<String, ActionError> {
        loop {
            let seen = self.look().await;
            let missing = match met(&seen) {
                Ok(proof) => {
                    let now = self.clock.now();
                    self.emitter.emit(now, Event::ClusterSeen(seen));
                    let stage = Stage::Effect {
                        proof: proof.clone(),
                    };
                    self.say(about, stage);
                    return Ok(proof);
                }
                Err(missing) => missing,
            };
            if begun.elapsed() >= self.within {
                let within = self.within;
                let why = missing.clone();
                self.say(about, Stage::NotSeen { why });
                return Err(ActionError::NotSeen { within, missing });
            }
            sleep(PAUSE).await;
        }
    }
}
