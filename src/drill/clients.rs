//! `load`: clients of firedrill's own beside the probes. What they cost is bounded here, by the step itself,
//! and by the limits of the target.

use super::duration::Duration;
use crate::event::loads::LoadKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sets clients of firedrill's own going. They go on beside the steps that follow, until their time is over
/// or measuring ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Name of the step, by which conditions find what came of it: `loads.ID`.
    #[serde(default)]
    pub id: Option<String>,
    /// How many clients, each with one session at a time.
    #[schemars(range(min = 1))]
    pub clients: u32,
    /// What each of them does.
    pub does: Does,
    /// The endpoint that they use: writer, reader, or one that the target file names.
    #[serde(default = "writer")]
    pub endpoint: String,
    /// After which time it ends by itself; without it, it lasts until measuring ends.
    #[serde(default)]
    pub r#for: Option<Duration>,
    /// How long a client waits for an answer before it gives up its session.
    #[serde(default = "five_seconds")]
    pub deadline: Duration,
    /// Before the first fault: how long opening the sessions of clients that hold one may take.
    #[serde(default = "half_a_minute")]
    pub within: Duration,
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Does {
    /// Commits a row each time, whatever became of the one before. The rows are not the ledger's.
    Write {
        /// Between two of one client.
        every: Duration,
    },
    /// Reads each time, whatever became of the one before.
    Read {
        /// Between two of one client.
        every: Duration,
    },
    /// Holds a session and reads now and then; once the session is lost, connects again and again until
    /// it is served.
    Reconnect {
        /// Between two reads.
        #[serde(default = "one_second")]
        every: Duration,
        /// Between a connect that failed and the next one.
        #[serde(default = "a_tenth")]
        again: Duration,
    },
    /// Holds a session and says nothing on it.
    Idle,
    /// Holds a session that listens for notifications.
    Listen,
    /// Waits for the answer to a statement that takes long.
    LongQuery,
}

impl Does {
    /// Its kind, as events and results call it.
    #[must_use]
    pub fn kind(&self) -> LoadKind {
        match self {
            Self::Write { .. } => LoadKind::Write,
            Self::Read { .. } => LoadKind::Read,
            Self::Reconnect { .. } => LoadKind::Reconnect,
            Self::Idle => LoadKind::Idle,
            Self::Listen => LoadKind::Listen,
            Self::LongQuery => LoadKind::LongQuery,
        }
    }

    /// Between two requests of one client, where it makes any.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        match self {
            Self::Write { every } | Self::Read { every } | Self::Reconnect { every, .. } => {
                Some(*every)
            }
            Self::Idle | Self::Listen | Self::LongQuery => None,
        }
    }
}

impl Load {
    /// What it may come to in a second, in sum: requests, or connects where that is more.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let rate =
            |every: Duration| f64::from(self.clients) * 1000.0 / (every.as_ms().max(1) as f64);
        let requests = self.does.every().map_or(0.0, rate);
        match self.does {
            Does::Reconnect { again, .. } => requests.max(rate(again)),
            _ => requests,
        }
    }
}

fn writer() -> String {
    "writer".to_owned()
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

fn a_tenth() -> Duration {
    Duration::from_ms(100)
}
