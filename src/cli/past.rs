//! An earlier run, measured again from its event log.

use super::failure::Failure;
use crate::event;
use crate::event::result::RunResult;
use crate::event::series::SeriesResult;
use crate::history;
use crate::measure::Replay;
use crate::measure::series::series_of;
use crate::report::PreviousFigure;
use std::path::Path;

/// An earlier run.
pub struct Past {
    /// What its log says.
    pub result: RunResult,
    /// The figure of the run before it, where there is one.
    pub previous: Option<PreviousFigure>,
}

/// Reads the run that a person named. The kept result is not used: the log decides.
///
/// # Errors
/// When there is no such run, or its log cannot be read.
pub fn read(runs_dir: &Path, named: &str) -> Result<Past, Failure> {
    let folder = history::find(runs_dir, named)?;
    let result = measured(&folder)?;
    // A report is not refused because of the run before it.
    let beside = folder.parent().unwrap_or(runs_dir);
    let previous = history::previous_figure(beside, &result).unwrap_or_default();
    Ok(Past { result, previous })
}

/// Reads all runs of the series to which the run that a person named belongs, and puts them together as
/// the series itself did.
///
/// # Errors
/// When there is no such run or it belongs to no series, or one of the logs cannot be read.
pub fn read_series(runs_dir: &Path, named: &str) -> Result<SeriesResult, Failure> {
    let folder = history::find(runs_dir, named)?;
    let series = history::series_of_run(&folder)?;
    let drawn = series.runs.iter();
    let drawn = drawn.map(|(folder, again)| Ok((measured(folder)?, *again)));
    let drawn = drawn.collect::<Result<Vec<_>, Failure>>()?;
    Ok(series_of(
        series.asked,
        series.seed,
        drawn,
        series.ended_early,
    ))
}

fn measured(folder: &Path) -> Result<RunResult, Failure> {
    let mut replay = Replay::default();
    let rest = event::replay::replay(folder, |line| replay.take_line(&line))?;
    Ok(replay.result(rest.skipped, rest.torn))
}
