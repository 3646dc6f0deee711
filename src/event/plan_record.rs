//! What was decided before the first fault, as the first event keeps it.
//!
//! Plain words and numbers only: the measures judge by it and the reports print it, long after the drill
//! file may have changed.

use serde::{Deserialize, Serialize};

/// The whole plan of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// Name of the drill.
    pub drill: String,
    /// One line: what happens.
    pub summary: String,
    /// One line: why it is practised.
    pub why: String,
    /// Hex SHA-256 of the drill file's bytes.
    pub drill_sha256: String,
    /// Variables as they were filled in.
    pub variables: Vec<VariableRecord>,
    /// What is demanded, the implicit zeros included.
    pub objectives: Vec<ObjectiveRecord>,
    /// `None`: the run must pass. Some(name): calibration, met only when that objective alone fails.
    pub expect_fail: Option<String>,
    /// What must hold of the nodes before each fault, in CEL.
    #[serde(default)]
    pub require: Vec<String>,
    /// How the outage is probed.
    pub workload: WorkloadRecord,
    /// What ends the drill early, in CEL.
    #[serde(default)]
    pub stop_if: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<StepRecord>,
    /// The longest that all steps together can take, undo included, in milliseconds.
    pub longest_ms: u64,
    /// What an objective cannot observe on this target, one line each.
    pub not_observable: Vec<String>,
    /// What firedrill itself costs the servers.
    pub cost: CostRecord,
    /// Nodes that no step hits, out of all nodes.
    pub healthy_nodes: (usize, usize),
}

/// A variable and where its value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableRecord {
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// "drill", "target" or "--set".
    pub from: String,
}

/// One demand on the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveRecord {
    /// downtime, read_downtime, lost_commits, isolated_commits, two_writers, redundancy, latency,
    /// phantom, divergence, condition.
    pub name: String,
    /// True for the zeros that hold although nobody wrote them.
    pub implicit: bool,
    /// The demand.
    pub demand: Demand,
    /// Where the limit came from, when a variable gave it ("downtime_limit from --set").
    pub limit_from: Option<String>,
}

/// What an objective demands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// A duration whose upper bound must not exceed `limit_ms`. `of` names one channel; without it the
    /// worst of the channels that the measure is defined on.
    AtMostMs {
        /// The limit in milliseconds.
        limit_ms: f64,
        /// The channel, where one was named.
        of: Option<String>,
    },
    /// A count that must not exceed `limit`.
    AtMost {
        /// The limit.
        limit: u64,
        /// lost_commits only: with fewer commits at risk the objective is unknown.
        at_risk_at_least: Option<u64>,
        /// isolated_commits only: not observed counts as skipped instead of unknown.
        skip_if_unobserved: bool,
    },
    /// Redundancy must be back within `limit_ms` of the fault.
    WithinMs {
        /// The limit in milliseconds.
        limit_ms: f64,
    },
    /// A latency percentile of a phase must not exceed `limit_ms`.
    LatencyMs {
        /// The limit in milliseconds.
        limit_ms: f64,
        /// 50, 95 or 99.
        percentile: u8,
        /// baseline, outage, recovery or after.
        phase: String,
        /// The channel.
        channel: String,
    },
    /// A condition over the result's names must hold.
    Condition {
        /// The condition.
        cel: String,
    },
}

/// The probes' settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// Period and deadline of writer_fresh in milliseconds.
    pub fresh: (u64, u64),
    /// Period and deadline of writer_pinned in milliseconds.
    pub writers: (u64, u64),
    /// Sessions of writer_pinned.
    pub sessions: u32,
    /// Stall limit in milliseconds, where the drill sets one.
    pub stall_ms: Option<u64>,
    /// Whether writer_pinned closes its session at the deadline ("reopen") or keeps it ("keep").
    pub on_deadline: String,
    /// Period and deadline of the reader in milliseconds, and how old its newest row may be.
    pub reader: Option<(u64, u64, u64)>,
    /// Periods of node/NAME/pinned and node/NAME/fresh in milliseconds.
    pub nodes: (u64, u64),
    /// Stability time S in milliseconds.
    pub stability_ms: u64,
    /// Background load, in words; `None`: the cluster is idle, and numbers are a lower estimate.
    pub background: Option<String>,
}

/// One step, as shown before the run and judged after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its id, unique in the plan.
    pub id: String,
    /// Its kind as the drill file spells it, such as "kill".
    pub kind: String,
    /// One line for people, such as "kill node-1 (primary now)".
    pub what: String,
    /// How it is undone, for faults.
    pub undo: Option<String>,
    /// Longest time in milliseconds.
    pub longest_ms: u64,
    /// What ends it, for steps that wait for the measures.
    pub until: Option<Until>,
    /// The step whose fault this one undoes or releases.
    pub of: Option<String>,
    /// The number of the group whose faults strike at one moment, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<u32>,
}

/// What ends a step that waits for the measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The baseline's time has passed; then it is judged.
    BaselineOver,
    /// First acknowledgement on writer_fresh from a newer timeline; with `or_restart`, or from the same
    /// node started anew.
    FailedOver {
        /// A restart in place counts too.
        or_restart: bool,
    },
    /// All endpoint channels were good for the stability time.
    Settled,
    /// A CEL condition over the result's names.
    Condition {
        /// The condition.
        cel: String,
    },
}

/// What firedrill costs the servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostRecord {
    /// Sessions that it may hold on one node at the same time.
    pub sessions_per_node: u32,
    /// `max_connections` of the nodes, where known.
    pub max_connections: Option<u32>,
    /// Connections that it opens a second, in sum.
    pub connects_per_second: f64,
    /// Commits that it makes a second, in sum.
    pub commits_per_second: f64,
    /// Sessions of `load` steps on one node at the same time, beside those.
    #[serde(default)]
    pub clients: u32,
    /// What they may ask for in a second, in sum.
    #[serde(default)]
    pub requests_per_second: f64,
}
