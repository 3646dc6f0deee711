//! One simulated server: its processes, its place in the network, its role and its data.

use super::backend::Backend;
use super::rows::{Record, Row, Rows};
use crate::event::Stamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The WAL begins here, as in a new cluster: after the first segments.
pub(super) const WAL_BEGINS: u64 = 3 << 24;
/// So much WAL for one row.
const RECORD: u64 = 192;
/// So much of it is the commit record, which is written after the position that the row is given.
pub(super) const COMMIT: u64 = 40;
/// So many records are kept for standbys and for looking back, beside those that a standby lacks.
const KEPT: usize = 4096;

/// One server.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: String,
    /// Its processes; `None` while it has none.
    pub(super) up: Option<Up>,
    pub(super) cut_from_clients: bool,
    pub(super) cut_from_peers: bool,
    pub(super) in_recovery: bool,
    pub(super) timeline: u32,
    /// Where each older timeline was left.
    pub(super) left: Vec<(u32, u64)>,
    /// By index: from whom it streams when it is a standby.
    pub(super) upstream: Option<usize>,
    pub(super) streaming: bool,
    pub(super) replay_paused: bool,
    /// False once its disk is lost, until it is made anew.
    pub(super) has_data: bool,
    pub(super) rows: Rows,
    /// Received and not replayed.
    pub(super) pending: VecDeque<Record>,
    /// The newest WAL, whatever became of it.
    pub(super) wal: VecDeque<Record>,
    /// Written or received up to here.
    pub(super) written: u64,
    /// Visible up to here.
    pub(super) replayed: u64,
}

/// A server's processes.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) started: Stamp,
    pub(super) postmaster: i32,
    /// Stands for the processes that every server has beside it, walsenders among them.
    pub(super) auxiliary: i32,
    /// The walreceiver of a standby.
    pub(super) receiver: Option<i32>,
    /// A receiver that was killed is back at this moment.
    pub(super) receives_from: Stamp,
    /// Nobody is let in before this moment: it recovers.
    pub(super) open_from: Stamp,
    pub(super) backends: BTreeMap<i32, Backend>,
    pub(super) frozen: BTreeSet<i32>,
}

impl Up {
    /// All processes, the postmaster first.
    pub(super) fn processes(&self) -> Vec<i32> {
        let own = [self.postmaster, self.auxiliary];
        let own = own.into_iter().chain(self.receiver);
        own.chain(self.backends.keys().copied()).collect()
    }

    pub(super) fn is_frozen(&self, process: i32) -> bool {
        self.frozen.contains(&process)
    }
}

impl Node {
    pub(super) fn new(name: &str, number: usize) -> Self {
        Self {
            name: name.to_owned(),
            // 10.0.0.0/8, for any number of nodes.
            address: format!(
                "10.{}.{}.{}",
                number >> 16 & 255,
                number >> 8 & 255,
                number & 255
            ),
            up: None,
            cut_from_clients: false,
            cut_from_peers: false,
            in_recovery: true,
            timeline: 1,
            left: Vec::new(),
            upstream: None,
            streaming: false,
            replay_paused: false,
            has_data: true,
            rows: Rows::default(),
            pending: VecDeque::new(),
            wal: VecDeque::new(),
            written: WAL_BEGINS,
            replayed: WAL_BEGINS,
        }
    }

    /// Its disk is lost: it is nothing but its name and its place.
    pub(super) fn lose_data(&mut self) {
        self.has_data = false;
        self.rows = Rows::default();
        self.pending.clear();
        self.wal.clear();
        self.left.clear();
        self.written = WAL_BEGINS;
        self.replayed = WAL_BEGINS;
        self.replay_paused = false;
    }

    /// It takes writes from whoever reaches it.
    pub(super) fn is_writable(&self) -> bool {
        self.up.is_some() && !self.in_recovery
    }

    /// It talks to other nodes: its processes run and its network is whole.
    pub(super) fn talks_to_peers(&self) -> bool {
        let runs = |up: &Up| !up.is_frozen(up.auxiliary);
        !self.cut_from_peers && self.up.as_ref().is_some_and(runs)
    }

    /// Commits a row on a primary.
    pub(super) fn write(&mut self, row: Option<Row>, at: Stamp) -> u64 {
        self.written += RECORD;
        self.replayed = self.written;
        if let Some(row) = &row {
            self.rows.insert(row);
        }
        let end = self.written;
        self.wal.push_back(Record { end, at, row });
        end
    }

    /// Receives a record on a standby.
    pub(super) fn receive(&mut self, record: Record) {
        self.written = record.end;
        self.wal.push_back(record.clone());
        self.pending.push_back(record);
    }

    /// Makes everything received visible.
    pub(super) fn replay(&mut self) {
        for record in self.pending.drain(..) {
            if let Some(row) = &record.row {
                self.rows.insert(row);
            }
            self.replayed = record.end;
        }
    }

    /// Forgets WAL that nobody needs any more.
    pub(super) fn trim(&mut self, needed: u64) {
        while self.wal.len() > KEPT && self.wal.front().is_some_and(|first| first.end <= needed) {
            self.wal.pop_front();
        }
    }

    /// Takes back everything after a position; says how many bytes and which rows that were.
    pub(super) fn cut_back(&mut self, to: u64) -> (u64, Vec<Row>) {
        let bytes = self.written.saturating_sub(to);
        self.pending.retain(|record| record.end <= to);
        let mut rows = Vec::new();
        while self.wal.back().is_some_and(|record| record.end > to) {
            rows.extend(self.wal.pop_back().and_then(|record| record.row));
        }
        for row in &rows {
            self.rows.remove(row);
        }
        let left = self.wal.iter().filter_map(|record| record.row.as_ref());
        self.rows.newest_among(left);
        self.written = self.written.min(to);
        self.replayed = self.replayed.min(to);
        (bytes, rows)
    }

    /// The position up to which this node's history and another one's are the same.
    pub(super) fn parts_from(&self, other: &Self) -> u64 {
        let segments = |node: &Self| {
            let mut segments = node.left.clone();
            segments.push((node.timeline, u64::MAX));
            segments
        };
        let mut shared = 0;
        for (mine, theirs) in segments(self).into_iter().zip(segments(other)) {
            if mine.0 != theirs.0 {
                break;
            }
            shared = mine.1.min(theirs.1);
            if mine.1 != theirs.1 {
                break;
            }
        }
        shared
    }
}
