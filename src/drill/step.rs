//! The steps of a drill. A new step or fault is one line in the list at the end of this file.

use super::duration::Duration;
use crate::fault::{self, Fault};
use crate::role::NodeRef;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::sync::Arc;

/// Lets the probes run undisturbed, and judges whether they are fit to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// How long at least.
    pub r#for: Duration,
    /// Up to how much longer, drawn by the seed: the fault's moment within the stack's own loop decides
    /// much of the recovery time, so that it must not always be the same.
    #[serde(default)]
    pub plus_up_to: Option<PlusUpTo>,
}

/// Over which time the fault's moment is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlusUpTo {
    /// The target's own: the lease or the loop of whoever fails over.
    ControlPeriod,
    /// This long.
    Time(Duration),
}

impl Serialize for PlusUpTo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ControlPeriod => serializer.serialize_str("control_period"),
            Self::Time(duration) => duration.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PlusUpTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "control_period" {
            return Ok(Self::ControlPeriod);
        }
        text.parse()
            .map(Self::Time)
            .map_err(|error| de::Error::custom(format!("{error} (or the word control_period)")))
    }
}

impl JsonSchema for PlusUpTo {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PlusUpTo".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Duration>();
        json_schema!({ "anyOf": [ { "const": "control_period" }, duration ] })
    }
}

/// Waits for service on a newer timeline; firedrill promotes where the target says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailOver {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// Its limit.
    #[serde(default = "a_minute")]
    pub within: Duration,
    /// Service from the same node started anew counts too.
    #[serde(default)]
    pub or_restart: bool,
}

/// Makes a standby the primary without losing anything, and the old primary a standby.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchOver {
    /// Name of the step, by which others refer to the previous primary.
    #[serde(default)]
    pub id: Option<String>,
    /// The next primary; without it the most advanced standby.
    #[serde(default)]
    pub to: Option<NodeRef>,
    /// Its limit.
    #[serde(default = "a_minute")]
    pub within: Duration,
}

/// Lets the node that a fault hit come back as it would in life: thawed, joined, started, unfenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// The id of the step whose fault it was.
    pub of: String,
}

/// The safe way back from a fault: never a second primary, and verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// The id of the step whose fault it was.
    pub of: String,
    /// Its limit.
    #[serde(default = "a_minute")]
    pub within: Duration,
}

/// Rejoins what runs and does not stream, and waits until all declared standbys stream again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRedundancy {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// Its limit.
    #[serde(default = "two_minutes")]
    pub within: Duration,
}

/// Waits until all endpoint channels were good for the stability time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// Its limit.
    #[serde(default = "half_a_minute")]
    pub within: Duration,
}

/// Lets time pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// How long.
    pub r#for: Duration,
}

/// Waits until a condition over the result's names holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// The condition, in CEL.
    pub until: String,
    /// Its limit.
    pub within: Duration,
}

/// Says a line to people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// Name of the step.
    #[serde(default)]
    pub id: Option<String>,
    /// The line.
    pub text: String,
}

/// Faults that strike at one moment, which is the beginning of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Together(#[schemars(length(min = 2))] pub Vec<Step>);

/// Steps that are carried out several times over. In round 2 a step's id is `ID#2`, and inside it `of: ID`
/// means the one of the same round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub times: u32,
    /// What.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn two_minutes() -> Duration {
    Duration::from_secs(120)
}

/// Makes the enum [`Step`] out of a list of `Variant(type): "kind", fault`, `..., step`, `..., part`,
/// `..., change` or `..., group` lines.
macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident($body:ty): $kind:literal, $sort:ident;)+) => {
        /// One step of a drill, written as `- kind: { … }`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum Step {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($body),)+
        }

        impl Step {
            /// The kinds, as drill files spell them.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// Its kind, as drill files spell it.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            /// The id that its author gave it.
            #[must_use]
            pub fn given_id(&self) -> Option<&str> {
                match self { $(Self::$variant(_body) => steps!(@id $sort _body),)+ }
            }

            /// The node that a fault is to hit, to be changed.
            fn fault_node(&mut self) -> Option<&mut NodeRef> {
                match self { $(Self::$variant(_body) => steps!(@node $sort _body),)+ }
            }

            /// The fault, where it is one.
            #[must_use]
            pub fn fault(&self) -> Option<Arc<dyn Fault>> {
                match self { $(Self::$variant(_body) => steps!(@$sort _body),)+ }
            }
        }
    };
    (@fault $body:ident) => { Some(Arc::new($body.clone()) as Arc<dyn Fault>) };
    (@step $body:ident) => { None };
    // A fault only where it says how it is undone; else it promised to change nothing.
    (@change $body:ident) => {
        $body.undo.is_some().then(|| Arc::new($body.clone()) as Arc<dyn Fault>)
    };
    // A fault that names no node.
    (@part $body:ident) => { Some(Arc::new($body.clone()) as Arc<dyn Fault>) };
    (@group $body:ident) => { None };
    (@id group $body:ident) => { None };
    (@id $sort:ident $body:ident) => { $body.id.as_deref() };
    (@node change $body:ident) => { $body.node_mut() };
    (@node fault $body:ident) => { Some(&mut $body.node) };
    (@node $sort:ident $body:ident) => { None };
}

steps! {
    /// Lets the probes run undisturbed.
    Baseline(Baseline): "baseline", step;
    /// A node loses all its processes at once.
    Kill(fault::kill::Kill): "kill", fault;
    /// PostgreSQL is shut down by its own means.
    Stop(fault::stop::Stop): "stop", fault;
    /// One process of a node is killed.
    KillProcess(fault::kill_process::KillProcess): "kill_process", fault;
    /// Processes of a node stand still.
    Freeze(fault::freeze::Freeze): "freeze", fault;
    /// A node is cut off.
    Cut(fault::cut::Cut): "cut", fault;
    /// What a node sends is late, is lost in part, or comes slowly.
    SlowNetwork(fault::slow_network::SlowNetwork): "slow_network", fault;
    /// The machine under a node loses its power.
    PowerOff(fault::power_off::PowerOff): "power_off", fault;
    /// Members of the store that holds the leader key are lost.
    LoseDcs(fault::lose_part::LoseDcs): "lose_dcs", part;
    /// What leads clients to the servers is lost.
    LoseRouter(fault::lose_part::LoseRouter): "lose_router", part;
    /// A standby receives and does not replay.
    PauseReplay(fault::pause_replay::PauseReplay): "pause_replay", fault;
    /// A standby loses its data and is made anew.
    LoseData(fault::lose_data::LoseData): "lose_data", fault;
    /// The disk of a node's data is full.
    FillDisk(fault::fill_disk::FillDisk): "fill_disk", fault;
    /// Processes beside a node's server take its CPU time.
    StressCpu(fault::stress_cpu::StressCpu): "stress_cpu", fault;
    /// Processes beside a node's server write to its disk.
    StressIo(fault::stress_io::StressIo): "stress_io", fault;
    /// A node's clock is stepped.
    ClockStep(fault::clock_step::ClockStep): "clock_step", fault;
    /// Waits for service on a newer timeline.
    FailOver(FailOver): "fail_over", step;
    /// Makes a standby the primary without a loss.
    SwitchOver(SwitchOver): "switch_over", step;
    /// The way back as in life.
    Release(Release): "release", step;
    /// The safe way back.
    Undo(Undo): "undo", step;
    /// Waits until all declared standbys stream.
    RestoreRedundancy(RestoreRedundancy): "restore_redundancy", step;
    /// Waits until service is stable.
    Settle(Settle): "settle", step;
    /// Lets time pass.
    Hold(Hold): "hold", step;
    /// Waits for a condition.
    Wait(Wait): "wait", step;
    /// Says a line to people.
    Say(Say): "say", step;
    /// Faults that strike at one moment.
    Together(Together): "together", group;
    /// Steps that are carried out several times over.
    Repeat(Repeat): "repeat", group;
    /// Clients of firedrill's own beside the probes.
    Load(super::clients::Load): "load", step;
    /// A decision of a person.
    Ask(super::ask::Ask): "ask", step;
    /// One statement on a node.
    Sql(fault::sql::Sql): "sql", change;
    /// A command of your own.
    Command(fault::command::Command): "command", change;
}

impl Step {
    /// The step that this one refers to by `of`.
    #[must_use]
    pub fn of(&self) -> Option<&str> {
        match self {
            Self::Release(body) => Some(&body.of),
            Self::Undo(body) => Some(&body.of),
            _ => None,
        }
    }

    /// The node that it names, and the field that names it.
    #[must_use]
    pub fn node(&self) -> Option<(&'static str, NodeRef)> {
        match self {
            Self::SwitchOver(body) => body.to.clone().map(|to| ("to", to)),
            Self::Sql(body) => Some(("node", body.node.clone())),
            Self::Command(body) => body.node.clone().map(|node| ("node", node)),
            _ => self.fault().map(|fault| ("node", fault.node().clone())),
        }
    }
}

impl Step {
    /// Changes the ids that it refers to.
    pub(super) fn refer(&mut self, to: impl Fn(&str) -> String) {
        match self {
            Self::Release(body) => body.of = to(&body.of),
            Self::Undo(body) => body.of = to(&body.of),
            Self::SwitchOver(SwitchOver {
                to: Some(NodeRef::Of(of)),
                ..
            }) => *of = to(of),
            other => {
                if let Some(NodeRef::Of(of)) = other.fault_node() {
                    *of = to(of);
                }
            }
        }
    }
}

/// Gives each step its id: what the author gave, else the kind and its number among those of its kind
/// without an id, such as `hold-1`.
#[derive(Debug, Default)]
pub(super) struct Ids {
    numbers: std::collections::BTreeMap<&'static str, u32>,
}

impl Ids {
    /// The id of the next step.
    pub(super) fn of(&mut self, step: &Step) -> String {
        match step.given_id() {
            Some(id) => id.to_owned(),
            None => {
                let number = self.numbers.entry(step.kind()).or_default();
                *number += 1;
                format!("{}-{number}", step.kind())
            }
        }
    }
}
