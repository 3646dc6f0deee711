//! 3. Makes it happen: carries out a plan, puts everything into one order, and ends every run the same way.
//!
//! | file | what |
//! |---|---|
//! | run_folder.rs | the run's id and its folder |
//! | signals.rs | requests to stop, and how they escalate |
//! | execution.rs | one execution, from the first event to the last |
//! | dispatcher.rs | the one loop that orders, logs and passes on all events |
//! | answers.rs | from where answers of people come |
//! | conclusions.rs | what the observer concluded, for steps to wait on |
//! | cluster_watch.rs | asks all nodes, again and again |
//! | preflight.rs | what must hold before anything is broken |
//! | requirement.rs | what a drill requires of the nodes before each fault |
//! | step_runner.rs | carries out one step after another |
//! | returning.rs | nodes that come back after a time |
//! | background.rs | the load beside the probes |
//! | loads.rs | the loads of the drill's own clients |
//! | steps/ | what each kind of step does |
//! | fault_step.rs | one fault, or several at one moment |
//! | undoing.rs | the guard with what it needs |
//! | ending.rs | stop, undo, converge, audit: the same on every way out |
//! | convergence.rs | when the ledger may be judged |

pub mod answers;
pub mod background;
pub mod cluster_watch;
pub mod conclusions;
pub mod convergence;
pub mod dispatcher;
mod ending;
pub mod execution;
mod fault_step;
mod loads;
pub mod preflight;
pub mod requirement;
mod returning;
pub mod run_folder;
pub mod signals;
mod step_runner;
mod steps;
pub mod undoing;
