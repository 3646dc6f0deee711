//! What stands beside the nodes: the containers of the leader key's store, of the router and of the pooler. They
//! are found as nodes are, and must say as well that they may be broken.

use super::client::Container;
use super::docker_target::{DockerTarget, Node};
use crate::target::{Loss, Part, Parts, PowerOff, TargetError};
use async_trait::async_trait;

#[async_trait]
impl Parts for DockerTarget {
    fn members(&self, part: Part) -> Vec<String> {
        let of = self.parts.iter().filter(|(of, _)| *of == part);
        of.map(|(_, member)| member.facts.name.clone()).collect()
    }

    async fn lose(&self, member: &str, how: Loss) -> Result<(), TargetError> {
        let found = self.member(member)?;
        let _alone = found.operation.lock().await;
        match how {
            Loss::Kill => {
                self.disarm(found).await?;
                self.take_down(found, PowerOff::Kill).await
            }
            Loss::Freeze => {
                let frozen = self.engine.pause(&found.facts.id).await;
                frozen.map_err(|error| TargetError::new(format!("freeze {member}"), error))
            }
        }
    }

    async fn bring_back(&self, member: &str) -> Result<(), TargetError> {
        let found = self.member(member)?;
        let _alone = found.operation.lock().await;
        if self.look_at(found).await?.paused {
            let thawed = self.engine.unpause(&found.facts.id).await;
            thawed.map_err(|error| TargetError::new(format!("thaw {member}"), error))?;
        }
        self.run_again(found).await
    }

    async fn serves(&self, member: &str) -> Result<Result<(), String>, TargetError> {
        let found = self.member(member)?;
        let now = self.look_at(found).await?;
        if now.policy != found.facts.policy {
            return Ok(Err(format!(
                "its restart policy is {} and was {}",
                now.policy.name, found.facts.policy.name
            )));
        }
        Ok(serves(&now))
    }

    async fn is_lost(&self, member: &str) -> Result<bool, TargetError> {
        let now = self.look_at(self.member(member)?).await?;
        Ok(!now.running || now.paused)
    }
}

impl DockerTarget {
    fn member(&self, name: &str) -> Result<&Node, TargetError> {
        let found = self.parts.iter().find(|(_, part)| part.facts.name == name);
        found.map(|(_, member)| member).ok_or_else(|| {
            TargetError::new(
                format!("find {name}"),
                "there is nothing of this name beside the nodes",
            )
        })
    }
}

/// Whether a container does its work, as far as the engine knows: by its own health check, where it has one.
fn serves(now: &Container) -> Result<(), String> {
    if now.paused {
        return Err("its container is paused".to_owned());
    }
    if !now.running || now.restarting {
        return Err("its container does not run".to_owned());
    }
    match now.health.as_deref() {
        None | Some("healthy" | "none") => Ok(()),
        Some(health) => Err(format!("its health check says {health}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_and_is_well_serves() {
        let runs = |health: Option<&str>| Container {
            running: true,
            health: health.map(str::to_owned),
            ..Container::default()
        };
        assert_eq!(serves(&runs(None)), Ok(()));
        assert_eq!(serves(&runs(Some("healthy"))), Ok(()));
        let starting = serves(&runs(Some("starting"))).unwrap_err();
        assert_eq!(starting, "its health check says starting");
        let still = Container {
            paused: true,
            ..runs(Some("healthy"))
        };
        assert!(serves(&still).is_err());
        assert!(serves(&Container::default()).is_err());
    }
}
