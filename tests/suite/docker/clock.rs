//! The clock of a node is stepped, on a cluster whose nodes have their own (examples/patroni/own-clock.compose.yml), and put
//! back by the run itself, by the watchdog, or by the labels. On any other it must be refused before anything is touched.

use super::{Containers, docker, killed};
use firedrill::clock::Clock;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

const DEMANDS: &str = "objectives:\n  - downtime: { at_most: 5m }\n";

impl Containers {
    /// What the clocks of the nodes are set to, by their own files; none where they read the machine's.
    fn clocks(&self) -> Vec<String> {
        let read = |id: &String| {
            let script = "[ -z \"$FAKETIME_TIMESTAMP_FILE\" ] || cat \"$FAKETIME_TIMESTAMP_FILE\"";
            docker(&["exec", id, "sh", "-c", script])
        };
        let mut clocks: Vec<String> = self.nodes(&[]).iter().map(read).collect();
        clocks.retain(|clock| !clock.is_empty());
        clocks
    }

    /// How many nodes' clocks are stepped.
    fn stepped(&self) -> usize {
        self.clocks()
            .iter()
            .filter(|clock| *clock != "+0\n")
            .count()
    }

    fn wait_for_clocks(&self, stepped: usize, whose: &str) {
        let clock = Clock::start();
        while self.stepped() != stepped {
            assert!(clock.now().0 < 240_000_000, "{whose}: {:?}", self.clocks());
            sleep(Duration::from_millis(200));
        }
    }
}

fn steps(rest: &str) -> String {
    format!("{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n{rest}")
}

/// The cluster, where its nodes have clocks of their own.
fn with_clocks() -> Option<Containers> {
    let containers = Containers::take()?;
    if containers.clocks().is_empty() {
        eprintln!(
            "not run: the nodes of this cluster read the machine's clock (own-clock.compose.yml gives them others)"
        );
        return None;
    }
    assert_eq!(containers.stepped(), 0);
    Some(containers)
}

#[test]
fn the_clock_of_the_machine_is_never_set() {
    let Some(containers) = Containers::take() else {
        return;
    };
    if !containers.clocks().is_empty() {
        eprintln!("not run: the nodes of this cluster have clocks of their own");
        return;
    }
    let before = containers.as_found();
    let finished = containers.drill(&steps("  - clock_step: { node: standby, by: 2m }\n"));
    let text = finished.stderr;
    assert_eq!(finished.code, Some(5), "{text}");
    assert!(text.contains("is that of the engine's machine"), "{text}");
    assert!(text.contains("own-clock.compose.yml"), "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
    assert_eq!(containers.of_runs(), "", "{text}");
}

#[test]
fn it_goes_forward_and_back_and_is_right_again() {
    let Some(containers) = with_clocks() else {
        return;
    };
    let before = containers.as_found();
    let finished = containers.drill(&steps(
        "  - clock_step: { node: standby, by: 2m, id: ahead }\n  - hold: { for: 3s }\n  - undo: { of: ahead }\n  \
         - clock_step: { node: standby, by: -90s, id: behind }\n  - hold: { for: 3s }\n  - undo: { of: behind }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
    ));
    let text = finished.stderr;
    assert!(matches!(finished.code, Some(0 | 4)), "{text}");
    for part in [
        "s ahead of where it would be",
        "s behind of where it would be",
        "everything undone",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert_eq!(containers.stepped(), 0, "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
    assert_eq!(containers.of_runs(), "", "{text}");
}

/// Starts a drill that holds a stepped clock for a long time, and waits until it stands.
fn held(containers: &Containers) -> Child {
    let path = containers.write(&steps(
        "  - clock_step: { node: standby, by: 2m }\n  - hold: { for: 5m }\n",
    ));
    let arguments = ["run", &path, "--yes", "--target", &containers.target];
    let runner = containers.firedrill.start(&arguments);
    containers.wait_for_clocks(1, "no clock was stepped");
    runner
}

#[test]
fn when_the_runner_is_killed_the_watchdog_puts_it_right() {
    let Some(containers) = with_clocks() else {
        return;
    };
    let before = containers.as_found();
    let said = killed(held(&containers));
    containers.wait_for_clocks(0, &said);
    containers.wait_until_nothing_is_left();
    assert_eq!(containers.as_found(), before);
}

#[test]
fn where_runner_watchdog_and_journal_are_gone_the_labels_tell_which_clock() {
    let Some(containers) = with_clocks() else {
        return;
    };
    let before = containers.as_found();
    let said = containers.undone_by_labels(held(&containers));
    assert_eq!(containers.stepped(), 0, "{said}");
    assert_eq!(containers.as_found(), before);
}

#[test]
fn a_clock_that_is_stepped_is_not_stepped_again() {
    let Some(containers) = with_clocks() else {
        return;
    };
    let finished = containers.drill(&steps(
        "  - clock_step: { node: standby, by: 2m, id: one }\n  - clock_step: { node: { of: one }, by: -4m, id: two }\n",
    ));
    let text = finished.stderr;
    for part in [
        "it is stepped already: undo that first",
        "everything undone",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert_eq!(containers.stepped(), 0, "{text}");
    assert_eq!(containers.of_runs(), "", "{text}");
}
