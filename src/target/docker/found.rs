//! Which containers are the nodes, and whether they may be drilled. It only looks, and refuses with what to do.

use super::client::{Container, Engine};
use super::facts::{self, Facts, NodeFacts, PartFacts};
use super::lock::{self, LeftBehind};
use super::patroni_stack::PatroniStack;
use super::place::{self, Place, Surroundings};
use super::plain::PlainStack;
use super::settings::DockerSettings;
use super::stack::{Stack, StackKind};
use crate::drill::docker_file::NodesFile;
use crate::target::{Part, TargetError};
use futures_util::{StreamExt as _, stream};
use std::sync::Arc;

/// The label by which a container says that drills may break it.
pub(super) const DRILLABLE: &str = "firedrill/drillable";
/// How many containers are looked at together.
const AT_ONCE: usize = 16;
/// Compose's own labels.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";

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
    /// Who leads and fails over in it.
    pub(super) stack: Arc<dyn Stack>,
}

/// The containers that the file means, before anything is asked of them.
#[derive(Debug)]
pub struct Candidates {
    engine: Engine,
    place: Place,
    containers: Vec<Container>,
    parts: Vec<(Part, Vec<Container>)>,
}

impl Candidates {
    /// Looks for them.
    ///
    /// # Errors
    /// When the engine cannot be used, or has not the containers that the file promises.
    pub async fn find(settings: &DockerSettings) -> Result<Self, TargetError> {
        let engine = settings.engine.as_deref();
        Self::find_by(engine, &settings.nodes, &settings.parts).await
    }

    /// The same by what a file says of containers alone, with no password read.
    ///
    /// # Errors
    /// As [`Candidates::find`].
    pub async fn find_by(
        engine: Option<&str>,
        nodes: &NodesFile,
        beside: &[(Part, NodesFile)],
    ) -> Result<Self, TargetError> {
        let (place, engine) = reach(engine).await?;
        let containers = candidates(&engine, nodes, "nodes").await?;
        let mut parts = Vec::new();
        for (part, file) in beside {
            let found = candidates(&engine, file, part.name()).await?;
            parts.push((*part, found));
        }
        Ok(Self {
            engine,
            place,
            containers,
            parts,
        })
    }

    /// By which an open journal on the same containers is found again.
    #[must_use]
    pub fn identity(&self) -> String {
        let ids = self.containers.iter().map(|each| each.id.as_str());
        facts::identity(&self.engine.id, ids)
    }

    /// What the lock on these containers says, where a run has it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn locked(&self) -> Result<Option<LeftBehind>, TargetError> {
        let lock = lock::name(&self.identity());
        lock::left_behind(&self.engine, &lock).await
    }
}

/// The engine that a target file would use here which names none, with what may be drilled on it, in one line.
///
/// # Errors
/// When there is none, or it cannot be used; the text says what to do.
pub async fn engine_here() -> Result<String, TargetError> {
    let (place, engine) = reach(None).await?;
    let drillable = engine.labelled(&[format!("{DRILLABLE}=true")]).await;
    let drillable = drillable.map_err(|error| refused(error.to_string()))?;
    Ok(format!(
        "{} at {place}; {} carry the label {DRILLABLE}",
        engine.version,
        match drillable.len() {
            0 => "no containers".to_owned(),
            1 => "1 container".to_owned(),
            many => format!("{many} containers"),
        }
    ))
}

/// The engine that is named, else the one that `docker` would talk to here, where it can be drilled on at all.
async fn reach(named: Option<&str>) -> Result<(Place, Engine), TargetError> {
    let place = place::find(named, &Surroundings::of_process())
        .map_err(|why| TargetError::new("find the container engine", why))?;
    let engine = Engine::connect(&place).await?;
    if engine.rootless {
        return Err(refused(format!(
            "{} runs rootless, so that no container's address can be reached from outside; a drill could \
             neither ask a node nor prove a cut: use an engine that runs as root",
            engine.version
        )));
    }
    Ok((place, engine))
}

/// The answers in the order of the questions, so many of which are under way together that a hundred nodes are not waited
/// for one by one.
pub(super) async fn some_at_a_time<F: Future>(
    questions: impl IntoIterator<Item = F>,
) -> Vec<F::Output> {
    let questions: Vec<F> = questions.into_iter().collect();
    stream::iter(questions).buffered(AT_ONCE).collect().await
}

/// A cluster that cannot be drilled as it is.
pub(super) fn refused(why: String) -> TargetError {
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
            parts,
        } = candidates;
        let beside = parts.iter().flat_map(|(_, members)| members);
        let wrong: Vec<String> = containers.iter().chain(beside).filter_map(unfit).collect();
        if !wrong.is_empty() {
            return Err(refused(wrong.join("; ")));
        }
        let own_names = names(&containers, !settings.nodes.names.is_empty());
        let nodes: Vec<(&Container, &str)> = containers
            .iter()
            .zip(own_names.iter().map(String::as_str))
            .collect();
        let (kind, looked) = match &settings.patroni {
            Some(at) => (StackKind::Patroni, PatroniStack::look(at, &nodes).await?),
            None => (StackKind::Plain, PlainStack::look(&engine, &nodes).await?),
        };
        let nodes = nodes.iter().zip(looked.members);
        let nodes = nodes
            .map(|((container, name), member)| as_found((*name).to_owned(), member, container));
        let nodes = nodes.collect();
        let networks = match &settings.networks {
            None => None,
            Some((clients, peers)) => Some((
                network(clients, &containers).map_err(refused)?,
                network(peers, &containers).map_err(refused)?,
            )),
        };
        let patroni_port = settings.patroni.as_ref().map(|at| at.port);
        let mut versions = vec![("container engine".to_owned(), engine.version.clone())];
        versions.extend(looked.versions);
        let mut facts = Facts {
            engine: place,
            engine_id: engine.id.clone(),
            nodes,
            networks,
            stack: kind,
            patroni_port: patroni_port.unwrap_or(settings.port),
            port: settings.port,
            lock: String::new(),
            parts: Vec::new(),
        };
        for (part, members) in &parts {
            let given = settings
                .parts
                .iter()
                .any(|(of, file)| of == part && !file.names.is_empty());
            for (name, container) in names(members, given).into_iter().zip(members) {
                facts.parts.push(PartFacts {
                    part: *part,
                    container: as_found(name, String::new(), container),
                });
            }
        }
        facts.lock = lock::name(&facts.identity());
        Ok(Self {
            engine,
            facts,
            image: containers
                .first()
                .map(|each| each.image.clone())
                .unwrap_or_default(),
            versions,
            stack: looked.stack,
        })
    }
}

/// A container as the journal keeps it.
fn as_found(name: String, member: String, container: &Container) -> NodeFacts {
    NodeFacts {
        name,
        id: container.id.clone(),
        container: container.name.clone(),
        member,
        policy: container.policy.clone(),
        networks: container.networks.clone(),
    }
}

/// The containers that the file means by a key, in declared order, if they are as many as it says.
async fn candidates(
    engine: &Engine,
    nodes: &NodesFile,
    key: &str,
) -> Result<Vec<Container>, TargetError> {
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
        let looked = some_at_a_time(ids.iter().map(|id| engine.inspect(id))).await;
        let looked: Result<Vec<Container>, _> = looked.into_iter().collect();
        containers = looked.map_err(|error| refused(error.to_string()))?;
        format!("the label {}", labels.join(" and "))
    };
    let declared = match nodes.names.len() {
        0 => nodes.count.unwrap_or_default() as usize,
        named => named,
    };
    let there: Vec<&str> = containers.iter().map(|each| each.name.as_str()).collect();
    if there.len() == declared {
        containers.sort_by_key(|container| natural(&container.name));
        if !nodes.names.is_empty() {
            let order = |name: &str| nodes.names.iter().position(|each| each == name);
            containers.sort_by_key(|each| order(&each.name));
        }
        return Ok(containers);
    }
    let next = match there.len() {
        0 => "see what they carry: docker ps --all --format '{{.Names}} {{.Labels}}'",
        found if found > declared => "name a label that only they carry, or count all of them",
        _ => "start the one that is missing, or count only those that there are",
    };
    Err(refused(format!(
        "{by} matches {} and the target file declares {declared} under {key}; {next}",
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

/// The names of the nodes: those that the file gives, else the Compose services where these tell them apart,
/// else the containers' own.
fn names(containers: &[Container], given: bool) -> Vec<String> {
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

/// PostgreSQL's version by its number.
pub(super) fn version_of(number: u32) -> String {
    match number {
        0 => "not running".to_owned(),
        number => format!("{}.{}", number / 10_000, number % 10_000),
    }
}

/// Adds a version that no node named before.
pub(super) fn add_version(versions: &mut Vec<(String, String)>, name: &str, version: &str) {
    let pair = (name.to_owned(), version.to_owned());
    if !versions.contains(&pair) {
        versions.push(pair);
    }
}

#[cfg(test)]
#[path = "found_tests.rs"]
mod tests;
