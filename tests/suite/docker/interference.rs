//! Somebody else's hands on the containers while a drill runs: never a false pass, and what cannot be put back is said.
//!
//! On a pair of its own, made from examples/plain/docker-compose.yml and removed at the end, since a container that is
//! gone is gone.

use super::{Containers, PLAIN, WORKLOAD, docker, left_by};
use crate::support::{Finished, Firedrill};
use std::process::Command;
use std::time::Duration;

const COMPOSE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/plain/docker-compose.yml"
);
const PROJECT: &str = "firedrill-interference";
const HEAD: &str = "version: 1\nname: ours\nsummary: A test.\nwhy: It is tried.\n";

/// A pair beside the one of the other tests.
struct OwnPair;

impl OwnPair {
    fn up() -> Self {
        let pair = Self;
        let made = compose(&["up", "--detach", "--wait"]);
        assert!(made.0, "{}", made.1);
        pair
    }

    fn name(node: &str) -> String {
        format!("{PROJECT}-{node}-1")
    }
}

impl Drop for OwnPair {
    fn drop(&mut self) {
        let _ = compose(&["down", "--volumes", "--timeout", "1"]);
    }
}

/// Whether it went well, and what it said.
fn compose(arguments: &[&str]) -> (bool, String) {
    let said = Command::new("docker")
        .args(["compose", "--project-name", PROJECT, "--file", COMPOSE])
        .args(arguments)
        .env("FIREDRILL_PLAIN_FRONT", "198.18.150")
        .env("FIREDRILL_PLAIN_BACK", "198.18.151")
        .env("FIREDRILL_PRIMARY_PORT", "5050")
        .env("FIREDRILL_STANDBY_PORT", "5051")
        .output()
        .expect("docker");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    (said.status.success(), text)
}

/// Runs the steps, with `deed` done once the step of that number (from 1) has begun.
fn disturbed(steps: &str, number: usize, deed: impl FnOnce()) -> (Firedrill, Finished) {
    let firedrill = Firedrill::new()
        // A node that is gone is waited for until no more than that is left to do.
        .limit(Duration::from_secs(600))
        .env("FIREDRILL_PASSWORD", "example");
    let target = PLAIN
        .replace("project: firedrill-plain", &format!("project: {PROJECT}"))
        .replace("127.0.0.1:5010", "127.0.0.1:5050")
        .replace("127.0.0.1:5011", "127.0.0.1:5051");
    let target = format!("{target}\nlimits: {{ sessions: 50 }}\n");
    let target = firedrill.file("own.target.yaml", &target);
    let demands = "objectives:\n  - lost_commits: { at_most: 0 }\n";
    let drill = format!("{HEAD}{WORKLOAD}\n{demands}steps:\n{steps}");
    let drill = firedrill.file("ours.yaml", &drill);
    let mut child = firedrill.start(&["run", &drill, "--yes", "--target", &target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let begun = firedrill.lines_reached("events.jsonl", "\"step_began\"", number, &mut running);
    if begun.is_some() {
        deed();
    }
    let finished = firedrill.wait(child);
    assert!(
        begun.is_some(),
        "it ended before step {number}: {}",
        finished.stderr
    );
    (firedrill, finished)
}

#[test]
fn a_primary_that_somebody_restarts_in_the_baseline_makes_the_run_invalid() {
    // Held to the end: one such pair at a time.
    let Some(_turn) = Containers::plain() else {
        return;
    };
    let _pair = OwnPair::up();
    let primary = OwnPair::name("primary");
    let steps = "  - baseline: { for: 20s }\n  - kill: { node: standby, id: fault }\n";
    let (_home, run) = disturbed(steps, 1, || {
        docker(&["restart", &primary]);
    });
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(run.stderr.contains("before any fault"), "{}", run.stderr);
    assert!(run.stderr.contains("nothing was broken"), "{}", run.stderr);
}

#[test]
fn a_container_that_somebody_removes_is_named_and_the_run_does_not_pass() {
    // Held to the end: one such pair at a time.
    let Some(_turn) = Containers::plain() else {
        return;
    };
    let _pair = OwnPair::up();
    let standby = OwnPair::name("standby");
    let steps = "  - baseline: { for: 5s }\n  - kill: { node: standby, id: fault }\n  - hold: { for: 10s }\n";
    let (home, run) = disturbed(steps, 3, || {
        docker(&["rm", "--force", &standby]);
    });
    assert_eq!(run.code, Some(6), "{}", run.stderr);
    let gone = "was removed; a new one of the same name is another node";
    assert!(run.stderr.contains(gone), "{}", run.stderr);
    // It is not forgotten either: its watchdog tries again, or the undo by hand says the same.
    let undone = home.run(&["undo"]);
    assert!(matches!(undone.code, Some(5 | 6)), "{}", undone.stderr);
    // Nobody can put that back, so that its lock would stay.
    for id in left_by(&home).split_whitespace() {
        docker(&["rm", "--force", id]);
    }
}
