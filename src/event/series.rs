//! The results of one drill that was run several times (`run --repeat N -o json=FILE`, schema
//! `firedrill.results/1`).
//!
//! Smallest, median and largest are those of few runs, and say nothing of rare ones: there is no percentile.

use super::result::{Bounds, Known, RunResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema name of a series.
pub const SCHEMA: &str = "firedrill.results/1";

/// Schema name of what a series keeps beside its runs.
pub const RECORD_SCHEMA: &str = "firedrill.series/1";

/// The place of a run in its series, as the first event of its log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSeries {
    /// The series: the id of its first run.
    pub series: String,
    /// The seed from which each run's own was drawn.
    pub seed: u64,
    /// How many runs were asked for.
    pub asked: u32,
    /// Which of its runs this is, from 1. Those that were drawn again have numbers too.
    pub number: u32,
}

/// What a series decided that no single run knows. It is kept in the folder of the first run and written
/// anew after each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesRecord {
    /// Always `firedrill.series/1`.
    pub schema: String,
    /// The runs that it has, in order, by their ids.
    pub runs: Vec<String>,
    /// Those of them in whose place another was drawn.
    pub drawn_again: Vec<String>,
    /// Whether it is over.
    pub ended: bool,
    /// Why it ended before all runs were there, if it did.
    pub ended_early: Option<String>,
}

/// One drill, run several times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "firedrill results")]
pub struct SeriesResult {
    /// Always `firedrill.results/1`.
    pub schema: String,
    /// What was asked for, and what became of it.
    pub series: SeriesHead,
    /// Every run in order, those that were drawn again included.
    pub runs: Vec<RunResult>,
    /// The figures of the runs that count, side by side.
    pub summary: Summary,
}

/// What was asked for, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesHead {
    /// How many runs were asked for.
    pub asked: u32,
    /// The seed from which each run's own was drawn: the first run has this one itself.
    pub seed: u64,
    /// Runs whose figures count: neither invalid nor stopped.
    pub counted: Vec<String>,
    /// Invalid runs in whose place another was drawn. They count for nothing, the exit code included.
    pub drawn_again: Vec<String>,
    /// How many runs there are of each verdict, those that were drawn again left out.
    pub verdicts: BTreeMap<String, u32>,
    /// Why it ended before all runs were there, if it did.
    pub ended_early: Option<String>,
}

/// The figures of the runs that count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The longest outage of the writers.
    pub downtime_ms: Known<Spread>,
    /// From the fault to service.
    pub recovery_ms: Known<Spread>,
    /// From the fault until all declared standbys stream.
    pub redundancy_ms: Known<Spread>,
    /// Acknowledged commits that were lost.
    pub lost_commits: Known<CountSpread>,
    /// Commits that no standby had when the fault struck.
    pub at_risk_commits: Known<CountSpread>,
}

/// Durations of several runs. Each figure has bounds between which the truth lies: the smallest, the median
/// and the largest of intervals are made of those of their ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The smallest.
    pub min: Bounds,
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: Bounds,
    /// The largest.
    pub max: Bounds,
    /// Runs in which it was observed.
    pub runs: u32,
}

/// Counts of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountSpread {
    /// The smallest.
    pub min: u64,
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: u64,
    /// Runs in which it was observed.
    pub runs: u32,
}

impl SeriesResult {
    /// Whether another run was drawn in the place of this one.
    #[must_use]
    pub fn was_drawn_again(&self, run: &RunResult) -> bool {
        self.series.drawn_again.contains(&run.run.id)
    }
}
