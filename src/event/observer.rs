//! How the executor learns what the measures say, without knowing them.

use super::{Entry, Stamp};
use serde::{Deserialize, Serialize};

/// Reads the ordered events and says when something that a step waits for has come true.
///
/// `cli/` builds one from `measure/` and hands it to the executor, so that a step ends on the same
/// numbers that the report prints.
pub trait Observer: Send {
    /// Takes the next entry of the log; returns what follows from all entries so far.
    fn observe(&mut self, entry: &Entry) -> Vec<Signal>;
}

/// A conclusion that the executor acts on. It is logged with the entries it rests on; a replay reads it
/// and never decides again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What was concluded.
    pub what: Conclusion,
    /// Sequence numbers of the entries that it rests on.
    pub rests_on: Vec<u64>,
}

/// What an observer can conclude.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The condition of a waiting step (`fail_over`, `settle`, `wait`) holds since `at`.
    StepMet {
        /// The step's id.
        step: String,
        /// When it came true.
        at: Stamp,
        /// One line for people, such as "node-2 serves timeline 2".
        how: String,
    },
    /// A condition of `stop_if` holds since `at`: the drill ends by its undo.
    StopIf {
        /// The condition.
        condition: String,
        /// When it came true.
        at: Stamp,
        /// The values that it names, such as "channels.writer_fresh.unavailable_ms is 5100.0".
        values: String,
    },
    /// The baseline was judged: an unfit one (outage before the fault, deadline under five times the
    /// largest latency, too few acknowledgements) refuses the drill before its fault.
    BaselineJudged {
        /// Why the drill must not go on; `None` when it may.
        unfit: Option<String>,
        /// It was only too slow, which may be different a moment later: worth measuring again.
        #[serde(default)]
        noise: bool,
    },
}
