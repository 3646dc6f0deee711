//! The nodes together: what start, recovery and the failover agent's deeds are built from.
//!
//! It asks and acts, and decides nothing: who is promoted and when is the agent's or the drill's word.

use super::cluster_folder::ClusterFolder;
use super::configuration::{ACT, Configuration, DATABASE, PEER, PROBE, in_conninfo};
use super::node::{Node, unknown};
use super::router::Router;
use super::settings::LocalSettings;
use super::tools::Tools;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::role::sql::ClusterEye;
use crate::sql::{Address, Answer, Secret, Session};
use crate::target::TargetError;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// How long one node may take to say who it is.
pub const ASK: Duration = Duration::from_millis(500);
/// How long a promotion may take, replay of what was received included.
const PROMOTE: Duration = Duration::from_secs(30);

/// The nodes together, and what is needed to reach them.
#[derive(Debug)]
pub struct Cluster {
    /// The run that it belongs to.
    pub run: String,
    /// Stamps its events.
    pub clock: Clock,
    /// As it was set.
    pub settings: LocalSettings,
    /// PostgreSQL's programs.
    pub tools: Tools,
    /// Where everything lies.
    pub folder: ClusterFolder,
    /// In declared order.
    pub nodes: Vec<Node>,
    /// Set once the nodes run.
    pub router: OnceLock<Router>,
    /// Passwords of the three roles.
    pub passwords: Passwords,
    /// The file by which nodes log in to each other.
    pub passfile: PathBuf,
}

/// Passwords of the three roles.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Of the superuser.
    pub act: Secret,
    /// Of the probes.
    pub probe: Secret,
    /// Of the nodes among each other.
    pub peer: Secret,
}

impl Cluster {
    /// The node of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&self, name: &str) -> Result<&Node, TargetError> {
        self.nodes
            .iter()
            .find(|node| node.name() == name)
            .ok_or_else(|| unknown(name))
    }

    /// A server or link on loopback, as the role that observes and acts.
    #[must_use]
    pub fn as_act(&self, port: u16) -> Address {
        self.address(port, ACT, &self.passwords.act)
    }

    /// A server or link on loopback, as the probes' role.
    #[must_use]
    pub fn as_probe(&self, port: u16) -> Address {
        self.address(port, PROBE, &self.passwords.probe)
    }

    fn address(&self, port: u16, user: &str, password: &Secret) -> Address {
        Address {
            host: "127.0.0.1".to_owned(),
            port,
            user: user.to_owned(),
            password: Some(password.clone()),
            database: DATABASE.to_owned(),
            application: format!("firedrill-{}", self.run),
            simulated: None,
            way: None,
        }
    }

    /// How programs of `node` reach whom it streams from.
    #[must_use]
    pub fn upstream_conninfo(&self, node: &Node) -> String {
        format!(
            "host=127.0.0.1 port={} user={PEER} dbname={DATABASE} passfile={} application_name={} \
             connect_timeout=5",
            node.upstream_port(),
            in_conninfo(&self.passfile.to_string_lossy()),
            node.name()
        )
    }

    /// Asks all nodes from inside their own network who they are, each within [`ASK`].
    pub async fn see(&self) -> ClusterSeen {
        self.eye().look().await
    }

    /// An eye on all nodes that can look again and again.
    #[must_use]
    pub fn eye(&self) -> ClusterEye {
        let nodes = self
            .nodes
            .iter()
            .map(|node| (node.name().to_owned(), self.as_act(node.server.port())))
            .collect();
        ClusterEye::on(nodes, self.clock, ASK)
    }

    /// One statement to one node, as the role that acts.
    ///
    /// # Errors
    /// When it is not answered with success within `limit`.
    pub async fn ask(
        &self,
        node: &Node,
        sql: &str,
        limit: Duration,
    ) -> Result<Answer, TargetError> {
        let what = format!("ask {}", node.name());
        let session = Session::connect(&self.as_act(node.server.port()), limit)
            .await
            .map_err(|error| TargetError::new(&what, error))?;
        session
            .query(sql, limit)
            .await
            .map_err(|error| TargetError::new(&what, error))
    }

    /// Writes a node's configuration, as a standby or not.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn configure(&self, node: &Node, standby: bool) -> Result<(), TargetError> {
        let others: Vec<String> = match self.settings.synchronous {
            true => self
                .nodes
                .iter()
                .map(|other| other.name().to_owned())
                .filter(|name| name != node.name())
                .collect(),
            false => Vec::new(),
        };
        let sockets = self.folder.sockets();
        let configuration = Configuration {
            node: node.name(),
            port: node.server.port(),
            sockets: &sockets,
            max_connections: self.settings.max_connections,
            synchronous_with: &others,
            // Also on a primary, so that it can become a standby by one file.
            upstream: Some((node.upstream_port(), &self.passfile)),
        };
        node.server.configure(&configuration, standby)
    }

    /// Promotes a standby and returns when it takes writes. Harmless where it does already.
    ///
    /// # Errors
    /// When it did not leave recovery in time.
    pub async fn promote(&self, node: &Node) -> Result<(), TargetError> {
        let sql = format!(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, {}) ELSE true END",
            PROMOTE.as_secs()
        );
        let answer = self
            .ask(node, &sql, PROMOTE + Duration::from_secs(2))
            .await
            .map_err(|error| TargetError::new(format!("promote {}", node.name()), error.cause))?;
        let promoted = answer.rows.first().and_then(|row| row.first()?.as_deref());
        if promoted == Some("t") {
            return Ok(());
        }
        Err(TargetError::new(
            format!("promote {}", node.name()),
            format!("it did not leave recovery within {} s", PROMOTE.as_secs()),
        ))
    }

    /// Stops routing to a node and keeps clients away, then kills it.
    ///
    /// # Errors
    /// When a process survives.
    pub async fn fence(&self, node: &Node) -> Result<(), TargetError> {
        if let Some(router) = self.router.get() {
            router.drop_node(node.name());
        }
        node.fence();
        self.kill(node).await
    }

    /// Kills all processes of a node at once, as when its machine is lost: what was on its way to other
    /// nodes is lost as well.
    ///
    /// # Errors
    /// When a process survives.
    pub async fn kill(&self, node: &Node) -> Result<(), TargetError> {
        node.server.kill().await?;
        for other in &self.nodes {
            node.lose_what_is_under_way_to(other);
        }
        Ok(())
    }

    /// Lets clients reach it again.
    pub fn unfence(&self, node: &Node) {
        node.unfence();
        if let Some(router) = self.router.get() {
            router.allow_node(node.name());
        }
    }

    /// Waits until `node` streams the leader's timeline, by its own word and the leader's.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn wait_streaming(&self, node: &Node, limit: Duration) -> Result<u32, TargetError> {
        let mut eye = self.eye();
        let looking = async {
            loop {
                let seen = eye.look().await;
                if let (Some((_, timeline)), true) = (seen.leader(), streams(&seen, node.name())) {
                    return timeline;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(limit, looking).await.map_err(|_| {
            TargetError::new(
                format!("wait for {}", node.name()),
                format!(
                    "it does not stream the newest timeline after {} s",
                    limit.as_secs()
                ),
            )
        })
    }
}

/// Whether a node streams the leader's timeline, by its own word and the leader's.
#[must_use]
pub fn streams(seen: &ClusterSeen, name: &str) -> bool {
    let Some((leader, newest)) = seen.leader() else {
        return false;
    };
    let told = match seen.node(leader) {
        Some(Standing::Primary { standbys, .. }) => standbys
            .iter()
            .any(|row| row.name == name && row.state == "streaming"),
        _ => false,
    };
    let says = matches!(
        seen.node(name),
        Some(Standing::Standby { timeline, streaming: true, .. }) if *timeline == Some(newest)
    );
    told && says
}
