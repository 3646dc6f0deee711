//! What was tried, and what the servers said of it: the keys of every writer, in memory as bitmaps and in
//! a file with every outcome and time. It sends nothing and judges nothing.
//!
//! Every key belongs to one writer (a pinned session, a fresh channel, a node's channel) and counts from 1
//! without gaps; a tick that was not sent takes none. So of what was attempted, whatever is neither failed
//! nor in doubt was acknowledged.

use super::ledger_file::{self, FileError, LedgerFile, Record, Stretch, Writing};
use crate::event::Stamp;
use crate::event::slots::Outcome;
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Keys are reserved on disk before the first of them is sent, in blocks of at least this many. A quick
/// writer reserves what it takes in some seconds, and all reserve together, so that the disk need not sync
/// the file many times a second.
pub const BLOCK: u64 = 64;
/// A writer's keys run out when they last for fewer than so many flushes.
const RUNS_OUT: u64 = 4;
/// They are then reserved for so many.
const AHEAD: u64 = 16;

/// The ledger of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    run: String,
    folder: PathBuf,
    writers: BTreeMap<u32, WriterKeys>,
    file: Option<LedgerFile>,
    /// What lies where in the file, once it is finished.
    stretches: Option<Vec<Stretch>>,
}

/// The keys of one writer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriterKeys {
    /// The channel it belongs to.
    pub channel: String,
    /// Keys 1 to this were sent.
    pub attempted: u64,
    /// Acknowledged in time.
    pub acknowledged: RoaringTreemap,
    /// Acknowledged after the deadline; these are in [`WriterKeys::in_doubt`] too.
    pub late: RoaringTreemap,
    /// Definitely not committed.
    pub failed: RoaringTreemap,
    /// Sent, and nobody knows.
    pub in_doubt: RoaringTreemap,
    /// Reserved on disk up to this key; only the writer of the file needs it.
    reserved: u64,
    /// How many keys were taken between the last two flushes, and the last key at the last of them.
    pace: (u64, u64),
}

/// Who acknowledged a key, and where in the WAL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Number of the server in the ledger file, 0 where it is not known.
    pub server: u32,
    /// Its timeline, 0 where it is not known.
    pub timeline: u32,
    /// `pg_current_wal_insert_lsn()` after the insert and before the commit record.
    pub lsn: u64,
}

/// One outcome as the file keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The writer.
    pub writer: u32,
    /// Its key.
    pub seq: u64,
    /// When it was sent.
    pub sent: Stamp,
    /// When it was settled.
    pub settled: Stamp,
    /// What came of it.
    pub outcome: Outcome,
    /// Who said so.
    pub told: Told,
}

impl WriterKeys {
    /// Sorts one settled key into its set.
    fn settle(&mut self, seq: u64, outcome: Outcome) {
        self.attempted = self.attempted.max(seq);
        self.in_doubt.remove(seq);
        match outcome {
            Outcome::Acknowledged => {
                self.acknowledged.insert(seq);
            }
            Outcome::AcknowledgedLate => {
                self.late.insert(seq);
                self.in_doubt.insert(seq);
            }
            Outcome::Failed(_) | Outcome::InRecovery => {
                self.failed.insert(seq);
            }
            Outcome::InDoubt(_) | Outcome::NotSent | Outcome::Stale => {
                self.in_doubt.insert(seq);
            }
        }
    }

    /// Long runs of keys in a row, which most are, take next to nothing.
    fn optimize(&mut self) {
        self.acknowledged.optimize();
        self.late.optimize();
        self.failed.optimize();
        self.in_doubt.optimize();
    }

    /// Keys that were sent and were not acknowledged in time, as inclusive ranges in order.
    #[must_use]
    pub fn open_ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for key in &(&self.failed | &self.in_doubt) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == key => *last = key,
                _ => ranges.push((key, key)),
            }
        }
        ranges
    }
}

impl Ledger {
    /// A new ledger, with its file in `folder`.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(folder: &Path, run: &str, writing: Writing) -> Result<Self, FileError> {
        Ok(Self {
            run: run.to_owned(),
            folder: folder.to_owned(),
            writers: BTreeMap::new(),
            file: Some(LedgerFile::create(folder, run, writing)?),
            stretches: None,
        })
    }

    /// Reads the ledger of a run's folder as far as it came. Keys that were reserved and whose outcome did
    /// not reach the file are in doubt: they may have been sent.
    ///
    /// # Errors
    /// When the file cannot be read or was not written by a ledger of this version.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let mut writers: BTreeMap<u32, WriterKeys> = BTreeMap::new();
        let mut finished = false;
        let run = ledger_file::read(folder, |record| match record {
            Record::Writer { writer, channel } => {
                writers.entry(writer).or_default().channel = channel;
            }
            Record::Reserved { writer, until } => {
                let keys = writers.entry(writer).or_default();
                keys.reserved = keys.reserved.max(until);
            }
            Record::Settled(key) => {
                let keys = writers.entry(key.writer).or_default();
                keys.settle(key.seq, key.outcome);
            }
            Record::Finished => finished = true,
            Record::Server { .. } | Record::Node { .. } => {}
        })?;
        for keys in writers.values_mut() {
            let last = if finished {
                keys.attempted
            } else {
                keys.reserved
            };
            let mut unsettled = RoaringTreemap::new();
            unsettled.insert_range(1..last + 1);
            unsettled -= &keys.acknowledged;
            unsettled -= &keys.failed;
            keys.in_doubt |= unsettled;
            keys.attempted = keys.attempted.max(last);
        }
        Ok(Self {
            run,
            folder: folder.to_owned(),
            writers,
            file: None,
            stretches: None,
        })
    }

    /// Opens a writer for a channel; returns its number, from 1 (0 is the barrier's).
    pub fn add_writer(&mut self, channel: &str) -> u32 {
        let writer = self.writers.len() as u32 + 1;
        let keys = WriterKeys {
            channel: channel.to_owned(),
            ..WriterKeys::default()
        };
        self.writers.insert(writer, keys);
        self.record(Record::Writer {
            writer,
            channel: channel.to_owned(),
        });
        self.reserve(writer, 2 * BLOCK);
        self.hand_over();
        writer
    }

    /// The next key of a writer, or `None` while its reservation has not reached the disk: then the tick
    /// is not sent. The key counts as in doubt until it is settled.
    pub fn take_key(&mut self, writer: u32) -> Option<u64> {
        let durable = self.file.as_ref()?.durable(writer);
        let keys = self.writers.get_mut(&writer)?;
        let key = keys.attempted + 1;
        // Two blocks ahead, so that a slow disk has a whole block's time to answer.
        if key + BLOCK > keys.reserved {
            let until = keys.reserved + BLOCK.max(keys.pace.0);
            self.reserve(writer, until);
            self.hand_over();
        }
        if key > durable {
            return None;
        }
        let keys = self.writers.get_mut(&writer)?;
        keys.attempted = key;
        keys.in_doubt.insert(key);
        Some(key)
    }

    /// Keeps what came of a key.
    pub fn settle(&mut self, key: KeyRecord) {
        if let Some(keys) = self.writers.get_mut(&key.writer) {
            keys.settle(key.seq, key.outcome);
        }
        self.record(Record::Settled(key));
    }

    /// Gives a server a number in the file.
    pub fn add_server(&mut self, server: u32, identity: String) {
        self.record(Record::Server { server, identity });
    }

    /// Says which node a server is.
    pub fn name_server(&mut self, server: u32, node: &str) {
        self.record(Record::Node {
            server,
            node: node.to_owned(),
        });
    }

    /// Hands what was settled so far to the operating system. Called a few times a second: where some
    /// writer's keys run out before long at its pace, all writers reserve anew.
    pub fn flush(&mut self) {
        let mut runs_out = false;
        for keys in self.writers.values_mut() {
            let (_, before) = keys.pace;
            keys.pace = (keys.attempted.saturating_sub(before), keys.attempted);
            runs_out |= keys.attempted + BLOCK.max(RUNS_OUT * keys.pace.0) > keys.reserved;
        }
        if runs_out {
            let ahead = |keys: &WriterKeys| keys.attempted + (2 * BLOCK).max(AHEAD * keys.pace.0);
            let wanted = self
                .writers
                .iter()
                .map(|(writer, keys)| (*writer, ahead(keys)));
            let wanted: Vec<(u32, u64)> = wanted.collect();
            for (writer, until) in wanted {
                let reserved = self.writers.get(&writer).map_or(0, |keys| keys.reserved);
                if until > reserved {
                    self.reserve(writer, until);
                }
            }
        }
        self.hand_over();
    }

    fn hand_over(&mut self) {
        if let Some(file) = &mut self.file {
            file.flush();
        }
    }

    /// Closes the file; the ledger stays readable in memory.
    ///
    /// # Errors
    /// When something could not be written, now or before.
    pub fn finish(&mut self) -> Result<(), FileError> {
        self.record(Record::Finished);
        for keys in self.writers.values_mut() {
            keys.optimize();
        }
        if let Some(file) = self.file.take() {
            self.stretches = Some(file.finish()?);
        }
        Ok(())
    }

    /// The run it belongs to: the first column of the table.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The folder of its file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What lies where in the file; `None` where that is known only by reading it.
    pub(super) fn stretches(&self) -> Option<&[Stretch]> {
        self.stretches.as_deref()
    }

    /// All writers by number.
    #[must_use]
    pub fn writers(&self) -> &BTreeMap<u32, WriterKeys> {
        &self.writers
    }

    fn reserve(&mut self, writer: u32, until: u64) {
        if let Some(keys) = self.writers.get_mut(&writer) {
            keys.reserved = until;
        }
        self.record(Record::Reserved { writer, until });
    }

    fn record(&mut self, record: Record) {
        if let Some(file) = &mut self.file {
            file.append(&record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::slots::ErrorClass;

    fn record(seq: u64, outcome: Outcome) -> KeyRecord {
        KeyRecord {
            writer: 1,
            seq,
            sent: Stamp(seq * 10),
            settled: Stamp(seq * 10 + 3),
            outcome,
            told: Told {
                server: 1,
                timeline: 1,
                lsn: 1000 + seq,
            },
        }
    }

    /// Takes a key, waiting for the disk as the prober would by not sending.
    fn take(ledger: &mut Ledger) -> u64 {
        loop {
            if let Some(key) = ledger.take_key(1) {
                return key;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_written_is_read_and_the_unfinished_is_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(folder.path(), "r", Writing::Behind).unwrap();
        assert_eq!(ledger.add_writer("writer_fresh"), 1);
        for outcome in [
            Outcome::Acknowledged,
            Outcome::Failed(ErrorClass::ReadOnly),
            Outcome::AcknowledgedLate,
            Outcome::InDoubt(ErrorClass::Reset),
            Outcome::Acknowledged,
        ] {
            let key = take(&mut ledger);
            ledger.settle(record(key, outcome));
        }
        assert_eq!(take(&mut ledger), 6, "sent, and never settled");
        let before = ledger.writers()[&1].clone();
        assert_eq!(before.open_ranges(), [(2, 4), (6, 6)]);

        // A crash: the file is flushed and never finished.
        ledger.flush();
        let crashed = loop {
            let read = Ledger::read(folder.path()).unwrap();
            if read.writers()[&1].acknowledged.len() == 2 {
                break read;
            }
            std::thread::yield_now();
        };
        let keys = &crashed.writers()[&1];
        assert_eq!(keys.channel, "writer_fresh");
        assert_eq!(keys.acknowledged, before.acknowledged);
        assert_eq!(keys.failed, before.failed);
        assert_eq!(keys.late, before.late);
        assert_eq!(
            keys.attempted,
            2 * BLOCK,
            "the whole reservation may have been sent"
        );
        assert_eq!(keys.in_doubt.len(), 2 + (2 * BLOCK - 5));

        // In good order.
        ledger.finish().unwrap();
        let read = Ledger::read(folder.path()).unwrap();
        assert_eq!(read.run(), "r");
        let keys = &read.writers()[&1];
        assert_eq!(keys.acknowledged, before.acknowledged);
        assert_eq!(
            keys.attempted, 5,
            "key 6 has no record, and the file is finished"
        );
    }

    #[test]
    fn keys_are_dense_across_reservations() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(folder.path(), "r", Writing::Behind).unwrap();
        ledger.add_writer("writer_pinned");
        for expected in 1..=1000 {
            assert_eq!(take(&mut ledger), expected);
        }
    }
}
