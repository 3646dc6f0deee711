//! Which containers hold the leader key, as the target file names them. It only looks.

use super::client::Container;
use super::docker_target::DockerTarget;
use super::found::{PROJECT, SERVICE, names};
use crate::drill::docker_file::Docker;
use crate::target::TargetError;

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
    /// When the file names none, or not as many as it says are there and run.
    pub(super) async fn dcs_members(&self) -> Result<Vec<Member>, TargetError> {
        let refused = |why: String| TargetError::new("find who holds the leader key", why);
        let file = self.dcs.as_ref();
        let file = file.ok_or_else(|| refused(Docker::NO_DCS.to_owned()))?;
        if file.names.is_empty() && file.label.is_none() && file.service.is_none() {
            return Err(refused(
                "dcs says nothing that only those containers have: add label: \"KEY=VALUE\", service: NAME, or \
                 names: [NAME, …]"
                    .to_owned(),
            ));
        }
        let ids = match file.names.is_empty() {
            false => file.names.clone(),
            true => {
                let service = file
                    .service
                    .iter()
                    .map(|service| format!("{SERVICE}={service}"));
                let project = file
                    .project
                    .iter()
                    .map(|project| format!("{PROJECT}={project}"));
                let labels: Vec<String> = file
                    .label
                    .clone()
                    .into_iter()
                    .chain(service)
                    .chain(project)
                    .collect();
                let found = self.engine.labelled(&labels).await;
                found.map_err(|error| refused(error.to_string()))?
            }
        };
        let mut containers = Vec::new();
        for id in &ids {
            let container = self.engine.inspect(id).await;
            containers.push(container.map_err(|error| refused(format!("{id}: {error}")))?);
        }
        containers.sort_by(|one, other| one.name.cmp(&other.name));
        let declared = match (file.names.len(), file.count) {
            (0, Some(count)) => count as usize,
            (0, None) => containers.len().max(1),
            (named, _) => named,
        };
        let there: Vec<&str> = containers.iter().map(|each| each.name.as_str()).collect();
        if there.len() != declared {
            return Err(refused(format!(
                "dcs matches {} containers ({}) and the target file declares {declared}: see docker ps --all",
                there.len(),
                there.join(", ")
            )));
        }
        let is_node = |id: &str| self.nodes.iter().any(|node| node.facts.id == id);
        if let Some(node) = containers.iter().find(|each| is_node(&each.id)) {
            return Err(refused(format!(
                "dcs names {} as well, which is a node: name only those that hold the leader key",
                node.name
            )));
        }
        if let Some(down) = containers.iter().find(|each| !each.running) {
            return Err(refused(format!(
                "{} does not run: docker start {}",
                down.name, down.name
            )));
        }
        let names = names(&containers, !file.names.is_empty());
        let members = names.into_iter().zip(containers);
        Ok(members
            .map(|(name, container)| Member { name, container })
            .collect())
    }
}
