//! A target file as types: where a drill is run. It names exactly one kind.

use super::docker_file::Docker;
use super::duration::Duration;
use super::endpoint_file::{EndpointFile, WatchFile};
use super::identity_file::{IdentitiesFile, LedgerKeeping};
use super::simulated::Simulated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Kinds of targets that this version can drill.
pub(super) const KINDS: [&str; 3] = ["local", "docker", "simulated"];

/// Kinds of targets that have a place in the format and that this version cannot drill yet.
pub(super) const LATER: [&str; 2] = ["kubernetes", "commands"];

/// Where to practise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "firedrill target")]
#[schemars(extend("oneOf" = [{ "required": ["local"] }, { "required": ["docker"] }, { "required": ["simulated"] }]))]
pub struct TargetFile {
    /// Version of this format: 1.
    pub version: u32,
    /// Values for variables of drills, by name. A drill that has no such variable ignores it.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::variables")]
    pub variables: BTreeMap<String, String>,
    /// What the probes, and the clients of `load` steps, may cost.
    #[serde(default)]
    pub limits: LimitsFile,
    /// More addresses that clients use, by name; each is probed and has a downtime of its own.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointFile>,
    /// Services of your own that stand on the database, by name; each has a downtime of its own.
    #[serde(default)]
    pub watch: BTreeMap<String, WatchFile>,
    /// As whom firedrill logs in, where the address alone does not say it.
    #[serde(default)]
    pub identities: IdentitiesFile,
    /// The role whose synchronous_commit the probes commit with: your application's, so that what it can lose
    /// is what is looked for. Where it cannot be told, whether anything was lost is unknown.
    #[serde(default)]
    pub durability_of: Option<String>,
    /// How long rows of earlier runs stay in a ledger that a DBA made.
    #[serde(default)]
    pub ledger: Option<LedgerKeeping>,
    /// A throw-away cluster on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Local")]
    pub local: Option<Local>,
    /// A cluster in containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Docker")]
    pub docker: Option<Docker>,
    /// A scripted cluster under a virtual clock, to rehearse a drill without any database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Simulated")]
    pub simulated: Option<Simulated>,
}

/// The kind of a target, with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A throw-away cluster on this machine.
    Local(Local),
    /// A cluster in containers.
    Docker(Box<Docker>),
    /// A scripted cluster.
    Simulated(Simulated),
}

impl TargetFile {
    /// The kind that it names: a file that was checked names exactly one.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        match (&self.simulated, &self.docker, &self.local) {
            (Some(simulated), ..) => TargetKind::Simulated(simulated.clone()),
            (_, Some(docker), _) => TargetKind::Docker(Box::new(docker.clone())),
            (None, None, local) => TargetKind::Local(local.clone().unwrap_or_default()),
        }
    }
}

impl Default for TargetFile {
    /// The embedded default: one standby, and a stand-in that fails over by itself.
    fn default() -> Self {
        Self {
            version: 1,
            variables: BTreeMap::new(),
            limits: LimitsFile::default(),
            endpoints: BTreeMap::new(),
            watch: BTreeMap::new(),
            identities: IdentitiesFile::default(),
            durability_of: None,
            ledger: None,
            local: Some(Local::default()),
            docker: None,
            simulated: None,
        }
    }
}

/// What the probes, and the clients of `load` steps, may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsFile {
    /// Sessions on one node at the same time.
    pub sessions: u32,
    /// Commits a second, in sum.
    pub commits_per_second: u32,
    /// Clients of `load` steps at the same time, beside those sessions.
    pub clients: u32,
    /// What such clients ask for in a second, in sum.
    pub requests_per_second: u32,
}

impl Default for LimitsFile {
    fn default() -> Self {
        Self {
            sessions: 20,
            commits_per_second: 100,
            clients: 60,
            requests_per_second: 1000,
        }
    }
}

/// A throw-away cluster on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Local {
    /// `false` forbids drills on it.
    pub drillable: bool,
    /// Standbys beside the primary.
    pub standbys: u32,
    /// Who promotes a standby when the primary is lost.
    pub failover: FailoverFile,
    /// Commits wait for a standby.
    pub synchronous: bool,
    /// The stand-in for a failover agent.
    pub agent: AgentFile,
    /// The stand-in for a router in front of the nodes.
    pub router: RouterFile,
    /// Which PostgreSQL.
    pub postgres: PostgresFile,
    /// Fixed ports of the endpoints; free ones otherwise.
    pub ports: PortsFile,
    /// `max_connections` of each node.
    pub max_connections: u32,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            drillable: true,
            standbys: 1,
            failover: FailoverFile::Automatic,
            synchronous: false,
            agent: AgentFile::default(),
            router: RouterFile::default(),
            postgres: PostgresFile::default(),
            ports: PortsFile::default(),
            max_connections: 100,
        }
    }
}

/// Who promotes a standby when the primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailoverFile {
    /// The agent.
    Automatic,
    /// firedrill, in the step `fail_over`.
    Promote,
}

/// Settings of the failover agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentFile {
    /// How often it asks all nodes.
    pub r#loop: Duration,
    /// For how long the primary must not have answered before it is given up.
    pub detection: Duration,
}

impl Default for AgentFile {
    fn default() -> Self {
        Self {
            r#loop: Duration::from_ms(50),
            detection: Duration::from_ms(300),
        }
    }
}

/// Settings of the router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouterFile {
    /// How often it checks each node.
    pub check: Duration,
    /// Failed checks after which a node is down.
    pub fall: u32,
    /// Good checks after which it is up.
    pub rise: u32,
    /// When a check that is not answered has failed.
    pub timeout: Duration,
}

impl Default for RouterFile {
    fn default() -> Self {
        Self {
            check: Duration::from_ms(50),
            fall: 3,
            rise: 2,
            timeout: Duration::from_ms(100),
        }
    }
}

/// Which PostgreSQL to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresFile {
    /// The folder that holds `postgres`, `initdb` and the other programs; without it, the newest that is
    /// found.
    pub bin: Option<PathBuf>,
}

/// Fixed ports of the endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PortsFile {
    /// Of the writer endpoint.
    pub writer: Option<u16>,
    /// Of the reader endpoint.
    pub reader: Option<u16>,
}

impl Local {
    /// Names of the nodes: the first begins as the primary.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        (1..=u64::from(self.standbys) + 1)
            .map(|number| format!("node-{number}"))
            .collect()
    }
}
