//! The result of a run, kept beside the log that it was computed from.
//!
//! It is only a shortcut for lists: a report is always computed from the log, and a cache that is missing,
//! broken or of another version counts as none.

use crate::event::result::{RunResult, SCHEMA};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Name of the file in a run's folder.
const FILE_NAME: &str = "result.json";

/// Keeps a result in its run's folder. A reader sees the old file or the new one, never half of one.
///
/// # Errors
/// When the folder cannot be written to; nothing else depends on the cache.
pub fn store_result(folder: &Path, result: &RunResult) -> io::Result<()> {
    replace(folder, FILE_NAME, result)
}

/// Writes a file of a run's folder in one go, mode 0600.
pub(super) fn replace(folder: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = BufWriter::new(options.open(&draft)?);
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.flush()?;
    fs::rename(draft, folder.join(name))
}

/// The result that was kept, if there is one that this version can read.
#[must_use]
pub fn cached_result(folder: &Path) -> Option<RunResult> {
    let file = File::open(folder.join(FILE_NAME)).ok()?;
    let result: RunResult = serde_json::from_reader(BufReader::new(file)).ok()?;
    (result.schema == SCHEMA).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(cached_result(folder.path()), None);
        store_result(folder.path(), &sample::loss()).unwrap();
        store_result(folder.path(), &sample::pass()).unwrap();
        assert_eq!(cached_result(folder.path()), Some(sample::pass()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "{\"schema\":").unwrap();
        assert_eq!(cached_result(folder.path()), None);
        let mut newer = sample::pass();
        newer.schema = "firedrill.result/2".to_owned();
        store_result(folder.path(), &newer).unwrap();
        assert_eq!(cached_result(folder.path()), None);
    }
}
