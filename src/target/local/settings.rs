//! What can be set about the embedded cluster, and what it is otherwise.

use crate::drill::target_file::{FailoverFile, Local};
use crate::target::Failover;
use std::path::PathBuf;
use std::time::Duration;

/// What can be set about the embedded cluster. The defaults are quick, so that a first drill takes a
/// minute; what a team runs elsewhere is slower, which is why reports print them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSettings {
    /// Standbys beside the primary; 1 or more.
    pub standbys: usize,
    /// Who promotes when the primary is lost.
    pub failover: Failover,
    /// How often the router asks each node.
    pub router_check: Duration,
    /// Failed checks in a row after which a node is taken out.
    pub router_fall: u32,
    /// Good checks in a row after which it is taken in.
    pub router_rise: u32,
    /// When a check of the router that is not answered has failed; its own default otherwise.
    pub router_timeout: Option<Duration>,
    /// Port of the writer endpoint; any free one otherwise.
    pub writer_port: Option<u16>,
    /// Port of the reader endpoint; any free one otherwise.
    pub reader_port: Option<u16>,
    /// How often the failover agent looks.
    pub agent_loop: Duration,
    /// How long the primary must be silent until the agent acts.
    pub agent_detection: Duration,
    /// Commits wait for one standby.
    pub synchronous: bool,
    /// PostgreSQL's `max_connections`.
    pub max_connections: u32,
    /// The folder of PostgreSQL's programs; searched for otherwise.
    pub bin: Option<PathBuf>,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            standbys: 1,
            failover: Failover::Automatic,
            router_check: Duration::from_millis(50),
            router_fall: 3,
            router_rise: 2,
            router_timeout: None,
            writer_port: None,
            reader_port: None,
            agent_loop: Duration::from_millis(50),
            agent_detection: Duration::from_millis(300),
            synchronous: false,
            max_connections: 100,
            bin: None,
        }
    }
}

impl From<&Local> for LocalSettings {
    fn from(file: &Local) -> Self {
        Self {
            standbys: file.standbys as usize,
            failover: match file.failover {
                FailoverFile::Automatic => Failover::Automatic,
                FailoverFile::Promote => Failover::Promote,
            },
            router_check: file.router.check.get(),
            router_fall: file.router.fall,
            router_rise: file.router.rise,
            router_timeout: Some(file.router.timeout.get()),
            writer_port: file.ports.writer,
            reader_port: file.ports.reader,
            agent_loop: file.agent.r#loop.get(),
            agent_detection: file.agent.detection.get(),
            synchronous: file.synchronous,
            max_connections: file.max_connections,
            bin: file.postgres.bin.clone(),
        }
    }
}

impl LocalSettings {
    /// Names of the nodes: the first is the primary at the start.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        (1..=self.standbys + 1)
            .map(|number| format!("node-{number}"))
            .collect()
    }
}

/// What the start of the cluster is doing, for a progress line or bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// One short line.
    Doing(String),
    /// PostgreSQL is fetched: bytes so far and in all.
    Downloading {
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}
