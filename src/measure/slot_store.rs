//! The settled slots of a channel in about five bytes each, so that a day of probing fits into memory.
//!
//! The newest slots are kept as they are, because a slot that hung is settled after its successors and must
//! find its place among them. Older ones are sealed in blocks, with a summary of each block: a measure that
//! looks for what went wrong passes over a block in which everything went well. Nothing is rounded and
//! nothing is left out; this module judges nothing.

use super::timeline::Attempt;
use crate::event::Stamp;
use crate::event::slots::{Outcome, Slot};

/// Slots of one block.
const BLOCK: usize = 256;

/// First byte of a slot that follows the one before it, was acknowledged, and by the same server.
const AS_BEFORE: u8 = 0;
/// First byte of any other slot.
const IN_FULL: u8 = 1;

/// What is known of a block without unpacking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Number of its first slot.
    pub first_k: u64,
    /// Number of its last slot.
    pub last_k: u64,
    /// How many slots it holds.
    pub count: u64,
    /// How many of them were acknowledged in time.
    pub acknowledged: u64,
    /// How many were acknowledged, in time or late.
    pub committed: u64,
    /// Longest time from sending to settling of those acknowledged in time, in microseconds.
    pub longest_us: u64,
    /// When the first was sent, by time.
    pub first_sent: Stamp,
    /// When the last was sent, by time.
    pub last_sent: Stamp,
    /// When the slot with the largest number was sent.
    pub sent_of_last: Stamp,
    /// When the first was settled, by time.
    pub first_settled: Stamp,
    /// When the last was settled, by time.
    pub last_settled: Stamp,
    /// Longest time between the settling of two neighbours by time, in microseconds.
    pub widest_gap_us: u64,
    /// Oldest and newest timeline of the committed ones, 0 for one that named none; `None` without any.
    pub timelines: Option<(u32, u32)>,
    /// Newest timeline of those acknowledged in time.
    pub newest_acknowledged: Option<u32>,
}

impl Summary {
    /// All slots were acknowledged in time, and no number is missing between them.
    #[must_use]
    pub fn is_unbroken(&self) -> bool {
        self.acknowledged == self.count && self.last_k - self.first_k + 1 == self.count
    }

    /// Whether some commit of a timeline may lie in the block.
    #[must_use]
    pub fn may_hold(&self, timeline: u32) -> bool {
        self.timelines
            .is_some_and(|(oldest, newest)| (oldest..=newest).contains(&timeline))
    }

    fn of(attempts: &[Attempt]) -> Option<Self> {
        let (first, last) = (attempts.first()?, attempts.last()?);
        let mut summary = Self {
            first_k: first.slot.k,
            last_k: last.slot.k,
            count: attempts.len() as u64,
            acknowledged: 0,
            committed: 0,
            longest_us: 0,
            first_sent: first.slot.sent,
            last_sent: first.slot.sent,
            sent_of_last: last.slot.sent,
            first_settled: first.slot.settled,
            last_settled: first.slot.settled,
            widest_gap_us: 0,
            timelines: None,
            newest_acknowledged: None,
        };
        let mut in_order = true;
        let mut before = first.slot.settled;
        for attempt in attempts {
            let slot = &attempt.slot;
            summary.first_sent = summary.first_sent.min(slot.sent);
            summary.last_sent = summary.last_sent.max(slot.sent);
            in_order &= before <= slot.settled;
            let gap = slot.settled.0.saturating_sub(before.0);
            summary.widest_gap_us = summary.widest_gap_us.max(gap);
            before = slot.settled;
            if attempt.is_committed() {
                summary.committed += 1;
                let (oldest, newest) = summary
                    .timelines
                    .unwrap_or((attempt.timeline, attempt.timeline));
                summary.timelines =
                    Some((oldest.min(attempt.timeline), newest.max(attempt.timeline)));
            }
            if slot.outcome == Outcome::Acknowledged {
                summary.acknowledged += 1;
                summary.longest_us = summary.longest_us.max(attempt.took_us());
                summary.newest_acknowledged =
                    summary.newest_acknowledged.max(Some(attempt.timeline));
            }
        }
        summary.last_settled = before;
        // Most blocks were settled in the order of their numbers.
        if !in_order {
            let settled = attempts.iter().map(|attempt| attempt.slot.settled);
            let mut settled: Vec<Stamp> = settled.collect();
            settled.sort_unstable();
            summary.first_settled = settled[0];
            summary.last_settled = settled[settled.len() - 1];
            let gaps = settled.windows(2).map(|pair| pair[1].0 - pair[0].0);
            summary.widest_gap_us = gaps.max().unwrap_or(0);
        }
        Some(summary)
    }
}

/// When slot 0 is due and how far slots are apart: slots are kept relative to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) t0: u64,
    pub(super) period_us: u64,
}

impl Grid {
    fn due(self, k: u64) -> u64 {
        self.t0.wrapping_add(k.wrapping_mul(self.period_us))
    }
}

#[derive(Clone, Debug)]
struct Block {
    summary: Summary,
    packed: Box<[u8]>,
}

/// All slots of a channel, ordered by number.
#[derive(Clone, Debug)]
pub(super) struct SlotStore {
    grid: Grid,
    blocks: Vec<Block>,
    tail: Vec<Attempt>,
}

/// A stretch of a channel's slots.
#[derive(Debug)]
pub struct Part<'a> {
    /// What is known of it at a glance; `None` for the newest slots, which are few.
    pub summary: Option<&'a Summary>,
    slots: Slots<'a>,
}

#[derive(Debug)]
enum Slots<'a> {
    Packed(&'a [u8], Grid),
    Plain(&'a [Attempt]),
}

impl<'a> Part<'a> {
    /// Its slots, ordered by number.
    #[must_use]
    pub fn attempts(&self) -> Attempts<'a> {
        match self.slots {
            Slots::Plain(attempts) => Attempts(Walk::Plain(attempts.iter())),
            Slots::Packed(bytes, grid) => {
                let first_k = self.summary.map_or(0, |summary| summary.first_k);
                Attempts(Walk::Packed(Unpacker::new(bytes, grid, first_k)))
            }
        }
    }

    /// Whether `passes` says of its summary that nothing in it matters.
    #[must_use]
    pub fn is_skipped(&self, passes: impl FnOnce(&Summary) -> bool) -> bool {
        self.summary.is_some_and(passes)
    }
}

/// The slots of one part, in order.
#[derive(Debug)]
pub struct Attempts<'a>(Walk<'a>);

#[derive(Debug)]
enum Walk<'a> {
    Plain(std::slice::Iter<'a, Attempt>),
    Packed(Unpacker<'a>),
}

impl Iterator for Attempts<'_> {
    type Item = Attempt;

    #[inline]
    fn next(&mut self) -> Option<Attempt> {
        match &mut self.0 {
            Walk::Plain(attempts) => attempts.next().copied(),
            Walk::Packed(unpacker) => unpacker.next(),
        }
    }
}

impl SlotStore {
    pub(super) fn new(grid: Grid) -> Self {
        Self {
            grid,
            blocks: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Puts a slot in its place; one with the same number is replaced.
    pub(super) fn insert(&mut self, attempt: Attempt) {
        let k = attempt.slot.k;
        let behind = self
            .tail
            .iter()
            .rev()
            .take_while(|other| other.slot.k >= k)
            .count();
        let place = self.tail.len() - behind;
        if place == 0 {
            let of = self
                .blocks
                .partition_point(|block| block.summary.last_k < k);
            if let Some(block) = self.blocks.get_mut(of) {
                insert_into(block, self.grid, attempt);
                return;
            }
        }
        match self.tail.get_mut(place) {
            Some(same) if same.slot.k == k => *same = attempt,
            _ => self.tail.insert(place, attempt),
        }
        if self.tail.len() >= 2 * BLOCK {
            self.seal();
        }
    }

    fn seal(&mut self) {
        let oldest = &self.tail[..BLOCK];
        self.blocks.extend(pack(oldest, self.grid));
        self.tail.drain(..BLOCK);
    }

    /// The slots in stretches, ordered by number.
    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = Part<'_>> {
        self.parts_from(0)
    }

    /// The stretches from the one on in which slot `k` lies, or would lie.
    pub(super) fn parts_from(&self, k: u64) -> impl DoubleEndedIterator<Item = Part<'_>> {
        let first = self
            .blocks
            .partition_point(|block| block.summary.last_k < k);
        let sealed = self.blocks[first..].iter().map(|block| Part {
            summary: Some(&block.summary),
            slots: Slots::Packed(&block.packed, self.grid),
        });
        let tail = Part {
            summary: None,
            slots: Slots::Plain(&self.tail),
        };
        sealed.chain(std::iter::once(tail))
    }

    /// The newest slots, ordered by number: all of them, or at least as many as a block holds.
    pub(super) fn tail(&self) -> &[Attempt] {
        &self.tail
    }
}

fn insert_into(block: &mut Block, grid: Grid, attempt: Attempt) {
    let first_k = block.summary.first_k;
    let mut attempts: Vec<Attempt> = Unpacker::new(&block.packed, grid, first_k).collect();
    match attempts.binary_search_by_key(&attempt.slot.k, |other| other.slot.k) {
        Ok(same) => attempts[same] = attempt,
        Err(place) => attempts.insert(place, attempt),
    }
    if let Some(packed) = pack(&attempts, grid) {
        *block = packed;
    }
}

fn pack(attempts: &[Attempt], grid: Grid) -> Option<Block> {
    let summary = Summary::of(attempts)?;
    let mut bytes = Vec::with_capacity(attempts.len() * 6);
    let mut last_k = summary.first_k.wrapping_sub(1);
    let mut server = None;
    for attempt in attempts {
        let slot = &attempt.slot;
        let by = (attempt.timeline, attempt.node);
        let step = slot.k.wrapping_sub(last_k);
        let as_before = step == 1 && slot.outcome == Outcome::Acknowledged && server == Some(by);
        if as_before {
            bytes.push(AS_BEFORE);
        } else {
            bytes.push(IN_FULL);
            write(&mut bytes, step);
            write(&mut bytes, slot.outcome.code());
            write(&mut bytes, u64::from(attempt.timeline));
            write(&mut bytes, u64::from(attempt.node));
        }
        if attempt.is_committed() {
            server = Some(by);
        }
        last_k = slot.k;
        let late = slot.sent.0.wrapping_sub(grid.due(slot.k)) as i64;
        write(&mut bytes, ((late << 1) ^ (late >> 63)) as u64);
        write(&mut bytes, slot.settled.0.wrapping_sub(slot.sent.0));
    }
    Some(Block {
        summary,
        packed: bytes.into_boxed_slice(),
    })
}

#[derive(Debug)]
struct Unpacker<'a> {
    rest: &'a [u8],
    grid: Grid,
    last_k: u64,
    server: (u32, u16),
}

impl<'a> Unpacker<'a> {
    fn new(bytes: &'a [u8], grid: Grid, first_k: u64) -> Self {
        Self {
            rest: bytes,
            grid,
            last_k: first_k.wrapping_sub(1),
            server: (0, 0),
        }
    }
}

impl Iterator for Unpacker<'_> {
    type Item = Attempt;

    #[inline]
    fn next(&mut self) -> Option<Attempt> {
        let (&kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        let mut step = 1;
        let mut outcome = Outcome::Acknowledged;
        let mut by = self.server;
        if kind != AS_BEFORE {
            step = read(&mut self.rest);
            // Only what `pack` wrote is read, so the code is one that it knows.
            outcome = Outcome::from_code(read(&mut self.rest))?;
            by = (read(&mut self.rest) as u32, read(&mut self.rest) as u16);
        }
        let k = self.last_k.wrapping_add(step);
        self.last_k = k;
        let late = read(&mut self.rest);
        let late = (late >> 1) as i64 ^ -((late & 1) as i64);
        let sent = self.grid.due(k).wrapping_add(late as u64);
        let settled = sent.wrapping_add(read(&mut self.rest));
        let attempt = Attempt {
            slot: Slot {
                k,
                sent: Stamp(sent),
                settled: Stamp(settled),
                outcome,
            },
            timeline: by.0,
            node: by.1,
        };
        if attempt.is_committed() {
            self.server = by;
        }
        Some(attempt)
    }
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A number that [`write()`] wrote.
#[inline]
fn read(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    while let Some((&byte, tail)) = rest.split_first() {
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
        shift += 7;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::slots::ErrorClass;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const GRID: Grid = Grid {
        t0: 1000,
        period_us: 100,
    };

    fn attempt() -> impl Strategy<Value = Attempt> {
        let outcome = prop_oneof![
            20 => Just(Outcome::Acknowledged),
            1 => Just(Outcome::AcknowledgedLate),
            1 => Just(Outcome::NotSent),
            1 => Just(Outcome::InDoubt(ErrorClass::Reset)),
            1 => Just(Outcome::Failed(ErrorClass::sql("40001"))),
        ];
        (
            0u64..3000,
            -50i64..5000,
            0u64..100_000,
            outcome,
            0u32..3,
            0u16..3,
        )
            .prop_map(|(k, late, took, outcome, timeline, node)| {
                let sent = Stamp((GRID.due(k) as i64 + late) as u64);
                let slot = Slot {
                    k,
                    sent,
                    settled: Stamp(sent.0 + took),
                    outcome,
                };
                let committed = outcome.code() <= 1;
                Attempt {
                    slot,
                    timeline: if committed { timeline } else { 0 },
                    node: if committed { node } else { u16::MAX },
                }
            })
    }

    /// Mostly in order, some late, as slots are settled.
    fn settled() -> impl Strategy<Value = Vec<Attempt>> {
        prop::collection::vec(attempt(), 0..2000).prop_map(|mut attempts| {
            attempts.sort_by_key(|attempt| attempt.slot.settled);
            attempts
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_put_in_comes_out_in_order(attempts in settled(), from in 0u64..3000) {
            let mut store = SlotStore::new(GRID);
            let mut expected = BTreeMap::new();
            for attempt in attempts {
                store.insert(attempt);
                expected.insert(attempt.slot.k, attempt);
            }
            let expected: Vec<Attempt> = expected.into_values().collect();
            let all: Vec<Attempt> = store.parts().flat_map(|part| part.attempts()).collect();
            prop_assert_eq!(&all, &expected);
            let later = store.parts_from(from).flat_map(|part| part.attempts());
            let later: Vec<Attempt> = later.filter(|attempt| attempt.slot.k >= from).collect();
            let of_expected = expected.iter().filter(|attempt| attempt.slot.k >= from);
            prop_assert_eq!(later, of_expected.copied().collect::<Vec<_>>());
            for part in store.parts() {
                let inside: Vec<Attempt> = part.attempts().collect();
                if let Some(summary) = part.summary {
                    prop_assert_eq!(Some(*summary), Summary::of(&inside));
                    let mut settled: Vec<Stamp> = inside.iter().map(|it| it.slot.settled).collect();
                    settled.sort_unstable();
                    let gaps = settled.windows(2).map(|pair| pair[1].0 - pair[0].0);
                    prop_assert_eq!(Some(summary.widest_gap_us), gaps.max());
                    prop_assert_eq!(Some(&summary.first_settled), settled.first());
                    prop_assert_eq!(Some(&summary.last_settled), settled.last());
                }
            }
        }
    }

    #[test]
    fn a_good_slot_costs_about_five_bytes() {
        let mut store = SlotStore::new(GRID);
        for k in 0..100_000 {
            let sent = Stamp(GRID.due(k) + 180);
            store.insert(Attempt {
                slot: Slot {
                    k,
                    sent,
                    settled: Stamp(sent.0 + 2180),
                    outcome: Outcome::Acknowledged,
                },
                timeline: 1,
                node: 0,
            });
        }
        let bytes: usize = store
            .blocks
            .iter()
            .map(|block| block.packed.len() + size_of::<Block>())
            .sum();
        assert!(bytes <= 100_000 * 6, "{bytes}");
        assert!(
            store
                .parts()
                .all(|part| part.summary.is_none_or(Summary::is_unbroken))
        );
    }
}
