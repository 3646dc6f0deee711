//! The part of a result that says how it was measured: the settings that were in force.

use super::EndpointRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// By channel.
    pub channels: BTreeMap<String, ChannelSettings>,
    /// What the target names beside writer and reader, with its channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointRecord>,
    /// Stability time S.
    pub stability_ms: f64,
    /// Variables, with where each value came from.
    pub variables: Vec<Variable>,
    /// Whether load ran beside the probes; false: recovery times are a lower estimate.
    pub background: bool,
    /// That this load ended by itself before measuring did, and when; null: it ran to the end.
    #[serde(default)]
    pub background_ended: Option<String>,
}

/// A variable of the drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// drill, target or --set.
    pub from: String,
}

/// Settings of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelSettings {
    /// Period T.
    pub period_ms: f64,
    /// Deadline D.
    pub deadline_ms: f64,
    /// Stall limit B.
    pub stall_ms: f64,
    /// Join gap J.
    pub join_ms: f64,
    /// Largest latency of the baseline, L.
    pub baseline_max_ms: Option<f64>,
}
