//! 4. The only words between the two halves of firedrill.
//!
//! The left half (drill, plan, target, role, fault, recovery_action, undo, executor, load) writes these
//! records; the right half (measure, verdict, report, live, history) reads them. Neither imports the
//! other, and this folder imports neither: it holds plain records, the log that keeps them, and the
//! trait by which the executor is told what the measures say.

pub mod answer;
pub mod cluster;
pub mod cluster_names;
mod emitter;
mod happened;
pub mod loads;
pub mod log;
#[cfg(test)]
mod log_properties;
pub mod observer;
pub mod plan_record;
mod record;
pub mod replay;
#[cfg(test)]
mod replay_properties;
pub mod result;
pub mod series;
mod settings;
pub mod slots;
mod stamp;

pub use emitter::Emitter;
pub use observer::{Observer, Signal};
pub use record::*;
pub use stamp::Stamp;
