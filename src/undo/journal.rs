//! The undo journal as it stands on disk: JSON Lines in the run's folder, and how it is read.
//!
//! Reading is strict, unlike the event log's: a record that this version does not fully know could be
//! something that must be undone first, so the whole journal is refused. Only a torn last line is
//! tolerated: a record counts from the moment its append returned, so a half-written intent was never
//! acted on. Writing is [`super::JournalOwner`]'s.

use super::runner::{Runner, boot_id};
use crate::clock::{self, Clock};
use crate::fault::Hit;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the journal in a run's folder.
pub const FILE_NAME: &str = "undo.journal";

/// The version that this firedrill writes and the newest that it reads.
pub const VERSION: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Wall clock, RFC 3339, for people only.
    pub at: String,
    /// What was written down.
    pub record: Record,
}

/// What a line says. No record holds a secret, and none needs a password to be acted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// Always the first: whose journal this is.
    Opened(Box<Opened>),
    /// firedrill is about to make something in the target, such as its ledger.
    Made {
        /// Number, unique in the journal.
        n: u32,
        /// What, in words, such as "ledger table".
        what: String,
        /// Where, for whoever removes it.
        facts: Value,
    },
    /// A fault is about to be injected.
    Intent {
        /// Number, unique in the journal; the number of the act in the event log.
        n: u32,
        /// Id of the step.
        step: String,
        /// The node, frozen.
        hit: Hit,
        /// Name of the fault: by it the undo's type is found again.
        fault: String,
        /// Everything that its undo needs.
        facts: Value,
    },
    /// The node of an intent is about to be let go, unfenced. The intent stays open.
    Released {
        /// The intent.
        n: u32,
    },
    /// An entry is undone and was seen to be.
    Done {
        /// The entry.
        n: u32,
        /// In which way.
        how: How,
        /// What proves it.
        proof: String,
    },
    /// An entry could not be undone; it stays open.
    Failed {
        /// The entry.
        n: u32,
        /// Why not.
        why: String,
    },
    /// Nothing is left to undo. Always the last.
    Closed,
}

/// In which way an entry came to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// firedrill put it back.
    Undone,
    /// The node had been released, and was found in place.
    ReleasedThenVerified,
    /// A person or the stack had put it back already.
    Credited,
    /// There was nothing to put back: the fault never showed, or what it hit is gone.
    Moot,
}

/// Whose journal it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// [`VERSION`] at the time of writing.
    pub version: u32,
    /// Id of the run.
    pub run: String,
    /// Kind of the target: by it `recover` knows how to reach it again.
    pub target_kind: String,
    /// By which another run on the same target finds this journal.
    pub target_identity: String,
    /// What is needed to reach the target again, such as the folder of a throw-away cluster.
    pub target_facts: Value,
    /// Origin of the run's clock in nanoseconds of CLOCK_MONOTONIC, where it has one.
    pub clock_origin_ns: Option<u64>,
    /// The boot in which that origin means something.
    pub boot_id: String,
    /// The process that runs the drill.
    pub runner: Runner,
}

impl Opened {
    /// The record of this process's run, now.
    #[must_use]
    pub fn by_this_process(
        run: &str,
        target_kind: &str,
        target_identity: &str,
        target_facts: Value,
        clock: Clock,
    ) -> Self {
        Self {
            version: VERSION,
            run: run.to_owned(),
            target_kind: target_kind.to_owned(),
            target_identity: target_identity.to_owned(),
            target_facts,
            clock_origin_ns: clock.origin_ns(),
            boot_id: boot_id(),
            runner: Runner::this_process(),
        }
    }

    /// The run's clock, where its origin is valid in this boot; else one that begins now.
    #[must_use]
    pub fn clock(&self) -> Clock {
        match self.clock_origin_ns {
            Some(origin) if self.boot_id == boot_id() => Clock::at_origin(origin),
            _ => Clock::start(),
        }
    }
}

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read or written.
    #[error("undo journal {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// It holds something that this version does not know.
    #[error(
        "undo journal {path}, line {line}: {cause}; it was written by a newer firedrill, and only that one can undo it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is not known.
        cause: String,
    },
    /// It is damaged elsewhere than in its last line.
    #[error("undo journal {path}, line {line}, is damaged: {cause}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        cause: String,
    },
    /// Somebody else has the right to undo.
    #[error("{} has the right to undo this run ({path})", holder(*pid))]
    Held {
        /// The file.
        path: PathBuf,
        /// Process that holds the lock, where the system tells.
        pid: Option<u32>,
    },
    /// An earlier write failed half-way and could not be taken back.
    #[error("undo journal {path} takes no more records: {cause}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first failure.
        cause: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => String::from("another process"),
    }
}

/// A journal that was read.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Whose it is.
    pub opened: Opened,
    /// All records after the first one, in order.
    pub lines: Vec<Line>,
    /// The last line was cut short by a crash, and left out.
    pub torn: bool,
    /// Length in bytes of what was understood.
    pub(super) good_len: u64,
}

/// Something that is not undone yet.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenEntry {
    /// Something that firedrill made.
    Made {
        /// Its number.
        n: u32,
        /// What it is.
        what: String,
        /// Where it is.
        facts: Value,
    },
    /// A fault that was, or may have been, injected.
    Intent {
        /// Its number.
        n: u32,
        /// Id of the step.
        step: String,
        /// The node.
        hit: Hit,
        /// Name of the fault.
        fault: String,
        /// What its undo needs.
        facts: Value,
        /// Whether its node was let go since.
        released: bool,
    },
}

impl OpenEntry {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::Made { n, .. } | Self::Intent { n, .. } => *n,
        }
    }

    /// One line for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Made { what, .. } => what.clone(),
            Self::Intent { fault, hit, .. } => format!("{fault} of {}", hit.node),
        }
    }
}

impl Journal {
    /// Reads the journal of a run's folder, whoever holds its lock.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or was written by a newer firedrill.
    pub fn read(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(FILE_NAME);
        match fs::read(&path) {
            Ok(bytes) => Self::parse(path, &bytes),
            Err(source) => Err(JournalError::Io { path, source }),
        }
    }

    /// The same of bytes that were read already; `path` is only what errors call it.
    ///
    /// # Errors
    /// When they are damaged, or were written by a newer firedrill.
    pub fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, JournalError> {
        let mut lines: Vec<Line> = Vec::new();
        let mut good_len = 0;
        for (index, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = index + 1;
            if text.last() != Some(&b'\n') {
                // Without its newline the append never returned, so nothing was done because of it.
                break;
            }
            let last = good_len + text.len() == bytes.len();
            let value = match serde_json::from_slice::<Value>(text) {
                Ok(value) => value,
                // What a power cut leaves where the page with the newline came to disk first.
                Err(_) if last => break,
                Err(error) => {
                    let cause = error.to_string();
                    return Err(JournalError::Damaged { path, line, cause });
                }
            };
            let version = value["record"]["opened"]["version"].as_u64();
            if let Some(version) = version.filter(|version| *version > u64::from(VERSION)) {
                let cause = format!("version {version}, and this firedrill reads {VERSION}");
                return Err(JournalError::Newer { path, line, cause });
            }
            match serde_json::from_value(value) {
                Ok(parsed) => lines.push(parsed),
                Err(error) => {
                    let cause = error.to_string();
                    return Err(JournalError::Newer { path, line, cause });
                }
            }
            good_len += text.len();
        }
        let torn = good_len < bytes.len();
        Self::assemble(path, lines, torn, good_len as u64)
    }

    fn assemble(
        path: PathBuf,
        mut lines: Vec<Line>,
        torn: bool,
        good_len: u64,
    ) -> Result<Self, JournalError> {
        let first = if lines.is_empty() {
            None
        } else {
            Some(lines.remove(0).record)
        };
        let Some(Record::Opened(opened)) = first else {
            return Err(JournalError::Damaged {
                path,
                line: 1,
                cause: String::from("it does not begin with whose it is"),
            });
        };
        Ok(Self {
            opened: *opened,
            lines,
            torn,
            good_len,
        })
    }

    /// Whether everything in it is undone and it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(
            self.lines.last(),
            Some(Line {
                record: Record::Closed,
                ..
            })
        )
    }

    /// The highest number in use, 0 where none is.
    pub(super) fn highest_number(&self) -> u32 {
        let numbers = self.lines.iter().map(|line| match line.record {
            Record::Made { n, .. } | Record::Intent { n, .. } => n,
            _ => 0,
        });
        numbers.max().unwrap_or(0)
    }

    /// What is not undone yet, newest first: the order in which to undo.
    #[must_use]
    pub fn open_entries(&self) -> Vec<OpenEntry> {
        let mut open: Vec<OpenEntry> = Vec::new();
        for line in &self.lines {
            match &line.record {
                Record::Opened(_) | Record::Failed { .. } => {}
                Record::Made { n, what, facts } => open.push(OpenEntry::Made {
                    n: *n,
                    what: what.clone(),
                    facts: facts.clone(),
                }),
                Record::Intent {
                    n,
                    step,
                    hit,
                    fault,
                    facts,
                } => open.push(OpenEntry::Intent {
                    n: *n,
                    step: step.clone(),
                    hit: hit.clone(),
                    fault: fault.clone(),
                    facts: facts.clone(),
                    released: false,
                }),
                Record::Released { n: of } => {
                    for entry in &mut open {
                        if let OpenEntry::Intent { n, released, .. } = entry
                            && n == of
                        {
                            *released = true;
                        }
                    }
                }
                Record::Done { n, .. } => open.retain(|entry| entry.number() != *n),
                Record::Closed => open.clear(),
            }
        }
        open.reverse();
        open
    }
}

impl Line {
    /// A record of now.
    #[must_use]
    pub fn now(record: Record) -> Self {
        Self {
            at: clock::wall().to_string(),
            record,
        }
    }
}
