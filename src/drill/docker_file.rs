//! A cluster in containers, as a target file names it. Types only; what fits together is checked elsewhere.

use super::identity_file::PasswordFile;
use super::target_file::FailoverFile;
use crate::target::Part;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A cluster in containers, by Docker Engine or Podman.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Docker {
    /// `true` allows drills on it. Each container of a node must say so as well, by the label
    /// `firedrill/drillable: "true"`.
    #[serde(default)]
    pub drillable: bool,
    /// Where the engine listens: `unix:///PATH` or `tcp://HOST:PORT`. Without it DOCKER_HOST, the chosen context
    /// or the usual socket.
    #[serde(default)]
    pub engine: Option<String>,
    /// Which containers are its nodes.
    pub nodes: NodesFile,
    /// Which containers hold the leader key (etcd): for `lose_dcs`, and for cuts from them alone. Each must carry the
    /// label `firedrill/drillable: "true"`, as what is named below.
    #[serde(default)]
    pub dcs: Option<NodesFile>,
    /// Which networks a cut takes a node off. Without it all that the node is on, and a cut from clients or from
    /// the other nodes alone is refused.
    #[serde(default)]
    pub networks: Option<NetworksFile>,
    /// Which containers lead clients to the servers: what `lose_router` takes away.
    #[serde(default)]
    pub router: Option<NodesFile>,
    /// Which containers keep sessions to the servers for clients: what `lose_router` takes away with `which: pooler`.
    #[serde(default)]
    pub pooler: Option<NodesFile>,
    /// HAProxy's statistics, as the witness of the moment from which clients are sent to a new primary.
    #[serde(default)]
    pub haproxy: Option<HaproxyFile>,
    /// Who is asked about roles; several are compared with each other. Without Patroni among them `failover` is
    /// `promote`: nobody else fails over.
    pub roles: Vec<RoleSourceFile>,
    /// PostgreSQL's port inside a container.
    #[serde(default = "postgresql")]
    pub port: u16,
    /// The addresses that clients use.
    pub endpoints: MainEndpointsFile,
    /// Who promotes a standby when the primary is lost: Patroni (`automatic`), or firedrill (`promote`), which first
    /// kills every other node that might still take writes.
    #[serde(default = "automatic")]
    pub failover: FailoverFile,
    /// How a node that is behind comes back.
    #[serde(default)]
    pub rejoin: RejoinFile,
}

fn postgresql() -> u16 {
    5432
}

fn automatic() -> FailoverFile {
    FailoverFile::Automatic
}

/// Which containers are nodes: by a label, by their Compose service, or by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodesFile {
    /// A label that they carry: `key=value`, or a key alone.
    pub label: Option<String>,
    /// Their Compose service.
    pub service: Option<String>,
    /// The Compose project that they must be of, for `label` and `service`, where there are several.
    pub project: Option<String>,
    /// Their names.
    pub names: Vec<String>,
    /// How many there must be, for `label` and `service`: what counts as whole.
    pub count: Option<u32>,
}

/// Where HAProxy tells to whom it sends clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HaproxyFile {
    /// Its statistics as CSV: `http://HOST:PORT/;csv` where `stats uri` is `/`. Its servers have the names of Patroni's
    /// members.
    pub stats: String,
    /// The proxy that leads to the primary.
    #[serde(default = "writer")]
    pub proxy: String,
}

fn writer() -> String {
    "writer".to_owned()
}

/// The networks that clients, and the other nodes, reach a node by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworksFile {
    /// Clients and the router come by this one; the name without its Compose project will do.
    pub clients: String,
    /// The other nodes, and whoever decides about failover, come by this one.
    pub peers: String,
}

/// Who is asked about roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleSourceFile {
    /// Patroni, on each node.
    Patroni(PatroniFile),
    /// PostgreSQL itself, on each node.
    Sql,
}

/// Patroni's REST interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PatroniFile {
    /// Its port inside a container.
    pub port: u16,
    /// As whom a switch-over is asked for, where Patroni wants to know.
    pub user: Option<String>,
    /// Where that user's password is.
    pub password: Option<PasswordFile>,
}

impl Default for PatroniFile {
    fn default() -> Self {
        Self {
            port: 8008,
            user: None,
            password: None,
        }
    }
}

/// The addresses that clients use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MainEndpointsFile {
    /// It leads to whoever takes writes.
    pub writer: AddressFile,
    /// It leads to standbys.
    #[serde(default)]
    pub reader: Option<AddressFile>,
}

/// An address that clients use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressFile {
    /// Where it is, as a `postgresql://` URL or in libpq's `key=value` words; never with a password.
    pub url: String,
    /// The IP address to connect to, where the name in the URL is only the one that is verified.
    #[serde(default)]
    pub hostaddr: Option<String>,
}

/// How a node that is behind comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejoinFile {
    /// The stack rewinds it or copies it anew: Patroni, or whatever its container starts with.
    #[default]
    Automatic,
}

impl Docker {
    /// What to do where nothing says who holds the leader key.
    pub const NO_DCS: &str = "the target file does not say which containers hold the leader key: name them below \
         `docker`, such as dcs: { label: \"KEY=VALUE\" }";

    /// What it names beside the nodes.
    #[must_use]
    pub fn parts(&self) -> Vec<(Part, NodesFile)> {
        let of = |part| match part {
            Part::Dcs => &self.dcs,
            Part::Router => &self.router,
            Part::Pooler => &self.pooler,
        };
        let parts = Part::ALL.into_iter();
        parts
            .filter_map(|part| of(part).clone().map(|file| (part, file)))
            .collect()
    }

    /// Names of the nodes before anybody has looked: those that are written, else placeholders.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        if !self.nodes.names.is_empty() {
            return self.nodes.names.clone();
        }
        let count = self.nodes.count.unwrap_or_default();
        (1..=count).map(|number| format!("node-{number}")).collect()
    }

    /// Patroni's settings, where it is asked.
    #[must_use]
    pub fn patroni(&self) -> Option<&PatroniFile> {
        self.roles.iter().find_map(|source| match source {
            RoleSourceFile::Patroni(patroni) => Some(patroni),
            RoleSourceFile::Sql => None,
        })
    }
}
