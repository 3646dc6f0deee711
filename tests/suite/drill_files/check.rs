//! `firedrill check`: the place is shown, and the nearest name.

use super::{RIGHT, refused, wrong};
use crate::support::Firedrill;

/// The message names the file with line and column, and says all of `parts`.
fn says(message: &str, place: &str, parts: &[&str]) {
    assert!(
        message.contains(&format!("ours.yaml:{place}")),
        "not at {place}:\n{message}"
    );
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing:\n{message}");
    }
}

#[test]
fn a_right_file_is_right() {
    let sandbox = Firedrill::new();
    let file = sandbox.file("ours.yaml", RIGHT);
    let run = sandbox.run(&["check", &file]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn all_shipped_drills_are_right() {
    let run = Firedrill::new().run(&["check"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn an_unknown_field_is_shown_with_the_nearest_name() {
    let message = refused(&wrong("node: primary", "nod: primary"));
    says(&message, "10:", &["nod", "node"]);
}

#[test]
fn an_unknown_step_is_shown_with_the_nearest_name() {
    let message = refused(&wrong("fail_over:", "failover:"));
    says(&message, "11:", &["failover", "fail_over"]);
}

#[test]
fn a_wrong_duration_is_shown() {
    let message = refused(&wrong("within: 60s", "within: soon"));
    says(&message, "11:", &["soon"]);
}

#[test]
fn a_reference_to_no_step_is_shown() {
    let message = refused(&wrong("undo: { of: crash }", "undo: { of: crush }"));
    says(&message, "12:", &["crush", "crash"]);
}

#[test]
fn an_unknown_variable_is_shown() {
    let message = refused(&wrong("${limit}", "${limt}"));
    says(&message, "7:", &["limt", "limit"]);
}

#[test]
fn no_objectives_is_an_error() {
    let text = wrong(
        "objectives:\n  - downtime: { at_most: \"${limit}\" }\n",
        "objectives: []\n",
    );
    says(&refused(&text), "6:", &["objective"]);
}

#[test]
fn a_duplicate_key_is_shown() {
    says(
        &refused(&wrong("name: ours\n", "name: ours\nname: theirs\n")),
        "3:",
        &["name"],
    );
}

#[test]
fn several_mistakes_are_shown_at_once() {
    let text = wrong("of: crash", "of: crush").replace("within: 2m", "within: 0s");
    let message = refused(&text);
    says(&message, "12:", &["crush"]);
    says(&message, "13:", &[]);
}

#[test]
fn a_variable_that_nobody_uses_cannot_be_set() {
    let sandbox = Firedrill::new();
    let file = sandbox.file("ours.yaml", RIGHT);
    let run = sandbox.run(&["check", &file, "--set", "limitt=5s"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("limitt") && run.stderr.contains("limit"),
        "{}",
        run.stderr
    );
    let run = sandbox.run(&["check", &file, "--set", "limit=5s"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn a_file_that_is_not_there_names_what_is_shipped() {
    let run = Firedrill::new().run(&["check", "primary-crush"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("primary-crash"), "{}", run.stderr);
    let run = Firedrill::new().run(&["check", "nowhere/ours.yaml"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("nowhere/ours.yaml"), "{}", run.stderr);
}

#[test]
fn every_file_is_checked_and_each_mistake_shown() {
    let sandbox = Firedrill::new();
    let one = sandbox.file("one.yaml", &wrong("node: primary", "nod: primary"));
    let two = sandbox.file("two.yaml", &wrong("fail_over:", "failover:"));
    let right = sandbox.file("ours.yaml", RIGHT);
    let run = sandbox.run(&["check", &one, &right, &two]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("one.yaml:10:"), "{}", run.stderr);
    assert!(run.stderr.contains("two.yaml:11:"), "{}", run.stderr);
}

#[test]
fn a_target_of_a_later_version_is_refused_by_name() {
    let sandbox = Firedrill::new();
    let file = sandbox.file("ours.yaml", RIGHT);
    let target = sandbox.file(
        "kubernetes.target.yaml",
        "version: 1\nkubernetes: { drillable: true }\n",
    );
    let run = sandbox.run(&["check", &file, "--target", &target]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("kubernetes.target.yaml:2:"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("local"), "{}", run.stderr);
}

#[test]
fn plan_and_run_refuse_the_same_file_before_anything_happens() {
    let sandbox = Firedrill::new();
    let file = sandbox.file("ours.yaml", &wrong("node: primary", "nod: primary"));
    for arguments in [vec!["plan", &file], vec!["run", &file, "--yes"]] {
        let run = sandbox.run(&arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(
            run.stderr.contains("ours.yaml:10:"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    let made = std::fs::read_dir(sandbox.home().join("tmp"))
        .expect("own folder")
        .count();
    assert_eq!(made, 0, "something was started");
}

#[test]
fn no_colours_where_nobody_looks() {
    let message = refused(&wrong("node: primary", "nod: primary"));
    assert!(!message.contains('\u{1b}'), "{message:?}");
}
