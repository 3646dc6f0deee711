//! `firedrill plan`.

use super::choices::TargetChoice;
use super::drilling::{Settings, look};
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{files, seed, state};
use crate::plan::{TargetFacts, compile, preview};
use clap::Args;

/// Show what a drill would do, and to which nodes now; change nothing
///
/// Prints the node that each step hits, how it is undone, the longest time it can take, what an objective
/// cannot observe here, and what firedrill itself costs the servers. A cluster that runs already is asked
/// who leads there now.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill plan primary-crash
  firedrill plan drills/primary-crash.yaml --target staging.target.yaml
  firedrill plan node-loss --target staging.target.yaml --offline")]
pub struct PlanArgs {
    /// A drill file, or the name of a drill that is shipped
    #[arg(value_name = "DRILL")]
    pub drill: String,

    #[command(flatten)]
    pub target: TargetChoice,

    /// The seed that the run will be given: it draws the fault's moment
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Plan from the files alone: names and roles of a cluster that runs are left open
    #[arg(long)]
    pub offline: bool,
}

/// Prints the plan.
///
/// # Errors
/// When a file is wrong, or the target cannot be looked at or cannot carry the drill out.
pub fn plan(args: &PlanArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let target = files::target(&args.target, terminal)?;
    let drill = files::drill(&args.drill, &args.target, &target, terminal)?;
    let facts = TargetFacts::of_file(&target.target);
    let seed = seed::of(args.seed);
    let planned = |facts: &TargetFacts| {
        compile(&drill, facts, seed)
            .map_err(|refusals| files::refused(&args.drill, &refusals, terminal))
    };
    // What no such target can do is said before any is asked.
    let mut plan = planned(&facts)?;
    let mut facts = facts;
    if facts.unseen && !args.offline {
        facts = look(facts, &Settings::of(&target)?, state::registry().as_ref())?;
        plan = planned(&facts)?;
    }
    terminal.answer(&preview(&plan.record, &facts, seed))?;
    Ok(Exit::Pass)
}
