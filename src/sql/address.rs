//! Where a server is and as whom to log in.

use super::connection::Way;
use super::simulated::SimulatedHost;
use std::fmt;
use std::sync::Arc;

/// A password. It is shown nowhere: not by Debug, not in an error, not in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the one call that hands it to a server.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where a server is and as whom to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name, IP address, or the folder of a Unix socket (begins with `/`).
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Its password, where one is needed.
    pub password: Option<Secret>,
    /// Database.
    pub database: String,
    /// `application_name`: firedrill's carry the run's id and never the drill's name.
    pub application: String,
    /// A simulated server in place of a real one: then host and port are names only.
    pub simulated: Option<SimulatedHost>,
    /// What a connection string says beside that: more hosts, encryption, which server is wanted. Without
    /// it, host and port are all, and nothing is encrypted.
    pub way: Option<Arc<Way>>,
}

impl Address {
    /// The same server under another `application_name`.
    #[must_use]
    pub fn named(&self, application: impl Into<String>) -> Self {
        Self {
            application: application.into(),
            ..self.clone()
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.user)?;
        match &self.way {
            None => write!(f, "{}:{}", self.host, self.port)?,
            Some(way) => {
                for (at, host) in way.hosts.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    let name = host.name.as_deref().unwrap_or(host.reached_at());
                    write!(f, "{comma}{name}:{}", host.port)?;
                }
            }
        }
        write!(f, "/{}", self.database)
    }
}
