//! Where the folders of runs lie, and which of them a word on the command line means.

use super::PastRun;
use crate::event::log;
use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// There is no home folder to keep runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no folder for runs: neither XDG_STATE_HOME nor a home folder is known; give one with --runs-dir"
)]
pub struct NoStateDir;

/// Why a word means no run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none at all.
    #[error("there is no run in {dir}")]
    Empty {
        /// Where was looked.
        dir: PathBuf,
    },
    /// None begins so.
    #[error("no run in {dir} begins with {given:?}; the latest is {latest}")]
    NotFound {
        /// Where was looked.
        dir: PathBuf,
        /// What was given.
        given: String,
        /// The newest run's id.
        latest: String,
    },
    /// Several begin so.
    #[error("{given:?} may be {}: give more of the id", candidates.join(", "))]
    Ambiguous {
        /// What was given.
        given: String,
        /// The ids that begin so, newest first, at most five.
        candidates: Vec<String>,
    },
    /// A folder that was given by its path holds no run.
    #[error("{path} is no run's folder: it has no {}", log::FILE_NAME)]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of runs cannot be read.
    #[error("the runs in {dir} cannot be read: {source}")]
    Io {
        /// The folder.
        dir: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// `$XDG_STATE_HOME/firedrill/runs`, by default `~/.local/state/firedrill/runs`.
///
/// # Errors
/// When there is no home folder.
pub fn default_dir() -> Result<PathBuf, NoStateDir> {
    let base = etcetera::choose_base_strategy().map_err(|_| NoStateDir)?;
    let state = base.state_dir().ok_or(NoStateDir)?;
    Ok(state.join("firedrill").join("runs"))
}

/// The ids of all runs, newest first: an id begins with its moment in UTC, so that names sort by time. A
/// folder that does not exist holds none.
pub(super) fn ids(dir: &Path) -> Result<Vec<String>, FindError> {
    let io = |source| FindError::Io {
        dir: dir.to_owned(),
        source,
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        if let Ok(name) = entry.file_name().into_string()
            && entry.path().join(log::FILE_NAME).is_file()
        {
            ids.push(name);
        }
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(ids)
}

/// All runs, newest first.
///
/// # Errors
/// When the folder exists and cannot be read; a single run that cannot be read is listed as such.
pub fn all_runs(dir: &Path) -> Result<Vec<PastRun>, FindError> {
    let ids = ids(dir)?;
    Ok(ids.iter().map(|id| PastRun::read(&dir.join(id))).collect())
}

/// The folder of the run that `given` means: "latest", an id, the beginning of exactly one id, or, where it
/// holds a slash, the path of a folder.
///
/// # Errors
/// When it means no run, or several.
pub fn find(dir: &Path, given: &str) -> Result<PathBuf, FindError> {
    if given.contains('/') {
        let path = PathBuf::from(given);
        return match path.join(log::FILE_NAME).is_file() {
            true => Ok(path),
            false => Err(FindError::NoRun { path }),
        };
    }
    let ids = ids(dir)?;
    let Some(latest) = ids.first() else {
        return Err(FindError::Empty {
            dir: dir.to_owned(),
        });
    };
    if given == "latest" {
        return Ok(dir.join(latest));
    }
    let mut fitting: Vec<&String> = ids.iter().filter(|id| id.starts_with(given)).collect();
    if let Some(exact) = fitting.iter().position(|id| *id == given) {
        fitting = vec![fitting[exact]];
    }
    match fitting.as_slice() {
        [only] => Ok(dir.join(only)),
        [] => Err(FindError::NotFound {
            dir: dir.to_owned(),
            given: given.to_owned(),
            latest: latest.clone(),
        }),
        several => Err(FindError::Ambiguous {
            given: given.to_owned(),
            candidates: several.iter().take(5).map(|id| (*id).clone()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::past_run::tests::make;

    fn three() -> tempfile::TempDir {
        let runs = tempfile::tempdir().unwrap();
        for id in [
            "20261121t100000-aaaaaa",
            "20261123t100000-cccccc",
            "20261122t100000-bbbbbb",
        ] {
            make(runs.path(), id, 1);
        }
        // Neither a file nor a folder without a log is a run.
        fs::write(runs.path().join("99999999-note"), "").unwrap();
        fs::create_dir(runs.path().join("99999999-empty")).unwrap();
        runs
    }

    fn found(dir: &Path, given: &str) -> Result<String, String> {
        match find(dir, given) {
            Ok(path) => Ok(path.file_name().unwrap().to_string_lossy().into_owned()),
            Err(error) => Err(error.to_string().replace(&*dir.to_string_lossy(), "RUNS")),
        }
    }

    #[test]
    fn runs_lie_in_the_state_folder_of_the_user() {
        let dir = default_dir().unwrap();
        assert!(
            dir.is_absolute() && dir.ends_with("firedrill/runs"),
            "{dir:?}"
        );
    }

    #[test]
    fn runs_come_newest_first() {
        let runs = three();
        let all = all_runs(runs.path()).unwrap();
        let ids: Vec<&str> = all.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "20261123t100000-cccccc",
                "20261122t100000-bbbbbb",
                "20261121t100000-aaaaaa"
            ]
        );
        assert_eq!(all_runs(&runs.path().join("gone")).unwrap(), []);
    }

    #[test]
    fn a_word_means_one_run() {
        let runs = three();
        assert_eq!(
            found(runs.path(), "latest").unwrap(),
            "20261123t100000-cccccc"
        );
        assert_eq!(
            found(runs.path(), "20261122").unwrap(),
            "20261122t100000-bbbbbb"
        );
        let path = runs.path().join("20261121t100000-aaaaaa");
        assert_eq!(
            find(Path::new("gone"), &path.to_string_lossy()).unwrap(),
            path
        );
    }

    #[test]
    fn a_word_that_means_none_or_several_is_answered() {
        let runs = three();
        insta::assert_snapshot!(found(runs.path(), "2026112").unwrap_err(), @r#""2026112" may be 20261123t100000-cccccc, 20261122t100000-bbbbbb, 20261121t100000-aaaaaa: give more of the id"#);
        insta::assert_snapshot!(found(runs.path(), "2025").unwrap_err(), @r#"no run in RUNS begins with "2025"; the latest is 20261123t100000-cccccc"#);
        insta::assert_snapshot!(found(runs.path(), "./nowhere").unwrap_err(), @"./nowhere is no run's folder: it has no events.jsonl");
        let empty = tempfile::tempdir().unwrap();
        insta::assert_snapshot!(found(empty.path(), "latest").unwrap_err(), @"there is no run in RUNS");
    }
}
