//! `firedrill report`.

use super::choices::{ReportChoice, RunsChoice};
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{past, state};
use crate::report::{self, Reporter, open_all, series_text};
use clap::Args;

/// Build a run's reports again, from its folder alone
///
/// Needs no database: every number comes from the run's event log. Without -o: the screen that the run ended
/// with, on standard output.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill report latest
  firedrill report 20261123t1015 -o json=result.json -o markdown=-
  firedrill report latest --series -o json=results.json")]
pub struct ReportArgs {
    /// The run's id, the beginning of it, `latest`, or the path of a run's folder
    #[arg(value_name = "RUN")]
    pub run: String,

    /// Report the whole series of `run --repeat N` that the run belongs to, from the folders of all its runs
    #[arg(long)]
    pub series: bool,

    #[command(flatten)]
    pub reports: ReportChoice,

    #[command(flatten)]
    pub runs: RunsChoice,
}

/// Writes the reports of a run or of a series. The verdict is not the exit code: it was asked for reports,
/// and they are there.
///
/// # Errors
/// When there is no such run or series, a log cannot be read, or a report cannot be written.
pub fn report(args: &ReportArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let dir = state::runs_dir(&args.runs)?;
    let outputs = open_all(&args.reports.outputs)?;
    let mut errors = Vec::new();
    if args.series {
        let series = past::read_series(&dir, &args.run)?;
        terminal.answer_by(|out| {
            if args.reports.outputs.is_empty() {
                return out.write_all(series_text(&series, terminal.output_style()).as_bytes());
            }
            errors = outputs.write_series(&series, out);
            Ok(())
        })?;
    } else {
        let past = past::read(&dir, &args.run)?;
        terminal.answer_by(|out| {
            if args.reports.outputs.is_empty() {
                let screen = report::Terminal {
                    style: terminal.output_style(),
                    previous: past.previous.clone(),
                };
                return screen.write(&past.result, out);
            }
            errors = outputs.write_all(&past.result, past.previous.as_ref(), out);
            Ok(())
        })?;
    }
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    if said.is_empty() {
        Ok(Exit::Pass)
    } else {
        Err(Failure::usage(said.join("\n")))
    }
}
