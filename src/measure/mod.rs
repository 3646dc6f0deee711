//! 5. Numbers from events.
//!
//! Entries are filed as they come ([`gathered`]); every number is computed from the files. The live run
//! and the report of a log use the same code on the same entries, so they cannot differ. This module reads
//! events and nothing else: no database, no file, no clock.

pub mod acts;
pub mod baseline;
mod compose;
pub mod condition;
mod data_loss;
pub mod findings;
pub mod gathered;
pub mod latency;
mod loads;
pub mod names;
pub mod observer_validity;
pub mod outage;
#[cfg(test)]
mod outage_properties;
#[cfg(test)]
mod outage_simulation;
pub mod phases;
mod recovery_parts;
mod redundancy;
pub mod series;
mod signals;
mod slot_store;
#[cfg(test)]
pub mod story;
#[cfg(test)]
mod story_tests;
pub mod timeline;
mod two_writers;
mod unseen;
mod waiting;
mod warm;

use crate::event::result::RunResult;
use crate::event::{Entry, Observer, Signal};
use crate::verdict;
use gathered::Gathered;
use signals::Watch;

/// The measures of a run that goes on.
#[derive(Debug, Default)]
pub struct Measures {
    run: Gathered,
    watch: Watch,
}

impl Measures {
    /// Measures that know nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The result as far as it is known now. `complete` in it is false until the run has ended.
    #[must_use]
    pub fn snapshot(&self) -> RunResult {
        judged(&self.run)
    }
}

impl Observer for Measures {
    fn observe(&mut self, entry: &Entry) -> Vec<Signal> {
        self.run.take(entry);
        self.watch.after(entry, &self.run)
    }
}

/// A run that is measured again from its log, entry by entry: nothing is concluded on the way, since what
/// was concluded then is in the log.
#[derive(Debug, Default)]
pub struct Replay {
    run: Gathered,
}

impl Replay {
    /// Takes the next entry of the log.
    pub fn take(&mut self, entry: &Entry) {
        self.run.take(entry);
    }

    /// The result. `skipped` events of newer kinds and a `torn` last line are said in the reasons, since
    /// something may be missing.
    #[must_use]
    pub fn result(&self, skipped: usize, torn: bool) -> RunResult {
        let mut result = judged(&self.run);
        if skipped > 0 {
            result.reasons.push(format!(
                "{skipped} events of a newer firedrill were skipped"
            ));
        }
        if torn {
            result
                .reasons
                .push("the last line of the event log was cut short".to_owned());
        }
        result
    }
}

/// The result of a run from all entries of its log at once.
#[must_use]
pub fn result_of(entries: &[Entry], skipped: usize, torn: bool) -> RunResult {
    let mut replay = Replay::default();
    for entry in entries {
        replay.take(entry);
    }
    replay.result(skipped, torn)
}

fn judged(run: &Gathered) -> RunResult {
    let (mut result, facts) = compose::measured(run);
    verdict::judge(&mut result, &facts);
    result
}
