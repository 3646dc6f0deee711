//! 2. What will happen: a drill and a target made into steps that can be carried out.
//!
//! | file | what |
//! |---|---|
//! | facts.rs | what a plan must know of a target |
//! | compile.rs | a checked drill and these facts become a plan, or a list of refusals |
//! | kinds/ | what each kind of step becomes in a plan |
//! | outlook.rs | which node a step will hit, as far as can be said beforehand |
//! | demand.rs | objectives, implicit zeros included, and what of them cannot be seen here |
//! | cost.rs | what the probes cost the servers |
//! | resolve.rs | which node a step hits, when it begins |
//! | draw.rs | everything that is left to chance, by seed |
//! | preview.rs | the plan as people read it |
//!
//! Making a plan changes nothing anywhere.

mod compile;
mod cost;
mod demand;
pub mod draw;
mod facts;
mod kinds;
mod outlook;
mod preview;
mod resolve;
pub mod step;
#[cfg(test)]
mod tests;

pub use compile::{Refusal, compile, workload};
pub use cost::clients_on_nodes;
pub use facts::{NodeFact, TargetFacts};
pub use preview::preview;
pub use resolve::resolve;

use crate::event::plan_record::PlanRecord;

/// A drill made ready for one target.
#[derive(Debug)]
pub struct Plan {
    /// The words and numbers of it, for the log and the first screen.
    pub record: PlanRecord,
    /// The steps, in the order and with the ids of `record.steps`.
    pub steps: Vec<step::Step>,
}
