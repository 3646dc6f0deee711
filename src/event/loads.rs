//! The load of firedrill's own clients beside the probes: what its clients say of themselves, and what a
//! result tells of it.

use super::Stamp;
use super::result::{Bounds, Known, Latency};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What each client of a load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadKind {
    /// Writes at a rate.
    Write,
    /// Reads at a rate.
    Read,
    /// Reads seldom, and connects again and again once its session is lost.
    Reconnect,
    /// Holds a session and says nothing on it.
    Idle,
    /// Holds a session that listens for notifications.
    Listen,
    /// Waits for the answer to a statement that takes long.
    LongQuery,
}

impl LoadKind {
    /// It asks the servers for work, so that others may feel it.
    #[must_use]
    pub fn presses(self) -> bool {
        matches!(self, Self::Write | Self::Read | Self::Reconnect)
    }

    /// What its clients do, as a word for people.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Write => "writing",
            Self::Read => "reading",
            Self::Reconnect => "reconnecting",
            Self::Idle => "idle",
            Self::Listen => "listening",
            Self::LongQuery => "in a long query",
        }
    }
}

/// The clients of a load begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBegan {
    /// The step's id.
    pub load: String,
    /// What each client does.
    pub does: LoadKind,
    /// The endpoint that they use.
    pub endpoint: String,
    /// How many there are.
    pub clients: u32,
    /// When the first request is due. Request k of the load is due at `t0 + k * period`, and client
    /// `k % clients` makes it.
    pub t0: Stamp,
    /// Between two requests of the load in microseconds; 0 where its clients make none.
    pub period_us: u64,
    /// How long a client waits for an answer, in microseconds.
    pub deadline_us: u64,
}

impl LoadBegan {
    /// The name under which its requests are logged; no channel of the probes begins so.
    #[must_use]
    pub fn slots(&self) -> String {
        format!("{SLOTS}{}", self.load)
    }
}

/// How the names of loads begin among those of channels.
pub const SLOTS: &str = "load/";

/// Something that a client of a load saw of its session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadClient {
    /// The load.
    pub load: String,
    /// The client's number, from 0.
    pub client: u32,
    /// What it saw.
    pub saw: ClientSaw,
}

/// What a client of a load can see of its session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientSaw {
    /// Its first session is open.
    Opened {
        /// How often it tried, this time included.
        tries: u32,
        /// Why it was turned away before, by class.
        errors: BTreeMap<String, u32>,
    },
    /// It learned that its session is lost.
    Lost {
        /// The class of the error.
        class: String,
        /// The last time that the session was known to be good.
        good: Stamp,
    },
    /// It has a session again.
    Served {
        /// How often it tried, this time included.
        tries: u32,
        /// Why it was turned away, by class.
        errors: BTreeMap<String, u32>,
    },
    /// The load ended while it had none.
    Unserved {
        /// How often it tried.
        tries: u32,
        /// Why it was turned away, by class.
        errors: BTreeMap<String, u32>,
    },
    /// The load ended, and the session answered when it was asked.
    Alive,
    /// The load ended, and the session was gone without its client knowing, or did not answer.
    Hung {
        /// What came of asking.
        class: String,
    },
    /// The load ended while the session waited for an answer that was not due yet.
    Waiting,
}

/// A load, as a result tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadResult {
    /// What each client did.
    pub does: LoadKind,
    /// The endpoint that they used.
    pub endpoint: String,
    /// How many there were.
    pub clients: u32,
    /// When it began.
    pub began_ms: f64,
    /// When it ended; null while it goes on, or where the log ends before it did.
    pub ended_ms: Option<f64>,
    /// Whether it has ended.
    pub ended: bool,
    /// Requests that were made; 0 for clients that make none, as are the numbers below.
    pub sent: u64,
    /// Answered in time.
    pub answered: u64,
    /// Not answered, refused, or too late.
    pub failed: u64,
    /// Due while their client was still busy with the one before, or had no session.
    pub not_sent: u64,
    /// Connects that a server refused because it had too many (53300).
    pub refused: u64,
    /// Errors of requests and connects by class.
    pub errors: BTreeMap<String, u64>,
    /// Latency of requests by phase, from the due time.
    pub latency_ms: BTreeMap<String, Latency>,
    /// How clients that lost their session came back; null where they make no requests.
    pub reconnects: Option<Reconnects>,
    /// What sessions that were held saw; null for clients that make requests.
    pub sessions: Option<HeldSessions>,
    /// What others felt of it; null for clients that ask for nothing.
    pub beside: Option<Beside>,
}

/// How clients that lost their session came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reconnects {
    /// Clients that lost a session.
    pub lost: u32,
    /// Clients of these that had one again at the end.
    pub served: u32,
    /// Connects that were tried for that.
    pub tries: u64,
    /// The longest that one of them was without: its upper bound counts from its last good answer.
    pub longest: Known<Bounds>,
    /// From the first fault after the load began until the last of them was served.
    pub all_served: Known<Bounds>,
}

/// What sessions that were held saw of the first fault after they were opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldSessions {
    /// Sessions that were open.
    pub opened: u32,
    /// Those that learned that they were lost before anything was put back.
    pub noticed: u32,
    /// Those that had not learned it by then, or found out only when they were used at the end.
    pub hung: u32,
    /// Those that answered at the end: they were not lost.
    pub alive: u32,
    /// Those that nobody can tell of.
    pub unknown: u32,
    /// From the fault until the first one noticed.
    pub fastest: Known<Bounds>,
    /// From the fault until the last one noticed; without an upper bound where one hung.
    pub slowest: Known<Bounds>,
}

/// What the probes' writes on open sessions felt of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    /// The channel.
    pub channel: String,
    /// Its latency from the baseline until the load began.
    pub before: Latency,
    /// While it went on.
    pub during: Latency,
    /// From its end.
    pub after: Latency,
    /// The percentile by which `back` is judged: 99, or 95 where there were too few answers before.
    pub percentile: u8,
    /// How long it took until that percentile was within 20 %, or 1 ms, of what it had been before: from
    /// the end of the load, or from the fault that its clients reconnected after.
    pub back: Known<Bounds>,
}
