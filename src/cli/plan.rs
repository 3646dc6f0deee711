//! `firedrill plan`.

use super::choices::TargetChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{files, seed};
use crate::plan::{TargetFacts, compile, preview};
use clap::Args;

/// Show what a drill would do; change nothing
///
/// Prints the node that each step hits, how it is undone, the longest time it can take, what an objective
/// cannot observe here, and what firedrill itself costs the servers.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill plan primary-crash
  firedrill plan drills/primary-crash.yaml --target staging.target.yaml")]
pub struct PlanArgs {
    /// A drill file, or the name of a drill that is shipped
    #[arg(value_name = "DRILL")]
    pub drill: String,

    #[command(flatten)]
    pub target: TargetChoice,

    /// The seed that the run will be given: it draws the fault's moment
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Prints the plan.
///
/// # Errors
/// When a file is wrong, or the target cannot carry the drill out.
pub fn plan(args: &PlanArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let target = files::target(&args.target, terminal)?;
    let drill = files::drill(&args.drill, &args.target, &target, terminal)?;
    let facts = TargetFacts::of_file(&target.target);
    let seed = seed::of(args.seed);
    let plan = compile(&drill, &facts, seed)
        .map_err(|refusals| files::refused(&args.drill, &refusals, terminal))?;
    terminal.answer(&preview(&plan.record, &facts, seed))?;
    Ok(Exit::Pass)
}
