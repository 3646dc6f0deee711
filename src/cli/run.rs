//! `firedrill run`.

use super::choices::{ReportChoice, RunsChoice, TargetChoice};
use super::drilling::{self, Request};
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{files, seed, state, typed};
use crate::history;
use crate::report::open_all;
use clap::Args;

/// Run a drill: break, measure, prove, put back, judge
///
/// Shows the plan first and asks; without a terminal, --yes is needed. --yes skips the question and never
/// a check. The first Ctrl-C undoes everything and reports, the second undoes at once and skips the rest,
/// the third leaves and prints the command that finishes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill run primary-crash
  firedrill run drills/primary-crash.yaml --target staging.target.yaml --set downtime_limit=60s
  firedrill run primary-crash --yes -o junit=drill.xml -o json=-
  firedrill run primary-crash --repeat 5 -o json=results.json")]
pub struct RunArgs {
    /// A drill file, or the name of a drill that is shipped (see drills/README.md)
    #[arg(value_name = "DRILL")]
    pub drill: String,

    #[command(flatten)]
    pub target: TargetChoice,

    #[command(flatten)]
    pub runs: RunsChoice,

    /// Draws the fault's moment and the choice among equal nodes. Default: drawn, and printed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Run it N times, each with a seed and a moment of the fault of its own, from a fresh and whole cluster.
    /// An invalid run is drawn again, N times in all. Reports then hold every run and their smallest, median
    /// and largest figures; the exit code is that of the worst run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: Option<u32>,

    #[command(flatten)]
    pub reports: ReportChoice,

    /// Do not ask before the first fault. Questions of the drill itself are still asked
    #[arg(short, long)]
    pub yes: bool,

    /// Answer a question of the drill beforehand, for CI; the report calls it automated. May be repeated
    #[arg(long, value_name = "ID=WORD", value_parser = drilling::parse_answer)]
    pub answer: Vec<(String, String)>,

    /// Refuse a drill that asks anybody anything which no --answer answers
    #[arg(long)]
    pub no_input: bool,
}

/// Carries out a drill.
///
/// # Errors
/// When it could not begin, or could not be put on record.
pub fn run(args: &RunArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    // Before anything is read: a report that cannot be written must not be found out after the fault.
    let outputs = open_all(&args.reports.outputs)?;
    let target = files::target(&args.target, terminal)?;
    let drill = files::drill(&args.drill, &args.target, &target, terminal)?;
    let request = Request {
        drill,
        target,
        seed: seed::of(args.seed),
        runs_dir: state::runs_dir(&args.runs)?,
        registry: state::registry().ok_or_else(|| Failure::from(history::NoStateDir))?,
        outputs,
        agreed: args.yes,
        lines: typed::lines(terminal).filter(|_| !args.no_input),
        no_input: args.no_input,
        answers: args.answer.clone(),
        repeat: args.repeat,
        place: None,
    };
    drilling::drill(request, terminal)
}
