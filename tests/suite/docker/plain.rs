//! A pair in which nobody fails over but firedrill: it promotes, never beside another primary, and the old primary
//! comes back behind the new one.

use super::{Containers, PLAIN, docker, killed};
use firedrill::clock::Clock;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

const DEMANDS: &str =
    "objectives:\n  - downtime: { at_most: 2m }\n  - two_writers: { at_most: 0 }\n";
/// What was acknowledged last may not have reached the standby: replication is asynchronous here.
const ASYNCHRONOUS: &str = "  - lost_commits: { at_most: 100 }\n";
const AFTERWARDS: &str = "  - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n";

/// The containers that take writes, asked inside them.
fn writable(pair: &Containers) -> Vec<String> {
    let mut writable = pair.ids();
    writable.retain(|id| {
        let asked = std::process::Command::new("docker")
            .args(["exec", "--user", "postgres", id, "psql", "-XAtqc"])
            .arg("select pg_is_in_recovery()")
            .output();
        asked.expect("docker").stdout.starts_with(b"f")
    });
    writable
}

fn passes(demands: &str, steps: &str, said: &[&str]) {
    let Some(pair) = Containers::plain() else {
        return;
    };
    let before = pair.as_found();
    let old = writable(&pair);
    let finished = pair.drill(&format!(
        "{DEMANDS}{demands}steps:\n  - baseline: {{ for: 5s }}\n{steps}{AFTERWARDS}"
    ));
    let text = &finished.stderr;
    assert_eq!(finished.code, Some(0), "{text}");
    for part in said {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert_eq!(pair.as_found(), before, "{text}");
    let new = writable(&pair);
    assert_eq!((old.len(), new.len()), (1, 1), "{text}");
    assert_ne!(old, new, "{text}");
}

#[test]
fn a_killed_primary_is_replaced_by_firedrill_and_follows_the_new_one() {
    passes(
        ASYNCHRONOUS,
        "  - kill: { node: primary, id: crash }\n  - fail_over: { within: 60s }\n  - undo: { of: crash }\n",
        &["promoted by firedrill", "everything undone"],
    );
}

#[test]
fn a_frozen_primary_is_out_of_the_way_before_another_is_promoted() {
    passes(
        ASYNCHRONOUS,
        "  - freeze: { node: primary, id: stall }\n  - fail_over: { within: 60s }\n  - release: { of: stall }\n  \
         - hold: { for: 2s }\n  - undo: { of: stall }\n",
        &["promoted by firedrill", "everything undone"],
    );
}

#[test]
fn a_primary_that_is_cut_off_is_out_of_the_way_before_another_is_promoted() {
    passes(
        ASYNCHRONOUS,
        "  - cut: { node: primary, from: all, id: split }\n  - fail_over: { within: 60s }\n  \
         - hold: { for: 2s }\n  - undo: { of: split }\n",
        &["promoted by firedrill", "everything undone"],
    );
}

#[test]
fn a_switch_over_by_firedrill_loses_nothing() {
    passes(
        "  - lost_commits: { at_most: 0 }\n",
        "  - switch_over: { within: 90s }\n",
        &["alone takes writes", "nothing was broken"],
    );
}

#[test]
fn beside_a_primary_in_service_nobody_is_promoted() {
    let Some(pair) = Containers::plain() else {
        return;
    };
    let before = (pair.as_found(), writable(&pair));
    let finished = pair.drill(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  - pause_replay: {{ node: standby, id: lag }}\n  \
         - fail_over: {{ within: 20s }}\n  - undo: {{ of: lag }}\n"
    ));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("a second primary is not made"),
        "{}",
        finished.stderr
    );
    assert_eq!((pair.as_found(), writable(&pair)), before);
}

#[test]
fn the_watchdog_has_the_old_primary_follow_without_a_password() {
    let Some(pair) = Containers::plain() else {
        return;
    };
    let (before, old) = (pair.as_found(), writable(&pair));
    let runner = failing_over(&pair, "kill: { node: primary, id: gone }");
    let clock = Clock::start();
    let mut new = old.clone();
    while new == old || new.is_empty() {
        assert!(clock.now().0 < 120_000_000, "nobody was promoted");
        sleep(Duration::from_millis(200));
        new = writable(&pair);
    }
    assert_ne!(pair.as_found(), before, "the old primary is down");
    is_put_back(&pair, &before, &killed(runner));
    assert_eq!(writable(&pair), new, "roles are not put back");
}

/// Begins a drill that has another node promoted after this fault, and then holds.
fn failing_over(pair: &Containers, fault: &str) -> Child {
    let path = pair.write(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  - {fault}\n  - fail_over: {{ within: 60s }}\n  \
         - hold: {{ for: 5m }}\n"
    ));
    pair.firedrill
        .start(&["run", &path, "--yes", "--target", &pair.target])
}

/// Waits until the containers are as they were found, and none is left that firedrill made of the nodes' own image: the
/// lock, and what it looks from.
fn is_put_back(pair: &Containers, before: &str, said: &str) {
    let clock = Clock::start();
    let image = docker(&["inspect", "--format", "{{.Image}}", &pair.ids()[0]]);
    let made_of_it = format!("ancestor={}", image.trim());
    let all = || docker(&["ps", "--all", "--quiet", "--filter", &made_of_it]);
    while pair.as_found() != before || all().lines().count() > pair.ids().len() {
        assert!(
            clock.now().0 < 240_000_000,
            "not put back: {}\n{said}",
            pair.as_found()
        );
        assert!(writable(pair).len() < 2, "two take writes");
        sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_runner_that_dies_between_taking_a_frozen_primary_down_and_promoting_leaves_it_running() {
    let Some(pair) = Containers::plain() else {
        return;
    };
    let before = pair.as_found();
    let runner = failing_over(&pair, "freeze: { node: primary, id: stall }");
    let clock = Clock::start();
    while docker(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        "status=exited",
        "--filter",
        &pair.filter,
    ])
    .is_empty()
    {
        assert!(clock.now().0 < 120_000_000, "nobody was taken down");
        sleep(Duration::from_millis(20));
    }
    let said = killed(runner);
    // Where the promotion was quicker than this, the old primary follows the new one instead: as whole as before.
    if !writable(&pair).is_empty() {
        eprintln!("not between the two: somebody takes writes already");
    }
    is_put_back(&pair, &before, &said);
    assert_eq!(writable(&pair).len(), 1);
}

#[test]
fn who_fails_over_is_said_once_and_by_nobody_twice() {
    let refused = |change: &[(&str, &str)]| {
        let mut target = PLAIN.to_owned();
        for (from, to) in change {
            assert!(target.contains(from), "{from}");
            target = target.replace(from, to);
        }
        let firedrill = crate::support::Firedrill::new().env("FIREDRILL_PASSWORD", "x");
        let path = firedrill.file("ours.target.yaml", &target);
        let finished = firedrill.run(&["check", &path]);
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        finished.stderr
    };
    let said = refused(&[("roles: [ sql ]", "roles: [ { patroni: {} }, sql ]")]);
    assert!(said.contains("a second primary"), "{said}");
    let said = refused(&[("failover: promote", "failover: automatic")]);
    assert!(said.contains("failover: promote"), "{said}");
    let said = refused(&[("roles: [ sql ]", "roles: []")]);
    assert!(said.contains("nobody is asked about roles"), "{said}");
    let act = "  act: { user: firedrill_act, password: { env: FIREDRILL_PASSWORD } }\n";
    let said = refused(&[(act, "")]);
    assert!(said.contains("nobody may promote"), "{said}");
}
