//! The event log on disk: JSON Lines, one entry a line, readable after a crash as far as it came.

use super::{Entry, Event, SCHEMA};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// Name of the log in a run's folder.
pub const FILE_NAME: &str = "events.jsonl";
/// Bytes that are taken from the disk at once.
const READ_AT_ONCE: usize = 1 << 18;
/// Entries that are handed from thread to thread at once, and how many such batches wait at the most.
const BATCH: usize = 512;
const BATCHES_AHEAD: usize = 8;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened, read or written.
    #[error("event log {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A line in the middle is not an entry.
    #[error("event log {path}, line {line}: {cause}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// Cause.
        cause: String,
    },
    /// It was written in a vocabulary that this version cannot read.
    #[error("event log {path} has the schema {found:?}; this firedrill reads {SCHEMA}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// What its first event says.
        found: String,
    },
}

/// Writes entries; each is handed to the operating system before the next one is taken.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl LogWriter {
    /// Creates the log in a run's folder, mode 0600; it must not exist yet.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join(FILE_NAME);
        let open = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match open {
            Ok(file) => Ok(Self {
                path,
                file: BufWriter::new(file),
            }),
            Err(source) => Err(LogError::Io { path, source }),
        }
    }

    /// Writes to a file that is there already, such as a device.
    ///
    /// # Errors
    /// When it cannot be opened for writing.
    pub fn to(path: &Path) -> Result<Self, LogError> {
        match OpenOptions::new().append(true).open(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file: BufWriter::new(file),
            }),
            Err(source) => Err(LogError::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Opens the log of a run whose runner died, to complete it. A torn last line is cut off, since what
    /// follows it would be unreadable. Returns the last entry, whose number the next one counts on from.
    ///
    /// # Errors
    /// When there is no log with at least one entry, or it cannot be read or written.
    pub fn append_to(folder: &Path) -> Result<(Self, Entry), LogError> {
        let path = folder.join(FILE_NAME);
        let mut last = None;
        replay(folder, |entry| last = Some(entry))?;
        let io = |source| LogError::Io {
            path: path.clone(),
            source,
        };
        let last = last.ok_or_else(|| io(std::io::ErrorKind::UnexpectedEof.into()))?;
        let bytes = std::fs::read(&path).map_err(io)?;
        let good_len = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let file = OpenOptions::new().append(true).open(&path).map_err(io)?;
        file.set_len(good_len as u64).map_err(io)?;
        let file = BufWriter::new(file);
        Ok((Self { path, file }, last))
    }

    /// Appends one entry and flushes it, so that a killed run can be reported as far as it came.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn append(&mut self, entry: &Entry) -> Result<(), LogError> {
        let result = serde_json::to_writer(&mut self.file, entry)
            .map_err(std::io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.flush());
        result.map_err(|source| LogError::Io {
            path: self.path.clone(),
            source,
        })
    }
}

/// A log that was read.
#[derive(Debug)]
pub struct ReadLog {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Kinds of events that this version does not know, with how many were skipped.
    pub skipped: usize,
    /// The last line was cut short by a crash.
    pub torn: bool,
}

/// What a log has beside its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Events of a kind that this version does not know, which were skipped.
    pub skipped: usize,
    /// The last line was cut short by a crash.
    pub torn: bool,
}

/// Reads the whole log of a run's folder into memory; [`replay`] does not keep it.
///
/// # Errors
/// When the file cannot be read, a line in the middle is broken, or the schema is another one.
pub fn read(folder: &Path) -> Result<ReadLog, LogError> {
    let mut entries = Vec::new();
    let rest = replay(folder, |entry| entries.push(entry))?;
    Ok(ReadLog {
        entries,
        skipped: rest.skipped,
        torn: rest.torn,
    })
}

/// Hands the entries of a run's log to `each`, one by one and in order, since the log of a long run does
/// not fit into memory. Event kinds of newer versions are counted and skipped; a torn last line is what a
/// crash leaves and is no error.
///
/// # Errors
/// When the file cannot be read, a line in the middle is broken, or the schema is another one.
pub fn replay(folder: &Path, mut each: impl FnMut(Entry)) -> Result<Rest, LogError> {
    let path = folder.join(FILE_NAME);
    let (batches, inbox) = mpsc::sync_channel(BATCHES_AHEAD);
    // Reading the lines takes about as long as what is made of them, so each has a thread of its own.
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_lines(&path, &batches));
        for entry in inbox.into_iter().flatten() {
            each(entry);
        }
        reader.join().unwrap_or_else(|_| {
            Err(LogError::Io {
                path: folder.join(FILE_NAME),
                source: std::io::Error::other("the thread that read it panicked"),
            })
        })
    })
}

/// The same as [`read`] of a log that is open already; `path` is only what errors call it.
///
/// # Errors
/// As [`read`].
pub fn parse(path: PathBuf, reader: impl BufRead) -> Result<ReadLog, LogError> {
    let mut entries = Vec::new();
    let rest = each_line(&path, reader, |entry| {
        entries.push(entry);
        true
    })?;
    Ok(ReadLog {
        entries,
        skipped: rest.skipped,
        torn: rest.torn,
    })
}

/// Reads all lines and hands the entries over, many at a time.
fn read_lines(path: &Path, batches: &mpsc::SyncSender<Vec<Entry>>) -> Result<Rest, LogError> {
    let file = File::open(path).map_err(|source| LogError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut batch = Vec::with_capacity(BATCH);
    let rest = each_line(
        path,
        BufReader::with_capacity(READ_AT_ONCE, file),
        |entry| {
            batch.push(entry);
            if batch.len() < BATCH {
                return true;
            }
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            batches.send(full).is_ok()
        },
    )?;
    let _ = batches.send(batch);
    Ok(rest)
}

/// Gives each entry to `each`, until that says that nobody wants more.
fn each_line(
    path: &Path,
    mut reader: impl BufRead,
    mut each: impl FnMut(Entry) -> bool,
) -> Result<Rest, LogError> {
    let io = |source| LogError::Io {
        path: path.to_owned(),
        source,
    };
    let mut rest = Rest::default();
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(io)? == 0 {
            break;
        }
        if text.last() != Some(&b'\n') {
            rest.torn = true;
            break;
        }
        let entry = match serde_json::from_slice::<Entry>(&text) {
            Ok(entry) => Some(entry),
            Err(_) if is_unknown_kind(&text) => {
                rest.skipped += 1;
                None
            }
            Err(error) => {
                return Err(LogError::Line {
                    path: path.to_owned(),
                    line,
                    cause: error.to_string(),
                });
            }
        };
        if line == 1 {
            let found = match entry.as_ref().map(|entry| &entry.event) {
                Some(Event::RunBegan(began)) => began.schema.clone(),
                _ => String::from("none"),
            };
            if found != SCHEMA {
                let path = path.to_owned();
                return Err(LogError::Schema { path, found });
            }
        }
        if let Some(entry) = entry
            && !each(entry)
        {
            return Ok(rest);
        }
    }
    Ok(rest)
}

/// Whether a line is a well-formed entry whose event kind this version does not know.
fn is_unknown_kind(text: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(text) else {
        return false;
    };
    let kind = match &value["event"] {
        serde_json::Value::String(kind) => kind.clone(),
        serde_json::Value::Object(map) => match map.keys().next() {
            Some(kind) => kind.clone(),
            None => return false,
        },
        _ => return false,
    };
    let probe = serde_json::json!({ kind: null });
    let error = serde_json::from_value::<Event>(probe).err();
    error.is_some_and(|error| error.to_string().starts_with("unknown variant"))
}
