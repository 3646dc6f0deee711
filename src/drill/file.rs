//! A drill file as types. Unknown fields are errors; what is left out has the defaults given here.

use super::duration::Duration;
use super::objective::{Expect, Objective};
use super::step::Step;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to practise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "firedrill drill")]
pub struct DrillFile {
    /// Version of this format: 1.
    pub version: u32,
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// One line: what happens.
    pub summary: String,
    /// One line: why it is practised.
    #[serde(default)]
    pub why: String,
    /// Words and numbers that `${name}` stands for. A target file and `--set name=value` may change them.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::variables")]
    pub variables: BTreeMap<String, String>,
    /// What is demanded. lost_commits, phantom, divergence and two_writers are at most 0 unless said
    /// otherwise.
    #[schemars(length(min = 1))]
    pub objectives: Vec<Objective>,
    /// pass, or the one objective that must fail.
    #[serde(default)]
    pub expect: Expect,
    /// What must hold of the nodes at preflight and again just before each fault, in CEL, such as
    /// `nodes.standbys.max_lag_bytes < 16777216`.
    #[serde(default)]
    pub require: Vec<String>,
    /// How the service is probed.
    #[serde(default)]
    pub workload: Workload,
    /// What ends the drill early by its undo, in CEL over the result's names, such as
    /// `channels.writer_fresh.unavailable_ms > 300000`.
    #[serde(default)]
    pub stop_if: Vec<String>,
    /// What happens, in order.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
}

/// How the service is probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Sessions that stay open, one write each time.
    pub writers: Writers,
    /// A new connection and one write each time.
    pub fresh: Fresh,
    /// The newest row through the reader endpoint.
    pub readers: Readers,
    /// Each node from inside its own network.
    pub nodes: Nodes,
    /// For how long service must be good before it counts as stable.
    pub stability: Duration,
    /// A program that makes load beside the probes; without it recovery times are a lower estimate.
    pub background: Option<Background>,
}

/// A program that makes load beside the probes, from the first step to the end of measuring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// The program and its arguments; no shell reads them. It finds the writer endpoint in PGHOST, PGPORT,
    /// PGUSER, PGDATABASE and PGPASSWORD, and `{{writer.port}}` and the like are filled in.
    #[schemars(length(min = 1))]
    pub run: Vec<String>,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            writers: Writers::default(),
            fresh: Fresh::default(),
            readers: Readers::default(),
            nodes: Nodes::default(),
            stability: Duration::from_secs(5),
            background: None,
        }
    }
}

/// The channel writer_pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Writers {
    /// How many sessions.
    pub sessions: u32,
    /// Period of all sessions together.
    pub every: Duration,
    /// When an attempt is given up.
    pub deadline: Duration,
    /// From when on an answer counts as a stall; without it, the larger of 50 ms and three times the
    /// baseline's largest latency.
    pub stall: Option<Duration>,
    /// What becomes of a session at the deadline.
    pub on_deadline: OnDeadline,
}

impl Default for Writers {
    fn default() -> Self {
        Self {
            sessions: 4,
            every: Duration::from_ms(20),
            deadline: Duration::from_ms(500),
            stall: None,
            on_deadline: OnDeadline::Reopen,
        }
    }
}

/// What becomes of a session at the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadline {
    /// It is closed and opened anew, as a pool with time-outs does.
    Reopen,
    /// It is kept, as a client without time-outs does.
    Keep,
}

/// The channel writer_fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fresh {
    /// Its period.
    pub every: Duration,
    /// When an attempt, the connection included, is given up.
    pub deadline: Duration,
}

impl Default for Fresh {
    fn default() -> Self {
        Self {
            every: Duration::from_ms(100),
            deadline: Duration::from_ms(500),
        }
    }
}

/// The channel reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Readers {
    /// Its period.
    pub every: Duration,
    /// When an attempt is given up.
    pub deadline: Duration,
    /// How much older than the newest acknowledged row the newest visible one may be.
    pub stale: Duration,
}

impl Default for Readers {
    fn default() -> Self {
        Self {
            every: Duration::from_ms(100),
            deadline: Duration::from_ms(500),
            stale: Duration::from_secs(1),
        }
    }
}

/// The channels inside each node's own network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nodes {
    /// Period of node/NAME/pinned.
    pub pinned: Duration,
    /// Period of node/NAME/fresh.
    pub fresh: Duration,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            pinned: Duration::from_ms(50),
            fresh: Duration::from_ms(500),
        }
    }
}
