//! The run's id and its folder: one folder holds everything that a run leaves behind.

use crate::clock;
use crate::plan::draw::unforeseen;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A run's folder, mode 0700.
#[derive(Clone, Debug)]
pub struct RunFolder {
    /// The run's id: lower-case UTC stamp and 6 hex digits, so that it fits a label.
    pub run: String,
    /// Where it lies: `RUNS/RUN`.
    pub path: PathBuf,
    /// Wall clock at its making, RFC 3339.
    pub made_at: String,
}

/// The folder cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("run folder {path}: {source}")]
pub struct FolderError {
    /// The folder.
    pub path: PathBuf,
    /// Cause.
    pub source: io::Error,
}

impl RunFolder {
    /// Makes a new run's folder below `runs`, which is made as well.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(runs: &Path) -> Result<Self, FolderError> {
        Self::make(runs, clock::wall(), unforeseen())
    }

    /// Makes the folder of a run under a virtual clock: named after its seed and the first second of the
    /// virtual calendar that is free, so that the first run of a seed always has the same id.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create_virtual(runs: &Path, seed: u64) -> Result<Self, FolderError> {
        let mut second = 0;
        loop {
            match Self::make(runs, clock::virtual_wall(second), seed) {
                Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => second += 1,
                made => return made,
            }
        }
    }

    fn make(runs: &Path, at: jiff::Timestamp, number: u64) -> Result<Self, FolderError> {
        let run = id(at, number);
        let path = runs.join(&run);
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(runs)
            .and_then(|()| DirBuilder::new().mode(0o700).create(&path));
        match made {
            Ok(()) => Ok(Self {
                run,
                path,
                made_at: at.to_string(),
            }),
            Err(source) => Err(FolderError { path, source }),
        }
    }

    /// Where diverged data is saved before it is rewound away.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }
}

fn id(at: jiff::Timestamp, number: u64) -> String {
    format!(
        "{}-{:06x}",
        at.strftime("%Y%m%dt%H%M%S"),
        number & 0xff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_id_fits_a_label_and_sorts_by_time() {
        let id = id(clock::wall(), unforeseen());
        assert_eq!(id.len(), "20261123t012233-1a2b3c".len());
        assert!(
            id.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        );
    }

    #[test]
    fn runs_of_one_seed_are_told_apart_by_virtual_seconds() {
        let runs = tempfile::tempdir().unwrap();
        let made = [7, 7, 8].map(|seed| RunFolder::create_virtual(runs.path(), seed).unwrap().run);
        assert_eq!(
            made,
            [
                "20000101t000000-000007",
                "20000101t000001-000007",
                "20000101t000000-000008"
            ]
        );
    }

    #[test]
    fn a_folder_is_private_and_never_reused() {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&runs.path().join("new/runs")).unwrap();
        let mode = std::fs::metadata(&folder.path)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_ne!(
            RunFolder::create(runs.path()).unwrap().run,
            folder.run,
            "two runs of the same second"
        );
    }
}
