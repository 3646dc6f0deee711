//! The result of a run (`-o json=FILE`, schema `firedrill.result/1`).
//!
//! All times are milliseconds on the run's monotonic clock, counted from its origin; their names end in
//! `_ms`. What is not known is `{"not_observed": "why"}`, never 0.

pub use super::happened::{AskResult, FaultResult, Phase, StepResult, UndoStamps};
pub use super::loads::LoadResult;
pub use super::settings::{ChannelSettings, Settings, Variable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema name of one run's result.
pub const SCHEMA: &str = "firedrill.result/1";

/// A value, or why nobody knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Known<T> {
    /// Observed.
    Observed(T),
    /// Not observed.
    Missing(NotObserved),
}

/// Why a value is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotObserved {
    /// The reason, in one line.
    pub not_observed: String,
}

impl<T> Known<T> {
    /// A missing value.
    pub fn missing(why: impl Into<String>) -> Self {
        Self::Missing(NotObserved {
            not_observed: why.into(),
        })
    }

    /// The value, where it was observed.
    pub fn observed(&self) -> Option<&T> {
        match self {
            Self::Observed(value) => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// The reason, where it was not.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Observed(_) => None,
            Self::Missing(missing) => Some(&missing.not_observed),
        }
    }
}

/// A duration with the bounds between which the truth lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// Never less than this, in milliseconds.
    pub lower_ms: f64,
    /// Never more than this, in milliseconds; null when it did not end while it was watched.
    pub upper_ms: Option<f64>,
}

/// Pass, fail, unknown or invalid.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything demanded was observed to hold.
    Pass,
    /// It could not be judged.
    Unknown,
    /// Something demanded was observed not to hold.
    Fail,
    /// The drill did not happen as planned, or the observer was disturbed.
    Invalid,
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "firedrill result")]
pub struct RunResult {
    /// Always `firedrill.result/1`.
    pub schema: String,
    /// Which run this is.
    pub run: RunHead,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the verdict is not pass, one line each, the weightiest first.
    pub reasons: Vec<String>,
    /// What was expected of the run.
    pub expect: Expected,
    /// Settings in force.
    pub settings: Settings,
    /// The objectives, each with its own verdict.
    pub objectives: Vec<ObjectiveResult>,
    /// The steps.
    pub steps: Vec<StepResult>,
    /// The phases.
    pub phases: Vec<Phase>,
    /// The questions to people, and their answers.
    #[serde(default)]
    pub asked: Vec<AskResult>,
    /// The answer that called the drill off before anything was broken, in one line.
    #[serde(default)]
    pub called_off: Option<String>,
    /// The faults and how each was undone.
    pub faults: Vec<FaultResult>,
    /// The channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// What the clients of `load` steps saw, and what others felt of them, by the step's id.
    #[serde(default)]
    pub loads: BTreeMap<String, LoadResult>,
    /// The recovery, on the channel writer_fresh.
    pub recovery: Recovery,
    /// The ledger.
    pub ledger: Ledger,
    /// Two writers.
    pub two_writers: TwoWriters,
    /// Restore drills; always null so far.
    pub restore: Option<serde_json::Value>,
    /// How disturbed the observer was.
    pub observer: ObserverResult,
    /// In which state the cluster was left.
    pub state_left: StateLeft,
    /// Whether everything was put back.
    pub undo: UndoResult,
    /// What takes part, and the settings that decide the numbers.
    pub environment: Environment,
}

/// Which run this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunHead {
    /// The run's id.
    pub id: String,
    /// The drill's name.
    pub drill: String,
    /// The drill's summary.
    pub summary: String,
    /// Hex SHA-256 of the drill file.
    pub drill_sha256: String,
    /// The target's kind.
    pub target: String,
    /// The target's identity.
    pub target_identity: String,
    /// RFC 3339.
    pub started_at: String,
    /// firedrill's version.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// The run's folder, by its last name: the id.
    pub folder: String,
    /// The instrument's own proof on this machine.
    pub selftest: Known<String>,
    /// The log ends before the run did (crash), so everything is only as far as it came.
    pub complete: bool,
}

/// What was expected of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expected {
    /// The objective that alone should fail (calibration); null: pass.
    pub fail: Option<String>,
    /// Whether the expectation was met.
    pub met: bool,
}

/// One objective, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveResult {
    /// Its name.
    pub name: String,
    /// The demand in words, such as "at most 30 s".
    pub demand: String,
    /// The limit in milliseconds, for durations.
    pub limit_ms: Option<f64>,
    /// The limit, for counts.
    pub limit: Option<u64>,
    /// What was measured.
    pub measured: Known<Measured>,
    /// The channel that decided, for durations.
    pub channel: Option<String>,
    /// Nobody wrote it: one of the implicit zeros.
    pub implicit: bool,
    /// pass, fail or unknown.
    pub verdict: Verdict,
    /// Why it is not pass, or what limits a pass ("none was at risk").
    pub note: Option<String>,
}

/// A measured value: a count, a duration with bounds, or whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Measured {
    /// A duration.
    Duration(Bounds),
    /// A count.
    Count {
        /// The count.
        count: u64,
    },
    /// Whether a condition holds.
    Holds {
        /// Whether it does.
        holds: bool,
    },
}

/// One channel's findings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Sessions kept; 0: a new connection each time.
    pub sessions: u32,
    /// Attempts sent.
    pub attempted: u64,
    /// Acknowledged in time.
    pub acknowledged: u64,
    /// Acknowledged after the deadline.
    pub acknowledged_late: u64,
    /// Definitely failed.
    pub failed: u64,
    /// In doubt.
    pub in_doubt: u64,
    /// Ticks without a free session.
    pub not_sent: u64,
    /// Outages, in order. Always empty for node channels, which have no downtime.
    pub outages: Vec<Outage>,
    /// Interruptions in which nothing failed or passed the deadline.
    pub stalls: Vec<Outage>,
    /// Period times slots that were not good.
    pub unavailable_ms: f64,
    /// The longest that one attempt was unanswered.
    pub stuck_ms: f64,
    /// Errors by phase and class.
    pub errors: BTreeMap<String, BTreeMap<String, u64>>,
    /// Latency by phase, from the due time.
    pub latency_ms: BTreeMap<String, Latency>,
}

/// An outage or a stall.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// The latest good moment before it.
    pub start_ms: f64,
    /// Lower bound of its length.
    pub lower_ms: f64,
    /// Upper bound of its length; null when it did not end. The two lie at most B + 2T + 4L apart for a
    /// hang and 2T + 4L for a reset (stall limit, period, largest latency of the baseline), and 250 ms
    /// more after a hang that was longer than the deadline: a door that stands still is knocked at no more
    /// often than that, so that working off the knocks does not prolong the outage.
    pub upper_ms: Option<f64>,
    /// Whether it ended while it was watched.
    pub ended: bool,
    /// It was still open when our own undo began: our repair is not their recovery.
    pub censored_by_undo: bool,
    /// By how much the observer's own lateness widened the bounds.
    pub widened_ms: f64,
}

/// Latency of a phase in milliseconds; a percentile without enough samples is null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Samples.
    pub count: u64,
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Maximum; attempts unfinished at the end enter as at least what had elapsed.
    pub max: f64,
}

/// The recovery on writer_fresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// From the fault to the end of the outage.
    pub total: Known<Bounds>,
    /// The point estimate of the total in whole microseconds, which the parts' estimates sum to exactly;
    /// null when there was no outage or it did not end by itself.
    pub total_us: Option<u64>,
    /// From the fault to the beginning of the outage, of which `total` contains it; null when there was no outage.
    #[serde(default)]
    pub began: Option<Bounds>,
    /// Writers were without service once more, and that outage did not end by itself: `total` has no upper bound then.
    #[serde(default)]
    pub lost_again: bool,
    /// Who led meanwhile, where the node that was primary at the fault leads again.
    #[serde(default)]
    pub between: Option<String>,
    /// Its parts, in order; observed parts sum to the total.
    pub parts: Vec<Part>,
    /// The node that was primary at the fault.
    pub old_primary: Option<String>,
    /// The node that serves writers after it.
    pub new_primary: Option<String>,
    /// Who promoted it.
    pub promoted_by: Option<String>,
    /// From the fault until all declared standbys stream the new timeline.
    pub redundancy: Known<Bounds>,
    /// From the fault until the pinned sessions were served again.
    pub pinned: Known<Bounds>,
    /// From the fault until latency was back to the baseline's.
    pub warm: Known<Bounds>,
    /// How long people were waited for between the fault and service, which none of these times contains.
    #[serde(default)]
    pub waited_ms: f64,
}

/// One part of the recovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// detect, elect, promote, route or stabilise.
    pub name: String,
    /// How long it took.
    pub took: Known<Bounds>,
    /// Point estimate in whole microseconds: the clamped first-positive stamp minus the one before. The
    /// estimates of all observed parts sum exactly to `total_us`.
    pub us: Option<u64>,
    /// Parts that nobody observed and whose time is in this one.
    pub includes: Vec<String>,
    /// The setting behind it, such as "check interval 50 ms x rise 2".
    pub setting: Option<String>,
}

/// What the ledger proved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// Whether loss could be judged.
    pub judged: bool,
    /// Why not, where it could not.
    pub unjudged: Option<String>,
    /// When the cluster converged.
    pub converged_ms: Known<f64>,
    /// Keys sent, through the endpoints.
    pub attempted: u64,
    /// Acknowledged in time.
    pub acknowledged: u64,
    /// Definitely failed.
    pub failed: u64,
    /// In doubt.
    pub in_doubt: InDoubt,
    /// Acknowledged above the last standby flush position before the fault.
    pub at_risk: Known<u64>,
    /// Lost acknowledged commits of the endpoints' channels.
    pub lost: Lost,
    /// Acknowledged only by a node that was cut off.
    pub isolated: Known<Isolated>,
    /// Definitely failed and yet there.
    pub phantom: u64,
    /// There and never attempted.
    pub unexpected: u64,
    /// There twice.
    pub duplicated: u64,
    /// Nodes whose rows differ, with how.
    pub diverged_nodes: Vec<String>,
    /// Lost by channel, node channels included.
    pub channels: BTreeMap<String, LedgerChannel>,
}

impl Ledger {
    /// One that nobody compared with any rows, and of which nothing is counted yet.
    #[must_use]
    pub fn unjudged(why: &str, converged_ms: Known<f64>) -> Self {
        Self {
            judged: false,
            unjudged: Some(why.to_owned()),
            converged_ms,
            attempted: 0,
            acknowledged: 0,
            failed: 0,
            in_doubt: InDoubt::default(),
            at_risk: Known::missing(why),
            lost: Lost {
                count: None,
                unjudged: None,
                rpo: Known::missing(why),
                rpo_bytes: None,
                shape: None,
                found_in_old_data: None,
                first: Vec::new(),
            },
            isolated: Known::missing(why),
            phantom: 0,
            unexpected: 0,
            duplicated: 0,
            diverged_nodes: Vec::new(),
            channels: BTreeMap::new(),
        }
    }

    /// Why nobody knows how many commits were lost, or whether more were than are counted.
    #[must_use]
    pub fn loss_unjudged(&self) -> Option<&str> {
        let whole = self.unjudged.as_deref();
        whole.or(self.lost.unjudged.as_deref())
    }
}

/// The ledger of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerChannel {
    /// Acknowledged in time.
    pub acknowledged: u64,
    /// In doubt.
    pub in_doubt: u64,
    /// Lost.
    pub lost: u64,
}

/// Commits of which nobody knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InDoubt {
    /// How many.
    pub count: u64,
    /// Found afterwards.
    pub recovered: u64,
    /// Not found, which is allowed.
    pub vanished: u64,
}

/// Lost acknowledged commits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// How many; null when it could not be judged.
    pub count: Option<u64>,
    /// Why loss could not be judged although the rest of the ledger was: the application may commit less
    /// durably than the probes. A count beside it is proven, and there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<String>,
    /// f0 minus the time of the earliest lost acknowledgement.
    pub rpo: Known<Bounds>,
    /// The old primary's last flushed LSN minus the fork LSN.
    pub rpo_bytes: Option<u64>,
    /// suffix, holes, new_timeline or abandoned_timeline; null when nothing was lost.
    pub shape: Option<String>,
    /// How many of them lie in the old primary's own data, where it could be read.
    pub found_in_old_data: Option<u64>,
    /// The first ten.
    pub first: Vec<LostRow>,
}

/// One lost commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LostRow {
    /// The channel.
    pub channel: String,
    /// Its writer.
    pub writer: u32,
    /// Its key.
    pub seq: u64,
    /// When it was acknowledged.
    pub acknowledged_ms: f64,
    /// By which node.
    pub node: Option<String>,
    /// On which timeline.
    pub timeline: u32,
}

/// Commits that were acknowledged only inside the node that was hit, as by one that is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Isolated {
    /// How many.
    pub count: u64,
    /// From the fault's effect to the last of them.
    pub span_ms: f64,
}

/// Two writers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TwoWriters {
    /// The longest overlap of two timelines' acknowledgements.
    pub overlap_ms: f64,
    /// By pair of timelines.
    pub pairs: Vec<WriterPair>,
    /// Other signs, in words.
    pub flags: Vec<String>,
    /// Nodes that were not probed.
    pub not_observed: Vec<String>,
}

/// Two timelines that both acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WriterPair {
    /// The older timeline.
    pub old: u32,
    /// The newer timeline.
    pub new: u32,
    /// The intersection of their intervals.
    pub overlap_ms: f64,
    /// Acknowledgements inside it.
    pub acks: u64,
    /// Acknowledgements by the old timeline, after the new one's first, of statements sent before the thaw.
    pub sent_before_thaw: u64,
    /// Acknowledgements by the old timeline, after the new one's first, of statements sent after that.
    pub sent_after: u64,
    /// The timeline that is absent from the converged history; 0 when unknown.
    pub losing: u32,
}

/// How disturbed the observer was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObserverResult {
    /// Its largest lateness.
    pub max_lateness_ms: f64,
    /// By how much all edges together were widened.
    pub widened_by_ms: f64,
    /// Whether timings count.
    pub valid: bool,
    /// Why not.
    pub why: Vec<String>,
}

/// The state the cluster was left in, before a throw-away one is removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateLeft {
    /// The writable node.
    pub primary: Option<String>,
    /// Its timeline.
    pub timeline: Option<u32>,
    /// Standbys that stream.
    pub streaming: usize,
    /// Standbys that were declared.
    pub declared: usize,
    /// Whether WAL of the new timeline was archived.
    pub archiving: Known<bool>,
    /// One line: throw-away cluster removed, or left running.
    pub cluster: String,
}

/// Whether everything was put back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UndoResult {
    /// All undone and verified.
    pub complete: bool,
    /// Undo entries.
    pub steps: u32,
    /// Nodes that take writes after the last undo.
    pub writable_nodes_after: Option<u32>,
    /// What is not undone.
    pub left: Vec<String>,
    /// The signal that stopped the run, where one did.
    pub interrupted: Option<String>,
}

/// What takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Name and version.
    pub versions: BTreeMap<String, String>,
    /// Live timers.
    pub timers: BTreeMap<String, String>,
    /// Durability settings.
    pub durability: BTreeMap<String, String>,
    /// firedrill's own stand-ins.
    pub stand_ins: Vec<String>,
    /// Which path was measured, and which not.
    pub path: String,
}
