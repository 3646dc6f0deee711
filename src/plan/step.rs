//! A step that can be carried out.

use crate::drill::ask::Ask;
use crate::drill::clients::Load;
use crate::fault::Fault;
use crate::fault::command::Command;
use crate::fault::sql::Sql;
use crate::role::NodeRef;
use std::sync::Arc;
use std::time::Duration;

/// How often a baseline is measured that is only too slow, before the drill is refused.
pub const BASELINES: u32 = 3;

/// A step that can be carried out.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its id, unique in the plan.
    pub id: String,
    /// What it does.
    pub action: Action,
    /// Its deadline.
    pub limit: Duration,
    /// The number of the group whose faults strike at one moment, where it belongs to one.
    pub together: Option<u32>,
}

impl Step {
    /// How many of the first of these steps strike at one moment; 1 where the first stands alone.
    #[must_use]
    pub fn at_once(steps: &[Self]) -> usize {
        match steps.first().and_then(|first| first.together) {
            None => steps.len().min(1),
            group => steps
                .iter()
                .take_while(|step| step.together == group)
                .count(),
        }
    }
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Lets the probes run undisturbed for this long (the seeded part is already drawn), then has the
    /// baseline judged.
    Baseline(Duration),
    /// Breaks something.
    Fault(Arc<dyn Fault>),
    /// Waits for service on a newer timeline; promotes where firedrill owns the failover.
    FailOver,
    /// Switches over to a standby, or to this one.
    SwitchOver(Option<NodeRef>),
    /// Lets the node of that step come back as in life.
    Release {
        /// The step.
        of: String,
    },
    /// The safe way back from that step's fault.
    Undo {
        /// The step.
        of: String,
    },
    /// Rejoins what runs and does not stream, and waits until all declared standbys do.
    RestoreRedundancy,
    /// Waits until the measures say that service is stable.
    Settle,
    /// Lets time pass.
    Hold(Duration),
    /// Waits until the measures say that a condition holds.
    Wait,
    /// Says a line to people.
    Say(String),
    /// Sets clients of firedrill's own going.
    Load(Load),
    /// Asks a person.
    Ask(Ask),
    /// Asks a node a statement that changes nothing.
    Sql(Sql),
    /// Runs a command that changes nothing.
    Command(Command),
}
