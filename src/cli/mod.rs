//! The command line: one file per subcommand, whose arguments' doc comment is its help.
//!
//! This is the only folder that sees both halves. It parses, hands over, and turns what comes back into
//! text and an exit code; what a command *does* lies in the stations.

mod answer;
mod asynchronous;
mod background;
mod check;
mod choices;
mod completions;
mod demo;
mod doctor;
mod drilling;
pub mod exit_code;
pub mod failure;
mod files;
mod kinds;
#[cfg(feature = "docker")]
mod left_behind;
mod list;
mod man;
mod new;
mod past;
mod plan;
mod report;
mod run;
mod schema;
mod seed;
mod show;
mod state;
pub mod terminal;
mod typed;
mod undo;
mod watchdog;

use clap::{Parser, Subcommand};
use exit_code::Exit;
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;
use terminal::Terminal;

/// Practise the loss of a database
///
/// firedrill breaks a replicated PostgreSQL on purpose, measures what clients saw until service was back,
/// proves which acknowledged commits survived, puts everything back, and says pass, fail, unknown or
/// invalid.
#[derive(Debug, Parser)]
#[command(
    name = "firedrill",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  firedrill demo                        lose a primary on a throw-away cluster, needs nothing
  firedrill plan primary-freeze         see what a drill would do
  firedrill run primary-freeze --yes    do it
  firedrill show latest                 read the last run again
  firedrill undo                        put back what a killed run left behind

Exit codes: 0 pass, 1 an objective failed, 2 usage or file, 3 unknown, 4 invalid, 5 target unusable,
6 an undo is incomplete, 130 interrupted and put back.";

/// The subcommands, in the order in which a newcomer meets them.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Plan(plan::PlanArgs),
    Check(check::CheckArgs),
    New(new::NewArgs),
    Answer(answer::AnswerArgs),
    Undo(undo::UndoArgs),
    Report(report::ReportArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    Watchdog(watchdog::WatchdogArgs),
    #[command(hide = true)]
    Background(background::BackgroundArgs),
}

/// Parses the arguments (the program's name first), does what they ask for, says what went wrong.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are answers, not errors; clap knows which stream and code each has. A
            // closed terminal is nobody's fault.
            let _ = answer.print();
            return if answer.use_stderr() {
                Exit::Usage
            } else {
                Exit::Pass
            }
            .into();
        }
    };
    let terminal = Terminal::of_process();
    match cli.command.carry_out(&terminal) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.say(&terminal);
            failure.exit.into()
        }
    }
}

impl Command {
    fn carry_out(&self, terminal: &Terminal) -> Result<Exit, Failure> {
        match self {
            Self::Demo(args) => demo::demo(args, terminal),
            Self::Run(args) => run::run(args, terminal),
            Self::Plan(args) => plan::plan(args, terminal),
            Self::Check(args) => check::check(args, terminal),
            Self::New(args) => new::new(args, terminal),
            Self::Answer(args) => answer::answer(args, terminal),
            Self::Undo(args) => undo::undo(args, terminal),
            Self::Report(args) => report::report(args, terminal),
            Self::List(args) => list::list(args, terminal),
            Self::Show(args) => show::show(args, terminal),
            Self::Doctor(args) => doctor::doctor(args, terminal),
            Self::Schema(args) => schema::schema(args, terminal),
            Self::Completions(args) => completions::completions(args, terminal),
            Self::Man(args) => man::man(args, terminal),
            Self::Watchdog(args) => watchdog::watchdog(args),
            Self::Background(args) => background::background(args),
        }
    }
}

/// The command line's own description, from which completions and man pages are made.
#[must_use]
pub fn description() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_consistent() {
        super::description().debug_assert();
    }
}
