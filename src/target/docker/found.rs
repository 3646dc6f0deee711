//! Which containers are the nodes, and whether they may be drilled. It only looks, and refuses with what to do.

use super::client::{Container, Engine};
use super::facts::{self, Facts, NodeFacts};
use super::lock;
use super::place::{self, Place, Surroundings};
use super::settings::DockerSettings;
use crate::role::patroni;
use crate::target::TargetError;
use std::time::Duration;

/// The label by which a container says that drills may break it.
pub(super) const DRILLABLE: &str = "firedrill/drillable";
/// Compose's own labels.
pub(super) const PROJECT: &str = "com.docker.compose.project";
pub(super) const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
/// How long Patroni may take to say who it is.
const ASK: Duration = Duration::from_secs(3);

/// The nodes, as they were found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The engine.
    pub(super) engine: Engine,
    /// What the journal keeps.
    pub facts: Facts,
    /// An image that the engine has: that of the first node.
    pub(super) image: String,
    /// Name and version of what takes part.
    pub(super) versions: Vec<(String, String)>,
    /// The cluster's settings, by Patroni.
    pub(super) settings: patroni::Settings,
}

/// The containers that the file means, before anything is asked of them.
#[derive(Debug)]
pub struct Candidates {
    engine: Engine,
    place: Place,
    containers: Vec<Container>,
}

impl Candidates {
    /// Looks for them.
    ///
    /// # Errors
    /// When the engine cannot be used, or has not the containers that the file promises.
    pub async fn find(settings: &DockerSettings) -> Result<Self, TargetError> {
        let place = place::find(settings.engine.as_deref(), &Surroundings::of_process())
            .map_err(|why| TargetError::new("find the container engine", why))?;
        let engine = Engine::connect(&place).await?;
        if engine.rootless {
            return Err(refused(format!(
                "{} runs rootless, so that no container's address can be reached from outside; a drill could \
                 neither ask a node nor prove a cut: use an engine that runs as root",
                engine.version
            )));
        }
        let mut containers = candidates(&engine, settings).await?;
        containers.sort_by_key(|container| natural(&container.name));
        if !settings.nodes.names.is_empty() {
            let order = |name: &str| settings.nodes.names.iter().position(|each| each == name);
            containers.sort_by_key(|each| order(&each.name));
        }
        Ok(Self {
            engine,
            place,
            containers,
        })
    }

    /// By which an open journal on the same containers is found again.
    #[must_use]
    pub fn identity(&self) -> String {
        let ids = self.containers.iter().map(|each| each.id.as_str());
        facts::identity(&self.engine.id, ids)
    }
}

fn refused(why: String) -> TargetError {
    TargetError::new("find the nodes", why)
}

impl Found {
    /// Looks at the nodes.
    ///
    /// # Errors
    /// When a container must not or cannot be drilled as it is, or they are no cluster; the text says which and
    /// what to do.
    pub async fn look(
        candidates: Candidates,
        settings: &DockerSettings,
    ) -> Result<Self, TargetError> {
        let Candidates {
            engine,
            place,
            containers,
        } = candidates;
        let wrong: Vec<String> = containers.iter().filter_map(unfit).collect();
        if !wrong.is_empty() {
            return Err(refused(wrong.join("; ")));
        }
        let names = names(&containers, !settings.nodes.names.is_empty());
        let mut nodes = Vec::new();
        let mut versions = vec![("container engine".to_owned(), engine.version.clone())];
        let mut scopes: Vec<String> = Vec::new();
        let mut config = None;
        for (container, name) in containers.iter().zip(names) {
            let said = ask(container, settings.patroni_port).await.map_err(|why| {
                refused(format!(
                    "{name} does not say who it is at Patroni's port {}: {why}; see that Patroni runs in the \
                     container and that `patroni: {{ port: … }}` is right",
                    settings.patroni_port
                ))
            })?;
            let (said, at) = said;
            if said.paused {
                return Err(refused(
                    "Patroni is paused, so that nobody fails over: patronictl resume ends that"
                        .to_owned(),
                ));
            }
            add_version(
                &mut versions,
                "PostgreSQL",
                &postgresql(said.server_version),
            );
            add_version(&mut versions, "Patroni", &said.version);
            scopes.push(said.scope);
            if config.is_none() {
                config = patroni::settings(&at, settings.patroni_port, ASK)
                    .await
                    .ok();
            }
            nodes.push(NodeFacts {
                name,
                id: container.id.clone(),
                container: container.name.clone(),
                member: said.member,
                policy: container.policy.clone(),
                networks: container.networks.clone(),
            });
        }
        scopes.sort();
        scopes.dedup();
        if scopes.len() > 1 {
            return Err(refused(format!(
                "the containers belong to several clusters: {}; name those of one",
                scopes.join(", ")
            )));
        }
        let networks = match &settings.networks {
            None => None,
            Some((clients, peers)) => Some((
                network(clients, &containers).map_err(refused)?,
                network(peers, &containers).map_err(refused)?,
            )),
        };
        let config =
            config.ok_or_else(|| refused("no node tells Patroni's settings".to_owned()))?;
        let mut facts = Facts {
            engine: place,
            engine_id: engine.id.clone(),
            nodes,
            networks,
            patroni_port: settings.patroni_port,
            port: settings.port,
            lock: String::new(),
        };
        facts.lock = lock::name(&facts.identity());
        Ok(Self {
            engine,
            facts,
            image: containers
                .first()
                .map(|each| each.image.clone())
                .unwrap_or_default(),
            versions,
            settings: config,
        })
    }
}

/// The containers that the file means, if they are as many as it says.
async fn candidates(
    engine: &Engine,
    settings: &DockerSettings,
) -> Result<Vec<Container>, TargetError> {
    let nodes = &settings.nodes;
    let mut containers = Vec::new();
    let by = if !nodes.names.is_empty() {
        for name in &nodes.names {
            let container =
                engine
                    .inspect(name)
                    .await
                    .map_err(|error| match error.is_missing() {
                        true => refused(format!(
                            "there is no container {name}: docker ps --all lists them"
                        )),
                        false => refused(error.to_string()),
                    })?;
            containers.push(container);
        }
        "the names".to_owned()
    } else {
        let service = nodes
            .service
            .iter()
            .map(|service| format!("{SERVICE}={service}"));
        let project = nodes
            .project
            .iter()
            .map(|project| format!("{PROJECT}={project}"));
        let label = nodes.label.clone().into_iter();
        let labels: Vec<String> = label.chain(service).chain(project).collect();
        let ids = engine
            .labelled(&labels)
            .await
            .map_err(|error| refused(error.to_string()))?;
        for id in ids {
            containers.push(
                engine
                    .inspect(&id)
                    .await
                    .map_err(|error| refused(error.to_string()))?,
            );
        }
        format!("the label {}", labels.join(" and "))
    };
    let declared = match nodes.names.len() {
        0 => nodes.count.unwrap_or_default() as usize,
        named => named,
    };
    let there: Vec<&str> = containers.iter().map(|each| each.name.as_str()).collect();
    if there.len() == declared {
        return Ok(containers);
    }
    let next = match there.len() {
        0 => "see what they carry: docker ps --all --format '{{.Names}} {{.Labels}}'",
        found if found > declared => "name a label that only the nodes carry, or count all of them",
        _ => "start the one that is missing, or count only those that there are",
    };
    Err(refused(format!(
        "{by} matches {} and the target file declares {declared}; {next}",
        match there.as_slice() {
            [] => "no container".to_owned(),
            some => format!("{} containers ({})", some.len(), some.join(", ")),
        }
    )))
}

/// Why a container cannot or must not be drilled as it is.
fn unfit(container: &Container) -> Option<String> {
    let name = &container.name;
    if container.labels.get(DRILLABLE).map(String::as_str) != Some("true") {
        return Some(format!(
            "{name} does not say that it may be broken: add the label `{DRILLABLE}: \"true\"` to it (under \
             `labels:` in the Compose file)"
        ));
    }
    if container.paused {
        return Some(format!("{name} is paused: docker unpause {name}"));
    }
    if container.restarting {
        return Some(format!(
            "{name} is restarted again and again: docker logs {name}"
        ));
    }
    if !container.running {
        return Some(format!("{name} does not run: docker start {name}"));
    }
    if container.auto_remove {
        return Some(format!(
            "{name} is removed when it stops (--rm), so that it could not be started again: make it without"
        ));
    }
    if container
        .networks
        .values()
        .all(|network| network.address.is_empty())
    {
        return Some(format!(
            "{name} has no address of its own (the host's network, or none): attach it to a bridge network"
        ));
    }
    None
}

/// Asks Patroni at the first of the container's addresses that answers; gives the answer and the address.
async fn ask(container: &Container, port: u16) -> Result<(patroni::Said, String), String> {
    let mut why = "it is on no network".to_owned();
    for network in container
        .networks
        .values()
        .filter(|each| !each.address.is_empty())
    {
        match patroni::node(&network.address, port, ASK).await {
            Ok(said) => return Ok((said, network.address.clone())),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// The names of the nodes: those that the file gives, else the Compose services where these tell them apart,
/// else the containers' own.
pub(super) fn names(containers: &[Container], given: bool) -> Vec<String> {
    let own = || containers.iter().map(|each| each.name.clone()).collect();
    if given {
        return own();
    }
    let services: Option<Vec<&String>> = containers
        .iter()
        .map(|each| each.labels.get(SERVICE))
        .collect();
    let Some(services) = services else {
        return own();
    };
    let mut distinct = services.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() == services.len() {
        return services.into_iter().cloned().collect();
    }
    let numbered = containers.iter().zip(services).map(|(each, service)| {
        let number = each.labels.get(NUMBER)?;
        Some(format!("{service}-{number}"))
    });
    numbered
        .collect::<Option<Vec<String>>>()
        .unwrap_or_else(own)
}

/// The full name of a network that all nodes are on: the name itself, or with its Compose project before it.
fn network(named: &str, containers: &[Container]) -> Result<String, String> {
    let mut found: Option<String> = None;
    for container in containers {
        let project = container.labels.get(PROJECT);
        let full = project.map(|project| format!("{project}_{named}"));
        let at = container
            .networks
            .keys()
            .find(|name| *name == named || Some(*name) == full.as_ref())
            .ok_or_else(|| {
                let has: Vec<&str> = container.networks.keys().map(String::as_str).collect();
                format!(
                    "{} is not on the network {named}; it is on {}",
                    container.name,
                    has.join(", ")
                )
            })?;
        match &found {
            Some(other) if other != at => {
                return Err(format!(
                    "{named} means {other} and {at}: write the full name"
                ));
            }
            _ => found = Some(at.clone()),
        }
    }
    found.ok_or_else(|| "there is no node".to_owned())
}

/// A name with its numbers as numbers, so that 10 comes after 9.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let word = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(word);
        let digits = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        parts.push((text.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    parts
}

fn postgresql(number: u32) -> String {
    match number {
        0 => "not running".to_owned(),
        number => format!("{}.{}", number / 10_000, number % 10_000),
    }
}

/// Adds a version that no node named before.
fn add_version(versions: &mut Vec<(String, String)>, name: &str, version: &str) {
    let pair = (name.to_owned(), version.to_owned());
    if !versions.contains(&pair) {
        versions.push(pair);
    }
}

#[cfg(test)]
#[path = "found_tests.rs"]
mod tests;
