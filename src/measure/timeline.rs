//! The slots of one channel, in the order in which they were due.
//!
//! A slot is logged when it is settled, so a hanging one arrives after its successors; it is put back in
//! its place here. This module judges nothing: what is good or bad is decided in `outage`.

use super::slot_store::{Grid, Part, SlotStore};
use crate::event::Stamp;
use crate::event::slots::{
    BadBatch, OUT_OF_RANGE, Outcome, PackedSlot, Serving, Slot, SlotBatch, unpack_into,
};
use crate::event::{ChannelKind, ChannelRecord};

/// Index into the table of node names for "not mapped to a node".
const NOBODY: u16 = u16::MAX;

/// One settled slot, with who answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The slot as it was logged.
    pub slot: Slot,
    /// The timeline that answered; 0 where nobody did or it said none.
    pub timeline: u32,
    /// Index into the channel's table of node names.
    pub(super) node: u16,
}

impl Attempt {
    /// Whether the server confirmed the commit, in time or late.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        matches!(
            self.slot.outcome,
            Outcome::Acknowledged | Outcome::AcknowledgedLate
        )
    }

    /// Time from sending to settling, in microseconds.
    #[must_use]
    pub fn took_us(&self) -> u64 {
        self.slot.settled.0.saturating_sub(self.slot.sent.0)
    }
}

/// All settled slots of a channel so far.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// How the channel is probed.
    pub record: ChannelRecord,
    slots: SlotStore,
    nodes: Vec<String>,
    serving: (u32, u16),
}

impl Timeline {
    /// An empty timeline.
    #[must_use]
    pub fn new(record: ChannelRecord) -> Self {
        let grid = Grid {
            t0: record.t0.0,
            period_us: record.period_us,
        };
        Self {
            record,
            slots: SlotStore::new(grid),
            nodes: Vec::new(),
            serving: (0, NOBODY),
        }
    }

    /// Adds what a batch logs.
    ///
    /// # Errors
    /// When the batch does not decode; nothing of it is taken then.
    pub fn take(&mut self, batch: &SlotBatch) -> Result<(), BadBatch> {
        let mut slots = Vec::new();
        unpack_into(&batch.packed, &mut Vec::new(), &mut slots)?;
        self.take_unpacked(&slots, &batch.serving)
    }

    /// Adds slots of one batch.
    ///
    /// # Errors
    /// When a number is out of range; nothing is taken then.
    pub fn take_unpacked(
        &mut self,
        slots: &[PackedSlot],
        serving: &[Serving],
    ) -> Result<(), BadBatch> {
        let (t0, period_us) = (self.record.t0, self.record.period_us);
        // The larger its number, the later a slot is due: where the last is in range, all are.
        if let Some(last) = slots.iter().max_by_key(|slot| slot.k) {
            last.on(t0, period_us).ok_or(OUT_OF_RANGE)?;
        }
        for slot in slots {
            // A change of server is found by its slot's number and not by "from k on": a slot of the old
            // server that settled late lies in the same batch as younger ones of the new server.
            if let Some(change) = serving.iter().find(|change| change.k == slot.k) {
                self.serving = self.server(change);
            }
            let committed = matches!(
                slot.outcome,
                Outcome::Acknowledged | Outcome::AcknowledgedLate
            );
            let (timeline, node) = if committed { self.serving } else { (0, NOBODY) };
            let slot = slot.on(t0, period_us).ok_or(OUT_OF_RANGE)?;
            self.slots.insert(Attempt {
                slot,
                timeline,
                node,
            });
        }
        Ok(())
    }

    fn server(&mut self, change: &Serving) -> (u32, u16) {
        let Some(name) = &change.node else {
            return (change.timeline, NOBODY);
        };
        let known = self.nodes.iter().position(|node| node == name);
        let index = known.unwrap_or_else(|| {
            self.nodes.push(name.clone());
            self.nodes.len() - 1
        });
        (change.timeline, u16::try_from(index).unwrap_or(NOBODY))
    }

    /// The settled slots in stretches, ordered by number: each measure decides by a stretch's summary
    /// whether it must look at its slots.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = Part<'_>> {
        self.slots.parts()
    }

    /// The settled slots, ordered by number.
    pub fn attempts(&self) -> impl Iterator<Item = Attempt> {
        self.parts().flat_map(|part| part.attempts())
    }

    /// The settled slots, the largest number first.
    pub fn newest_first(&self) -> impl Iterator<Item = Attempt> {
        self.parts().rev().flat_map(|part| newest_of(&part))
    }

    /// The settled slots that were due in `[from, to)`, ordered by number.
    pub fn due_between(&self, from: Stamp, to: Stamp) -> impl Iterator<Item = Attempt> {
        let period = self.record.period_us.max(1);
        let first = from.0.saturating_sub(self.record.t0.0).div_ceil(period);
        let parts = self.slots.parts_from(first);
        parts
            .flat_map(|part| part.attempts())
            .skip_while(move |attempt| self.due(attempt.slot.k) < from)
            .take_while(move |attempt| self.due(attempt.slot.k) < to)
    }

    /// The settled slot with the largest number under `k`.
    #[must_use]
    pub fn last_before(&self, k: u64) -> Option<Attempt> {
        let mut newest_first = self.parts().rev();
        newest_first.find_map(|part| {
            if part.is_skipped(|summary| summary.first_k >= k) {
                return None;
            }
            part.attempts()
                .take_while(|attempt| attempt.slot.k < k)
                .last()
        })
    }

    /// The slot with the largest number of those that were settled by a moment.
    #[must_use]
    pub fn last_settled_by(&self, moment: Stamp) -> Option<Attempt> {
        let mut newest_first = self.parts().rev();
        newest_first.find_map(|part| {
            if part.is_skipped(|summary| summary.first_settled > moment) {
                return None;
            }
            let by_then = part.attempts();
            by_then
                .filter(|attempt| attempt.slot.settled <= moment)
                .last()
        })
    }

    /// The channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// What the channel is for.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        self.record.kind
    }

    /// When slot `k` is due.
    #[must_use]
    pub fn due(&self, k: u64) -> Stamp {
        Stamp(
            self.record
                .t0
                .0
                .saturating_add(k.saturating_mul(self.record.period_us)),
        )
    }

    /// The node that answered an attempt of this channel, where it could be mapped.
    #[must_use]
    pub fn node_of(&self, attempt: &Attempt) -> Option<&str> {
        self.nodes
            .get(usize::from(attempt.node))
            .map(String::as_str)
    }

    /// The newest stamp that this channel knows of.
    #[must_use]
    pub fn newest(&self) -> Stamp {
        // Settle times are not monotonic in k, but the newest is near the end.
        let newest = self.slots.tail().iter().rev().take(64);
        newest
            .map(|attempt| attempt.slot.settled)
            .max()
            .unwrap_or(self.record.t0)
    }

    /// Attempts that were acknowledged in time and settled before `before`.
    #[must_use]
    pub fn acknowledged_before(&self, before: Stamp) -> u64 {
        let of_part = |part: Part<'_>| match part.summary {
            Some(summary) if summary.last_settled < before => summary.acknowledged,
            Some(summary) if summary.first_settled >= before => 0,
            _ => {
                let acknowledged = part.attempts().filter(|attempt| {
                    attempt.slot.outcome == Outcome::Acknowledged && attempt.slot.settled < before
                });
                acknowledged.count() as u64
            }
        };
        self.parts().map(of_part).fold(0, u64::saturating_add)
    }
}

fn newest_of(part: &Part<'_>) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = part.attempts().collect();
    attempts.reverse();
    attempts
}

/// The node of a channel's name `node/NAME/fresh` or `node/NAME/pinned`.
#[must_use]
pub fn node_in_name(channel: &str) -> Option<&str> {
    let (node, _) = channel.strip_prefix("node/")?.rsplit_once('/')?;
    Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::slots::{ErrorClass, pack};

    fn channel() -> Timeline {
        Timeline::new(ChannelRecord {
            name: "writer_pinned".to_owned(),
            kind: ChannelKind::WriterPinned,
            sessions: 4,
            t0: Stamp(1000),
            period_us: 20_000,
            deadline_us: 500_000,
            stall_us: None,
        })
    }

    fn slot(k: u64, took: u64, outcome: Outcome) -> Slot {
        let sent = Stamp(1000 + k * 20_000);
        Slot {
            k,
            sent,
            settled: Stamp(sent.0 + took),
            outcome,
        }
    }

    fn batch(slots: &[Slot], serving: Vec<Serving>) -> SlotBatch {
        SlotBatch {
            channel: "writer_pinned".to_owned(),
            packed: pack(slots, Stamp(1000), 20_000),
            serving,
        }
    }

    fn from(k: u64, node: &str, timeline: u32) -> Serving {
        Serving {
            k,
            node: Some(node.to_owned()),
            timeline,
        }
    }

    #[test]
    fn a_late_slot_finds_its_place_and_keeps_its_server() {
        let mut timeline = channel();
        let hung = Outcome::InDoubt(ErrorClass::StatementDeadline);
        timeline
            .take(&batch(
                &[
                    slot(0, 900, Outcome::Acknowledged),
                    slot(2, 900, Outcome::Acknowledged),
                ],
                vec![from(0, "node-1", 1)],
            ))
            .unwrap();
        timeline
            .take(&batch(
                &[
                    slot(1, 500_000, hung),
                    slot(3, 600_000, Outcome::AcknowledgedLate),
                    slot(30, 900, Outcome::Acknowledged),
                ],
                vec![from(30, "node-2", 2)],
            ))
            .unwrap();
        let seen: Vec<_> = timeline
            .attempts()
            .map(|a| (a.slot.k, a.timeline, timeline.node_of(&a)))
            .collect();
        assert_eq!(
            seen,
            [
                (0, 1, Some("node-1")),
                (1, 0, None),
                (2, 1, Some("node-1")),
                (3, 1, Some("node-1")),
                (30, 2, Some("node-2")),
            ]
        );
    }

    #[test]
    fn a_broken_batch_changes_nothing() {
        let mut timeline = channel();
        let broken = SlotBatch {
            channel: "writer_pinned".to_owned(),
            packed: "!".to_owned(),
            serving: vec![],
        };
        assert!(timeline.take(&broken).is_err());
        assert_eq!(timeline.attempts().count(), 0);
    }

    #[test]
    fn names_of_node_channels_hold_their_node() {
        assert_eq!(node_in_name("node/node-1/fresh"), Some("node-1"));
        assert_eq!(node_in_name("writer_fresh"), None);
    }
}
