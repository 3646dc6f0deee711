//! What a person or Patroni does to recover.

use super::docker_target::DockerTarget;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::role::patroni;
use crate::target::{DivergedEvidence, PowerOff, Recovery, Sight as _, TargetError};
use async_trait::async_trait;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long Patroni may take to hand over: it waits for a shutdown and a promotion.
const HAND_OVER: Duration = Duration::from_secs(90);
/// How long it may take to have a node stream again: it may rewind it, or copy everything anew.
const REJOIN: Duration = Duration::from_secs(110);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(200);

#[async_trait]
impl Recovery for DockerTarget {
    async fn promote(&self, _node: Option<&str>) -> Result<String, TargetError> {
        Err(TargetError::new(
            "promote a standby",
            "Patroni promotes by itself; firedrill beside it would make a second primary",
        ))
    }

    async fn switch_over(&self, to: Option<&str>) -> Result<String, TargetError> {
        let failed = |why: String| TargetError::new("switch over", why);
        let seen = self.look().await;
        let old = match seen.primaries().collect::<Vec<_>>()[..] {
            [(name, _)] => self.node(name)?,
            [] => return Err(failed("no node takes writes".to_owned())),
            _ => return Err(failed("several nodes take writes".to_owned())),
        };
        let candidate = match to {
            Some(name) if name == old.facts.name => return Ok(name.to_owned()),
            Some(name) => Some(self.node(name)?.facts.member.as_str()),
            None => None,
        };
        let address = old.addresses.all(self.clients_network()).into_iter().next();
        let address = address.ok_or_else(|| failed("the primary is on no network".to_owned()))?;
        patroni::switch_over(
            (&address, self.facts.patroni_port),
            &old.facts.member,
            candidate,
            &self.patroni_login,
            HAND_OVER,
        )
        .await
        .map_err(failed)?;
        let begun = Instant::now();
        loop {
            let seen = self.look().await;
            if let Some((leader, _)) = seen.leader()
                && leader != old.facts.name
            {
                return Ok(leader.to_owned());
            }
            if begun.elapsed() >= HAND_OVER {
                return Err(failed(
                    "Patroni says that it is done, and no other node leads".to_owned(),
                ));
            }
            sleep(PAUSE).await;
        }
    }

    async fn rejoin(&self, node: &str, _evidence: &Path) -> Result<String, TargetError> {
        let found = self.node(node)?;
        let _alone = found.operation.lock().await;
        let what = || format!("rejoin {node}");
        if self.look_at(found).await?.paused {
            return Err(TargetError::new(what(), "its container is paused"));
        }
        // Patroni never lets it lead while another holds the leader key, so that starting it is safe.
        self.run_again(found).await?;
        let begun = Instant::now();
        loop {
            let seen = self.look().await;
            let missing = match follows(&seen, node) {
                Ok(proof) => return Ok(proof),
                Err(missing) => missing,
            };
            if begun.elapsed() >= REJOIN {
                return Err(TargetError::new(
                    what(),
                    format!(
                        "Patroni has not brought it back in {} s: {missing}; see docker logs {}",
                        REJOIN.as_secs(),
                        found.facts.container
                    ),
                ));
            }
            sleep(PAUSE).await;
        }
    }

    async fn fence(&self, node: &str) -> Result<(), TargetError> {
        let found = self.node(node)?;
        let _alone = found.operation.lock().await;
        self.disarm(found).await?;
        // Killed, not stopped: a shutdown would first carry out what waits in its sessions.
        self.take_down(found, PowerOff::Kill).await
    }

    async fn diverged_evidence(
        &self,
        _evidence: &Path,
    ) -> Result<Option<DivergedEvidence>, TargetError> {
        Ok(None)
    }
}

impl DockerTarget {
    async fn look(&self) -> ClusterSeen {
        self.see(Clock::start(), LOOK).await
    }
}

/// Whether a node leads, or streams from the one that does; the error says what is missing.
fn follows(seen: &ClusterSeen, node: &str) -> Result<String, String> {
    let Some((leader, newest)) = seen.leader() else {
        return Err("no node takes writes".to_owned());
    };
    if leader == node {
        return Ok(format!("{node} leads timeline {newest}"));
    }
    let listed = match seen.node(leader) {
        Some(Standing::Primary { standbys, .. }) => standbys
            .iter()
            .any(|row| row.name == node && row.state == "streaming"),
        _ => false,
    };
    match seen.node(node) {
        Some(Standing::Standby {
            timeline,
            streaming: true,
            ..
        }) if *timeline == Some(newest) && listed => Ok(format!(
            "{node} streams timeline {newest} from {leader}, by Patroni"
        )),
        Some(Standing::Standby { .. }) => Err(format!(
            "it does not stream timeline {newest} from {leader} yet"
        )),
        Some(Standing::Primary { timeline, .. }) => {
            Err(format!("it takes writes on timeline {timeline}"))
        }
        Some(Standing::Silent { why }) => Err(why.clone()),
        None => Err("it is no node of this target".to_owned()),
    }
}
