//! Every text that is kept for fuzzing goes through the program once: shipped files, recorded logs, typical
//! mistakes, and whatever a fuzzer found before it was mended.

#[path = "../../fuzz/src/entries.rs"]
mod entries;

use crate::support::{package, read};

/// Feeds all files of some folders to an entry; returns how many there were.
fn each_kept(folders: [&str; 2], entry: impl Fn(&[u8])) -> usize {
    let mut files: Vec<_> = folders
        .into_iter()
        .flat_map(|folder| {
            std::fs::read_dir(package().join(folder)).expect("a folder that is kept")
        })
        .map(|file| file.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    for file in &files {
        let bytes = std::fs::read(file).expect("a kept file");
        let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| entry(&bytes)));
        assert!(fed.is_ok(), "{} made it panic", file.display());
    }
    files.len()
}

#[test]
fn drill_files() {
    let folders = ["fuzz/corpus/drill_file", "drills"];
    assert!(each_kept(folders, entries::drill_file) >= 20);
}

#[test]
fn target_files() {
    let folders = ["fuzz/corpus/target_file", "examples"];
    assert!(each_kept(folders, entries::target_file) >= 6);
}

#[test]
fn event_logs() {
    let folders = ["fuzz/corpus/event_log", "fuzz/corpus/journal"];
    assert!(each_kept(folders, entries::event_log) >= 8);
}

#[test]
fn journals() {
    let folders = ["fuzz/corpus/journal", "fuzz/corpus/event_log"];
    assert!(each_kept(folders, entries::journal) >= 8);
}

/// Each fuzz target has its corpus and is run by the script that CI calls.
#[test]
fn every_target_is_run() {
    let script = read("fuzz/run");
    assert!(
        read(".ci/run")
            .lines()
            .any(|line| line.starts_with("step fuzzing ") && line.contains(" fuzz/run 60"))
    );
    for entry in std::fs::read_dir(package().join("fuzz/targets")).expect("the targets") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            package().join("fuzz/corpus").join(&name).is_dir(),
            "{name} keeps no corpus"
        );
        assert!(script.contains(&name), "fuzz/run does not know {name}");
    }
}
