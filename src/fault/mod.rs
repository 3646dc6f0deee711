//! What can be broken on purpose: one file per fault, and one line in the list of steps in
//! `drill/step.rs`.
//!
//! A fault is always named with its inverse. [`Fault::prepare`] must hand out the [`Undo`] before
//! anything is touched, so that a fault without one does not compile.

pub mod clock_step;
pub mod command;
pub mod cut;
pub mod fill_disk;
pub mod freeze;
pub mod kill;
pub mod kill_process;
pub mod lose_data;
pub mod lose_part;
mod lost_packets;
pub mod pause_replay;
pub mod power_off;
mod powered_off;
mod pressed;
mod returns;
pub mod slow_network;
pub mod sql;
pub mod stop;
pub mod stress_cpu;
pub mod stress_io;
mod stressed;
pub mod template;

pub use returns::Returns;

use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, Part, Target, TargetError};
use crate::undo::Undo;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// The node that a fault hits, frozen when its step began.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hit {
    /// The node.
    pub node: String,
    /// Its role then: "primary" or "standby"; "other" where it did not say; "part" for what is no node.
    pub role: String,
    /// The newest timeline then; its own where it leads; 0 where no node said.
    pub timeline: u32,
}

impl Hit {
    /// Whether the node was the primary when it was hit.
    #[must_use]
    pub fn was_primary(&self) -> bool {
        self.role == "primary"
    }

    /// Whether it may take writes when it comes back: every node that was not seen to be a standby may.
    #[must_use]
    pub fn may_lead(&self) -> bool {
        self.role != "standby" && self.role != Part::ROLE
    }
}

/// The undo of a journaled fault, made again in another process. `None` where the fault or its facts are
/// not known: then only the firedrill that wrote the journal can undo it.
#[must_use]
pub fn undo_from_journal(fault: &str, facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    match fault {
        "kill" => powered_off::from_facts("kill", facts),
        "stop" => powered_off::from_facts("stop", facts),
        "power_off" => powered_off::from_facts("power_off", facts),
        "lose_dcs" => lose_part::from_facts("lose_dcs", facts),
        "lose_router" => lose_part::from_facts("lose_router", facts),
        "kill_process" => kill_process::from_facts(facts),
        "freeze" => freeze::from_facts(facts),
        "cut" => cut::from_facts(facts),
        "slow_network" => slow_network::from_facts(facts),
        "pause_replay" => pause_replay::from_facts(facts),
        "lose_data" => lose_data::from_facts(facts),
        "fill_disk" => pressed::from_facts("fill_disk", facts),
        "stress_cpu" => pressed::from_facts("stress_cpu", facts),
        "stress_io" => pressed::from_facts("stress_io", facts),
        "clock_step" => pressed::from_facts("clock_step", facts),
        "sql" => sql::from_facts(facts),
        "command" => command::from_facts(facts),
        _ => None,
    }
}

/// The facts of an undo as the journal keeps them; plain records always serialise.
fn facts_of(undo: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(undo).unwrap_or_default()
}

/// What is thrown where a target lacks what [`Fault::needs`] names; the plan has refused it before.
fn lacks(what: &str) -> TargetError {
    TargetError::new(what, "this target cannot do that")
}

/// Something broken on purpose.
#[async_trait]
pub trait Fault: Send + Sync + std::fmt::Debug {
    /// Its name, as the drill file spells it.
    fn name(&self) -> &'static str;
    /// The step's id, where the drill file gives one.
    fn id(&self) -> Option<&str>;
    /// The node that it is to hit.
    fn node(&self) -> &NodeRef;
    /// What a target must have for it.
    fn needs(&self) -> Vec<Capability>;
    /// One line for people: what it does to the node, such as "kill node-1: all its processes at once".
    fn describe(&self, node: &str) -> String;
    /// One line for people: how it is undone.
    fn describe_undo(&self, node: &str) -> String;
    /// Whether it takes its node out of service: one that leaves the node at work decides nothing of who
    /// leads or what is at risk.
    fn takes_node(&self) -> bool {
        true
    }
    /// The same with what its words stand for filled in, where it has any, and with what it must know of the plan.
    ///
    /// # Errors
    /// When a word stands for nothing.
    fn bound(&self, _binding: &template::Binding) -> Result<Option<Arc<dyn Fault>>, TargetError> {
        Ok(None)
    }
    /// After which time from its proof firedrill lets the node come back as in life, where the drill says so.
    fn returns_after(&self) -> Option<Duration> {
        None
    }
    /// Whether its undo belongs to its step: each node is put back, and that verified, before the next is hit.
    fn returns_in_turn(&self) -> bool {
        false
    }
    /// How long its effect may take to show.
    fn limit(&self) -> Duration {
        Duration::from_secs(10)
    }
    /// Whether it can strike here at all, asked before the run begins wherever that can be told by then. Touches nothing.
    ///
    /// # Errors
    /// Why not, and what to do.
    async fn fits(&self, _target: &dyn Target) -> Result<(), TargetError> {
        Ok(())
    }
    /// Resolves the facts that its undo needs, and touches nothing.
    ///
    /// # Errors
    /// When they cannot be resolved; the fault is then not injected.
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError>;
    /// Does it.
    ///
    /// # Errors
    /// When it could not be carried out. It may have happened all the same.
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<(), TargetError>;
    /// Whether its effect can be seen, and the proof. Asked again and again until [`Fault::limit`].
    ///
    /// # Errors
    /// When it cannot be told.
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError>;
}
