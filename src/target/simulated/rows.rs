//! The ledger's rows on one node, and the WAL that carries them. It knows no time but the stamps that a
//! record is given, and nobody who asks.

use crate::event::Stamp;
use crate::sql::KeyRanges;
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The barrier's writer, which no count includes.
pub(super) const BARRIER: u32 = 0;

/// One row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) run: Arc<str>,
    pub(super) writer: u32,
    pub(super) seq: u64,
    pub(super) sent_us: u64,
}

/// One commit in the WAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Position after its commit record.
    pub(super) end: u64,
    /// When it was written.
    pub(super) at: Stamp,
    /// `None` for anything that is no row, such as the ledger's table.
    pub(super) row: Option<Row>,
}

/// What can be seen in the ledger's table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    keys: BTreeMap<(Arc<str>, u32), RoaringTreemap>,
    newest_us: BTreeMap<Arc<str>, u64>,
}

impl Rows {
    /// Whether this key is there.
    pub(super) fn has(&self, row: &Row) -> bool {
        let keys = self.keys.get(&(row.run.clone(), row.writer));
        keys.is_some_and(|keys| keys.contains(row.seq))
    }

    pub(super) fn insert(&mut self, row: &Row) {
        let of_writer = self.keys.entry((row.run.clone(), row.writer)).or_default();
        of_writer.insert(row.seq);
        let newest = self.newest_us.entry(row.run.clone()).or_default();
        *newest = row.sent_us.max(*newest);
    }

    pub(super) fn remove(&mut self, row: &Row) {
        if let Some(keys) = self.keys.get_mut(&(row.run.clone(), row.writer)) {
            keys.remove(row.seq);
        }
    }

    /// When the newest visible row of a run was sent; 0 where there is none.
    pub(super) fn newest_us(&self, run: &str) -> u64 {
        self.newest_us.get(run).copied().unwrap_or(0)
    }

    /// Forgets which row was the newest, after rows were removed: these are what is left.
    pub(super) fn newest_among<'a>(&mut self, left: impl Iterator<Item = &'a Row>) {
        let runs: Vec<Arc<str>> = self.newest_us.keys().cloned().collect();
        self.newest_us.clear();
        for row in left.filter(|row| runs.contains(&row.run)) {
            let newest = self.newest_us.entry(row.run.clone()).or_default();
            *newest = row.sent_us.max(*newest);
        }
    }

    /// The keys of a run by writer, the barrier's apart.
    fn of_run(&self, run: &str) -> impl Iterator<Item = (u32, &RoaringTreemap)> {
        let mine = self
            .keys
            .iter()
            .filter(move |((of, _), _)| of.as_ref() == run);
        let mine = mine.map(|((_, writer), keys)| (*writer, keys));
        mine.filter(|(writer, keys)| *writer != BARRIER && !keys.is_empty())
    }

    /// The next key of the barrier.
    pub(super) fn next_barrier(&self, run: &str) -> u64 {
        let keys = self.keys.get(&(Arc::from(run), BARRIER));
        keys.and_then(RoaringTreemap::max).unwrap_or(0) + 1
    }

    /// Per writer: how many rows outside `open`, the smallest and the largest key.
    pub(super) fn counts(&self, run: &str, open: &KeyRanges) -> Vec<(u32, u64, u64, u64)> {
        let counted = self.of_run(run).map(|(writer, keys)| {
            let mut rest = keys.clone();
            for (_, from, to) in open.iter().filter(|(of, ..)| *of == writer) {
                rest.remove_range(*from..=*to);
            }
            let (min, max) = (keys.min().unwrap_or(0), keys.max().unwrap_or(0));
            (writer, rest.len(), min, max)
        });
        counted.collect()
    }

    /// The rows inside some ranges.
    pub(super) fn inside(&self, run: &str, open: &KeyRanges) -> Vec<(i32, i64)> {
        let mut found = Vec::new();
        for (writer, keys) in self.of_run(run) {
            let mine = open.iter().filter(|(of, ..)| *of == writer);
            for (_, from, to) in mine {
                let mut wanted = RoaringTreemap::new();
                wanted.insert_range(*from..=*to);
                found.extend((keys & &wanted).iter().map(|seq| pair(writer, seq)));
            }
        }
        found
    }

    /// All rows.
    pub(super) fn all(&self, run: &str) -> Vec<(i32, i64)> {
        let of_writer = |(writer, keys): (u32, &RoaringTreemap)| {
            let pairs: Vec<_> = keys.iter().map(|seq| pair(writer, seq)).collect();
            pairs
        };
        self.of_run(run).flat_map(of_writer).collect()
    }

    /// Per writer and stretch of keys: how many rows, and how many of them outside `open`.
    pub(super) fn stretch_counts(
        &self,
        run: &str,
        open: &KeyRanges,
        bits: u32,
    ) -> Vec<(u32, u64, u64, u64)> {
        let mut counts: BTreeMap<(u32, u64), (u64, u64)> = BTreeMap::new();
        for (writer, keys) in self.of_run(run) {
            for seq in keys {
                let is_open = open
                    .iter()
                    .any(|(of, from, to)| *of == writer && (*from..=*to).contains(&seq));
                let (all, rest) = counts.entry((writer, seq >> bits)).or_default();
                *all += 1;
                *rest += u64::from(!is_open);
            }
        }
        let counts = counts.into_iter();
        counts
            .map(|((writer, at), (all, rest))| (writer, at, all, rest))
            .collect()
    }

    /// Deletes a run's rows; says how many there were.
    pub(super) fn purge(&mut self, run: &str) -> u64 {
        let before: u64 = self.keys.values().map(RoaringTreemap::len).sum();
        self.keys.retain(|(of, _), _| of.as_ref() != run);
        self.newest_us.remove(run);
        before - self.keys.values().map(RoaringTreemap::len).sum::<u64>()
    }
}

fn pair(writer: u32, seq: u64) -> (i32, i64) {
    (writer.cast_signed(), seq.cast_signed())
}
