//! Packets that are lost between a node and others while it stays on its networks: from the store of the leader key
//! alone, and one way alone; each seen from inside, and put back by the run itself or by the watchdog.

use super::{Containers, docker, killed};
use firedrill::clock::Clock;
use std::thread::sleep;
use std::time::Duration;

/// Objectives that say nothing of the time it takes.
const DEMANDS: &str = "objectives:\n  - downtime: { at_most: 2m }\n";
/// The hardware address that nobody has, as /proc prints it.
const NOBODY: &str = "02:66:64:00:00:01";

impl Containers {
    /// Every entry of firedrill's in the network of a container that may be drilled, as `CONTAINER ADDRESS` lines. Read
    /// by the container's own `cat`, so that it is nothing of firedrill's that says so.
    pub(super) fn entries(&self) -> Vec<String> {
        let mut found = Vec::new();
        // Nobody can be asked inside one that is paused.
        for id in self.drillable(&["--filter", "status=running"]).lines() {
            let name = docker(&["inspect", "--format", "{{.Name}}", id]);
            let table = docker(&["exec", id, "cat", "/proc/net/arp"]);
            for line in table.lines().filter(|line| line.contains(NOBODY)) {
                let address = line.split_ascii_whitespace().next().unwrap_or_default();
                found.push(format!("{} {address}", name.trim()));
            }
        }
        found.sort();
        found
    }
}

fn passes(steps: &str, said: &[&str]) {
    let Some(containers) = Containers::take() else {
        return;
    };
    assert_eq!(containers.entries(), [""; 0]);
    let before = containers.as_found();
    let finished = containers.drill(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n{steps}"
    ));
    let text = finished.stderr;
    // What it does is asked here, and not whether this machine was quiet enough to measure it (exit code 4).
    assert!(matches!(finished.code, Some(0 | 4)), "{text}");
    for part in said.iter().chain(&["everything undone"]) {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let cuts = steps.matches("- cut:").count();
    assert_eq!(text.matches(") is proven: ").count(), cuts, "{text}");
    assert_eq!(containers.entries(), [""; 0], "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
    assert_eq!(containers.of_runs(), "", "{text}");
}

#[test]
fn a_standby_is_cut_from_the_dcs_alone_and_put_back() {
    passes(
        "  - cut: { node: standby, from: dcs, id: alone }\n  - hold: { for: 3s }\n  - undo: { of: alone }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["packets are lost from", "found out by UDP"],
    );
}

#[test]
fn a_primary_that_is_cut_from_the_dcs_alone_is_replaced() {
    passes(
        "  - cut: { node: primary, from: dcs, id: alone }\n  - fail_over: { within: 90s }\n  - undo: { of: alone }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["packets are lost from", "promoted by Patroni"],
    );
}

#[test]
fn packets_are_lost_one_way_and_pass_the_other() {
    passes(
        "  - cut: { node: standby, from: peers, direction: in, id: deaf }\n  - hold: { for: 2s }\n  \
         - undo: { of: deaf }\n  \
         - cut: { node: primary, from: peers, direction: out, id: dumb }\n  - hold: { for: 2s }\n  \
         - undo: { of: dumb }\n  \
         - cut: { node: standby, from: dcs, direction: out, id: third }\n  - undo: { of: third }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["packets are lost from", "and packets pass from"],
    );
}

#[test]
fn when_the_runner_is_killed_the_watchdog_lets_packets_pass_again() {
    let Some(containers) = Containers::take() else {
        return;
    };
    assert_eq!(containers.entries(), [""; 0]);
    let before = containers.as_found();
    let path = containers.write(
        "objectives:\n  - downtime: { at_most: 2m }\nsteps:\n  - baseline: { for: 5s }\n  \
         - cut: { node: standby, from: dcs, id: alone }\n  - hold: { for: 5m }\n",
    );
    let firedrill = &containers.firedrill;
    let runner = firedrill.start(&["run", &path, "--yes", "--target", &containers.target]);
    let clock = Clock::start();
    // Three members, and each of them for the node.
    while containers.entries().len() < 6 {
        assert!(
            clock.now().0 < 120_000_000,
            "nothing was cut: {:?}",
            containers.entries()
        );
        sleep(Duration::from_millis(200));
    }
    let said = killed(runner);
    let clock = Clock::start();
    while !containers.entries().is_empty() {
        assert!(
            clock.now().0 < 180_000_000,
            "not put back: {:?}\n{said}",
            containers.entries()
        );
        sleep(Duration::from_millis(500));
    }
    containers.wait_until_nothing_is_left();
    assert_eq!(containers.as_found(), before);
}
