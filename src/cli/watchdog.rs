//! `firedrill watchdog`: not for people. A run starts it; it acts when the run died.

use super::asynchronous::wait_for;
use super::exit_code::Exit;
use super::failure::Failure;
use super::kinds::KINDS;
use super::state;
use crate::undo::watchdog::watch;
use clap::Args;
use std::path::PathBuf;

/// Wait for the end of a run's pipe, and undo what the run left behind
#[derive(Args, Debug)]
pub struct WatchdogArgs {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    pub run_folder: PathBuf,
}

/// Watches over a run. It lives apart from every terminal, so what it says goes into the run's folder.
///
/// # Errors
/// When it cannot begin to watch.
pub fn watchdog(args: &WatchdogArgs) -> Result<Exit, Failure> {
    let registry = state::registry();
    let end = wait_for(watch(&args.run_folder, KINDS, registry.as_ref()))?;
    Ok(if end.is_complete() {
        Exit::Pass
    } else {
        Exit::UndoIncomplete
    })
}
