//! The ledger on disk: every outcome with its times and its server, readable after a crash as far as it
//! came. A thread of its own writes it, so that a slow disk never delays a tick; under a virtual clock the
//! prober does, so that no disk decides what happens.
//!
//! A line of text (`firedrill ledger 1 RUN`), then records (`ledger_record.rs`). What is cut short at
//! the end is what a crash leaves.

pub use super::ledger_record::Record;
use super::ledger_record::{Decoder, Encoder};
use crate::event::Stamp;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

/// Name of the file in a run's folder.
pub const FILE_NAME: &str = "ledger.bin";
const MAGIC: &str = "firedrill ledger 1 ";
/// The first line of a file is not longer than this.
const LONGEST_HEAD: u64 = 4096;
/// So many bytes are handed to the thread at the latest; fewer when somebody flushes or reserves.
const CHUNK: usize = 1 << 16;
/// So many settled keys lie between two marks.
const MARK_EVERY: u64 = 4096;

/// What can go wrong with a ledger file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened, read or written.
    #[error("ledger file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It is no ledger, or one of another version.
    #[error("ledger file {path} is not one that this firedrill wrote: {what}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
}

/// What lies between two marks of a file, so that a question need not read the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Its first byte.
    pub(super) from: u64,
    /// The byte after its last.
    pub(super) to: u64,
    /// When its first key was sent, by time.
    pub(super) first_sent: Stamp,
    /// The highest WAL position that one of its keys was told.
    pub(super) highest_lsn: u64,
}

impl Stretch {
    fn at(from: u64) -> Self {
        Self {
            from,
            to: from,
            first_sent: Stamp(u64::MAX),
            highest_lsn: 0,
        }
    }
}

/// Bytes to write, and what is reserved once they are on disk.
struct Order {
    bytes: Vec<u8>,
    reserved: Vec<(u32, u64)>,
}

/// How far each writer's reservations are on disk.
type Durable = Arc<Mutex<BTreeMap<u32, Arc<AtomicU64>>>>;

/// Who writes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// A thread of its own, every reservation synced: appending never waits.
    Behind,
    /// The caller, and nothing is synced: a run under a virtual clock must not depend on how quick a disk
    /// is, and no commit of its keys outlives it.
    AtOnce,
}

/// A file being written.
#[derive(Debug)]
pub struct LedgerFile {
    encoder: Encoder,
    pending: Vec<u8>,
    /// What the pending bytes reserve: writers and their last reserved keys.
    reserved: Vec<(u32, u64)>,
    /// How many bytes were appended in all.
    length: u64,
    /// The stretch that is being written, and how many keys it holds.
    current: (Stretch, u64),
    stretches: Vec<Stretch>,
    through: Through,
    durable: Durable,
    path: PathBuf,
}

#[derive(Debug)]
enum Through {
    Thread(mpsc::Sender<Order>, JoinHandle<io::Result<()>>),
    Here(Pen, io::Result<()>),
}

impl LedgerFile {
    /// Creates the file, mode 0600; it must not exist yet.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(folder: &Path, run: &str, writing: Writing) -> Result<Self, FileError> {
        let path = folder.join(FILE_NAME);
        let failed = |source| FileError::Io {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let durable = Durable::default();
        let mut pen = Pen {
            file,
            syncs: writing == Writing::Behind,
            reserved: Vec::new(),
            durable: Arc::clone(&durable),
        };
        let through = match writing {
            Writing::AtOnce => Through::Here(pen, Ok(())),
            Writing::Behind => {
                let (orders, inbox) = mpsc::channel();
                let thread = std::thread::Builder::new()
                    .name("firedrill-ledger".into())
                    .spawn(move || pen.write_all(&inbox))
                    .map_err(failed)?;
                Through::Thread(orders, thread)
            }
        };
        let head = format!("{MAGIC}{run}\n");
        let length = head.len() as u64;
        Ok(Self {
            encoder: Encoder::default(),
            pending: head.into_bytes(),
            reserved: Vec::new(),
            length,
            current: (Stretch::at(length), 0),
            stretches: Vec::new(),
            through,
            durable,
            path,
        })
    }

    /// Takes a record; it waits for the next flush, so that a tick does not wake the thread. A failure
    /// shows as a reservation that never becomes durable, and in `finish`.
    pub fn append(&mut self, record: &Record) {
        let before = self.pending.len();
        self.encoder.put(record, &mut self.pending);
        self.length += (self.pending.len() - before) as u64;
        match record {
            Record::Reserved { writer, until } => self.reserved.push((*writer, *until)),
            Record::Settled(key) => {
                let (stretch, keys) = &mut self.current;
                *keys += 1;
                stretch.first_sent = stretch.first_sent.min(key.sent);
                stretch.highest_lsn = stretch.highest_lsn.max(key.told.lsn);
                if *keys >= MARK_EVERY {
                    self.mark();
                }
            }
            _ => {}
        }
        if self.pending.len() >= CHUNK {
            self.flush();
        }
    }

    fn mark(&mut self) {
        let before = self.pending.len();
        self.encoder.mark(&mut self.pending);
        self.length += (self.pending.len() - before) as u64;
        let (mut ended, _) = std::mem::replace(&mut self.current, (Stretch::at(self.length), 0));
        ended.to = self.length;
        self.stretches.push(ended);
    }

    /// Hands what was taken so far to the operating system, and to the disk where it reserves keys.
    pub fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let order = Order {
            bytes: std::mem::take(&mut self.pending),
            reserved: std::mem::take(&mut self.reserved),
        };
        match &mut self.through {
            Through::Thread(orders, _) => {
                let _ = orders.send(order);
            }
            Through::Here(pen, so_far) if so_far.is_ok() => {
                *so_far = pen.take(order).and_then(|()| pen.make_durable());
            }
            Through::Here(..) => {}
        }
    }

    /// The last key of a writer whose reservation is on disk.
    #[must_use]
    pub fn durable(&self, writer: u32) -> u64 {
        let known = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&writer)
            .map_or(0, |until| until.load(Ordering::Acquire))
    }

    /// Writes what is left, syncs and closes. Returns what lies where.
    ///
    /// # Errors
    /// The first failure since the file was created.
    pub(super) fn finish(mut self) -> Result<Vec<Stretch>, FileError> {
        self.mark();
        self.flush();
        let result = match self.through {
            Through::Thread(orders, thread) => {
                drop(orders);
                let ended = thread.join();
                ended.unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
            }
            Through::Here(_, so_far) => so_far,
        };
        result.map_err(|source| FileError::Io {
            path: self.path,
            source,
        })?;
        Ok(self.stretches)
    }
}

/// The open file, and what is reserved in it and not on disk yet.
#[derive(Debug)]
struct Pen {
    file: File,
    syncs: bool,
    reserved: Vec<(u32, u64)>,
    durable: Durable,
}

impl Pen {
    fn write_all(&mut self, inbox: &mpsc::Receiver<Order>) -> io::Result<()> {
        while let Ok(order) = inbox.recv() {
            self.take(order)?;
            // Several reservations that wait together share one sync.
            while !self.reserved.is_empty()
                && let Ok(order) = inbox.try_recv()
            {
                self.take(order)?;
            }
            self.make_durable()?;
        }
        self.file.sync_data()
    }

    fn take(&mut self, order: Order) -> io::Result<()> {
        self.reserved.extend(order.reserved);
        self.file.write_all(&order.bytes)
    }

    fn make_durable(&mut self) -> io::Result<()> {
        if self.reserved.is_empty() {
            return Ok(());
        }
        if self.syncs {
            self.file.sync_data()?;
        }
        let mut known = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        for (writer, until) in self.reserved.drain(..) {
            known
                .entry(writer)
                .or_default()
                .store(until, Ordering::Release);
        }
        Ok(())
    }
}

/// Reads a run's ledger file and hands each record to `each`, in order; stops at what a crash cut short.
/// Returns the run's id.
///
/// # Errors
/// When it cannot be read, is no ledger, or holds a record that this version does not know.
pub fn read(folder: &Path, mut each: impl FnMut(Record)) -> Result<String, FileError> {
    let path = folder.join(FILE_NAME);
    let (mut reader, run) = open(&path)?;
    records(&path, &mut reader, &mut each)?;
    Ok(run)
}

/// Reads some stretches of a run's ledger file as [`read`] reads all of it.
pub(super) fn read_stretches(
    folder: &Path,
    stretches: impl Iterator<Item = Stretch>,
    mut each: impl FnMut(Record),
) -> Result<(), FileError> {
    let path = folder.join(FILE_NAME);
    let (mut reader, _) = open(&path)?;
    for stretch in stretches {
        let found = reader.seek(SeekFrom::Start(stretch.from));
        found.map_err(|source| FileError::Io {
            path: path.clone(),
            source,
        })?;
        let mut inside = reader.by_ref().take(stretch.to - stretch.from);
        records(&path, &mut inside, &mut each)?;
    }
    Ok(())
}

/// Opens a ledger file and reads its first line.
fn open(path: &Path) -> Result<(BufReader<File>, String), FileError> {
    let io = |source| FileError::Io {
        path: path.to_owned(),
        source,
    };
    let foreign = |what: &str| FileError::Foreign {
        path: path.to_owned(),
        what: what.to_owned(),
    };
    let mut reader = BufReader::with_capacity(CHUNK, File::open(path).map_err(io)?);
    let mut head = Vec::new();
    let mut first = reader.by_ref().take(LONGEST_HEAD);
    first.read_until(b'\n', &mut head).map_err(io)?;
    let Some(head) = head.strip_suffix(b"\n") else {
        return Err(foreign("no first line"));
    };
    let head = String::from_utf8_lossy(head);
    let run = head.strip_prefix(MAGIC).ok_or_else(|| foreign(&head))?;
    Ok((reader, run.to_owned()))
}

fn records(
    path: &Path,
    reader: &mut impl Read,
    each: &mut impl FnMut(Record),
) -> Result<(), FileError> {
    let mut decoder = Decoder::default();
    let mut length = [0];
    let mut record = [0; 255];
    loop {
        let whole = reader.read_exact(&mut length).and_then(|()| {
            let record = &mut record[..usize::from(length[0])];
            reader.read_exact(record)
        });
        match whole {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(source) => {
                return Err(FileError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        }
        let record = decoder.take(&record[..usize::from(length[0])]);
        let record = record.map_err(|_| FileError::Foreign {
            path: path.to_owned(),
            what: "a record of another version".to_owned(),
        })?;
        if let Some(record) = record {
            each(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::slots::Outcome;
    use crate::load::ledger::{KeyRecord, Told};
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = Record> {
        let key = (
            1u32..9,
            1u64..1 << 40,
            0u64..1 << 40,
            0u64..1 << 30,
            0u64..4,
            (0u32..2, 0u32..2, any::<u64>()),
        );
        prop_oneof![
            (any::<u32>(), "[a-z/_é]{0,40}")
                .prop_map(|(writer, channel)| Record::Writer { writer, channel }),
            any::<(u32, u64)>().prop_map(|(writer, until)| Record::Reserved { writer, until }),
            key.prop_map(|(writer, seq, sent, took, code, (server, timeline, lsn))| {
                Record::Settled(KeyRecord {
                    writer,
                    seq,
                    sent: Stamp(sent),
                    settled: Stamp(sent + took),
                    outcome: Outcome::from_code(code).unwrap(),
                    told: Told {
                        server,
                        timeline,
                        lsn,
                    },
                })
            }),
            (any::<u32>(), ".{0,30}").prop_map(|(server, node)| Record::Node { server, node }),
        ]
    }

    proptest! {
        #[test]
        fn any_prefix_of_the_file_reads_as_a_prefix_of_the_records(
            records in prop::collection::vec(record(), 0..20),
            cut in 0usize..4000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut file = LedgerFile::create(folder.path(), "r", Writing::Behind).unwrap();
            for record in &records {
                file.append(record);
            }
            file.finish().unwrap();
            let path = folder.path().join(FILE_NAME);
            let bytes = std::fs::read(&path).unwrap();
            let mut found = Vec::new();
            read(folder.path(), |record| found.push(record)).unwrap();
            prop_assert_eq!(&found, &records);

            let head = MAGIC.len() + 2;
            std::fs::write(&path, &bytes[..(head + cut).min(bytes.len())]).unwrap();
            found.clear();
            read(folder.path(), |record| found.push(record)).unwrap();
            prop_assert!(records.starts_with(&found));
        }
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), "hello\n").unwrap();
        let error = read(folder.path(), |_| {}).unwrap_err();
        assert!(matches!(error, FileError::Foreign { .. }));
    }

    fn acknowledged(seq: u64) -> Record {
        Record::Settled(KeyRecord {
            writer: 1,
            seq,
            sent: Stamp(seq * 20_000),
            settled: Stamp(seq * 20_000 + 1500),
            outcome: Outcome::Acknowledged,
            told: Told {
                server: 1,
                timeline: 1,
                lsn: (1 << 40) + seq * 200,
            },
        })
    }

    #[test]
    fn a_stretch_is_read_without_what_lies_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LedgerFile::create(folder.path(), "r", Writing::Behind).unwrap();
        let count = 2 * MARK_EVERY + 10;
        for seq in 1..=count {
            file.append(&acknowledged(seq));
        }
        let stretches = file.finish().unwrap();
        assert_eq!(stretches.len(), 3);
        let mut all = Vec::new();
        read(folder.path(), |record| all.push(record)).unwrap();
        assert_eq!(all, (1..=count).map(acknowledged).collect::<Vec<_>>());
        let mut last = Vec::new();
        let of_last = stretches.iter().skip(1).copied();
        read_stretches(folder.path(), of_last, |record| last.push(record)).unwrap();
        assert_eq!(last, all[MARK_EVERY as usize..]);
        assert_eq!(stretches[1].first_sent, Stamp((MARK_EVERY + 1) * 20_000));
        assert_eq!(stretches[1].highest_lsn, (1 << 40) + 2 * MARK_EVERY * 200);
        let bytes = std::fs::metadata(folder.path().join(FILE_NAME))
            .unwrap()
            .len();
        assert!(
            bytes <= count * 12,
            "{bytes} bytes for {count} acknowledgements"
        );
    }

    /// What a firedrill before the compact records wrote: every key in full.
    #[test]
    fn a_file_of_full_records_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = format!("{MAGIC}r\n").into_bytes();
        // Length, kind, writer, key, time since the last one (zigzag), took, outcome, server, timeline, LSN.
        bytes.extend([9, 3, 1, 1, 20, 4, 0, 1, 1, 100]);
        bytes.extend([9, 3, 1, 2, 40, 4, 0, 1, 1, 120]);
        std::fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
        let mut settled = Vec::new();
        read(folder.path(), |record| {
            if let Record::Settled(key) = record {
                settled.push((key.seq, key.sent, key.settled, key.told.lsn));
            }
        })
        .unwrap();
        assert_eq!(
            settled,
            [
                (1, Stamp(6), Stamp(10), 100),
                (2, Stamp(26), Stamp(30), 120)
            ]
        );
    }
}
