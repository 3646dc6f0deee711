//! The embedded cluster as a target: started, described, closed.
//!
//! What faults and recovery ask of it is in `primitives.rs`.

use super::account::Account;
use super::agent::{Agent, AgentActions, AgentNode, AgentSettings};
use super::cluster::Cluster;
use super::emitter_slot::EmitterSlot;
use super::installation;
use super::router::{RoutedNode, Router, RouterSettings};
use super::server::Shutdown;
use super::settings::{LocalSettings, Progress};
use super::stack::Stack;
use super::start;
use crate::clock::Clock;
use crate::event::{Emitter, TargetRecord};
use crate::sql::{Address, Session};
use crate::target::{
    Capability, Endpoint, Failover, Network, Power, Processes, Recovery, Storage, Target,
    TargetError,
};
use async_trait::async_trait;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the router may take to send the first client through.
const ROUTE: Duration = Duration::from_secs(10);
/// How long an old primary may take to leave when it is demoted politely.
const DEMOTE: Duration = Duration::from_secs(2);
/// How often a start is tried where somebody else took a port in between.
const STARTS: usize = 3;

/// A running embedded cluster. Dropping it without [`Target::close`] kills and removes it all the same.
#[derive(Debug)]
pub struct LocalTarget {
    pub(super) cluster: Arc<Cluster>,
    pub(super) agent: Agent,
    emitter: EmitterSlot,
    notices: Vec<String>,
    closed: AtomicBool,
    // Last, so that its tasks outlive whoever uses them.
    _stack: Stack,
}

impl LocalTarget {
    /// Finds or fetches PostgreSQL, starts all nodes in the folder that [`super::plan_folder`] names (which
    /// the caller has journaled by then), and returns when every standby streams and the writer endpoint
    /// has served a client.
    ///
    /// # Errors
    /// When any part of it fails; nothing is left behind then.
    pub async fn start(
        settings: &LocalSettings,
        run: &str,
        clock: Clock,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Self, TargetError> {
        if !cfg!(target_os = "linux") {
            return Err(TargetError::new(
                "start a local cluster",
                "the embedded target needs Linux for now (it reads /proc); use a Docker target here",
            ));
        }
        if settings.standbys == 0 {
            return Err(TargetError::new(
                "start a local cluster",
                "it needs at least one standby: set `standbys: 1` or more",
            ));
        }
        let account = Account::choose()?;
        let mut notices: Vec<String> = account.notice().into_iter().collect();
        for notice in &notices {
            progress(Progress::Doing(notice.clone()));
        }
        let installation =
            installation::find(settings.bin.as_deref(), &account, &mut progress).await?;
        notices.push(format!(
            "PostgreSQL {} {}",
            installation.version, installation.found
        ));
        let failed = |error: std::io::Error| TargetError::new("start the local stack", error);
        let stack = Stack::start().map_err(failed)?;
        let mut tries = 1;
        let cluster = loop {
            let made = start::start(
                settings,
                installation.clone(),
                account.clone(),
                run,
                clock,
                &stack,
                &mut progress,
            )
            .await;
            match made {
                Ok(cluster) => break Arc::new(cluster),
                Err(error) if tries < STARTS && error.cause.contains("Address already in use") => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        };
        progress(Progress::Doing("waiting for the router".to_owned()));
        match Self::assemble(cluster.clone(), stack, notices).await {
            Ok(target) => Ok(target),
            Err(error) => {
                // The first error decides; a failed removal leaves a folder that a sweep finds.
                let _ = cluster.folder.remove();
                Err(error)
            }
        }
    }

    async fn assemble(
        cluster: Arc<Cluster>,
        stack: Stack,
        notices: Vec<String>,
    ) -> Result<Self, TargetError> {
        let settings = &cluster.settings;
        let emitter = EmitterSlot::default();
        let routed = cluster.nodes.iter().map(|node| RoutedNode {
            name: node.name().to_owned(),
            via: cluster.as_act(node.clients_port()),
        });
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let router = Router::start(
            stack.handle(),
            RouterSettings {
                check: settings.router_check,
                fall: at_least_one(settings.router_fall),
                rise: at_least_one(settings.router_rise),
                timeout: settings.router_timeout.unwrap_or_else(|| {
                    settings.router_check.max(RouterSettings::default().timeout)
                }),
                writer_port: settings.writer_port.unwrap_or(0),
                reader_port: settings.reader_port.unwrap_or(0),
            },
            routed.collect(),
            cluster.clock,
            emitter.clone(),
        )
        .map_err(|error| {
            let taken = error.kind() == std::io::ErrorKind::AddrInUse;
            let next = if taken {
                "; name another port in the target file's `ports`, or none for any free one"
            } else {
                ""
            };
            TargetError::new("start the router", format!("{error}{next}"))
        })?;
        let writer = router.writer_port();
        if cluster.router.set(router).is_err() {
            return Err(TargetError::new("start the router", "it runs already"));
        }
        let watched = cluster.nodes.iter().map(|node| AgentNode {
            name: node.name().to_owned(),
            via: cluster.as_act(node.peers_port()),
        });
        let actions: Arc<dyn AgentActions> = cluster.clone();
        let agent = Agent::start(
            stack.handle(),
            AgentSettings {
                every: settings.agent_loop,
                detection: settings.agent_detection,
                automatic: settings.failover == Failover::Automatic,
                ..AgentSettings::default()
            },
            watched.collect(),
            actions,
            cluster.clock,
            emitter.clone(),
        );
        wait_for_service(&cluster.as_probe(writer)).await?;
        Ok(Self {
            cluster,
            agent,
            emitter,
            notices,
            closed: AtomicBool::new(false),
            _stack: stack,
        })
    }

    /// Where the folder of a run will lie, so that it can be journaled before it is made.
    #[must_use]
    pub fn plan_folder(run: &str) -> PathBuf {
        super::plan_folder(run)
    }

    /// What another process needs to remove the cluster, for the journal.
    #[must_use]
    pub fn journal_facts(&self) -> serde_json::Value {
        serde_json::json!({ "folder": self.cluster.folder.path() })
    }

    /// Which PostgreSQL was used and as whom it runs: lines for people.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

#[cfg(test)]
impl LocalTarget {
    /// What SIGKILL of the runner leaves: nothing is cleaned up, and the lock is let go.
    pub(crate) fn abandon(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        self.cluster.folder.unlock();
    }
}

/// Connects as the probes will, until it works.
async fn wait_for_service(writer: &Address) -> Result<(), TargetError> {
    let trying = async {
        while Session::connect(writer, Duration::from_secs(1))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(ROUTE, trying).await.map_err(|_| {
        TargetError::new(
            "start the local cluster",
            format!(
                "the writer endpoint served nobody within {} s",
                ROUTE.as_secs()
            ),
        )
    })
}

impl Drop for LocalTarget {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::SeqCst) {
            self.agent.stop();
            // Nobody is left to tell; what stays is swept by the next run.
            let _ = self.cluster.folder.remove();
        }
    }
}

/// What faults may ask of it; a plan knows it before there is a cluster.
pub const CAPABILITIES: &[Capability] = &[
    Capability::Power,
    Capability::Processes,
    Capability::CutAll,
    Capability::CutClients,
    Capability::CutPeers,
    Capability::Act,
    Capability::SwitchOver,
    Capability::OtherClients,
    Capability::Statements,
    Capability::Commands,
    Capability::Storage,
];

#[async_trait]
impl Target for LocalTarget {
    fn record(&self) -> TargetRecord {
        let settings = &self.cluster.settings;
        let millis = |time: Duration| format!("{} ms", time.as_millis());
        let pair = |name: &str, value: String| (name.to_owned(), value);
        TargetRecord {
            kind: "local".to_owned(),
            identity: format!("local:{}", self.cluster.folder.path().display()),
            versions: vec![pair(
                "PostgreSQL",
                self.cluster.tools.installation.version.clone(),
            )],
            timers: vec![
                pair("router check interval", millis(settings.router_check)),
                pair("router fall", settings.router_fall.to_string()),
                pair("router rise", settings.router_rise.to_string()),
                pair("agent detection", millis(settings.agent_detection)),
                pair("agent loop", millis(settings.agent_loop)),
                pair("wal_sender_timeout", "5 s".to_owned()),
                pair("wal_receiver_timeout", "5 s".to_owned()),
                pair("wal_retrieve_retry_interval", "100 ms".to_owned()),
            ],
            durability: vec![
                pair("fsync", "on".to_owned()),
                pair("synchronous_commit", "on".to_owned()),
                pair(
                    "synchronous_standby_names",
                    if settings.synchronous {
                        "ANY 1 of the other nodes".to_owned()
                    } else {
                        "empty (asynchronous)".to_owned()
                    },
                ),
            ],
            stand_ins: vec![
                "the failover agent".to_owned(),
                "the router in the manner of HAProxy".to_owned(),
            ],
            path:
                "client, router on loopback, node; no pooler, no TLS, no network between machines"
                    .to_owned(),
            control_period_ms: self.control_period().as_millis() as u64,
        }
    }

    fn nodes(&self) -> Vec<String> {
        self.cluster.settings.nodes()
    }

    fn capabilities(&self) -> &[Capability] {
        CAPABILITIES
    }

    fn failover(&self) -> Failover {
        self.cluster.settings.failover
    }

    fn control_period(&self) -> Duration {
        let settings = &self.cluster.settings;
        settings
            .agent_detection
            .max(settings.agent_loop)
            .max(settings.router_check)
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let Some(router) = self.cluster.router.get() else {
            return Vec::new();
        };
        vec![
            Endpoint {
                name: "writer",
                address: self.cluster.as_probe(router.writer_port()),
            },
            Endpoint {
                name: "reader",
                address: self.cluster.as_probe(router.reader_port()),
            },
        ]
    }

    fn probe_access(&self, node: &str) -> Address {
        self.cluster.as_probe(self.port_of(node))
    }

    fn act_access(&self, node: &str) -> Address {
        self.cluster.as_act(self.port_of(node))
    }

    fn tell(&self, events: Emitter) {
        self.emitter.set(events);
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn processes(&self) -> Option<&dyn Processes> {
        Some(self)
    }

    fn network(&self) -> Option<&dyn Network> {
        Some(self)
    }

    fn storage(&self) -> Option<&dyn Storage> {
        Some(self)
    }

    fn recovery(&self) -> &dyn Recovery {
        self
    }

    async fn close(&self) -> Result<String, TargetError> {
        self.agent.stop();
        if let Some(router) = self.cluster.router.get() {
            router.stop();
        }
        let cluster = self.cluster.clone();
        let line = tokio::task::spawn_blocking(move || cluster.folder.remove())
            .await
            .map_err(|error| TargetError::new("close the local cluster", error))??;
        self.closed.store(true, Ordering::SeqCst);
        Ok(line)
    }
}

impl LocalTarget {
    /// A server's own port; port 0, where nobody listens, for a name that no node has.
    fn port_of(&self, node: &str) -> u16 {
        self.cluster.node(node).map_or(0, |node| node.server.port())
    }
}

#[async_trait]
impl AgentActions for Cluster {
    async fn promote(&self, node: &str) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        Cluster::promote(self, node).await
    }

    async fn follow(&self, standby: &str, primary: &str) -> Result<(), TargetError> {
        self.node(standby)?.stream_from(self.node(primary)?);
        Ok(())
    }

    async fn demote(&self, node: &str) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        // While the agent waited for its turn the node may have been rewound.
        let seen = self.see().await;
        let leads = seen
            .leader()
            .is_some_and(|(leader, _)| leader == node.name());
        if leads || !seen.primaries().any(|(name, _)| name == node.name()) {
            return Ok(());
        }
        if node.server.stop(Shutdown::Immediate, DEMOTE).await.is_err() {
            self.kill(node).await?;
        }
        Ok(())
    }
}
