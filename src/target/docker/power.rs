//! Taking a node down and bringing it back: its container killed, stopped, started.
//!
//! A node that is kept down must not be started by its restart policy: it is set to `no` before, and back to
//! what was found once the node runs.

use super::client::{Container, EngineError, Policy};
use super::docker_target::{DockerTarget, Node};
use crate::event::cluster::Standing;
use crate::target::{
    Power, PowerOff, ProcessScope, ProcessSignal, ProcessState, Processes as _, TargetError,
};
use async_trait::async_trait;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a polite stop may take before the engine kills: a shutdown writes everything out first.
const GRACE: Duration = Duration::from_secs(60);
/// How long a container may take to be down after it was killed.
const DOWN: Duration = Duration::from_secs(10);
/// How long a node may take to answer after its container was started.
const ANSWER: Duration = Duration::from_secs(60);
/// How long one answer may take.
const LOOK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

#[async_trait]
impl Power for DockerTarget {
    async fn power_off(&self, node: &str, how: PowerOff) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        self.disarm(node).await?;
        self.take_down(node, how).await
    }

    async fn crash(&self, node: &str, how: PowerOff) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        let what = format!("leave {} to its restart policy", node.facts.name);
        if how != PowerOff::Kill {
            return Err(TargetError::new(
                what,
                "the engine starts a container again that ended by itself, and none that it was told to stop: use kill",
            ));
        }
        let container = self.look_at(node).await?;
        if !container.policy.restarts() {
            let cause = format!("{} has none (restart: no)", node.facts.container);
            return Err(TargetError::new(what, cause));
        }
        // The engine takes its own kill for a person's wish and starts nothing; so the signal comes from outside.
        let pid = first_process(&container).ok_or_else(|| {
            TargetError::new(
                &what,
                "its first process cannot be signalled from here, where the engine is not",
            )
        })?;
        signal::kill(pid, Signal::SIGKILL).map_err(|error| TargetError::new(what, error))
    }

    async fn life(&self, node: &str) -> Result<Option<String>, TargetError> {
        let container = self.look_at(self.node(node)?).await?;
        Ok(Some(container.started_at))
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        self.run_again(node).await?;
        self.wait_for_answer(node).await
    }

    async fn running(&self, node: &str) -> Result<usize, TargetError> {
        let node = self.node(node)?;
        let container = self.look_at(node).await?;
        if !container.running {
            return Ok(0);
        }
        match self.engine.living(&node.facts.id).await {
            Ok(living) => Ok(living),
            // It may have ended in between.
            Err(_) if !self.look_at(node).await?.running => Ok(0),
            // An engine that cannot list them: its first process lives at least.
            Err(_) => Ok(1),
        }
    }
}

impl DockerTarget {
    /// Keeps the engine from starting a node by itself.
    pub(super) async fn disarm(&self, node: &Node) -> Result<(), TargetError> {
        let container = self.look_at(node).await?;
        if !container.policy.restarts() {
            return Ok(());
        }
        let what = || format!("switch off the restart policy of {}", node.facts.name);
        let set = self
            .engine
            .set_policy(&node.facts.id, &Policy::none())
            .await;
        set.map_err(|error| TargetError::new(what(), error))?;
        match self.look_at(node).await?.policy.restarts() {
            false => Ok(()),
            true => Err(TargetError::new(what(), "the engine kept it")),
        }
    }

    /// Gives a node the restart policy back that it was found with.
    pub(super) async fn rearm(&self, node: &Node) -> Result<(), TargetError> {
        if self.look_at(node).await?.policy == node.facts.policy {
            return Ok(());
        }
        let set = self
            .engine
            .set_policy(&node.facts.id, &node.facts.policy)
            .await;
        set.map_err(|error| {
            TargetError::new(
                format!("give {} its restart policy back", node.facts.name),
                error,
            )
        })
    }

    /// The same for one whose fault ends without a start. One that is down gets its policy back when it is started, and not
    /// before: the engine might start it else, at its own next start, whoever leads by then.
    pub(super) async fn rearm_if_up(
        &self,
        node: &Node,
        now: &Container,
    ) -> Result<(), TargetError> {
        match now.running {
            true => self.rearm(node).await,
            false => Ok(()),
        }
    }

    /// Takes a node down whose policy is switched off.
    pub(super) async fn take_down(&self, node: &Node, how: PowerOff) -> Result<(), TargetError> {
        let (name, id) = (&node.facts.name, &node.facts.id);
        let failed = |error: EngineError| TargetError::new(format!("take down {name}"), error);
        match how {
            PowerOff::Kill => self.kill(node).await?,
            PowerOff::StopFast => match self.first_is_postmaster(node).await {
                // Where PostgreSQL itself is the first process, the signal of a stop may be SIGTERM, at which it
                // waits for every client to leave.
                true => self.engine.kill(id, "SIGINT").await.map_err(failed)?,
                // Patroni shuts PostgreSQL down fast and gives the leader key back.
                false => {
                    let grace = self.look_at(node).await?.stop_timeout;
                    let grace =
                        grace.map_or(GRACE, |seconds| GRACE.max(Duration::from_secs(seconds)));
                    self.engine.stop(id, grace).await.map_err(failed)?;
                }
            },
            PowerOff::StopImmediate => match self.first_is_postmaster(node).await {
                true => self.engine.kill(id, "SIGQUIT").await.map_err(failed)?,
                // Patroni would start it again at once, so the rest of the container follows it.
                false => {
                    self.quit(node).await?;
                    self.kill(node).await?;
                }
            },
        }
        let limit = if how == PowerOff::Kill { DOWN } else { GRACE };
        let begun = Instant::now();
        while self.look_at(node).await?.running {
            if begun.elapsed() >= limit {
                return Err(TargetError::new(
                    format!("take down {name}"),
                    format!("its container still runs after {} s", limit.as_secs()),
                ));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Ends all processes of a container at once; harmless where it does not run.
    ///
    /// From here where that can be: the signal lands at once, however many containers there are, and an engine takes
    /// 10 ms and more for each. It is the same death where nothing restarts the container; that somebody wanted it down, by
    /// which a policy of `unless-stopped` goes, the engine does not learn, so that the policy stays off until the start.
    async fn kill(&self, node: &Node) -> Result<(), TargetError> {
        let container = self.look_at(node).await?;
        if !container.running {
            return Ok(());
        }
        // A paused one dies when it goes on, and one that is restarted would have to be told not to: both by the engine.
        let at_once = !container.paused && !container.policy.restarts();
        let here = first_process(&container).filter(|_| at_once);
        if here.is_some_and(|pid| signal::kill(pid, Signal::SIGKILL).is_ok()) {
            return Ok(());
        }
        match self.engine.kill(&node.facts.id, "SIGKILL").await {
            Ok(()) => Ok(()),
            Err(error) => match self.look_at(node).await? {
                Container { running: false, .. } => Ok(()),
                _ => Err(TargetError::new(format!("kill {}", node.facts.name), error)),
            },
        }
    }

    /// Whether PostgreSQL is the container's first process; where that cannot be told it is not.
    async fn first_is_postmaster(&self, node: &Node) -> bool {
        let found = self.find(&node.facts.name, ProcessScope::Postmaster).await;
        found.is_ok_and(|found| found.iter().any(|process| process.pid == 1))
    }

    /// Has PostgreSQL shut down immediately, and waits until it is gone.
    async fn quit(&self, node: &Node) -> Result<(), TargetError> {
        let name = &node.facts.name;
        let found = self.find(name, ProcessScope::Postmaster).await?;
        if found.is_empty() {
            let what = format!("stop {name} immediately");
            return Err(TargetError::new(what, "it has no postmaster now"));
        }
        self.signal_by_name(node, &found, "QUIT").await?;
        let begun = Instant::now();
        while begun.elapsed() < DOWN {
            let states = self.states(name, &found).await?;
            if states.iter().all(|state| *state == ProcessState::Gone) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        // It hangs in its shutdown; what follows kills it.
        self.signal(name, &found, ProcessSignal::Kill).await
    }

    /// Starts a node's container if it does not run, and gives it its restart policy back.
    pub(super) async fn run_again(&self, node: &Node) -> Result<(), TargetError> {
        let name = &node.facts.name;
        let started = self.engine.start(&node.facts.id).await;
        let rearmed = self.rearm(node).await;
        if started.as_ref().is_err_and(EngineError::is_missing) {
            // Says which container it was, and that another one of its name is another node.
            self.look_at(node).await?;
        }
        started.map_err(|error| TargetError::new(format!("start {name}"), error))?;
        rearmed?;
        self.look_at(node).await.map(|_| ())
    }

    /// Waits until PostgreSQL answers for itself. A node that is on no network cannot.
    async fn wait_for_answer(&self, node: &Node) -> Result<(), TargetError> {
        let what = || format!("start {}", node.facts.name);
        let begun = Instant::now();
        loop {
            let Standing::Silent { why } = self.standing(node, LOOK).await else {
                return Ok(());
            };
            let container = self.look_at(node).await?;
            if container.running && container.networks.is_empty() {
                return Ok(());
            }
            if begun.elapsed() >= ANSWER {
                let cause = format!("it does not answer after {} s: {why}", ANSWER.as_secs());
                return Err(TargetError::new(what(), cause));
            }
            sleep(PAUSE).await;
        }
    }
}

/// The first process of a container on this machine. An engine elsewhere counts its own processes, of which one
/// here may have the number: only what lies in the container's own control group is it.
fn first_process(container: &Container) -> Option<Pid> {
    let pid = i32::try_from(container.pid).ok().filter(|pid| *pid > 1)?;
    let group = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let its_own = !container.id.is_empty() && group.contains(&container.id);
    its_own.then(|| Pid::from_raw(pid))
}

/// Whether a container's first process can be signalled from here.
pub(super) fn may_crash(container: &Container) -> bool {
    first_process(container).is_some_and(|pid| signal::kill(pid, None).is_ok())
}
