//! `firedrill demo`.

use super::choices::{ReportChoice, RunsChoice, TargetChoice};
use super::exit_code::Exit;
use super::failure::Failure;
use super::run::{RunArgs, run};
use super::terminal::Terminal;
use clap::Args;

/// Lose a primary on a throw-away cluster and read the numbers
///
/// Starts a primary and a standby as local processes, runs the drill primary-crash on them, and removes
/// them again. Needs nothing: PostgreSQL is taken from this machine, or downloaded once into your cache.
/// It never asks.
#[derive(Args, Debug)]
pub struct DemoArgs {
    #[command(flatten)]
    pub runs: RunsChoice,

    /// Draws the fault's moment. Default: drawn, and printed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    #[command(flatten)]
    pub reports: ReportChoice,
}

/// The drill of the demonstration.
const DRILL: &str = "primary-crash";

/// Runs the demonstration: `firedrill run primary-crash` on the embedded default.
///
/// # Errors
/// As `run`.
pub fn demo(args: &DemoArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    run(
        &RunArgs {
            drill: DRILL.to_owned(),
            target: TargetChoice::default(),
            runs: args.runs.clone(),
            seed: args.seed,
            repeat: None,
            reports: args.reports.clone(),
            yes: true,
            answer: Vec::new(),
            no_input: true,
        },
        terminal,
    )
}
