//! How a test starts the program; no test in here.

mod disturbance;
mod firedrill;
mod in_memory;
mod leftovers;
mod text;
mod turns;

pub use disturbance::by_machine;
pub use firedrill::{Finished, Firedrill};
pub use in_memory::fresh_folder;
pub use leftovers::processes;
pub use text::{package, read, section};
pub use turns::{Turn, each_in_turn};
