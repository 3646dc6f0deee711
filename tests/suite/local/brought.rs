//! Statements and commands that a drill brings along: noted, undone on every way out, and refused where
//! they would not be.

use super::{LONG, available};
use crate::interrupted::BUSY;
use crate::support::{Finished, Firedrill, Turn, by_machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::Path;

const HEAD: &str = "version: 1\nname: brought\nsummary: what a drill brings along\nobjectives:\n  - lost_commits: { at_most: 0 }\nworkload:\n  writers: { sessions: 8, deadline: 3s }\n  fresh: { every: 400ms, deadline: 3s }\n  readers: { every: 400ms, deadline: 3s }\n  stability: 1s\nsteps:\n  - baseline: { for: 3s }\n";

/// A slot that nobody consumes: made, and dropped again.
const SLOT: &str = "  - sql:\n      id: slot\n      node: primary\n      run: select pg_create_physical_replication_slot('left', true)\n      undo: select pg_drop_replication_slot('left')\n      check: select not exists (select from pg_replication_slots where slot_name = 'left')\n";

/// A file of ours: made, and removed again.
fn file(path: &Path) -> String {
    let path = path.display();
    format!(
        "  - command:\n      id: mark\n      node: primary\n      run: [touch, \"{path}\"]\n      undo: [rm, \"{path}\"]\n      check: [test, \"!\", -e, \"{path}\"]\n"
    )
}

/// Runs a drill with these steps; a run that the machine disturbed is drawn again.
fn run(sandbox: &Firedrill, steps: &str) -> (Finished, Value) {
    let drill = sandbox.file("drill.yaml", &format!("{HEAD}{steps}"));
    let target = sandbox.file("busy.target.yaml", BUSY);
    let path = sandbox.home().join("result.json");
    let output = format!("json={}", path.display());
    let words = [
        "run", &drill, "--yes", "--target", &target, "--seed", "7", "-o", &output,
    ];
    for _ in 0..4 {
        let finished = sandbox.run(&words);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let result: Value = serde_json::from_str(&written)
            .unwrap_or_else(|error| panic!("{error}\n{}", finished.stderr));
        let disturbed = result["reasons"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(by_machine);
        if !disturbed {
            return (finished, result);
        }
    }
    panic!("the machine disturbed every run");
}

fn step<'a>(result: &'a Value, id: &str) -> &'a Value {
    let steps = result["steps"].as_array().expect("steps");
    let found = steps.iter().find(|step| step["id"] == id);
    found.unwrap_or_else(|| panic!("no step {id} in {steps:?}"))
}

#[test]
fn what_changes_something_is_undone_and_what_asks_is_noted() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let mark = sandbox.home().join("tmp/mark");
    let steps = format!(
        "{SLOT}{}  - sql: {{ id: seen, node: primary, run: \"select count(*) from pg_replication_slots where slot_name = 'left'\", expect: \"1\", note: value, changes: nothing }}\n  \
        - command: {{ id: where, node: primary, run: [echo, \"{{{{node.name}}}} at {{{{node.host}}}}:{{{{node.port}}}}\"], changes: nothing }}\n  \
        - undo: {{ of: slot }}\n  \
        - sql: {{ id: gone, node: primary, run: \"select 1 from pg_replication_slots where slot_name = 'left'\", changes: nothing }}\n",
        file(&mark)
    );
    let (finished, result) = run(&sandbox, &steps);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let noted = |id| step(&result, id)["noted"].clone();
    assert_eq!(
        noted("seen"),
        serde_json::json!(["node-1: 1 row, first value \"1\""])
    );
    assert_eq!(noted("gone"), serde_json::json!(["node-1: 0 rows"]));
    assert_eq!(
        noted("where"),
        serde_json::json!(["node-1: exit code 0; its output is in command-where.log"])
    );
    assert!(!mark.exists(), "the file is left");
    for (place, fault) in ["sql", "command"].iter().enumerate() {
        assert_eq!(result["faults"][place]["fault"], *fault);
        assert_eq!(result["faults"][place]["undo"]["verified"], true);
    }
    let id = result["run"]["id"].as_str().expect("an id");
    let log = sandbox
        .home()
        .join("state/firedrill/runs")
        .join(id)
        .join("command-where.log");
    let log = std::fs::read_to_string(log).expect("the output is kept");
    assert!(log.contains("node-1 at 127.0.0.1:"), "{log}");
    sandbox.nothing_left();
}

#[test]
fn an_answer_that_is_not_expected_fails_the_drill() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let steps = "  - sql: { id: asked, node: standby, run: \"select pg_is_in_recovery()\", expect: \"f\", note: value, changes: nothing }\n";
    let (finished, result) = run(&sandbox, steps);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(
        step(&result, "asked")["why"],
        "node-2: the first value should be \"f\": it is \"t\""
    );
    sandbox.nothing_left();
}

#[test]
fn what_is_there_already_is_not_touched() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let mark = sandbox.home().join("tmp/mark");
    std::fs::write(&mark, "not of this drill").expect("an own folder");
    let (finished, result) = run(&sandbox, &file(&mark));
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert!(mark.exists(), "what the drill did not make was removed");
    let why = step(&result, "mark")["why"].as_str().expect("a reason");
    assert!(why.contains("check before the command"), "{why}");
    sandbox.nothing_left();
}

/// The cluster goes with the run; what a command changed elsewhere does not, and is undone all the same.
#[test]
fn a_killed_runner_leaves_no_change_of_a_command() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    // A machine that is too busy refuses the baseline, and with it the command.
    assert!(
        (0..4).any(|_| killed_while_changed()),
        "no run came to its hold"
    );
}

/// Kills a runner while its command's change stands; false where the run ended before.
fn killed_while_changed() -> bool {
    let sandbox = Firedrill::new().limit(LONG);
    let mark = sandbox.home().join("tmp/mark");
    let steps = format!("{}  - hold: {{ for: 10m, id: held }}\n", file(&mark));
    let drill = sandbox.file("drill.yaml", &format!("{HEAD}{steps}"));
    let target = sandbox.file("busy.target.yaml", BUSY);
    let mut child = sandbox.start(&["run", &drill, "--yes", "--target", &target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let held = "\"step_began\":{\"step\":\"held\"";
    let reached = sandbox.lines_reached("events.jsonl", held, 1, &mut running);
    if reached.is_some() {
        assert!(mark.exists(), "nothing was changed");
        kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).expect("an own child");
    }
    sandbox.wait(child);
    sandbox.nothing_left();
    assert!(!mark.exists(), "the file is left");
    reached.is_some()
}
