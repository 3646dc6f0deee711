//! A node that sends slowly: proven by what passes, put back by the run itself, by the watchdog, and by the labels where
//! the journal is lost. On the pair that firedrill promotes in, which is the lightest there is.
//!
//! A rate alone is tried for real everywhere. Delay and loss need netem, which a kernel may not have: then their refusal
//! is what is seen here, and `benches/netem/run` shows them in a virtual machine.

use super::nobody_left::{both_dead, home};
use super::{Containers, docker, killed};
use firedrill::clock::Clock;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

const DEMANDS: &str = "objectives:\n  - downtime: { at_most: 2m }\n";
/// The handle of firedrill's own queues, as `tc` prints it.
const OURS: &str = "6664:";

impl Containers {
    /// Every queue of firedrill's in the networks of its nodes, one line each, as the system's own `tc` tells them.
    fn queues(&self) -> Vec<String> {
        let mut found = Vec::new();
        for id in self.ids() {
            let process = docker(&["inspect", "--format", "{{.State.Pid}}", &id]);
            let said = Command::new("nsenter")
                .args(["--target", process.trim(), "--net", "tc", "qdisc", "show"])
                .output()
                .expect("nsenter");
            assert!(said.status.success(), "{said:?}");
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            let ours = said.lines().filter(|line| line.contains(OURS));
            found.extend(ours.map(str::to_owned));
        }
        found
    }

    /// What is left of all runs in the pair's networks: their locks, and those that they let in.
    fn left(&self) -> String {
        let image = docker(&["inspect", "--format", "{{.Image}}", &self.ids()[0]]);
        let made_of_it = format!("ancestor={}", image.trim());
        let ours = ["--filter", "label=firedrill/run", "--filter", &made_of_it];
        docker(&[&["ps", "--all", "--quiet"][..], &ours].concat())
    }
}

/// The pair, where its networks can be looked at: that takes root, and `tc`.
fn pair() -> Option<Containers> {
    let looks = Command::new("nsenter")
        .args(["--net=/proc/self/ns/net", "tc", "-V"])
        .output();
    if !looks.is_ok_and(|said| said.status.success()) {
        eprintln!(
            "not run: nobody here may look at a container's queues (nsenter and tc, as root)"
        );
        return None;
    }
    let pair = Containers::plain()?;
    assert_eq!(pair.queues(), [""; 0]);
    Some(pair)
}

#[test]
fn what_a_node_sends_is_limited_and_let_go() {
    let Some(pair) = pair() else { return };
    let before = pair.as_found();
    let finished = pair.drill(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  \
         - slow_network: {{ node: primary, to: peers, rate: 2mbit, id: one }}\n  - undo: {{ of: one }}\n  \
         - slow_network: {{ node: standby, rate: 20mbit, id: two }}\n  - release: {{ of: two }}\n  \
         - restore_redundancy: {{ within: 2m }}\n  - settle: {{ within: 30s }}\n"
    ));
    let text = finished.stderr;
    // What it does is asked here, and not whether this machine was quiet enough to measure it (exit code 4).
    assert!(matches!(finished.code, Some(0 | 4)), "{text}");
    assert_eq!(text.matches(") is proven: ").count(), 2, "{text}");
    for part in ["pass a second", "sends as before", "everything undone"] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert_eq!(pair.queues(), [""; 0], "{text}");
    assert_eq!(pair.as_found(), before, "{text}");
    assert_eq!(pair.left(), "", "{text}");
}

#[test]
fn when_the_runner_is_killed_the_watchdog_lets_the_node_send() {
    let Some(pair) = pair() else { return };
    let before = pair.as_found();
    let path = pair.write(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  - slow_network: {{ node: primary, rate: 20mbit }}\n  \
         - hold: {{ for: 5m }}\n"
    ));
    let runner = pair
        .firedrill
        .start(&["run", &path, "--yes", "--target", &pair.target]);
    let clock = Clock::start();
    // It is on two networks.
    while pair.queues().len() < 2 {
        assert!(clock.now().0 < 120_000_000, "nothing was slowed down");
        sleep(Duration::from_millis(200));
    }
    for queue in pair.queues() {
        assert!(queue.starts_with("qdisc tbf 6664: dev eth"), "{queue}");
        assert!(queue.contains("rate 20Mbit"), "{queue}");
    }
    let said = killed(runner);
    let clock = Clock::start();
    while !pair.queues().is_empty() || !pair.left().is_empty() {
        assert!(
            clock.now().0 < 180_000_000,
            "not put back: {:?} {}\n{said}",
            pair.queues(),
            pair.left()
        );
        sleep(Duration::from_millis(500));
    }
    assert_eq!(pair.as_found(), before);
}

#[test]
fn where_the_journal_is_lost_the_labels_are_enough() {
    let Some(pair) = pair() else { return };
    let before = pair.as_found();
    let firedrill = home(&pair);
    let fault = "  - slow_network: { node: standby, to: peers, rate: 2mbit, id: fault }\n";
    let run = both_dead(&pair, &firedrill, fault);
    assert_eq!(pair.queues().len(), 1);
    std::fs::remove_dir_all(&run).expect("the run's folder");
    for said in ["everything is put back", "nothing to undo"] {
        let undone = firedrill.run(&["undo", "--target", &pair.target]);
        assert_eq!(undone.code, Some(0), "{}", undone.stderr);
        assert!(undone.stderr.contains(said), "{}", undone.stderr);
        assert_eq!(pair.queues(), [""; 0], "{}", undone.stderr);
        assert_eq!(pair.left(), "", "{}", undone.stderr);
    }
    assert_eq!(pair.as_found(), before);
}

#[test]
fn what_belongs_to_somebody_else_stays_and_what_a_kernel_lacks_is_refused() {
    let Some(pair) = pair() else { return };
    let steps = |fault: &str| {
        format!(
            "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  - slow_network: {{ node: primary, {fault} }}\n"
        )
    };
    let id = &pair.ids()[0];
    let process = docker(&["inspect", "--format", "{{.State.Pid}}", id]);
    let tc = |words: &str| {
        let mut tc = Command::new("nsenter");
        tc.args(["--target", process.trim(), "--net", "tc"]);
        let said = tc.args(words.split(' ')).output().expect("tc");
        (
            said.status.success(),
            String::from_utf8_lossy(&said.stdout).into_owned(),
        )
    };
    assert!(tc("qdisc add dev eth0 root handle 5: tbf rate 900mbit burst 1mb latency 400ms").0);
    // Whichever of the two it is, one of them has it.
    let finished = pair.drill(&steps("rate: 20mbit").replace("primary", "all"));
    let (_, now) = tc("qdisc show dev eth0");
    assert!(tc("qdisc del dev eth0 root").0);
    assert!(now.contains("qdisc tbf 5: root"), "{now}");
    let text = finished.stderr;
    assert_ne!(finished.code, Some(0), "{text}");
    assert!(
        text.contains("a queue of somebody else (held by tbf 5:)"),
        "{text}"
    );
    assert_eq!(pair.queues(), [""; 0], "{text}");

    let finished = pair.drill(&steps("delay: 100ms, jitter: 20ms, loss: 5%"));
    let text = finished.stderr;
    match finished.code {
        Some(5) => {
            assert!(text.contains("machine has no netem"), "{text}");
            assert!(text.contains("modprobe sch_netem"), "{text}");
        }
        // A kernel that has it.
        code => {
            assert!(matches!(code, Some(0 | 4)), "{text}");
            assert!(text.contains("an answer takes"), "{text}");
        }
    }
    assert_eq!(pair.queues(), [""; 0], "{text}");
    assert_eq!(pair.left(), "", "{text}");
}
