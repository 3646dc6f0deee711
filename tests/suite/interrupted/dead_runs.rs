//! What `undo` says of runs that died, that live, and that there are none.

use crate::support::Firedrill;
use firedrill::clock::Clock;
use firedrill::undo::JournalOwner;
use firedrill::undo::journal::{Journal, Opened};
use serde_json::json;
use std::path::PathBuf;

const RUN: &str = "20261123t101500-1a2b3c";

/// The folder of a run whose journal this process holds.
fn begun(sandbox: &Firedrill, run: &str) -> (PathBuf, JournalOwner) {
    let folder = sandbox.home().join("state/firedrill/runs").join(run);
    std::fs::create_dir_all(&folder).expect("own folder");
    let cluster = sandbox.home().join("tmp").join(format!("firedrill-{run}"));
    let facts = json!({ "folder": cluster });
    let opened = Opened::by_this_process(run, "local", "local:test", facts, Clock::start());
    let owner = JournalOwner::create(&folder, opened).expect("a fresh journal");
    (folder, owner)
}

#[test]
fn nothing_to_undo_is_said() {
    let run = Firedrill::new().run(&["undo"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("nothing to undo"), "{}", run.stderr);
}

#[test]
fn a_dead_run_is_undone_once_and_again_is_harmless() {
    let sandbox = Firedrill::new();
    let (folder, owner) = begun(&sandbox, RUN);
    drop(owner);
    let run = sandbox.run(&["undo"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    insta::assert_snapshot!(run.plain_stderr(), @r"
    run [RUN]: undone: [HOME]/tmp/firedrill-[RUN] is gone already
    run [RUN]: everything is put back
    ");
    assert!(Journal::read(&folder).expect("it").is_closed());
    let again = sandbox.run(&["undo"]);
    assert_eq!(again.code, Some(0));
    assert!(again.stderr.contains("nothing to undo"), "{}", again.stderr);
}

#[test]
fn each_dead_run_of_a_target_is_undone() {
    let sandbox = Firedrill::new();
    let dead = [RUN, "20261123t111500-1a2b3c"].map(|run| begun(&sandbox, run).0);
    let run = sandbox.run(&["undo", "--target", "local"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for folder in dead {
        assert!(
            Journal::read(&folder).expect("it").is_closed(),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_run_is_named_by_the_beginning_of_its_id_or_its_folder() {
    let sandbox = Firedrill::new();
    let (first, _) = begun(&sandbox, RUN);
    let (second, _) = begun(&sandbox, "20261123t111500-1a2b3c");
    let run = sandbox.run(&["undo", "20261123t10"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(Journal::read(&first).expect("it").is_closed());
    assert!(!Journal::read(&second).expect("it").is_closed());
    let run = sandbox.run(&["undo", second.to_str().expect("plain")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(Journal::read(&second).expect("it").is_closed());
}

#[test]
fn a_living_run_is_left_alone() {
    let sandbox = Firedrill::new();
    let (folder, owner) = begun(&sandbox, RUN);
    for arguments in [vec!["undo"], vec!["undo", RUN]] {
        let run = sandbox.run(&arguments);
        assert_eq!(run.code, Some(5), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("next: "), "{}", run.stderr);
    }
    assert!(!Journal::read(&folder).expect("it").is_closed());
    drop(owner);
}

#[test]
fn a_folder_that_is_not_ours_is_never_touched() {
    let sandbox = Firedrill::new();
    let (folder, owner) = begun(&sandbox, RUN);
    drop(owner);
    let foreign = sandbox.home().join("tmp").join(format!("firedrill-{RUN}"));
    std::fs::create_dir(&foreign).expect("own folder");
    std::fs::write(foreign.join("thesis.tex"), "years of work").expect("a file");
    let run = sandbox.run(&["undo"]);
    assert_eq!(run.code, Some(6), "{}", run.stderr);
    assert!(run.stderr.contains("thesis.tex"), "{}", run.stderr);
    assert!(foreign.join("thesis.tex").exists());
    assert!(!Journal::read(&folder).expect("it").is_closed());
}

#[test]
fn a_run_that_nobody_knows_is_a_wrong_argument() {
    let run = Firedrill::new().run(&["undo", "20300101t000000-ffffff"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("next: firedrill"), "{}", run.stderr);
}

#[test]
fn doctor_names_a_dead_run() {
    let sandbox = Firedrill::new();
    drop(begun(&sandbox, RUN));
    let run = sandbox.run(&["doctor"]);
    assert!(
        run.stdout.contains(&format!("next: firedrill undo {RUN}")),
        "{}",
        run.stdout
    );
}
