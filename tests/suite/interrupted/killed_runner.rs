//! The runner dies by SIGKILL, after each entry of its journal and while its cluster starts: the watchdog
//! puts everything back.

use super::{CRASH, FREEZE, fresh, reached, send, start};
use crate::support::{Firedrill, each_in_turn};
use nix::sys::signal::Signal;
use std::time::Duration;

/// Opened, cluster, kill, its undo, cluster gone, closed.
const ENTRIES_OF_CRASH: usize = 6;
/// Opened, cluster, kill, freeze, their undos, cluster gone, closed.
const ENTRIES_OF_TOGETHER: usize = 8;
/// The same with the release.
const ENTRIES_OF_FREEZE: usize = 7;

#[test]
fn after_every_entry_of_primary_crash() {
    killed_after_every_entry(CRASH, ENTRIES_OF_CRASH);
}

#[test]
fn after_every_entry_of_primary_freeze() {
    killed_after_every_entry(FREEZE, ENTRIES_OF_FREEZE);
}

/// Two intents are on disk before the first fault strikes, and both are undone whenever the runner dies.
#[test]
fn after_every_entry_of_faults_that_strike_together() {
    let (kill, together) = (
        "  - kill: { node: primary, id: crash }\n  - fail_over: { within: 60s }\n",
        "  - together: [ kill: { node: primary, id: crash }, freeze: { node: standby, id: stall } ]\n  \
         - undo: { of: stall }\n",
    );
    assert!(CRASH.contains(kill), "{CRASH}");
    killed_after_every_entry(&CRASH.replace(kill, together), ENTRIES_OF_TOGETHER);
}

/// The clients of a load die with the runner, in the middle of their requests and of a long query.
#[test]
fn while_its_clients_hold_sessions_and_write() {
    if !crate::local::available() {
        return;
    }
    let kill = "  - kill: { node: primary, id: crash }\n";
    let loads = "  - load: { id: ours, clients: 4, does: long_query }\n  \
                 - load: { id: writing, clients: 4, does: { write: { every: 100ms } } }\n  \
                 - hold: { for: 60s }\n";
    assert!(CRASH.contains(kill), "{CRASH}");
    let firedrill = fresh();
    let mut child = start(&firedrill, &CRASH.replace(kill, &format!("{loads}{kill}")));
    // Each of them has its session, and requests were logged.
    reached(&firedrill, &mut child, "events.jsonl", "\"opened\"", 8);
    reached(
        &firedrill,
        &mut child,
        "events.jsonl",
        "\"load/writing\"",
        2,
    );
    send(&child, Signal::SIGKILL);
    assert_eq!(firedrill.wait(child).code, None);
    firedrill.nothing_left();
}

fn killed_after_every_entry(drill: &str, all: usize) {
    if !crate::local::available() {
        return;
    }
    // One run is let through: it tells whether there are as many entries as are tried here.
    each_in_turn((1..=all).map(Some).chain([None]), |killed_after| {
        let firedrill = fresh();
        let mut child = start(&firedrill, drill);
        let Some(entries) = killed_after else {
            let finished = firedrill.wait(child);
            assert!(
                finished.code.is_some_and(|code| code < 5),
                "{}",
                finished.stderr
            );
            firedrill.nothing_left();
            let journal = std::fs::read_to_string(firedrill.only_run().join("undo.journal"));
            let journal = journal.expect("a journal");
            assert_eq!(journal.lines().count(), all, "{journal}");
            return;
        };
        reached(&firedrill, &mut child, "undo.journal", "", entries);
        send(&child, Signal::SIGKILL);
        let finished = firedrill.wait(child);
        // After the last entry it may have come to its own end first.
        assert!(
            finished.code.is_none() || entries == all,
            "ended by itself after entry {entries}"
        );
        firedrill.nothing_left();
        can_be_reported(&firedrill, entries);
    });
}

/// As far as it came, a dead run can still be reported.
fn can_be_reported(firedrill: &Firedrill, entries: usize) {
    let run = firedrill.only_run();
    if !run.join("events.jsonl").exists() {
        return;
    }
    let name = run
        .file_name()
        .expect("an id")
        .to_string_lossy()
        .into_owned();
    let report = firedrill.run(&["report", &name, "-o", "markdown=-"]);
    assert!(
        !report.stdout.is_empty(),
        "killed after entry {entries}: {}",
        report.stderr
    );
}

#[test]
fn while_the_cluster_starts() {
    if !crate::local::available() {
        return;
    }
    each_in_turn(0..12_u64, |tenth| {
        let firedrill = fresh();
        let mut child = start(&firedrill, CRASH);
        reached(&firedrill, &mut child, "undo.journal", "", 2);
        std::thread::sleep(Duration::from_millis(tenth * 150));
        send(&child, Signal::SIGKILL);
        assert_eq!(firedrill.wait(child).code, None);
        firedrill.nothing_left();
    });
}

#[test]
fn the_load_beside_the_probes_dies_with_its_runner() {
    if !crate::local::available() {
        return;
    }
    each_in_turn([()], |()| {
        let firedrill = fresh();
        let said = firedrill.home().join("pid");
        let load = format!(
            "workload:\n  background: {{ run: [ sh, -c, \"echo $$ > {}; exec sleep 3600\" ] }}\n",
            said.display()
        );
        let mut child = start(&firedrill, &CRASH.replace("workload:\n", &load));
        reached(
            &firedrill,
            &mut child,
            "events.jsonl",
            "\"background_began\"",
            1,
        );
        reached(&firedrill, &mut child, "undo.journal", "", 3);
        let pid = std::fs::read_to_string(&said).expect("it was run");
        // What has ended may stay in the list until somebody asks how.
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            let state = stat.unwrap_or_default();
            let state = state
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.chars().next());
            !matches!(state, None | Some('Z' | 'X'))
        };
        assert!(lives(), "{pid}");
        send(&child, Signal::SIGKILL);
        assert_eq!(firedrill.wait(child).code, None);
        firedrill.nothing_left();
        assert!(!lives(), "{pid}");
    });
}
