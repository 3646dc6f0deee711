//! The slots of a probe channel: what is logged of every attempt, in about 8 bytes.

use super::Stamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

/// Up to 250 ms of consecutive slots of one channel, in order of k.
///
/// A slot is logged when it is settled, so batches of one channel may overlap in k while attempts hang.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotBatch {
    /// The channel's name.
    pub channel: String,
    /// Base64 (no padding) of one record per slot: four unsigned LEB128 varints: k minus the k before
    /// (zigzag; the first against 0), sent minus due in µs (zigzag), settled minus sent in µs, and the
    /// outcome's code ([`Outcome::code`]).
    pub packed: String,
    /// Which node answered from which slot on, where it changed.
    pub serving: Vec<Serving>,
}

/// From slot `k` on, answers of the channel came from this node and timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    /// The first slot answered so.
    pub k: u64,
    /// The node, where it could be mapped.
    pub node: Option<String>,
    /// Timeline of the answer, 0 where it said none.
    pub timeline: u32,
}

/// One attempt of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number; it was due at `t0 + k * period`.
    pub k: u64,
    /// When it was really sent; for one that was not sent, when it should have been.
    pub sent: Stamp,
    /// When it was settled: acknowledged, failed or given up.
    pub settled: Stamp,
    /// What came of it.
    pub outcome: Outcome,
}

/// The outcome of an attempt, by the rules of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// CommandComplete and then ReadyForQuery in time, with no error and no replication warning; for a
    /// reader, rows that were fresh enough.
    Acknowledged,
    /// The same, after the deadline: in doubt for loss, acknowledged for the question of two writers.
    AcknowledgedLate,
    /// Definitely not committed.
    Failed(ErrorClass),
    /// Sent, and nobody knows.
    InDoubt(ErrorClass),
    /// No free session or slot at its tick: bad for availability, no attempt for the ledger.
    NotSent,
    /// A node that is in recovery was asked, and nothing was written.
    InRecovery,
    /// A reader's newest row was too old.
    Stale,
}

/// Why an attempt was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Name not resolved.
    Dns,
    /// Connection refused.
    Refused,
    /// No route, network or host unreachable.
    Unreachable,
    /// TCP connect unanswered at the deadline.
    ConnectDeadline,
    /// Connected, but start-up or authentication unanswered at the deadline.
    StartupDeadline,
    /// Authentication refused (28xxx).
    Auth,
    /// The server is read-only or in recovery (25006, or `tick()`'s "not primary").
    ReadOnly,
    /// Terminated by administrator or crash (57P01, 57P02).
    Terminated,
    /// Starting up, shutting down (57P03).
    NotAccepting,
    /// Too many connections (53300).
    TooManyConnections,
    /// Connection reset or closed.
    Reset,
    /// The statement was unanswered at the deadline.
    StatementDeadline,
    /// Committed locally, replication not confirmed (warning 01000).
    ReplicationWarning,
    /// Encryption failed: the server has none, or a certificate was not believed.
    Tls,
    /// A watched service answered, and the answer was not good.
    BadAnswer,
    /// Another SQLSTATE, as five base-36 digits packed in a number.
    Sql(u32),
}

impl ErrorClass {
    const NAMED: [(ErrorClass, &'static str); 15] = [
        (ErrorClass::Dns, "dns"),
        (ErrorClass::Refused, "refused"),
        (ErrorClass::Unreachable, "unreachable"),
        (ErrorClass::ConnectDeadline, "connect deadline"),
        (ErrorClass::StartupDeadline, "startup deadline"),
        (ErrorClass::Auth, "auth"),
        (ErrorClass::ReadOnly, "25006"),
        (ErrorClass::Terminated, "57P01"),
        (ErrorClass::NotAccepting, "57P03"),
        (ErrorClass::TooManyConnections, "53300"),
        (ErrorClass::Reset, "reset"),
        (ErrorClass::StatementDeadline, "statement deadline"),
        (ErrorClass::ReplicationWarning, "01000"),
        (ErrorClass::Tls, "tls"),
        (ErrorClass::BadAnswer, "bad answer"),
    ];
    /// First code of the range that carries SQLSTATEs.
    const SQL: u64 = 32;

    /// Packs a SQLSTATE; anything that is not five characters of 0-9A-Z becomes XX000.
    #[must_use]
    pub fn sql(state: &str) -> Self {
        let mut digits = state.chars().map(|c| c.to_digit(36));
        let packed = digits.try_fold(0u32, |sum, digit| sum.checked_mul(36)?.checked_add(digit?));
        match packed {
            Some(packed) if state.len() == 5 => Self::Sql(packed),
            _ => Self::sql("XX000"),
        }
    }

    /// The name in reports: a word, or the SQLSTATE.
    #[must_use]
    pub fn name(self) -> String {
        if let Self::Sql(mut packed) = self {
            let mut state = [b'0'; 5];
            for place in state.iter_mut().rev() {
                *place = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(packed % 36) as usize];
                packed /= 36;
            }
            return String::from_utf8_lossy(&state).into_owned();
        }
        let (_, name) = Self::NAMED[self.index()];
        name.to_owned()
    }

    fn index(self) -> usize {
        Self::NAMED
            .iter()
            .position(|(class, _)| *class == self)
            .unwrap_or(0)
    }

    fn code(self) -> u64 {
        match self {
            Self::Sql(packed) => Self::SQL + u64::from(packed),
            named => named.index() as u64,
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        if code >= Self::SQL {
            return Some(Self::Sql(u32::try_from(code - Self::SQL).ok()?));
        }
        Self::NAMED.get(code as usize).map(|(class, _)| *class)
    }
}

impl Outcome {
    /// Even codes from 10 are failures, odd ones are in doubt: `10 + 2 * class + in_doubt`.
    #[must_use]
    pub fn code(self) -> u64 {
        match self {
            Self::Acknowledged => 0,
            Self::AcknowledgedLate => 1,
            Self::NotSent => 2,
            Self::InRecovery => 3,
            Self::Stale => 4,
            Self::Failed(class) => 10 + 2 * class.code(),
            Self::InDoubt(class) => 11 + 2 * class.code(),
        }
    }

    /// The outcome of a code; `None` for one of a newer version.
    #[inline]
    #[must_use]
    pub fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Acknowledged,
            1 => Self::AcknowledgedLate,
            2 => Self::NotSent,
            3 => Self::InRecovery,
            4 => Self::Stale,
            5..=9 => return None,
            even if even % 2 == 0 => Self::Failed(ErrorClass::from_code((even - 10) / 2)?),
            odd => Self::InDoubt(ErrorClass::from_code((odd - 11) / 2)?),
        })
    }

    /// The error class, where there is one.
    #[must_use]
    pub fn error(self) -> Option<ErrorClass> {
        match self {
            Self::Failed(class) | Self::InDoubt(class) => Some(class),
            _ => None,
        }
    }
}

/// A batch that does not decode.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("slot batch does not decode: {0}")]
pub struct BadBatch(&'static str);

/// A slot's number lies beyond all time.
pub const OUT_OF_RANGE: BadBatch = BadBatch("slot number out of range");

/// Packs slots; `t0` and `period_us` are the channel's.
#[must_use]
pub fn pack(slots: &[Slot], t0: Stamp, period_us: u64) -> String {
    let mut bytes = Vec::with_capacity(slots.len() * 8);
    let mut last = 0;
    for slot in slots {
        write(&mut bytes, zigzag(slot.k.wrapping_sub(last) as i64));
        last = slot.k;
        let due = t0.0 + slot.k * period_us;
        write(&mut bytes, zigzag(slot.sent.0.wrapping_sub(due) as i64));
        write(&mut bytes, slot.settled.0.saturating_sub(slot.sent.0));
        write(&mut bytes, slot.outcome.code());
    }
    STANDARD_NO_PAD.encode(bytes)
}

/// A slot as a batch holds it: relative to when it was due, which only its channel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedSlot {
    /// Its number.
    pub k: u64,
    /// What came of it.
    pub outcome: Outcome,
    late: i64,
    took: u64,
}

impl PackedSlot {
    /// The slot of a channel; `None` where its number is out of range there.
    #[inline]
    #[must_use]
    pub fn on(self, t0: Stamp, period_us: u64) -> Option<Slot> {
        let due = self.k.checked_mul(period_us)?.checked_add(t0.0)?;
        let sent = due.wrapping_add(self.late as u64);
        Some(Slot {
            k: self.k,
            sent: Stamp(sent),
            settled: Stamp(sent.saturating_add(self.took)),
            outcome: self.outcome,
        })
    }
}

/// Unpacks what [`pack`] made.
///
/// # Errors
/// When the text is no base64, ends within a slot, or holds an outcome that this version does not know.
pub fn unpack(packed: &str, t0: Stamp, period_us: u64) -> Result<Vec<Slot>, BadBatch> {
    let mut slots = Vec::new();
    unpack_into(packed, &mut Vec::new(), &mut slots)?;
    let slots = slots.into_iter().map(|slot| slot.on(t0, period_us));
    slots.collect::<Option<_>>().ok_or(OUT_OF_RANGE)
}

/// Appends to `slots` what [`pack`] made; some of it also where it fails. `bytes` is room that is used
/// again.
///
/// # Errors
/// As [`unpack`], but for numbers that are out of a channel's range.
pub fn unpack_into(
    packed: impl AsRef<[u8]>,
    bytes: &mut Vec<u8>,
    slots: &mut Vec<PackedSlot>,
) -> Result<(), BadBatch> {
    bytes.clear();
    STANDARD_NO_PAD
        .decode_vec(packed, bytes)
        .map_err(|_| BadBatch("not base64"))?;
    let mut rest = bytes.as_slice();
    let mut last = 0u64;
    while !rest.is_empty() {
        let k = last.wrapping_add(unzigzag(read(&mut rest)?) as u64);
        last = k;
        let late = unzigzag(read(&mut rest)?);
        let took = read(&mut rest)?;
        let outcome = Outcome::from_code(read(&mut rest)?).ok_or(BadBatch("unknown outcome"))?;
        slots.push(PackedSlot {
            k,
            outcome,
            late,
            took,
        });
    }
    Ok(())
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

fn write(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

#[inline]
fn read(rest: &mut &[u8]) -> Result<u64, BadBatch> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(BadBatch("ends within a slot"))?;
        *rest = tail;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(n);
        }
    }
    Err(BadBatch("number out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let class = prop_oneof![
            (0usize..13).prop_map(|n| ErrorClass::NAMED[n].0),
            "[0-9A-Z]{5}".prop_map(|state| ErrorClass::sql(&state)),
        ];
        prop_oneof![
            Just(Outcome::Acknowledged),
            Just(Outcome::AcknowledgedLate),
            Just(Outcome::NotSent),
            Just(Outcome::InRecovery),
            Just(Outcome::Stale),
            class.clone().prop_map(Outcome::Failed),
            class.prop_map(Outcome::InDoubt),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            raw in prop::collection::vec((0u64..1 << 40, 0u64..5_000_000, 0u64..1 << 40, outcome()), 0..40),
            t0 in 0u64..1 << 40,
            period in 1u64..1_000_000,
        ) {
            let slots: Vec<Slot> = raw.into_iter().map(|(k, late, took, outcome)| {
                let sent = t0 + k * period + late;
                Slot { k, sent: Stamp(sent), settled: Stamp(sent + took), outcome }
            }).collect();
            let packed = pack(&slots, Stamp(t0), period);
            prop_assert_eq!(unpack(&packed, Stamp(t0), period).unwrap(), slots);
        }

        #[test]
        fn garbage_never_panics(text in "[A-Za-z0-9+/]{0,64}") {
            let _ = unpack(&text, Stamp(0), 20_000);
        }

        #[test]
        fn sqlstates_keep_their_name(state in "[0-9A-Z]{5}") {
            prop_assert_eq!(ErrorClass::sql(&state).name(), state);
        }
    }

    #[test]
    fn a_good_slot_costs_about_eight_bytes() {
        let slots: Vec<Slot> = (0..50)
            .map(|k| Slot {
                k: 1000 + k,
                sent: Stamp((1000 + k) * 20_000 + 180),
                settled: Stamp((1000 + k) * 20_000 + 2180),
                outcome: Outcome::Acknowledged,
            })
            .collect();
        assert!(pack(&slots, Stamp(0), 20_000).len() <= 50 * 9);
    }
}
