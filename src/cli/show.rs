//! `firedrill show`.

use super::choices::RunsChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{past, state};
use crate::history;
use clap::Args;

/// Show one run in full: steps, faults with their stamps, channels, errors, latency
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill show latest
  firedrill show 20261123t1015")]
pub struct ShowArgs {
    /// The run's id, the beginning of it, `latest`, or the path of a run's folder
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,

    #[command(flatten)]
    pub runs: RunsChoice,
}

/// Shows a run.
///
/// # Errors
/// When there is no such run, or its log cannot be read.
pub fn show(args: &ShowArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let past = past::read(&state::runs_dir(&args.runs)?, &args.run)?;
    terminal.answer(&history::show_text(&past.result))?;
    Ok(Exit::Pass)
}
