//! The settled slots of one channel, until they are handed over as a batch.

use crate::event::slots::{Serving, Slot, SlotBatch, pack};
use crate::event::{ChannelRecord, Stamp};
use std::sync::Arc;

/// A node, where it is known, and its timeline.
type Server = (Option<Arc<str>>, u32);

/// The settled slots of one channel since the last batch.
#[derive(Debug)]
pub(super) struct SlotLog {
    pub(super) channel: ChannelRecord,
    slots: Vec<Slot>,
    /// Who answered which slot. A slot that hung is settled after its successors, and by then another
    /// server may have answered those: what changed where is known only once the batch is in order.
    answered: Vec<(u64, Server)>,
    /// Who answered the last slot of the batch before, by its number.
    last: Option<Server>,
}

impl SlotLog {
    pub(super) fn new(channel: ChannelRecord) -> Self {
        Self {
            channel,
            slots: Vec::new(),
            answered: Vec::new(),
            last: None,
        }
    }

    /// When slot `k` is due.
    pub(super) fn due(&self, k: u64) -> Stamp {
        Stamp(self.channel.t0.0 + k * self.channel.period_us)
    }

    /// Keeps a settled slot.
    pub(super) fn push(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    /// Keeps who answered slot `k`.
    pub(super) fn served(&mut self, k: u64, node: Option<Arc<str>>, timeline: u32) {
        self.answered.push((k, (node, timeline)));
    }

    /// What was settled since the last batch, in order of k. A reader follows who served from slot to
    /// slot and from batch to batch, so a slot that came late is a change, and so is its successor.
    pub(super) fn take(&mut self) -> Option<SlotBatch> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots.sort_by_key(|slot| slot.k);
        let packed = pack(&self.slots, self.channel.t0, self.channel.period_us);
        self.slots.clear();
        let mut serving = Vec::new();
        self.answered.sort_by_key(|(k, _)| *k);
        for (k, by) in self.answered.drain(..) {
            if self.last.as_ref() != Some(&by) {
                serving.push(Serving {
                    k,
                    node: by.0.as_deref().map(str::to_owned),
                    timeline: by.1,
                });
                self.last = Some(by);
            }
        }
        Some(SlotBatch {
            channel: self.channel.name.clone(),
            packed,
            serving,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ChannelKind;
    use crate::event::slots::{Outcome, unpack};

    fn log() -> SlotLog {
        SlotLog::new(ChannelRecord {
            name: "writer_fresh".into(),
            kind: ChannelKind::WriterFresh,
            sessions: 0,
            t0: Stamp(1000),
            period_us: 100,
            deadline_us: 500,
            stall_us: None,
        })
    }

    fn slot(k: u64) -> Slot {
        Slot {
            k,
            sent: Stamp(1000 + k * 100),
            settled: Stamp(1005 + k * 100),
            outcome: Outcome::Acknowledged,
        }
    }

    /// Slot `k` is settled now, answered by node-N on timeline N.
    fn settle(log: &mut SlotLog, k: u64, by: u32) {
        log.served(k, Some(format!("node-{by}").into()), by);
        log.push(slot(k));
    }

    /// Who answered which slot, as a reader of the batches follows it.
    fn followed(batches: &[SlotBatch]) -> Vec<(u64, u32)> {
        let mut by = 0;
        let mut all = Vec::new();
        for batch in batches {
            for slot in unpack(&batch.packed, Stamp(1000), 100).unwrap() {
                if let Some(change) = batch.serving.iter().find(|change| change.k == slot.k) {
                    by = change.timeline;
                }
                all.push((slot.k, by));
            }
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn a_batch_is_in_order_and_names_only_changes() {
        let mut log = log();
        assert!(log.take().is_none());
        for (k, by) in [(0, 1), (2, 1), (1, 1), (3, 2)] {
            settle(&mut log, k, by);
        }
        let batch = log.take().unwrap();
        let slots = unpack(&batch.packed, Stamp(1000), 100).unwrap();
        assert_eq!(slots, (0..4).map(slot).collect::<Vec<_>>());
        let changes: Vec<_> = batch.serving.iter().map(|s| (s.k, s.timeline)).collect();
        assert_eq!(changes, [(0, 1), (3, 2)]);
    }

    /// A statement that hung at the old primary is answered between answers of the new one.
    #[test]
    fn a_late_slot_keeps_its_own_server() {
        let mut log = log();
        for (k, by) in [(0, 1), (4, 2), (2, 1), (5, 2), (3, 2)] {
            settle(&mut log, k, by);
        }
        let first = log.take().unwrap();
        // One that hung even longer, from the batch before's time.
        for (k, by) in [(6, 2), (1, 1), (7, 2)] {
            settle(&mut log, k, by);
        }
        let second = log.take().unwrap();
        assert_eq!(
            followed(&[first, second]),
            [
                (0, 1),
                (1, 1),
                (2, 1),
                (3, 2),
                (4, 2),
                (5, 2),
                (6, 2),
                (7, 2)
            ]
        );
    }
}
