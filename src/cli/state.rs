//! Where firedrill keeps what outlives a run, from the arguments that may say otherwise.

use super::choices::RunsChoice;
use super::failure::Failure;
use crate::history;
use crate::undo::open_runs::Registry;
use std::path::PathBuf;

/// The folder that holds the runs.
///
/// # Errors
/// When none is given and there is no home folder.
pub fn runs_dir(choice: &RunsChoice) -> Result<PathBuf, Failure> {
    match &choice.runs_dir {
        Some(dir) => Ok(dir.clone()),
        None => Ok(history::default_dir()?),
    }
}

/// The registry of runs that are not undone. It lies in the user's state folder whatever `--runs-dir` says,
/// so that a run is found by its target wherever its folder lies; `None` without a home folder.
pub fn registry() -> Option<Registry> {
    let runs = history::default_dir().ok()?;
    Some(Registry::below(runs.parent()?))
}
