//! `firedrill list`.

use super::choices::RunsChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::state;
use super::terminal::Terminal;
use crate::history;
use clap::Args;

/// List the runs, newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// At most this many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub at_most: usize,

    #[command(flatten)]
    pub runs: RunsChoice,
}

/// Lists runs.
///
/// # Errors
/// When the folder of the runs cannot be read.
pub fn list(args: &ListArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut runs = history::all_runs(&state::runs_dir(&args.runs)?)?;
    let all = runs.len();
    runs.truncate(args.at_most);
    terminal.answer(&history::list_text(&runs))?;
    if runs.len() < all {
        terminal.say(&format!(
            "the newest {} of {all} runs; -n shows more",
            runs.len()
        ));
    }
    Ok(Exit::Pass)
}
