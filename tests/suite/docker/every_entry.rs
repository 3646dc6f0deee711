//! The runner dies by SIGKILL after each entry of its journal: within the watchdog's limit no container is paused,
//! stopped, off a network or otherwise than it was found, and nothing of firedrill's is left.
//!
//! Two drills are tried; `FIREDRILL_TEST_ENTRIES` names others (`primary-cut-off,dcs-loss`), or `all` that are shipped and
//! that this cluster can carry out, which takes more than an hour.

use super::{Containers, left_of, sockets};
use crate::support::Firedrill;
use firedrill::clock::Clock;
use firedrill::drill::shipped;
use std::path::PathBuf;
use std::time::Duration;

/// Those of every test run: a node down, and what stands beside the nodes.
const ALWAYS: &str = "node-loss,router-loss";
/// More entries than any shipped drill writes.
const MOST_ENTRIES: usize = 60;
/// How long a watchdog may take: two undos with their limits, and the convergence of the cluster.
const WATCHDOG: u64 = 240;

#[test]
fn the_watchdog_puts_everything_back() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let named = std::env::var("FIREDRILL_TEST_ENTRIES").unwrap_or_else(|_| ALWAYS.to_owned());
    let drills: Vec<&str> = match named.as_str() {
        "all" => shipped::names().collect(),
        some => some.split(',').collect(),
    };
    for drill in drills {
        let planned = containers
            .firedrill
            .run(&["plan", drill, "--target", &containers.target]);
        if planned.code != Some(0) {
            eprintln!("not tried: {drill} is refused on this cluster");
            continue;
        }
        for entries in 1..=MOST_ENTRIES {
            if !killed_after(&containers, drill, entries) {
                break;
            }
        }
    }
}

/// Kills a run once its journal has so many entries; `false` where it ended before that.
fn killed_after(containers: &Containers, drill: &str, entries: usize) -> bool {
    let before = containers.as_found();
    // A home of its own: the journal is the only one in it.
    let firedrill = Firedrill::new()
        .limit(Duration::from_secs(600))
        .env("FIREDRILL_PASSWORD", &containers.password);
    let (run, ended) = start_and_kill(containers, &firedrill, drill, entries);
    let Some(run) = run else {
        assert_eq!(containers.as_found(), before, "{drill} ended: {ended}");
        return false;
    };
    let clock = Clock::start();
    let closed = || {
        let journal = std::fs::read_to_string(run.join("undo.journal")).unwrap_or_default();
        journal
            .lines()
            .last()
            .is_some_and(|line| line.contains("closed"))
    };
    while containers.as_found() != before || !left_of(&run).is_empty() || !closed() {
        let journal = std::fs::read_to_string(run.join("undo.journal")).unwrap_or_default();
        assert!(
            clock.now().0 < WATCHDOG * 1_000_000,
            "{drill}, killed after entry {entries}, is not put back:\nbefore\n{before}\nnow\n{}\nleft {}\n{journal}",
            containers.as_found(),
            left_of(&run)
        );
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(
        !sockets(&firedrill, &run).exists(),
        "{drill}, killed after entry {entries}, left its sockets"
    );
    containers.wait_until_whole();
    true
}

/// Starts a run and kills it when its journal has so many entries. The run's folder, or what it said at its own end.
fn start_and_kill(
    containers: &Containers,
    firedrill: &Firedrill,
    drill: &str,
    entries: usize,
) -> (Option<PathBuf>, String) {
    let mut child = firedrill.start(&["run", drill, "--yes", "--target", &containers.target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let reached = firedrill.lines_reached("undo.journal", "", entries, &mut running);
    // A run that is over in the meantime is not killed.
    let killed = reached.is_some() && child.try_wait().expect("an own child").is_none();
    if killed {
        child.kill().expect("a living runner");
    }
    let finished = firedrill.wait(child);
    match finished.code {
        None => (reached, finished.stderr),
        Some(_) => (None, finished.stderr),
    }
}
