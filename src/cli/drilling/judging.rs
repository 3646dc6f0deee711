//! From a run's event log to its reports and an exit code. `report` takes the same way, so that what it
//! prints is what the run printed.

use crate::cli::exit_code::Exit;
use crate::cli::failure::Failure;
use crate::cli::past::{self, Past};
use crate::cli::terminal::Terminal;
use crate::event::RunEnded;
use crate::history;
use crate::report::{self, OutputError, Reporter as _};
use crate::verdict::Outcome;
use std::io::Write;
use std::path::Path;

/// A run that has ended and was judged.
pub struct Judged {
    /// Its result, and the figure of the run before it.
    pub past: Past,
    /// How it comes out: an exit code, or what is not in order with it.
    pub exit: Result<Exit, Failure>,
}

/// Judges a run that has ended.
///
/// # Errors
/// When its log cannot be read.
pub fn judge(
    runs_dir: &Path,
    run: &str,
    ended: &RunEnded,
    log_broken: Option<String>,
    closed: bool,
) -> Result<Judged, Failure> {
    let past = past::read(runs_dir, run)?;
    // The cache only speeds up lists; a disk that is full now must not hide the result.
    let _ = history::store_result(&runs_dir.join(run), &past.result);
    let exit = exit(&past, run, ended, log_broken, closed);
    Ok(Judged { past, exit })
}

fn exit(
    past: &Past,
    run: &str,
    ended: &RunEnded,
    log_broken: Option<String>,
    closed: bool,
) -> Result<Exit, Failure> {
    if !closed || !ended.not_undone.is_empty() {
        let mut failure = Failure::new(
            Exit::UndoIncomplete,
            "not everything is put back; the journal stays open",
        );
        for left in &ended.not_undone {
            failure.message.push_str(&format!("\n  {left}"));
        }
        return Err(failure.hint(format!("firedrill undo {run}")));
    }
    if let Some(broken) = log_broken {
        return Err(Failure::new(
            Exit::Invalid,
            format!("{broken}; the run was stopped and put back, and its figures are not complete"),
        )
        .hint("free some space, or choose another folder with --runs-dir"));
    }
    Ok(exit_of(Outcome::of(&past.result)))
}

/// Shows a run's last screen.
pub fn show(past: &Past, terminal: &Terminal) {
    let screen = report::Terminal {
        style: terminal.error_style(),
        previous: past.previous.clone(),
    };
    let mut text = Vec::new();
    if screen.write(&past.result, &mut text).is_ok() {
        terminal.say(String::from_utf8_lossy(&text).trim_end());
    }
}

/// Writes reports, and gives the exit code of what they tell unless one could not be written. What is wrong
/// with the run itself weighs more.
///
/// # Errors
/// As said.
pub fn write(
    terminal: &Terminal,
    exit: Result<Exit, Failure>,
    reports: impl FnOnce(&mut dyn Write) -> Vec<OutputError>,
) -> Result<Exit, Failure> {
    let mut errors = Vec::new();
    terminal.answer_by(|out| {
        errors = reports(out);
        Ok(())
    })?;
    let exit = exit?;
    match errors.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(exit),
    }
}

/// The exit code of an outcome.
fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Passed => Exit::Pass,
        Outcome::Failed => Exit::Failed,
        Outcome::Unknown => Exit::Unknown,
        Outcome::Invalid => Exit::Invalid,
        Outcome::UndoIncomplete => Exit::UndoIncomplete,
        Outcome::Interrupted => Exit::Interrupted,
    }
}
