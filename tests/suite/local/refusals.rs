//! What cannot be drilled is refused with its cause and a next step, and nothing is left behind.

use super::programs;
use crate::support::{Finished, Firedrill, Turn};

const DRILL: &str = include_str!("../../../drills/primary-crash.yaml");

/// Runs a drill on a target; both are texts.
fn run(firedrill: &Firedrill, drill: &str, target: &str) -> Finished {
    let drill = firedrill.file("drill.yaml", drill);
    let target = firedrill.file("ours.target.yaml", target);
    firedrill.run(&["run", &drill, "--yes", "--target", &target])
}

fn refused(firedrill: &Firedrill, finished: &Finished, code: i32, said: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
    for part in said {
        assert!(
            finished.stderr.contains(part),
            "{part:?} is missing:\n{}",
            finished.stderr
        );
    }
    firedrill.nothing_left();
    let runs = firedrill.home().join("state/firedrill/runs");
    let runs = std::fs::read_dir(runs).into_iter().flatten().count();
    assert_eq!(runs, 0, "a run that never began left its folder");
}

#[test]
fn an_unknown_node_is_named_with_the_nearest() {
    let firedrill = Firedrill::new();
    let drill = DRILL.replace("node: primary", "node: node-3");
    let finished = run(&firedrill, &drill, "version: 1\nlocal: {}\n");
    refused(
        &firedrill,
        &finished,
        5,
        &["node-3", "nodes are: node-1, node-2"],
    );
}

#[test]
fn an_unknown_role_is_named_with_the_nearest() {
    let firedrill = Firedrill::new();
    let drill = DRILL.replace("node: primary", "node: primry");
    let finished = run(&firedrill, &drill, "version: 1\nlocal: {}\n");
    refused(
        &firedrill,
        &finished,
        5,
        &["primry", "did you mean primary?"],
    );
}

#[test]
fn a_condition_with_an_unknown_name_is_refused_before_anything_starts() {
    let firedrill = Firedrill::new();
    let wait = "  - wait: { until: \"channels.writer_fresh.unavailble_ms > 5\", within: 5s }\n";
    let file = firedrill.file("drill.yaml", &format!("{DRILL}{wait}"));
    for arguments in [
        vec!["check", &file],
        vec!["plan", &file],
        vec!["run", &file, "--yes"],
    ] {
        let finished = firedrill.run(&arguments);
        let said = [
            "unavailble_ms",
            "did you mean unavailable_ms?",
            "drill.yaml:",
        ];
        refused(&firedrill, &finished, 2, &said);
    }
}

#[test]
fn a_target_without_a_standby_has_nobody_to_fail_over_to() {
    let firedrill = Firedrill::new();
    let finished = run(&firedrill, DRILL, "version: 1\nlocal: { standbys: 0 }\n");
    assert!(matches!(finished.code, Some(2 | 5)), "{}", finished.stderr);
    refused(
        &firedrill,
        &finished,
        finished.code.unwrap_or_default(),
        &["standby"],
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    if !super::available() {
        return;
    }
    let _turn = Turn::take();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port();
    let firedrill = Firedrill::new();
    let target = format!("version: 1\nlocal: {{ ports: {{ writer: {port} }} }}\n");
    let finished = run(&firedrill, DRILL, &target);
    refused(
        &firedrill,
        &finished,
        5,
        &[&port.to_string(), "name another port"],
    );
}

#[test]
fn a_runs_dir_that_cannot_be_written_is_named() {
    let firedrill = Firedrill::new();
    let drill = firedrill.file("drill.yaml", DRILL);
    // Also root cannot make a folder below a file.
    let file = firedrill.file("in-the-way", "");
    let finished = firedrill.run(&[
        "run",
        &drill,
        "--yes",
        "--runs-dir",
        &format!("{file}/runs"),
    ]);
    refused(
        &firedrill,
        &finished,
        2,
        &[
            "in-the-way/runs",
            "next: choose another folder with --runs-dir",
        ],
    );
}

#[test]
fn a_postgresql_that_is_too_old_is_named() {
    let firedrill = Firedrill::new();
    let said = "#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n";
    let bin = programs(&firedrill, &|_| said.to_owned());
    let target = format!(
        "version: 1\nlocal: {{ postgres: {{ bin: {} }} }}\n",
        bin.display()
    );
    let finished = run(&firedrill, DRILL, &target);
    refused(
        &firedrill,
        &finished,
        5,
        &["9.6.24", "too old", "14 and newer"],
    );
}

#[test]
fn an_initdb_that_fails_is_quoted() {
    if !super::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = Firedrill::new();
    let bin = programs(&firedrill, &|program| match program {
        "initdb" => {
            "#!/bin/sh\necho 'initdb: error: no room for the moon' >&2\nexit 1\n".to_owned()
        }
        _ => "#!/bin/sh\necho 'postgres (PostgreSQL) 15.0'\n".to_owned(),
    });
    let target = format!(
        "version: 1\nlocal: {{ postgres: {{ bin: {} }} }}\n",
        bin.display()
    );
    let finished = run(&firedrill, DRILL, &target);
    refused(
        &firedrill,
        &finished,
        5,
        &["initdb", "no room for the moon"],
    );
}

#[test]
fn a_full_disk_is_said_before_anything_is_made() {
    let firedrill = Firedrill::new();
    let Some(small) = super::full_disk::SmallDisk::mount(&firedrill, 16 * 1024) else {
        return;
    };
    let drill = firedrill.file("drill.yaml", DRILL);
    let finished = firedrill.run(&["run", &drill, "--yes", "--runs-dir", small.path()]);
    refused(&firedrill, &finished, 5, &["No space left", "--runs-dir"]);
}
