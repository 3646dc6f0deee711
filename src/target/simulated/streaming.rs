//! Replication: what standbys have received by now, and which commits were only waiting for that.

use super::backend::Said;
use super::state::State;
use crate::event::Stamp;

impl State {
    /// Moves every standby on to what it has by now.
    pub(super) fn stream(&mut self, now: Stamp) {
        let arrived_by = now.minus(self.settings.lag);
        for n in 0..self.nodes.len() {
            let from = self.upstream_of(n, now);
            let records = match from {
                None => Vec::new(),
                Some(from) => self.arrived(n, from, arrived_by),
            };
            let leader = from.and_then(|from| self.nodes.get(from));
            let follows = leader.map(|leader| (leader.timeline, leader.left.clone()));
            let Some(node) = self.nodes.get_mut(n) else {
                continue;
            };
            node.streaming = follows.is_some();
            if let Some((timeline, left)) = follows {
                node.timeline = timeline;
                node.left = left;
            }
            for record in records {
                node.receive(record);
            }
            let replays = node.in_recovery && !node.replay_paused && node.up.is_some();
            if replays && !node.pending.is_empty() {
                node.replay();
            }
        }
        let needed = self.nodes.iter().map(|node| node.written).min();
        for node in &mut self.nodes {
            node.trim(needed.unwrap_or(0));
        }
    }

    /// From whom a node streams at this moment.
    fn upstream_of(&self, n: usize, now: Stamp) -> Option<usize> {
        let node = self.nodes.get(n)?;
        let up = node.up.as_ref()?;
        let receives =
            up.receiver.is_some_and(|receiver| !up.is_frozen(receiver)) && now >= up.receives_from;
        let from = node.upstream?;
        let upstream = self.nodes.get(from)?;
        let reaches = node.talks_to_peers() && upstream.talks_to_peers();
        let fits = node.written <= node.parts_from(upstream) && node.written <= upstream.written;
        let leads = upstream.is_writable();
        (node.in_recovery && receives && reaches && fits && leads).then_some(from)
    }

    /// What has arrived since the last time.
    fn arrived(&self, n: usize, from: usize, by: Stamp) -> Vec<super::rows::Record> {
        let (Some(node), Some(upstream)) = (self.nodes.get(n), self.nodes.get(from)) else {
            return Vec::new();
        };
        let new = upstream.wal.iter().rev();
        let new = new.take_while(|record| record.end > node.written);
        let mut records: Vec<_> = new.filter(|record| record.at <= by).cloned().collect();
        records.reverse();
        records
    }

    /// Whether a standby of this node has everything up to a position.
    pub(super) fn is_replicated(&self, n: usize, end: u64) -> bool {
        self.nodes
            .iter()
            .any(|other| other.streaming && other.upstream == Some(n) && other.written >= end)
    }

    /// Answers the commits that a standby has confirmed by now; says whether others still wait.
    pub(super) fn acknowledge(&mut self) -> bool {
        let mut waits = false;
        for n in 0..self.nodes.len() {
            let confirmed = self.nodes.iter().filter(|other| {
                let confirms = other.streaming && other.upstream == Some(n);
                confirms && other.up.is_some()
            });
            let confirmed = confirmed.map(|other| other.written).max().unwrap_or(0);
            let Some(node) = self.nodes.get_mut(n) else {
                continue;
            };
            let talks = node.talks_to_peers();
            let Some(up) = node.up.as_mut() else {
                continue;
            };
            for (process, backend) in &mut up.backends {
                if backend.waiting.is_none() {
                    continue;
                }
                waits = true;
                let frozen = up.frozen.contains(process);
                if frozen || !talks {
                    continue;
                }
                if let Some(waiting) = backend.waiting.take_if(|waiting| waiting.end <= confirmed) {
                    let _ = waiting.reply.send(Ok(Said::Rows(waiting.answer)));
                }
            }
        }
        waits
    }

    /// A clean shutdown ends only when those that stream have everything.
    pub(super) fn drain(&mut self, n: usize, now: Stamp) {
        self.stream(now);
        for other in 0..self.nodes.len() {
            let streams = self
                .nodes
                .get(other)
                .is_some_and(|node| node.streaming && node.upstream == Some(n));
            if !streams {
                continue;
            }
            let records = self.arrived(other, n, Stamp(u64::MAX));
            if let Some(node) = self.nodes.get_mut(other) {
                for record in records {
                    node.receive(record);
                }
            }
        }
        self.acknowledge();
    }
}
