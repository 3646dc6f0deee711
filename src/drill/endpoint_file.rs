//! What a target file names beside the writer and the reader endpoint: more addresses that clients use, and
//! services of the user's own that are watched. Types only; what their words may say is checked elsewhere.

use super::duration::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Another address that clients use, such as a connection pooler's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointFile {
    /// Where it is, as a `postgresql://` URL or in libpq's `key=value` words; never with a password.
    pub url: String,
    /// The IP address to connect to, where the name in the URL is only the one that is verified.
    #[serde(default)]
    pub hostaddr: Option<String>,
    /// It takes writes; `false` for one that is only read from.
    #[serde(default = "yes")]
    pub writes: bool,
    /// A pooler stands there, and how it pools.
    #[serde(default)]
    pub pool: Option<PoolFile>,
}

fn yes() -> bool {
    true
}

/// How a pooler hands out its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolFile {
    /// One for as long as a client is connected.
    Session,
    /// Another for each transaction.
    Transaction,
}

/// A service of the user's own, asked as its clients ask it: by `http` or by `run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchFile {
    /// A URL that answers GET with a status from 200 to 299 while the service is good.
    #[serde(default)]
    pub http: Option<String>,
    /// A command and its arguments that ends with 0 while the service is good. No shell.
    #[serde(default)]
    pub run: Option<Vec<String>>,
    /// How often; without it 100ms for `http` and 1s for `run`.
    #[serde(default)]
    pub every: Option<Duration>,
    /// When an answer comes too late.
    #[serde(default = "a_second")]
    pub deadline: Duration,
}

fn a_second() -> Duration {
    Duration::from_secs(1)
}

impl WatchFile {
    /// How often it is asked.
    #[must_use]
    pub fn period(&self) -> Duration {
        let usual = match self.run {
            Some(_) => Duration::from_secs(1),
            None => Duration::from_ms(100),
        };
        self.every.unwrap_or(usual)
    }
}
