//! What a person or the stack does to recover. Fencing is the engine's business and the same everywhere; the rest is
//! the stack's.

use super::docker_target::DockerTarget;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::target::{DivergedEvidence, PowerOff, Recovery, TargetError};
use async_trait::async_trait;
use std::path::Path;

#[async_trait]
impl Recovery for DockerTarget {
    async fn promote(&self, node: Option<&str>) -> Result<String, TargetError> {
        self.stack.promote(self, node).await
    }

    async fn switch_over(&self, to: Option<&str>) -> Result<String, TargetError> {
        self.stack.switch_over(self, to).await
    }

    async fn rejoin(&self, node: &str, _evidence: &Path) -> Result<String, TargetError> {
        self.stack.rejoin(self, node).await
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

/// Whether a node leads, or streams from the one that does; the error says what is missing.
pub(super) fn follows(seen: &ClusterSeen, node: &str) -> Result<String, String> {
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
        }) if *timeline == Some(newest) && listed => {
            Ok(format!("{node} streams timeline {newest} from {leader}"))
        }
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
