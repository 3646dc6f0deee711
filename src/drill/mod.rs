//! 1. What a person wrote: drill files and target files.
//!
//! They are read with positions, so that every mistake is shown at its word.
//!
//! | file | what |
//! |---|---|
//! | file.rs, step.rs, ask.rs, clients.rs, objective.rs, duration.rs | a drill file as types |
//! | sequence.rs | the steps in the order in which they happen |
//! | target_file.rs, docker_file.rs, endpoint_file.rs, identity_file.rs | a target file as types |
//! | load.rs | the way from a path, or the name of a shipped drill, to something checked |
//! | variables.rs, places.rs | `${name}` filled in; where each word of the file stands |
//! | check.rs | what no single field can know |
//! | yaml_error.rs, diagnostic.rs, nearest.rs | mistakes, in words that a person can act on |
//! | schema/ | JSON Schemas for editors |
//! | draft.rs | commented files to start from |
//! | shipped.rs | the drills inside the program |
//!
//! Nothing here touches a target, and nothing here decides what will be done: that is the plan's.

pub mod amount;
pub mod ask;
mod check;
pub mod clients;
pub mod diagnostic;
pub mod docker_file;
pub mod draft;
pub mod duration;
pub mod endpoint_file;
pub mod file;
pub mod identity_file;
mod load;
#[cfg(test)]
mod mistakes;
mod nearest;
pub mod objective;
mod places;
pub mod schema;
mod sequence;
pub mod shipped;
pub mod simulated;
pub mod step;
pub mod target_file;
mod variables;
mod yaml_error;

pub use diagnostic::{Diagnostic, Source, render};
pub use load::{
    Checked, CheckedTarget, Kind, Underlined, check_target_text, check_text, kind_of, load,
    load_target, read,
};
pub use nearest::nearest;
pub use sequence::Placed;
pub use variables::{Given, parse_set};
