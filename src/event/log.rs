//! The event log on disk: JSON Lines, one entry a line, readable after a crash as far as it came.

use super::{Entry, Event, SCHEMA};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the log in a run's folder.
pub const FILE_NAME: &str = "events.jsonl";
/// Bytes that are taken from the disk at once.
const READ_AT_ONCE: usize = 1 << 18;

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

impl LogError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }
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
        each_entry(&path, open(&path)?, |entry| last = Some(entry))?;
        let io = |source| LogError::io(&path, source);
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

/// Reads the whole log of a run's folder into memory; [`super::replay`] does not keep it.
///
/// # Errors
/// When the file cannot be read, a line in the middle is broken, or the schema is another one.
pub fn read(folder: &Path) -> Result<ReadLog, LogError> {
    let path = folder.join(FILE_NAME);
    let reader = open(&path)?;
    parse(path, reader)
}

/// The same as [`read`] of a log that is open already; `path` is only what errors call it.
///
/// # Errors
/// As [`read`].
pub fn parse(path: PathBuf, reader: impl BufRead) -> Result<ReadLog, LogError> {
    let mut entries = Vec::new();
    let rest = each_entry(&path, reader, |entry| entries.push(entry))?;
    Ok(ReadLog {
        entries,
        skipped: rest.skipped,
        torn: rest.torn,
    })
}

fn open(path: &Path) -> Result<BufReader<File>, LogError> {
    let file = File::open(path).map_err(|source| LogError::io(path, source))?;
    Ok(BufReader::with_capacity(READ_AT_ONCE, file))
}

/// Gives each entry to `each`, in order.
fn each_entry(
    path: &Path,
    mut reader: impl BufRead,
    mut each: impl FnMut(Entry),
) -> Result<Rest, LogError> {
    let mut rest = Rest::default();
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let count = reader.read_until(b'\n', &mut text);
        if count.map_err(|source| LogError::io(path, source))? == 0 {
            break;
        }
        if text.last() != Some(&b'\n') {
            rest.torn = true;
            break;
        }
        let entry = match line {
            1 => first_line(&text).map(Some),
            _ => one_line(&text),
        };
        match entry.map_err(|trouble| trouble.of(path, line))? {
            Some(entry) => each(entry),
            None => rest.skipped += 1,
        }
    }
    Ok(rest)
}

/// Why a line cannot be taken.
pub(super) enum Trouble {
    /// It is no entry.
    Line(String),
    /// It is the first, and names another schema.
    Schema(String),
}

impl Trouble {
    /// As the error of a log, whose line it is.
    pub(super) fn of(self, path: &Path, line: usize) -> LogError {
        let path = path.to_owned();
        match self {
            Self::Line(cause) => LogError::Line { path, line, cause },
            Self::Schema(found) => LogError::Schema { path, found },
        }
    }
}

/// Reads the first line of a log, which says how to read the others.
pub(super) fn first_line(text: &[u8]) -> Result<Entry, Trouble> {
    match one_line(text)? {
        Some(entry) => match &entry.event {
            Event::RunBegan(began) if began.schema == SCHEMA => Ok(entry),
            Event::RunBegan(began) => Err(Trouble::Schema(began.schema.clone())),
            _ => Err(Trouble::Schema("none".to_owned())),
        },
        None => Err(Trouble::Schema("none".to_owned())),
    }
}

/// Reads a line; `None` where its event is of a kind that this version does not know.
pub(super) fn one_line(text: &[u8]) -> Result<Option<Entry>, Trouble> {
    match serde_json::from_slice(text) {
        Ok(entry) => Ok(Some(entry)),
        Err(_) if is_unknown_kind(text) => Ok(None),
        Err(error) => Err(Trouble::Line(error.to_string())),
    }
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
