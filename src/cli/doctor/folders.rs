//! The folders that firedrill writes to.

use super::finding::Finding;
use std::path::Path;

/// Whether a file can be made in a folder, or in the nearest one above it that exists.
pub fn writable(about: &'static str, folder: &Path, how_to_move: &str) -> Finding {
    let Some(there) = folder.ancestors().find(|folder| folder.exists()) else {
        return Finding::fail(
            about,
            format!("{} has no beginning", folder.display()),
            how_to_move,
        );
    };
    match tempfile_in(there) {
        Ok(()) => Finding::ok(about, folder.display().to_string()),
        Err(error) => Finding::fail(
            about,
            format!("{}: cannot be written: {error}", folder.display()),
            how_to_move,
        ),
    }
}

/// Makes a file and removes it again.
fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".firedrill-doctor-{}", std::process::id()));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let home = tempfile::tempdir().unwrap();
        let finding = writable("state", &home.path().join("a/b"), "set XDG_STATE_HOME");
        assert_eq!(finding.level, Level::Ok);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_found() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("state"), "").unwrap();
        let finding = writable("state", &home.path().join("state"), "set XDG_STATE_HOME");
        assert_eq!(finding.level, Level::Fail);
    }
}
