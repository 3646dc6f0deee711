//! Where the container engine is: DOCKER_HOST, the chosen context, or the usual socket. Connects to nothing.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// Docker's own.
const USUAL: &str = "/var/run/docker.sock";

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// A Unix socket.
    Socket(PathBuf),
    /// A TCP port, not encrypted: `tcp://HOST:PORT`.
    Tcp(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

/// What decides where it is, as `docker` itself goes by it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// DOCKER_HOST.
    pub host: Option<String>,
    /// DOCKER_CONTEXT.
    pub context: Option<String>,
    /// DOCKER_CONFIG, else `~/.docker`.
    pub config: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = set("HOME").map(|home| PathBuf::from(home).join(".docker"));
        Self {
            host: set("DOCKER_HOST"),
            context: set("DOCKER_CONTEXT"),
            config: set("DOCKER_CONFIG").map(PathBuf::from).or(home),
        }
    }
}

/// The engine that a target file names, else the one that `docker` would talk to here.
///
/// # Errors
/// When it is reached by a way that firedrill has not, or a context cannot be read; with what to do.
pub fn find(named: Option<&str>, around: &Surroundings) -> Result<Place, String> {
    if let Some(host) = named.or(around.host.as_deref()) {
        return parse(host);
    }
    let current = || {
        let path = around.config.as_ref()?.join("config.json");
        let text = std::fs::read_to_string(path).ok()?;
        let config: serde_json::Value = serde_json::from_str(&text).ok()?;
        config["currentContext"].as_str().map(str::to_owned)
    };
    match around.context.clone().or_else(current) {
        Some(name) if name != "default" => of_context(&name, around),
        _ => Ok(Place::Socket(USUAL.into())),
    }
}

/// A context's endpoint, from where `docker context create` keeps it.
fn of_context(name: &str, around: &Surroundings) -> Result<Place, String> {
    let folder = around.config.clone().unwrap_or_default();
    let digest = Sha256::digest(name.as_bytes());
    let key: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join("contexts/meta").join(key).join("meta.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("the Docker context {name} cannot be read: {error}"))?;
    let meta: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| format!("the Docker context {name} cannot be read: {error}"))?;
    match meta["Endpoints"]["docker"]["Host"].as_str() {
        Some(host) => parse(host),
        None => Err(format!("the Docker context {name} names no engine")),
    }
}

fn parse(host: &str) -> Result<Place, String> {
    if let Some(path) = host.strip_prefix("unix://") {
        return Ok(Place::Socket(path.into()));
    }
    if host.starts_with("tcp://") {
        if std::env::var("DOCKER_TLS_VERIFY").is_ok_and(|set| !set.is_empty()) {
            return Err(format!(
                "{host} is encrypted, which firedrill cannot reach yet: forward its socket to this machine \
                 (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST) and name unix:///tmp/docker.sock"
            ));
        }
        return Ok(Place::Tcp(host.to_owned()));
    }
    Err(format!(
        "{host} is no engine that firedrill can reach: write unix:///PATH or tcp://HOST:PORT"
    ))
}

/// Whether a socket is there and may be opened, in words that say what to do.
///
/// # Errors
/// Why not.
pub fn may_open(path: &Path) -> Result<(), String> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            std::io::ErrorKind::NotFound => format!(
                "there is no socket {}: start the engine, or name another by DOCKER_HOST or `engine` in the target file",
                path.display()
            ),
            std::io::ErrorKind::PermissionDenied => format!(
                "the socket {} may not be used by this user: join the group that owns it (usually docker), or run as root",
                path.display()
            ),
            std::io::ErrorKind::ConnectionRefused => format!(
                "nobody listens at the socket {}: start the engine",
                path.display()
            ),
            _ => format!("the socket {} cannot be opened: {error}", path.display()),
        }),
    }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
