//! The runner dies by SIGKILL after each entry of its journal: within the watchdog's limit no container is paused,
//! stopped, off a network or otherwise than it was found, and nothing of firedrill's is left.
//!
//! Two drills are tried; `FIREDRILL_TEST_ENTRIES` names others (`primary-cut-off,dcs-loss`), or `all` that are shipped and
//! that this cluster can carry out, which takes some hours. The cluster is that of `FIREDRILL_TEST_TARGET`, which may be the
//! plain pair. What is written before the fault is the same in every drill, so that the runner is killed there in the first
//! one only.

use super::{Containers, TRIES, WORKLOAD, left_of, sockets};
use crate::support::{Finished, Firedrill};
use firedrill::clock::Clock;
use firedrill::drill::shipped;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Those of every test run: a node down, and what stands beside the nodes.
const ALWAYS: &str = "node-loss,router-loss";
/// More entries than any shipped drill writes.
const MOST_ENTRIES: usize = 60;
/// How long a watchdog may take: two undos with their limits, and the convergence of the cluster.
const WATCHDOG: u64 = 240;
/// By it the fault strikes as soon as the baseline is over; its moment is drawn elsewhere.
const SEED: &str = "12";
/// Until a fault that was written down has struck.
const STRUCK: Duration = Duration::from_secs(3);

/// Until whoever leads clients to the primary may have found it again.
const SERVED: Duration = Duration::from_secs(10);

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
    // How many entries a journal has before its first fault.
    let mut unbroken = 0;
    for drill in drills {
        let path = with_patience(&containers, drill);
        let planned = containers
            .firedrill
            .run(&["plan", &path, "--target", &containers.target]);
        if planned.code != Some(0) {
            eprintln!("not tried: {drill} is refused on this cluster");
            continue;
        }
        for entries in unbroken + 1..=MOST_ENTRIES {
            let kill = |pause| killed_after(&containers, (drill, &path), entries, pause);
            let Some(journal) = kill(Duration::ZERO) else {
                eprintln!("{drill}: killed after each entry up to {}", entries - 1);
                break;
            };
            let newest = journal.lines().last().unwrap_or_default();
            if !journal.contains("\"intent\"") {
                unbroken = entries;
            } else if newest.contains("\"intent\"") {
                // At once the fault is on its way; a little later it has struck.
                kill(STRUCK);
            }
        }
    }
}

/// The drill with wide deadlines, because a busy machine is no reason to refuse its baseline, and without long waiting.
fn with_patience(containers: &Containers, drill: &str) -> String {
    let text = shipped::find(drill).expect("a shipped drill").text;
    let text = text.replace("away: 90s", "away: 5s");
    let (head, rest) = text.split_once("\nsummary:").expect("a summary");
    let patient = format!("{head}\n{WORKLOAD}\nsummary:{rest}");
    containers
        .firedrill
        .file(&format!("{drill}.yaml"), &patient)
}

/// Kills a run once its journal has so many entries, or a little later, and gives that journal; `None` where the run went
/// through before.
fn killed_after(
    containers: &Containers,
    (drill, path): (&str, &str),
    entries: usize,
    pause: Duration,
) -> Option<String> {
    let before = containers.as_found();
    for _ in 0..TRIES {
        // A home of its own: the journal is the only one in it.
        let firedrill = Firedrill::new()
            .limit(Duration::from_secs(600))
            .env("FIREDRILL_PASSWORD", &containers.password);
        let (run, finished) = start_and_kill(containers, &firedrill, path, (entries, pause));
        let said = &finished.stderr;
        let Some(run) = run else {
            assert_eq!(containers.as_found(), before, "{drill} ended: {said}");
            match finished.code {
                // Invalid, or a target that was not ready, and not by what happened after the fault.
                Some(4 | 5) if !broke_something(&firedrill) => {
                    eprintln!("{drill}, begun anew: {}", why(said));
                    // The nodes may be as they were found before clients are led to them again.
                    std::thread::sleep(SERVED);
                }
                Some(0 | 1 | 3 | 4) => return None,
                _ => panic!("{drill} ended with {:?}: {said}", finished.code),
            }
            continue;
        };
        let killed = journal(&run);
        is_put_back(
            containers,
            &run,
            &before,
            &format!("{drill}, killed after entry {entries},"),
        );
        assert!(
            !sockets(&firedrill, &run).exists(),
            "{drill}, killed after entry {entries}, left its sockets"
        );
        containers.wait_until_whole();
        return Some(killed);
    }
    panic!("{drill}: {TRIES} runs were disturbed before entry {entries}");
}

/// Waits until the containers are as they were found, nothing of the run is left, and its journal is closed.
fn is_put_back(containers: &Containers, run: &Path, before: &str, whose: &str) {
    let clock = Clock::start();
    let closed = || {
        journal(run)
            .lines()
            .last()
            .is_some_and(|line| line.contains("closed"))
    };
    while containers.as_found() != before || !left_of(run).is_empty() || !closed() {
        assert!(
            clock.now().0 < WATCHDOG * 1_000_000,
            "{whose} is not put back:\nbefore\n{before}\nnow\n{}\nleft {}\n{}",
            containers.as_found(),
            left_of(run),
            journal(run)
        );
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn journal(run: &Path) -> String {
    std::fs::read_to_string(run.join("undo.journal")).unwrap_or_default()
}

/// Whether the only run of a home got as far as its fault.
fn broke_something(firedrill: &Firedrill) -> bool {
    let runs = std::fs::read_dir(firedrill.home().join("state/firedrill/runs"));
    let mut runs = runs.into_iter().flatten().flatten();
    runs.any(|run| journal(&run.path()).contains("\"intent\""))
}

/// Why a run did not count, of what it said.
fn why(said: &str) -> &str {
    let mut lines = said.lines().map(str::trim_start);
    let reason = lines.find(|line| line.starts_with("why:") || line.starts_with("error:"));
    reason.unwrap_or(said)
}

/// Starts a run and kills it when its journal has so many entries. The run's folder, `None` where it came to its end
/// before, and what it said.
fn start_and_kill(
    containers: &Containers,
    firedrill: &Firedrill,
    drill: &str,
    (entries, pause): (usize, Duration),
) -> (Option<PathBuf>, Finished) {
    let run = ["run", drill, "--yes", "--seed", SEED, "--target"];
    let mut child = firedrill.start(&[&run[..], &[&containers.target]].concat());
    let mut running = || child.try_wait().expect("an own child").is_none();
    let reached = firedrill.lines_reached("undo.journal", "", entries, &mut running);
    std::thread::sleep(pause);
    // A run that is over in the meantime is not killed.
    let killed = reached.is_some() && child.try_wait().expect("an own child").is_none();
    if killed {
        child.kill().expect("a living runner");
    }
    let finished = firedrill.wait(child);
    match finished.code {
        None => (reached, finished),
        Some(_) => (None, finished),
    }
}
