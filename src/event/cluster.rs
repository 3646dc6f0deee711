//! What one round of asking every node said.

use super::Stamp;
use serde::{Deserialize, Serialize};

/// One round in which all nodes were asked at the same time, each with its own deadline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSeen {
    /// When the round began; every answer lies between this and the entry's own stamp.
    pub asked: Stamp,
    /// One answer per declared node, in declared order.
    pub nodes: Vec<NodeSeen>,
    /// The declared number of nodes that should stream or lead.
    pub declared: usize,
}

/// What one node said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSeen {
    /// The node's name in the target.
    pub name: String,
    /// Its answer, or why there was none.
    pub standing: Standing,
}

/// A node's own answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Out of recovery: it takes writes.
    Primary {
        /// Timeline that it writes (first 8 hex digits of its WAL file name).
        timeline: u32,
        /// `pg_current_wal_lsn()` as a byte position.
        lsn: u64,
        /// Its `pg_stat_replication`, matched to nodes by application_name.
        standbys: Vec<StandbySeen>,
    },
    /// In recovery.
    Standby {
        /// Timeline that it receives or last replayed; `None` where it does not know.
        timeline: Option<u32>,
        /// `pg_last_wal_receive_lsn()`.
        received: Option<u64>,
        /// `pg_last_wal_replay_lsn()`.
        replayed: Option<u64>,
        /// A walreceiver is there and streaming.
        streaming: bool,
        /// Replay is paused.
        paused: bool,
    },
    /// No answer in time, or an error; the text says which.
    Silent {
        /// Short cause, such as "refused" or "no answer in 500 ms".
        why: String,
    },
}

/// One row of the primary's `pg_stat_replication`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandbySeen {
    /// `application_name`: by firedrill's convention the node's name.
    pub name: String,
    /// `state`, such as "streaming".
    pub state: String,
    /// `sync_state`: async, potential, sync or quorum.
    pub sync: String,
    /// `flush_lsn` as a byte position.
    pub flushed: Option<u64>,
    /// `replay_lsn` as a byte position.
    pub replayed: Option<u64>,
}

impl ClusterSeen {
    /// Names of the nodes that take writes.
    pub fn primaries(&self) -> impl Iterator<Item = (&str, u32)> {
        self.nodes.iter().filter_map(|node| match node.standing {
            Standing::Primary { timeline, .. } => Some((node.name.as_str(), timeline)),
            _ => None,
        })
    }

    /// The writable node of the newest timeline.
    #[must_use]
    pub fn leader(&self) -> Option<(&str, u32)> {
        self.primaries().max_by_key(|(_, timeline)| *timeline)
    }

    /// The answer of one node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Standing> {
        self.nodes
            .iter()
            .find(|node| node.name == name)
            .map(|node| &node.standing)
    }

    /// Nodes other than the leader that stream the leader's timeline, by their own word and the leader's.
    #[must_use]
    pub fn streaming(&self) -> usize {
        let Some((leader, newest)) = self.leader() else {
            return 0;
        };
        let Some(Standing::Primary { standbys, .. }) = self.node(leader) else {
            return 0;
        };
        self.nodes
            .iter()
            .filter(|node| match &node.standing {
                Standing::Standby {
                    timeline,
                    streaming,
                    ..
                } => {
                    *streaming
                        && *timeline == Some(newest)
                        && standbys
                            .iter()
                            .any(|row| row.name == node.name && row.state == "streaming")
                }
                _ => false,
            })
            .count()
    }

    /// Exactly one writable node, and every other declared node streams its timeline.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.primaries().count() == 1 && self.streaming() + 1 == self.declared
    }
}
