//! What each kind of step becomes in a plan: one file per kind or pair, and its line in [`plan`].

mod ask;
mod baseline;
mod brought;
mod fail_over;
mod fault;
mod load;
mod redundancy;
mod switch_over;
mod talk;
mod waiting;
mod way_back;

use super::facts::TargetFacts;
use super::outlook::Outlook;
use super::step::Action;
use crate::drill::file::Workload;
use crate::drill::step::Step as DrillStep;
use crate::event::plan_record::Until;
use crate::target::Capability;
use std::time::Duration;

/// A step that only lets time pass gets this much more before it counts as stuck.
const GRACE: Duration = Duration::from_secs(10);

/// What a step may know and change while it is planned.
pub(super) struct Planning<'a, 'f> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its position, from 0.
    pub(super) index: usize,
    /// Seed of all draws.
    pub(super) seed: u64,
    /// The group that strikes at one moment, where it belongs to one.
    pub(super) together: Option<u32>,
    /// The target.
    pub(super) facts: &'f TargetFacts,
    /// The roles as the steps before should have left them.
    pub(super) outlook: &'a mut Outlook<'f>,
    /// How the service is probed.
    pub(super) workload: &'a Workload,
}

/// A step that was planned.
pub(super) struct Planned {
    /// What it does.
    pub(super) action: Action,
    /// One line for people.
    pub(super) what: String,
    /// How it is undone, for faults.
    pub(super) undo: Option<String>,
    /// The longest it can take when all goes well.
    pub(super) longest: Duration,
    /// Its deadline.
    pub(super) limit: Duration,
    /// What ends it, where the measures do.
    pub(super) until: Option<Until>,
}

impl Planned {
    /// A step that ends by itself within its limit.
    fn within(limit: Duration, action: Action, what: String) -> Self {
        Self {
            action,
            what,
            undo: None,
            longest: limit,
            limit,
            until: None,
        }
    }
}

/// Plans one step.
///
/// # Errors
/// In one line, when it can never be carried out on this target.
pub(super) fn plan(step: &DrillStep, planning: &mut Planning<'_, '_>) -> Result<Planned, String> {
    if let Some(fault) = step.fault() {
        return fault::plan(fault, planning);
    }
    match step {
        DrillStep::Baseline(body) => Ok(baseline::plan(body, planning)),
        DrillStep::FailOver(body) => fail_over::plan(body, planning),
        DrillStep::SwitchOver(body) => switch_over::plan(body, planning),
        DrillStep::Release(body) => Ok(way_back::release(body, planning)),
        DrillStep::Undo(body) => Ok(way_back::undo(body, planning)),
        DrillStep::RestoreRedundancy(body) => Ok(redundancy::plan(body, planning)),
        DrillStep::Settle(body) => Ok(waiting::settle(body, planning)),
        DrillStep::Hold(body) => Ok(waiting::hold(body)),
        DrillStep::Wait(body) => Ok(waiting::wait(body)),
        DrillStep::Say(body) => Ok(talk::say(body)),
        DrillStep::Load(body) => load::plan(body, planning),
        DrillStep::Ask(body) => Ok(ask::plan(body)),
        DrillStep::Sql(body) => brought::sql(body, planning),
        DrillStep::Command(body) => brought::command(body, planning),
        // Every other kind is a fault, and was taken above, or a group, which was unrolled.
        _ => Err(format!("{} is no step that can be planned", step.kind())),
    }
}

/// What a target must have for a step.
pub(super) fn needs(step: &DrillStep) -> Vec<Capability> {
    match step {
        DrillStep::SwitchOver(_) => vec![Capability::SwitchOver],
        DrillStep::Sql(_) => vec![Capability::Statements],
        DrillStep::Command(_) => vec![Capability::Commands],
        other => other.fault().map(|fault| fault.needs()).unwrap_or_default(),
    }
}

/// What a capability is, to those whose target lacks it.
pub(super) fn in_words(capability: Capability) -> &'static str {
    match capability {
        Capability::Power => "nodes that can be killed, stopped and started",
        Capability::Processes => "signals to single processes",
        Capability::CutAll => "a way to cut a node off from everybody",
        Capability::CutClients => "a way to cut a node off from clients",
        Capability::CutPeers => "a way to cut a node off from the other nodes",
        Capability::CutDcs => "a way to cut a node off from the store of the leader key alone",
        Capability::CutOneWay => "a way to lose packets between nodes in one direction",
        Capability::SlowRate => "a way to limit how much a node sends",
        Capability::SlowDelay => "a way to delay what a node sends, or to lose a share of it",
        Capability::SlowOneSide => "networks of their own for clients and for nodes",
        Capability::Act => "a database role that may pause replay and promote",
        Capability::SwitchOver => "somebody who can switch over",
        Capability::OtherClients => "a writer endpoint that other programs can reach",
        Capability::Statements => "servers that run any SQL statement",
        Capability::Storage => "nodes whose data can be taken away and copied anew",
        Capability::Commands => "something that a command of yours can reach",
        Capability::Restarts => "a supervisor that starts a dead node again",
        Capability::Machines => "machines that can be powered off and on",
        Capability::Agents => "a failover agent on each node that can be signalled",
        Capability::LoseDcs => "a store of the leader key that the target file names (dcs)",
        Capability::LoseRouter => "a router that the target file names (router)",
        Capability::LosePooler => "a pooler that the target file names (pooler)",
        Capability::FillDisk => "disks of nodes' data that can be filled",
        Capability::StressCpu => "a way to run processes that take a node's CPU time",
        Capability::StressIo => "a way to run processes that write to a node's disk",
        Capability::StepClock => "nodes whose clocks are their own",
    }
}
