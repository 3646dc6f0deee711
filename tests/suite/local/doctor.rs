//! `firedrill doctor` on this machine and on broken ones.

use crate::support::Firedrill;
use std::os::unix::fs::PermissionsExt;

#[test]
fn each_line_is_ok_warn_or_fail() {
    let sandbox = Firedrill::new();
    let run = sandbox.run(&["doctor"]);
    assert!(
        matches!(run.code, Some(0 | 5)),
        "{:?} {}",
        run.code,
        run.stderr
    );
    for line in run.stdout.lines() {
        let known = ["ok    ", "warn  ", "fail  ", "      "]
            .iter()
            .any(|begin| line.starts_with(begin));
        assert!(known, "{line:?}");
    }
    let fails = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("fail  "))
        .count();
    assert_eq!(run.code == Some(5), fails > 0, "{}", run.stdout);
}

#[test]
fn it_changes_nothing() {
    let sandbox = Firedrill::new();
    // A machine without PostgreSQL brings the fetched one along in its cache.
    let there = || ["state", "cache", "config", "tmp"].map(|folder| entries(&sandbox, folder));
    let before = there();
    sandbox.run(&["doctor"]);
    assert_eq!(there(), before);
    assert!(entries(&sandbox, "state").is_empty());
}

/// The names of what lies in a folder of its home.
fn entries(sandbox: &Firedrill, folder: &str) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(sandbox.home().join(folder)).expect("own folder");
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .collect()
}

#[test]
fn a_temporary_folder_that_cannot_be_used_is_a_fail_with_a_next_step() {
    let sandbox = Firedrill::new();
    let file = sandbox.file("in-the-way", "");
    let sandbox = sandbox.env("TMPDIR", &file);
    let run = sandbox.run(&["doctor"]);
    assert_eq!(run.code, Some(5), "{}", run.stdout);
    let fail = run.stdout.split("fail  tmp").nth(1).expect("a fail");
    assert!(fail.contains("next: set TMPDIR"), "{}", run.stdout);
}

#[test]
fn as_root_a_closed_folder_on_the_way_is_named() {
    if !runs_as_root() {
        return; // An ordinary user's servers run as that user, who passes.
    }
    let sandbox = Firedrill::new();
    let closed = sandbox.home().join("tmp");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).expect("own folder");
    let run = sandbox.run(&["doctor"]);
    assert_eq!(run.code, Some(5), "{}", run.stdout);
    assert!(
        run.plain_stdout().contains("[HOME]/tmp is closed"),
        "{}",
        run.stdout
    );
}

/// Effective user id 0, by the owner of a file that this process makes.
fn runs_as_root() -> bool {
    let file = tempfile::tempfile().expect("a temporary file");
    std::os::unix::fs::MetadataExt::uid(&file.metadata().expect("its owner")) == 0
}

#[test]
fn a_missing_engine_is_a_warning_with_a_next_step_and_a_local_drill_runs_without_one() {
    let there = Firedrill::new();
    let missing = there.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let run = missing.run(&["doctor"]);
    let said = run.stdout.split("warn  containers").nth(1);
    let said = said.unwrap_or_else(|| panic!("{}", run.stdout));
    assert!(said.contains("start the engine"), "{}", run.stdout);
    assert!(said.contains("next: "), "{}", run.stdout);
}
