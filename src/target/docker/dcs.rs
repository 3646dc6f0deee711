//! Which containers hold the leader key, as the target file names them. It only looks.

use super::client::Container;
use super::docker_target::DockerTarget;
use crate::drill::docker_file::Docker;
use crate::target::{Part, TargetError};

/// A member of the store that holds the leader key.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its name for people.
    pub(super) name: String,
    /// Its container.
    pub(super) container: Container,
}

impl DockerTarget {
    /// The members, all of them running.
    ///
    /// # Errors
    /// When the file names none, or one does not run.
    pub(super) async fn dcs_members(&self) -> Result<Vec<Member>, TargetError> {
        let refused = |why: String| TargetError::new("find who holds the leader key", why);
        let mut members = Vec::new();
        let named = self.parts.iter().filter(|(part, _)| *part == Part::Dcs);
        for (_, member) in named {
            let container = self.look_at(member).await?;
            if !container.running {
                let name = &container.name;
                return Err(refused(format!("{name} does not run: docker start {name}")));
            }
            members.push(Member {
                name: member.facts.name.clone(),
                container,
            });
        }
        match members.is_empty() {
            true => Err(refused(Docker::NO_DCS.to_owned())),
            false => Ok(members),
        }
    }
}
