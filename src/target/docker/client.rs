//! The engine's API as this target uses it: containers, networks, commands inside. The only file that knows
//! bollard.
//!
//! Every call has a limit of its own here: the client's is one for all, in whole seconds, and ends with the
//! headers of an answer. Nothing here decides; what an engine says is handed on in plain records.

mod beside;
mod file;
mod states;
mod visitor;

pub use super::container::{Attachment, Container, Policy};
use super::place::Place;
use crate::target::TargetError;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerUpdateBody, EndpointIpamConfig,
    EndpointSettings, HostConfig, NetworkConnectRequest, NetworkDisconnectRequest, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StopContainerOptionsBuilder, TopOptionsBuilder,
};
use bollard::{ClientVersion, Docker};
use futures_util::{FutureExt as _, StreamExt as _};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
pub use visitor::{From as Said, Rights, To as Told, Visitor};

/// How long an engine may take for what it has only to look up or to write down.
const SHORT: Duration = Duration::from_secs(5);
/// How long it may take to start, to kill, to freeze, to attach and to detach.
const LONG: Duration = Duration::from_secs(30);
/// What an engine must speak: that of Docker 20.10. Podman answers the same.
pub const OLDEST: (usize, usize) = (1, 41);
/// Since then a container's hardware address may be asked for at each network.
const MAC_PER_NETWORK: (usize, usize) = (1, 44);

/// A connection to an engine.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
    /// What it speaks.
    api: (usize, usize),
    /// Its own version, such as "Docker Engine 20.10.24".
    pub version: String,
    /// By which it is told from other engines.
    pub id: String,
    /// It runs without the rights of root, so that nobody outside reaches a container's address.
    pub rootless: bool,
    /// It says which of a container's addresses somebody chose, and which it chose itself: Podman does not.
    tells_chosen_addresses: bool,
}

/// Why an engine did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It answered, and refused.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// It did not answer in time; it may still do it.
    #[error("the engine did not answer in {} s", .0.as_secs())]
    Late(Duration),
    /// It could not be asked.
    #[error("{0}")]
    Lost(String),
}

impl EngineError {
    /// There is no such container, network or command.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// It is so already, or somebody has that name, which Podman calls an error of its own.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Refused { status, message } => {
                matches!(status, 304 | 409) || *status == 500 && message.contains("already in use")
            }
            Self::Late(_) | Self::Lost(_) => false,
        }
    }
}

impl From<bollard::errors::Error> for EngineError {
    fn from(error: bollard::errors::Error) -> Self {
        match error {
            bollard::errors::Error::DockerResponseServerError {
                status_code,
                message,
            } => Self::Refused {
                status: status_code,
                message,
            },
            other => Self::Lost(with_causes(&other)),
        }
    }
}

/// An error with what caused it: the client's own text alone says "error trying to connect".
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

impl Engine {
    /// Connects to the engine at a place and agrees on a version of the API.
    ///
    /// # Errors
    /// When nobody answers there, or in a language that is too old; the text says what to do.
    pub async fn connect(place: &Place) -> Result<Self, TargetError> {
        let what = || format!("reach the container engine at {place}");
        let first = ClientVersion {
            major_version: 1,
            minor_version: 47,
        };
        let seconds = LONG.as_secs() * 4;
        let docker = match place {
            Place::Socket(path) => {
                super::place::may_open(path).map_err(|why| TargetError::new(what(), why))?;
                Docker::connect_with_unix(&path.to_string_lossy(), seconds, &first)
            }
            Place::Tcp(address) => Docker::connect_with_http(address, seconds, &first),
        };
        let docker = docker.map_err(|error| TargetError::new(what(), with_causes(&error)))?;
        let said = within(SHORT, docker.version())
            .await
            .map_err(|error| TargetError::new(what(), error))?;
        let speaks = said.api_version.clone().unwrap_or_default();
        let api = parse_api(&speaks).ok_or_else(|| {
            TargetError::new(what(), format!("it speaks API {speaks:?}, which is none"))
        })?;
        if api < OLDEST {
            return Err(TargetError::new(
                what(),
                format!(
                    "it speaks API {speaks}; firedrill needs {}.{} (Docker Engine 20.10) or newer: update the engine",
                    OLDEST.0, OLDEST.1
                ),
            ));
        }
        let docker = within(SHORT, docker.negotiate_version())
            .await
            .map_err(|error| TargetError::new(what(), error))?;
        let info = within(SHORT, docker.info())
            .await
            .map_err(|error| TargetError::new(what(), error))?;
        let podman = said
            .components
            .iter()
            .flatten()
            .any(|part| part.name.contains("Podman"));
        let name = if podman { "Podman" } else { "Docker Engine" };
        let rootless = info
            .security_options
            .iter()
            .flatten()
            .any(|option| option.contains("rootless"));
        Ok(Self {
            docker,
            api,
            version: format!("{name} {}", said.version.unwrap_or_default()),
            // Podman makes up another id at each call; its machine's name is the nearest thing.
            id: info
                .id
                .filter(|id| !podman && !id.is_empty())
                .or(info.name)
                .unwrap_or_default(),
            rootless,
            tells_chosen_addresses: !podman,
        })
    }

    /// Ids of all containers, stopped ones too, that carry all of these labels (`key` or `key=value`).
    ///
    /// # Errors
    /// The engine's.
    pub async fn labelled(&self, labels: &[String]) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let list = self.docker.list_containers(Some(options)).map(states::read);
        let listed = within(SHORT, list).await?;
        Ok(listed.into_iter().filter_map(|each| each.id).collect())
    }

    /// One container, by id or name.
    ///
    /// # Errors
    /// The engine's; [`EngineError::is_missing`] where there is none.
    pub async fn inspect(&self, container: &str) -> Result<Container, EngineError> {
        // Looking twice is harmless, and Podman closes connections that were idle for a while.
        let look = || {
            let one = self.docker.inspect_container(container, None);
            within(SHORT, one.map(states::read))
        };
        let said = match look().await {
            Err(EngineError::Lost(_)) => look().await,
            answered => answered,
        };
        said.map(described)
    }

    /// Sends a signal to the container's first process; SIGKILL ends all of them.
    ///
    /// # Errors
    /// The engine's.
    pub async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::default()
            .signal(signal)
            .build();
        within(LONG, self.docker.kill_container(id, Some(options))).await
    }

    /// Stops a container: its own signal, then SIGKILL after `grace`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        // The engine answers when the container has ended.
        within(grace + LONG, self.docker.stop_container(id, Some(options))).await
    }

    /// Starts a container; harmless where it runs.
    ///
    /// # Errors
    /// The engine's.
    pub async fn start(&self, id: &str) -> Result<(), EngineError> {
        harmless(within(LONG, self.docker.start_container(id, None)).await)
    }

    /// Freezes all processes of a container.
    ///
    /// # Errors
    /// The engine's.
    pub async fn pause(&self, id: &str) -> Result<(), EngineError> {
        within(LONG, self.docker.pause_container(id)).await
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// The engine's.
    pub async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        within(LONG, self.docker.unpause_container(id)).await
    }

    /// Sets a container's restart policy.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_policy(&self, id: &str, policy: &Policy) -> Result<(), EngineError> {
        let name = match policy.name.as_str() {
            "always" => RestartPolicyNameEnum::ALWAYS,
            "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
            "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
            _ => RestartPolicyNameEnum::NO,
        };
        let body = ContainerUpdateBody {
            restart_policy: Some(RestartPolicy {
                name: Some(name),
                maximum_retry_count: Some(policy.retries),
            }),
            ..ContainerUpdateBody::default()
        };
        within(LONG, self.docker.update_container(id, body)).await
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// The engine's.
    pub async fn disconnect(&self, id: &str, network: &str) -> Result<(), EngineError> {
        let body = NetworkDisconnectRequest {
            container: id.to_owned(),
            force: Some(false),
        };
        within(LONG, self.docker.disconnect_network(network, body)).await
    }

    /// The address that a container is to get again. Only one that somebody chose is asked for: one that the engine
    /// chose would be pinned by that, which it was not, and may be another one afterwards, as after any start. Where
    /// nobody tells the two apart, one that is pinned does less harm than one that others dial in vain.
    #[must_use]
    pub fn address_to_ask_for<'a>(&self, before: &'a Attachment) -> Option<&'a str> {
        let had = Some(before.address.as_str()).filter(|address| !address.is_empty());
        let unsaid = had.filter(|_| !self.tells_chosen_addresses);
        before.fixed.as_deref().or(unsaid)
    }

    /// Attaches a container to a network as it was attached before.
    ///
    /// # Errors
    /// The engine's: among them that the address is somebody else's by now.
    pub async fn connect_again(
        &self,
        id: &str,
        network: &str,
        before: &Attachment,
    ) -> Result<(), EngineError> {
        let filled = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        // Podman makes up another one each time, and whoever knows the old one sends to it for up to half a minute.
        let may_ask = self.api >= MAC_PER_NETWORK || !self.tells_chosen_addresses;
        let mac = (may_ask && !before.mac.is_empty()).then(|| before.mac.clone());
        let body = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(EndpointSettings {
                aliases: filled(&before.aliases),
                links: filled(&before.links),
                mac_address: mac,
                ipam_config: self
                    .address_to_ask_for(before)
                    .map(|address| EndpointIpamConfig {
                        ipv4_address: Some(address.to_owned()),
                        ..EndpointIpamConfig::default()
                    }),
                ..EndpointSettings::default()
            }),
        };
        within(LONG, self.docker.connect_network(network, body)).await
    }

    /// How many processes of a container the engine's machine knows, zombies left out.
    ///
    /// # Errors
    /// The engine's; that the container does not run is one.
    pub async fn living(&self, id: &str) -> Result<usize, EngineError> {
        let options = TopOptionsBuilder::default().ps_args("-o pid,stat").build();
        let top = within(SHORT, self.docker.top_processes(id, Some(options))).await?;
        let titles = top.titles.unwrap_or_default();
        let state = titles
            .iter()
            .position(|title| title.eq_ignore_ascii_case("stat"));
        let rows = top.processes.unwrap_or_default();
        let zombie = |row: &&Vec<String>| {
            state
                .and_then(|at| row.get(at))
                .is_some_and(|state| state.starts_with('Z'))
        };
        Ok(rows.iter().filter(|row| !zombie(row)).count())
    }

    /// Runs a command in a container as root, and returns what it wrote and its exit code.
    ///
    /// # Errors
    /// The engine's, and that the command did not end within `limit`.
    pub async fn exec(
        &self,
        id: &str,
        command: &[&str],
        limit: Duration,
    ) -> Result<(String, i64), EngineError> {
        self.exec_as("0", id, command, limit).await
    }

    /// The same, as a user by name or number.
    ///
    /// # Errors
    /// The engine's, and that the command did not end within `limit`.
    pub async fn exec_as(
        &self,
        user: &str,
        id: &str,
        command: &[&str],
        limit: Duration,
    ) -> Result<(String, i64), EngineError> {
        let all = async {
            let options = CreateExecOptions {
                cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
                user: Some(user.to_owned()),
                attach_stdout: Some(true),
                attach_stderr: Some(true),
                ..CreateExecOptions::default()
            };
            let made = self.docker.create_exec(id, options).await?;
            let started = self
                .docker
                .start_exec(&made.id, None::<StartExecOptions>)
                .await?;
            let mut text = String::new();
            if let StartExecResults::Attached { mut output, .. } = started {
                while let Some(part) = output.next().await {
                    text.push_str(&part?.to_string());
                }
            }
            let ended = self.docker.inspect_exec(&made.id).await?;
            Ok((text, ended.exit_code.unwrap_or(-1)))
        };
        within(limit, all).await
    }

    /// Makes a container that is never started: its name is the lock, or says what else must be known later.
    ///
    /// # Errors
    /// The engine's; [`EngineError::is_conflict`] where somebody has it.
    pub async fn make_lock(
        &self,
        name: &str,
        image: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), EngineError> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(vec!["true".to_owned()]),
            entrypoint: Some(Vec::new()),
            labels: Some(labels.clone().into_iter().collect()),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        within(LONG, self.docker.create_container(Some(options), body))
            .await
            .map(|_| ())
    }

    /// Removes a container; harmless where there is none.
    ///
    /// # Errors
    /// The engine's.
    pub async fn remove(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().v(true).build();
        match within(LONG, self.docker.remove_container(name, Some(options))).await {
            Err(error) if error.is_missing() => Ok(()),
            other => other,
        }
    }
}

/// What is so already needs no doing.
fn harmless(done: Result<(), EngineError>) -> Result<(), EngineError> {
    match done {
        Err(EngineError::Refused { status: 304, .. }) => Ok(()),
        other => other,
    }
}

async fn within<T, F>(limit: Duration, call: F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, bollard::errors::Error>>,
{
    match tokio::time::timeout(limit, call).await {
        Ok(answered) => answered.map_err(EngineError::from),
        Err(_) => Err(EngineError::Late(limit)),
    }
}

fn parse_api(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn described(said: ContainerInspectResponse) -> Container {
    let state = said.state.unwrap_or_default();
    let host = said.host_config.unwrap_or_default();
    let config = said.config.unwrap_or_default();
    let policy = host.restart_policy.unwrap_or_default();
    let name = match policy.name {
        Some(RestartPolicyNameEnum::ALWAYS) => "always",
        Some(RestartPolicyNameEnum::UNLESS_STOPPED) => "unless-stopped",
        Some(RestartPolicyNameEnum::ON_FAILURE) => "on-failure",
        Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY) | None => "no",
    };
    let id = said.id.unwrap_or_default();
    let networks = said.network_settings.and_then(|settings| settings.networks);
    let networks = networks.unwrap_or_default().into_iter();
    Container {
        name: said
            .name
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
        image: said.image.unwrap_or_default(),
        running: state.running.unwrap_or_default(),
        paused: state.paused.unwrap_or_default(),
        restarting: state.restarting.unwrap_or_default(),
        health: state
            .health
            .and_then(|health| health.status)
            .map(|status| status.to_string()),
        exit_code: state.exit_code.unwrap_or_default(),
        pid: state.pid.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        auto_remove: host.auto_remove.unwrap_or_default(),
        extra_hosts: host.extra_hosts.unwrap_or_default(),
        policy: Policy {
            name: name.to_owned(),
            retries: policy.maximum_retry_count.unwrap_or_default(),
        },
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        networks: networks
            .map(|(name, said)| (name, attachment(said, &id)))
            .collect(),
        stop_timeout: config
            .stop_timeout
            .and_then(|seconds| u64::try_from(seconds).ok()),
        clock: super::container::clock_file(&config.env.unwrap_or_default()),
        id,
    }
}

fn attachment(said: EndpointSettings, id: &str) -> Attachment {
    let mut aliases = said.aliases.unwrap_or_default();
    // The engine adds the short id to the names itself, each time.
    aliases.retain(|alias| alias.is_empty() || !id.starts_with(alias.as_str()));
    aliases.sort();
    Attachment {
        aliases,
        address: said.ip_address.unwrap_or_default(),
        fixed: said
            .ipam_config
            .and_then(|config| config.ipv4_address)
            .filter(|at| !at.is_empty()),
        links: said.links.unwrap_or_default(),
        mac: said.mac_address.unwrap_or_default(),
    }
}
