//! What presses on a node without taking it down: its disk filled, processes beside its server. Each is seen from inside by
//! other means than firedrill's own, and undone by the run itself, by the watchdog, or by the labels.
//!
//! Which of them can be done hangs on where the nodes' data lie: a disk is filled only where each node has one of its own
//! (examples/patroni/small-disk.compose.yml), and writing is no load where that is memory. What cannot be done must be
//! refused before anything is touched, and that is tested instead.

use super::{Containers, docker, killed};
use firedrill::clock::Clock;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

/// Objectives that say nothing of the time it takes.
const DEMANDS: &str = "objectives:\n  - downtime: { at_most: 5m }\n";

impl Containers {
    /// Whether each node's data lie on a small disk in memory.
    fn small_disks(&self) -> bool {
        let ids = self.nodes(&[]);
        let id = ids.first().expect("a node");
        let kind = ["exec", id, "stat", "-f", "-c", "%T", "/var/lib/postgresql"];
        docker(&kind).trim() == "tmpfs"
    }

    /// Processes and files of firedrill's in the containers of the nodes, one in a line.
    fn pressing(&self) -> Vec<String> {
        let mut found = Vec::new();
        for id in self.nodes(&[]) {
            let listed = docker(&["exec", &id, "ps", "-e", "-o", "args"]);
            let ours = |line: &&str| line.contains("firedrill-");
            let processes = listed.lines().filter(ours).map(str::to_owned);
            found.extend(processes);
            let find = [
                "exec",
                &id,
                "find",
                "/var/lib/postgresql",
                "-maxdepth",
                "2",
                "-name",
                "*firedrill-*",
            ];
            found.extend(docker(&find).lines().map(str::to_owned));
        }
        found
    }

    /// Waits for what `met` says of them.
    fn wait_for(&self, what: &str, met: impl Fn(&[String]) -> bool) {
        let clock = Clock::start();
        loop {
            let found = self.pressing();
            if met(&found) {
                return;
            }
            assert!(clock.now().0 < 180_000_000, "{what}: {found:?}");
            sleep(Duration::from_millis(200));
        }
    }
}

fn passes(containers: &Containers, steps: &str, said: &[&str]) {
    let before = containers.as_found();
    assert_eq!(containers.pressing(), [""; 0]);
    let finished = containers.drill(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n{steps}"
    ));
    let text = finished.stderr;
    // What it does is asked here, and not whether this machine was quiet enough to measure it (exit code 4).
    assert!(matches!(finished.code, Some(0 | 4)), "{text}");
    for part in said.iter().chain(&["everything undone"]) {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert_eq!(containers.pressing(), [""; 0], "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
    assert_eq!(containers.of_runs(), "", "{text}");
}

/// It cannot be done on this cluster: nothing is touched.
fn refused(containers: &Containers, step: &str, why: &str) {
    let before = containers.as_found();
    let finished = containers.drill(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n{step}  - hold: {{ for: 1s }}\n"
    ));
    let text = finished.stderr;
    assert_eq!(finished.code, Some(5), "{text}");
    assert!(text.contains(why), "{why:?} is missing:\n{text}");
    assert_eq!(containers.pressing(), [""; 0], "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
    assert_eq!(containers.of_runs(), "", "{text}");
}

#[test]
fn cpu_time_is_taken_and_given_back() {
    let Some(containers) = Containers::take() else {
        return;
    };
    passes(
        &containers,
        "  - stress_cpu: { node: standby, workers: 1, id: one }\n  - hold: { for: 3s }\n  - undo: { of: one }\n  \
         - stress_cpu: { node: primary, workers: 2, id: two }\n  - hold: { for: 3s }\n  - undo: { of: two }\n  \
         - settle: { within: 30s }\n",
        &[
            "1 of 1 processes beside the server of",
            "2 of 2 processes beside the server of",
            "s of CPU time in",
        ],
    );
}

#[test]
fn a_disk_is_written_to_where_it_is_one() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let step = "  - stress_io: { node: standby, workers: 1, id: io }\n";
    if containers.small_disks() {
        refused(&containers, step, "its data lie in memory (tmpfs)");
        return;
    }
    passes(
        &containers,
        &format!(
            "{step}  - hold: {{ for: 3s }}\n  - undo: {{ of: io }}\n  - settle: {{ within: 30s }}\n"
        ),
        &["1 of 1 processes beside the server of", "to its disk in"],
    );
}

#[test]
fn a_disk_is_filled_where_it_is_one_nodes_own() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let step = "  - fill_disk: { node: standby, at_most: 2GiB, id: full }\n";
    if !containers.small_disks() {
        refused(&containers, step, "of a larger file system");
        return;
    }
    let small = "  - fill_disk: { node: standby, at_most: 1MiB, id: full }\n";
    refused(&containers, small, "so that it would not be full: allow");
    passes(
        &containers,
        &format!(
            "{step}  - hold: {{ for: 3s }}\n  - undo: {{ of: full }}\n  \
             - fill_disk: {{ node: primary, at_most: 2GiB, leave: 32MiB, id: nearly }}\n  \
             - undo: {{ of: nearly }}\n  - restore_redundancy: {{ within: 2m }}\n  - settle: {{ within: 30s }}\n"
        ),
        &["0 bytes are free on the disk of", "32.0 MiB are free on"],
    );
}

/// Starts a drill that holds its faults for a long time, and waits until all of them stand.
fn held(containers: &Containers) -> Child {
    let (steps, all) = standing(containers);
    let path = containers.write(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n{steps}  - hold: {{ for: 5m }}\n"
    ));
    let arguments = ["run", &path, "--yes", "--target", &containers.target];
    let runner = containers.firedrill.start(&arguments);
    containers.wait_for("nothing pressed", |found| found.len() >= all);
    runner
}

/// What it does, and how much is there of it when it stands.
fn standing(containers: &Containers) -> (String, usize) {
    match containers.small_disks() {
        true => (
            "  - stress_cpu: { node: standby, workers: 2, id: cpu }\n  \
             - fill_disk: { node: standby, at_most: 2GiB, id: full }\n"
                .to_owned(),
            3,
        ),
        false => (
            "  - stress_cpu: { node: standby, workers: 2, id: cpu }\n  \
             - stress_io: { node: standby, workers: 1, id: io }\n"
                .to_owned(),
            // The writer, what it runs, and the file.
            4,
        ),
    }
}

#[test]
fn when_the_runner_is_killed_the_watchdog_relieves_the_nodes() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let before = containers.as_found();
    let runner = held(&containers);
    let said = killed(runner);
    containers.wait_for(&format!("not relieved\n{said}"), <[String]>::is_empty);
    containers.wait_until_nothing_is_left();
    assert_eq!(containers.as_found(), before);
}

#[test]
fn where_runner_watchdog_and_journal_are_gone_the_labels_tell_what_presses() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let before = containers.as_found();
    let said = containers.undone_by_labels(held(&containers));
    assert!(said.contains("what pressed on"), "{said}");
    assert_eq!(containers.pressing(), [""; 0], "{said}");
    assert_eq!(containers.as_found(), before);
}
