//! What is done to servers: by faults, by the stack, by people. It only changes what is; how long a deed
//! takes is for whoever does it.

use super::node::Node;
use super::rows::Row;
use super::state::State;
use crate::event::Stamp;
use crate::target::{ProcessScope, ProcessState};
use std::time::Duration;

/// How long a server recovers after it lost a backend.
const RECOVERS: Duration = Duration::from_millis(200);
/// How long the startup process takes to begin another walreceiver.
const RECEIVES_AGAIN: Duration = Duration::from_millis(100);

impl State {
    /// All processes of a node end at once, without a word; what was on its way to others is lost.
    pub(super) fn kill(&mut self, n: usize) {
        if let Some(node) = self.nodes.get_mut(n) {
            node.up = None;
            node.streaming = false;
        }
    }

    /// All processes of a node end, and its data are gone.
    pub(super) fn lose_data(&mut self, n: usize) {
        self.kill(n);
        if let Some(node) = self.nodes.get_mut(n) {
            node.lose_data();
        }
    }

    /// Whether a node has data to start from.
    pub(super) fn has_data(&self, n: usize) -> bool {
        self.nodes.get(n).is_some_and(|node| node.has_data)
    }

    /// PostgreSQL shuts itself down; the sessions are told.
    pub(super) fn shut_down(&mut self, n: usize, fast: bool, now: Stamp) {
        if fast {
            self.drain(n, now);
        }
        let up = self.nodes.get_mut(n).and_then(|node| node.up.take());
        let (state, words) = match fast {
            true => (
                "57P01",
                "terminating connection due to administrator command",
            ),
            false => (
                "57P02",
                "terminating connection due to immediate shutdown command",
            ),
        };
        for backend in up.into_iter().flat_map(|up| up.backends.into_values()) {
            backend.end(state, words);
        }
        self.kill(n);
    }

    /// Whether any process of a node stands still.
    pub(super) fn is_frozen(&self, n: usize) -> bool {
        let up = self.nodes.get(n).and_then(|node| node.up.as_ref());
        up.is_some_and(|up| !up.frozen.is_empty())
    }

    /// The processes of a scope.
    pub(super) fn processes(&self, n: usize, scope: ProcessScope) -> Vec<i32> {
        let Some(up) = self.nodes.get(n).and_then(|node| node.up.as_ref()) else {
            return Vec::new();
        };
        match scope {
            ProcessScope::All => up.processes(),
            ProcessScope::Postmaster => vec![up.postmaster],
            ProcessScope::WalReceiver => up.receiver.into_iter().collect(),
            // The oldest session of a probe: firedrill's own control is of another name.
            ProcessScope::OneBackend => {
                let mut backends = up.backends.iter();
                let oldest = backends.find(|(_, each)| each.application.ends_with("-probe"));
                oldest.map(|(process, _)| *process).into_iter().collect()
            }
            ProcessScope::Agent => Vec::new(),
        }
    }

    /// The state of one process of a node.
    pub(super) fn state_of(&self, n: usize, process: i32) -> ProcessState {
        let Some(up) = self.nodes.get(n).and_then(|node| node.up.as_ref()) else {
            return ProcessState::Gone;
        };
        match up.processes().contains(&process) {
            false => ProcessState::Gone,
            true if up.is_frozen(process) => ProcessState::Frozen,
            true => ProcessState::Alive,
        }
    }

    /// Stops or continues processes.
    pub(super) fn freeze(&mut self, n: usize, processes: &[i32], freeze: bool) {
        let Some(up) = self.nodes.get_mut(n).and_then(|node| node.up.as_mut()) else {
            return;
        };
        let there = up.processes();
        for process in processes.iter().filter(|process| there.contains(process)) {
            match freeze {
                true => up.frozen.insert(*process),
                false => up.frozen.remove(process),
            };
        }
    }

    /// Kills processes: the postmaster takes all others with it, a backend makes it restart them all.
    pub(super) fn kill_processes(&mut self, n: usize, processes: &[i32], now: Stamp) {
        let receiver = self.new_process();
        let Some(up) = self.nodes.get_mut(n).and_then(|node| node.up.as_mut()) else {
            return;
        };
        if processes.contains(&up.postmaster) {
            return self.kill(n);
        }
        if up.receiver.is_some_and(|own| processes.contains(&own)) {
            up.receiver = Some(receiver);
            up.receives_from = now.plus(RECEIVES_AGAIN);
        }
        let lost_backend = processes
            .iter()
            .any(|process| up.backends.contains_key(process));
        if lost_backend || processes.contains(&up.auxiliary) {
            up.backends.clear();
            up.frozen.clear();
            up.open_from = now.plus(RECOVERS);
        }
    }

    /// Ends sessions by a signal.
    pub(super) fn end_sessions(&mut self, n: usize, processes: &[i32]) {
        let Some(up) = self.nodes.get_mut(n).and_then(|node| node.up.as_mut()) else {
            return;
        };
        for process in processes {
            if !up.frozen.contains(process)
                && let Some(backend) = up.backends.remove(process)
            {
                backend.end(
                    "57P01",
                    "terminating connection due to administrator command",
                );
            }
        }
    }

    /// A standby replays all that it has and begins a timeline of its own. Harmless where it leads.
    pub(super) fn promote(&mut self, n: usize) {
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.in_recovery) else {
            return;
        };
        node.replay_paused = false;
        node.replay();
        node.left.push((node.timeline, node.written));
        self.newest_timeline += 1;
        node.timeline = self.newest_timeline;
        node.in_recovery = false;
        node.upstream = None;
        node.streaming = false;
        if let Some(up) = node.up.as_mut() {
            up.receiver = None;
        }
    }

    /// The last commits that standbys have received turn out not to be there, on any of them.
    pub(super) fn lose_last(&mut self, n: usize, commits: u64) {
        let Some(node) = self.nodes.get(n) else {
            return;
        };
        let rows = node.wal.iter().rev().filter(|record| record.row.is_some());
        let first_lost = rows
            .take(usize::try_from(commits).unwrap_or(usize::MAX))
            .last();
        let Some(first_lost) = first_lost.map(|record| record.end) else {
            return;
        };
        let before = node.wal.iter().rev().find(|record| record.end < first_lost);
        let keep = before.map_or(super::node::WAL_BEGINS, |record| record.end);
        for standby in self.nodes.iter_mut().filter(|node| node.in_recovery) {
            standby.cut_back(keep);
        }
    }

    /// Makes a node that is down a standby of another one, with its data; says what it had alone: bytes and
    /// rows. With `diverged` it keeps these, and lacks what the other one wrote since they parted.
    pub(super) fn rewind(&mut self, n: usize, leader: usize, diverged: bool) -> (u64, Vec<Row>) {
        let Some((source, parted)) = self.nodes.get(leader).and_then(|source| {
            let parted = self.nodes.get(n)?.parts_from(source);
            Some((Copied::of(source), parted))
        }) else {
            return (0, Vec::new());
        };
        let Some(node) = self.nodes.get_mut(n) else {
            return (0, Vec::new());
        };
        let keep = parted.min(node.written).min(source.written);
        let (bytes, alone) = node.cut_back(keep);
        let missed = source.wal.iter().filter(|record| record.end > keep);
        let missed: Vec<Row> = missed.filter_map(|record| record.row.clone()).collect();
        node.has_data = true;
        node.rows = source.rows;
        node.wal = source.wal;
        node.pending.clear();
        node.written = source.written;
        node.replayed = source.written;
        node.timeline = source.timeline;
        node.left = source.left;
        node.in_recovery = true;
        node.replay_paused = false;
        node.upstream = Some(leader);
        if diverged {
            missed.iter().for_each(|row| node.rows.remove(row));
            alone.iter().for_each(|row| node.rows.insert(row));
        }
        (bytes, alone)
    }
}

/// What a rewind takes from its source.
struct Copied {
    rows: super::rows::Rows,
    wal: std::collections::VecDeque<super::rows::Record>,
    written: u64,
    timeline: u32,
    left: Vec<(u32, u64)>,
}

impl Copied {
    fn of(source: &Node) -> Self {
        Self {
            rows: source.rows.clone(),
            wal: source.wal.clone(),
            written: source.written,
            timeline: source.timeline,
            left: source.left.clone(),
        }
    }
}
