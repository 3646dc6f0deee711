//! The records of a ledger file as bytes. Opens no file.
//!
//! A record is its length in one byte, its kind in one byte, and unsigned LEB128 varints or text. Most are
//! acknowledgements much like the one before, and hold only the differences to it (zigzag). So that a part
//! of the file can be read without what lies before it, a mark ends the counting of differences now and
//! then, and everything after it begins anew.

use super::ledger::{KeyRecord, Told};
use crate::event::Stamp;
use crate::event::slots::Outcome;
use std::collections::BTreeMap;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A writer was opened.
    Writer {
        /// Its number.
        writer: u32,
        /// Its channel.
        channel: String,
    },
    /// Keys up to this one may be sent from now on.
    Reserved {
        /// The writer.
        writer: u32,
        /// The last reserved key.
        until: u64,
    },
    /// A key was settled.
    Settled(KeyRecord),
    /// A server that answered got a number.
    Server {
        /// Its number.
        server: u32,
        /// Address, port and start time.
        identity: String,
    },
    /// Which node a server is became known.
    Node {
        /// The server's number.
        server: u32,
        /// The node.
        node: String,
    },
    /// The run's probes ended in good order: what is not here was not sent.
    Finished,
}

/// Names longer than this are cut: a record's length is one byte.
const LONGEST_NAME: usize = 200;

/// What the next acknowledgement is told by its difference to.
#[derive(Debug, Default)]
struct Before {
    settled: Stamp,
    told: Told,
    /// By writer, its key.
    seqs: BTreeMap<u32, u64>,
}

impl Before {
    fn keep(&mut self, key: &KeyRecord) {
        self.settled = key.settled;
        self.told = key.told;
        self.seqs.insert(key.writer, key.seq);
    }
}

/// Makes bytes of records.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    before: Before,
}

impl Encoder {
    /// Appends a record to `bytes`.
    pub(super) fn put(&mut self, record: &Record, bytes: &mut Vec<u8>) {
        let at = bytes.len();
        match record {
            Record::Writer { writer, channel } => named(bytes, 1, *writer, channel),
            Record::Reserved { writer, until } => {
                bytes.extend([0, 2]);
                put(bytes, u64::from(*writer));
                put(bytes, *until);
            }
            Record::Settled(key) => self.settled(key, bytes),
            Record::Server { server, identity } => named(bytes, 4, *server, identity),
            Record::Node { server, node } => named(bytes, 5, *server, node),
            Record::Finished => bytes.extend([0, 6]),
        }
        // The longest record is a name: 2 + 5 + 200 bytes.
        bytes[at] = (bytes.len() - at - 1) as u8;
    }

    fn settled(&mut self, key: &KeyRecord, bytes: &mut Vec<u8>) {
        let before = &mut self.before;
        let since = zigzag(key.settled.0.wrapping_sub(before.settled.0) as i64);
        let took = key.settled.0.saturating_sub(key.sent.0);
        let same_server =
            (key.told.server, key.told.timeline) == (before.told.server, before.told.timeline);
        let last = before.seqs.get(&key.writer);
        match last.filter(|_| same_server && key.outcome == Outcome::Acknowledged) {
            Some(last) => {
                bytes.extend([0, 7]);
                put(bytes, u64::from(key.writer));
                put(bytes, zigzag(key.seq.wrapping_sub(*last) as i64));
                put(bytes, since);
                put(bytes, took);
                let on = key.told.lsn.wrapping_sub(before.told.lsn);
                put(bytes, zigzag(on as i64));
            }
            None => {
                bytes.extend([0, 3]);
                put(bytes, u64::from(key.writer));
                put(bytes, key.seq);
                put(bytes, since);
                put(bytes, took);
                put(bytes, key.outcome.code());
                put(bytes, u64::from(key.told.server));
                put(bytes, u64::from(key.told.timeline));
                put(bytes, key.told.lsn);
            }
        }
        before.keep(key);
    }

    /// Appends a mark: what follows can be read without what lies before.
    pub(super) fn mark(&mut self, bytes: &mut Vec<u8>) {
        bytes.extend([1, 8]);
        self.before = Before::default();
    }
}

/// Makes records of bytes.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    before: Before,
}

/// A record that this version does not know, or that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown;

impl Decoder {
    /// Reads what follows a record's length; `None` is a mark.
    pub(super) fn take(&mut self, record: &[u8]) -> Result<Option<Record>, Unknown> {
        let (kind, body) = record.split_first().ok_or(Unknown)?;
        if *kind == 8 {
            self.before = Before::default();
            return Ok(None);
        }
        self.decode(*kind, body).map(Some).ok_or(Unknown)
    }

    fn decode(&mut self, kind: u8, mut rest: &[u8]) -> Option<Record> {
        let rest = &mut rest;
        let name = |rest: &mut &[u8]| String::from_utf8(rest.to_vec()).ok();
        Some(match kind {
            1 => Record::Writer {
                writer: small(rest)?,
                channel: name(rest)?,
            },
            2 => Record::Reserved {
                writer: small(rest)?,
                until: get(rest)?,
            },
            3 | 7 => {
                let key = if kind == 3 {
                    self.in_full(rest)?
                } else {
                    self.as_before(rest)?
                };
                self.before.keep(&key);
                Record::Settled(key)
            }
            4 => Record::Server {
                server: small(rest)?,
                identity: name(rest)?,
            },
            5 => Record::Node {
                server: small(rest)?,
                node: name(rest)?,
            },
            6 => Record::Finished,
            _ => return None,
        })
    }

    fn in_full(&self, rest: &mut &[u8]) -> Option<KeyRecord> {
        let writer = small(rest)?;
        let seq = get(rest)?;
        let settled = Stamp(self.before.settled.0.wrapping_add(signed(rest)?));
        let sent = Stamp(settled.0.saturating_sub(get(rest)?));
        let outcome = Outcome::from_code(get(rest)?)?;
        let told = Told {
            server: small(rest)?,
            timeline: small(rest)?,
            lsn: get(rest)?,
        };
        Some(KeyRecord {
            writer,
            seq,
            sent,
            settled,
            outcome,
            told,
        })
    }

    fn as_before(&self, rest: &mut &[u8]) -> Option<KeyRecord> {
        let writer = small(rest)?;
        let last = self.before.seqs.get(&writer)?;
        let seq = last.wrapping_add(signed(rest)?);
        let settled = Stamp(self.before.settled.0.wrapping_add(signed(rest)?));
        let sent = Stamp(settled.0.saturating_sub(get(rest)?));
        let lsn = self.before.told.lsn.wrapping_add(signed(rest)?);
        Some(KeyRecord {
            writer,
            seq,
            sent,
            settled,
            outcome: Outcome::Acknowledged,
            told: Told {
                lsn,
                ..self.before.told
            },
        })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn get(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn small(rest: &mut &[u8]) -> Option<u32> {
    u32::try_from(get(rest)?).ok()
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// A difference, to be added with wrapping.
fn signed(rest: &mut &[u8]) -> Option<u64> {
    let number = get(rest)?;
    Some(((number >> 1) as i64 ^ -((number & 1) as i64)) as u64)
}

fn named(bytes: &mut Vec<u8>, kind: u8, number: u32, name: &str) {
    bytes.extend([0, kind]);
    put(bytes, u64::from(number));
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    bytes.extend_from_slice(&name.as_bytes()[..end]);
}
