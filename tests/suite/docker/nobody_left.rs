//! Runner and watchdog are both killed under a fault on containers: `firedrill undo` finishes by the journal, and
//! `firedrill undo --target FILE` without one, by the labels.

use super::{Containers, HELD, left_of, sockets};
use crate::support::Firedrill;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::time::Duration;

/// Entries by which the fault is on its way: opened, the lock, the intent.
const STRUCK: usize = 3;

/// Kills both under a fault, once its effect shows; gives the run's folder.
pub(super) fn both_dead(containers: &Containers, firedrill: &Firedrill, steps: &str) -> PathBuf {
    let drill = containers.write(&format!(
        "objectives:\n  - downtime: {{ at_most: 5m }}\nsteps:\n  - baseline: {{ for: 5s }}\n{steps}  - hold: {{ for: 5m }}\n"
    ));
    let mut child = firedrill.start(&["run", &drill, "--yes", "--target", &containers.target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let struck = firedrill.lines_reached("undo.journal", "", STRUCK, &mut running);
    let run = struck.expect("a fault");
    let mut running = || child.try_wait().expect("an own child").is_none();
    let held = firedrill.lines_reached("events.jsonl", HELD, 1, &mut running);
    assert!(held.is_some(), "it ended before its hold");
    firedrill.kill_watchdog();
    child.kill().expect("a living runner");
    assert_eq!(firedrill.wait(child).code, None);
    run
}

/// The containers as the engine has them, and firedrill's entries in their networks.
fn state(containers: &Containers) -> String {
    format!("{}{:?}", containers.as_found(), containers.entries())
}

pub(super) fn home(containers: &Containers) -> Firedrill {
    Firedrill::new()
        .limit(Duration::from_secs(400))
        .env("FIREDRILL_PASSWORD", &containers.password)
}

#[test]
fn by_the_journal_and_by_the_labels_where_it_is_lost() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let faults = [
        "  - power_off: { node: primary, id: fault }\n",
        "  - cut: { node: standby, from: all, id: fault }\n",
        "  - freeze: { node: standby, id: fault }\n",
        "  - lose_dcs: { id: fault }\n",
        "  - cut: { node: primary, from: dcs, id: fault }\n",
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let firedrill = home(&containers);
        let before = state(&containers);
        let run = both_dead(&containers, &firedrill, fault);
        assert_ne!(state(&containers), before, "{fault} did nothing");
        assert!(
            sockets(&firedrill, &run).exists(),
            "{fault}: looked for elsewhere"
        );
        // Another run is refused as long as that one is not undone.
        let lost = number % 2 == 0;
        let undone = match lost {
            true => {
                std::fs::remove_dir_all(&run).expect("the run's folder");
                firedrill.run(&["undo", "--target", &containers.target])
            }
            false => firedrill.run(&["undo"]),
        };
        assert_eq!(undone.code, Some(0), "{fault}: {}", undone.stderr);
        assert!(
            undone.stderr.contains("everything is put back"),
            "{}",
            undone.stderr
        );
        assert_eq!(state(&containers), before, "{fault}: {}", undone.stderr);
        let left = left_of(&run);
        assert_eq!(left, "", "{fault}: {}", undone.stderr);
        assert!(
            !sockets(&firedrill, &run).exists(),
            "{fault}: {}",
            undone.stderr
        );
        let again = firedrill.run(&["undo", "--target", &containers.target]);
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        assert!(again.stderr.contains("nothing to undo"), "{}", again.stderr);
        containers.wait_until_whole();
    }
}

#[test]
fn a_run_that_lives_is_left_alone() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let firedrill = home(&containers);
    let drill = containers.write(
        "objectives:\n  - lost_commits: { at_most: 0 }\nsteps:\n  - baseline: { for: 30s }\n",
    );
    let mut child = firedrill.start(&["run", &drill, "--yes", "--target", &containers.target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let began = firedrill.lines_reached("events.jsonl", "\"step_began\"", 1, &mut running);
    assert!(began.is_some(), "it ended before its baseline");
    let here = firedrill.run(&["undo", "--target", &containers.target]);
    assert_eq!(here.code, Some(5), "{}", here.stderr);
    assert!(here.stderr.contains("still lives"), "{}", here.stderr);
    // From a home that has no journal of it, by the lock alone.
    let elsewhere = home(&containers).run(&["undo", "--target", &containers.target]);
    assert_eq!(elsewhere.code, Some(5), "{}", elsewhere.stderr);
    assert!(
        elsewhere.stderr.contains("still lives"),
        "{}",
        elsewhere.stderr
    );
    kill(
        Pid::from_raw(i32::try_from(child.id()).expect("a number")),
        Signal::SIGINT,
    )
    .expect("the runner");
    assert_eq!(firedrill.wait(child).code, Some(130));
}
