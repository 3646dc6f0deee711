//! What a drill demands of the result.

use super::duration::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The longest outage for writers, by its upper bound: the worst of writer_fresh and writer_pinned.
    Downtime(Downtime),
    /// The longest outage for readers, by its upper bound.
    ReadDowntime(AtMostTime),
    /// Commits that were acknowledged through the endpoints and are not there afterwards.
    LostCommits(LostCommits),
    /// Commits that were acknowledged only inside the node that was hit, as by one that is cut off.
    IsolatedCommits(IsolatedCommits),
    /// Commits that an old primary acknowledged although a new one already served.
    TwoWriters(AtMostCount),
    /// Time from the fault until all declared standbys stream again.
    Redundancy(Redundancy),
    /// A percentile of latency, counted from the moment each attempt was due.
    Latency(Latency),
    /// Commits that definitely failed and are there all the same.
    Phantom(AtMostCount),
    /// Nodes whose rows differ from the primary's in the end.
    Divergence(AtMostCount),
    /// A condition in CEL over the result's names, such as `ledger.in_doubt.vanished == 0`.
    Condition(String),
}

/// A limit on the downtime for writers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Downtime {
    /// The longest that is allowed.
    pub at_most: Duration,
    /// writer_fresh or writer_pinned instead of the worst of both; or the name of an endpoint or a watch of
    /// the target file.
    #[serde(default)]
    pub of: Option<String>,
}

/// A limit on a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtMostTime {
    /// The longest that is allowed.
    pub at_most: Duration,
}

/// A limit on a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtMostCount {
    /// The most that is allowed.
    pub at_most: u64,
}

/// A limit on lost commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LostCommits {
    /// The most that may be lost.
    pub at_most: u64,
    /// With fewer commits at risk the objective is unknown: nothing lost proves little then.
    #[serde(default)]
    pub at_risk_at_least: Option<u64>,
}

/// A limit on commits that were acknowledged only inside the node that was hit, as by one that is cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsolatedCommits {
    /// The most that is allowed.
    pub at_most: u64,
    /// What it means that nobody could see them. Without this the objective is unknown then.
    #[serde(default)]
    pub if_unobserved: Option<IfUnobserved>,
}

/// What it means that something could not be observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfUnobserved {
    /// The objective is left out, and the verdict says so.
    Skip,
}

/// A limit on the time without the declared redundancy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redundancy {
    /// The longest from the fault until it is back.
    pub within: Duration,
}

/// A limit on a percentile of latency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// writer_fresh, writer_pinned, reader, node/NAME/fresh or node/NAME/pinned; of an endpoint of the target
    /// file NAME_fresh, NAME_pinned or NAME_reader; or the name of a watch.
    pub channel: String,
    /// In which phase of the drill.
    pub phase: Phase,
    /// Which percentile.
    pub percentile: Percentile,
    /// The longest that is allowed.
    pub at_most: Duration,
}

/// The phases of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From the end of the warm-up to the fault.
    Baseline,
    /// While writers had no service.
    Outage,
    /// From then until redundancy was back.
    Recovery,
    /// From then to the end.
    After,
}

impl Phase {
    /// Its name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Outage => "outage",
            Self::Recovery => "recovery",
            Self::After => "after",
        }
    }
}

/// The percentiles that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Percentile {
    /// The median.
    P50,
    /// 95 of 100 are faster.
    P95,
    /// 99 of 100 are faster.
    P99,
}

impl Percentile {
    /// As a number: 50, 95 or 99.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::P50 => 50,
            Self::P95 => 95,
            Self::P99 => 99,
        }
    }
}

/// What the drill's author expects of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Every objective holds.
    #[default]
    Pass,
    /// Calibration: this objective alone fails, all others hold, and the run is valid.
    Fail(ObjectiveName),
}

/// The objectives by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are described at Objective")]
pub enum ObjectiveName {
    Downtime,
    ReadDowntime,
    LostCommits,
    IsolatedCommits,
    TwoWriters,
    Redundancy,
    Latency,
    Phantom,
    Divergence,
    Condition,
}

impl ObjectiveName {
    /// Objectives that hold as zero although nobody wrote them.
    pub const IMPLICIT: [Self; 4] = [
        Self::LostCommits,
        Self::TwoWriters,
        Self::Phantom,
        Self::Divergence,
    ];

    /// The name as drill files, events and results spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Downtime => "downtime",
            Self::ReadDowntime => "read_downtime",
            Self::LostCommits => "lost_commits",
            Self::IsolatedCommits => "isolated_commits",
            Self::TwoWriters => "two_writers",
            Self::Redundancy => "redundancy",
            Self::Latency => "latency",
            Self::Phantom => "phantom",
            Self::Divergence => "divergence",
            Self::Condition => "condition",
        }
    }
}

impl Objective {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> ObjectiveName {
        match self {
            Self::Downtime(_) => ObjectiveName::Downtime,
            Self::ReadDowntime(_) => ObjectiveName::ReadDowntime,
            Self::LostCommits(_) => ObjectiveName::LostCommits,
            Self::IsolatedCommits(_) => ObjectiveName::IsolatedCommits,
            Self::TwoWriters(_) => ObjectiveName::TwoWriters,
            Self::Redundancy(_) => ObjectiveName::Redundancy,
            Self::Latency(_) => ObjectiveName::Latency,
            Self::Phantom(_) => ObjectiveName::Phantom,
            Self::Divergence(_) => ObjectiveName::Divergence,
            Self::Condition(_) => ObjectiveName::Condition,
        }
    }

    /// The field that holds the limit; `None` where the whole body does.
    #[must_use]
    pub fn limit_field(&self) -> Option<&'static str> {
        match self {
            Self::Condition(_) => None,
            Self::Redundancy(_) => Some("within"),
            _ => Some("at_most"),
        }
    }
}
