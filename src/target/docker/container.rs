//! What an engine says of a container, in plain records.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container as the engine describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its id in full.
    pub id: String,
    /// Its name, without the slash that the API puts before it.
    pub name: String,
    /// Id of its image.
    pub image: String,
    /// It runs (a paused one too).
    pub running: bool,
    /// All its processes stand still.
    pub paused: bool,
    /// The engine is about to start it again.
    pub restarting: bool,
    /// What its own health check says, where it has one: starting, healthy, unhealthy.
    pub health: Option<String>,
    /// How its first process ended last.
    pub exit_code: i64,
    /// Number of its first process on the engine's machine; 0 where it does not run.
    pub pid: i64,
    /// When it was started last: another value is another life.
    pub started_at: String,
    /// The engine removes it when it stops.
    pub auto_remove: bool,
    /// Its restart policy.
    pub policy: Policy,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The networks that it is attached to, by name.
    pub networks: BTreeMap<String, Attachment>,
    /// Names that somebody wrote down for it, as `NAME:ADDRESS`.
    pub extra_hosts: Vec<String>,
    /// How long the engine waits after the first signal of a stop, where it says.
    pub stop_timeout: Option<u64>,
    /// The file by which the clock of its processes is set, where they do not read the machine's.
    pub clock: Option<String>,
}

/// Where libfaketime, or what stands in for it, is preloaded into a container's processes, the file that tells it the time.
/// One that is given a time for good (FAKETIME) reads no file, and libfaketime itself steps time that is counted as well unless
/// it is told not to.
#[must_use]
pub fn clock_file(environment: &[String]) -> Option<String> {
    let value = |name: &str| {
        let mut all = environment.iter().filter_map(|line| line.split_once('='));
        all.find(|(of, _)| *of == name).map(|(_, value)| value)
    };
    let led = value("LD_PRELOAD").filter(|paths| paths.contains("faketime"))?;
    let file = value("FAKETIME_TIMESTAMP_FILE").filter(|path| path.starts_with('/'))?;
    let counts_on = ["FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"]
        .iter()
        .any(|name| value(name) == Some("1"));
    let time_of_day_alone = counts_on || !led.contains("libfaketime");
    (time_of_day_alone && value("FAKETIME").is_none()).then(|| file.to_owned())
}

/// What an engine does when a container ends by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// no, always, unless-stopped or on-failure.
    pub name: String,
    /// How often, for on-failure; 0 for ever.
    pub retries: i64,
}

impl Policy {
    /// The one that starts nothing.
    #[must_use]
    pub fn none() -> Self {
        Self {
            name: "no".to_owned(),
            retries: 0,
        }
    }

    /// Whether it starts anything.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.name != "no"
    }
}

/// How a container is attached to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Names by which it is found there.
    pub aliases: Vec<String>,
    /// The address that it has now; empty while it does not run.
    pub address: String,
    /// The address that it is to have, where somebody chose one.
    pub fixed: Option<String>,
    /// Links to other containers.
    pub links: Vec<String>,
    /// Its hardware address.
    pub mac: String,
}
