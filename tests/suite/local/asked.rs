//! Questions to people: answered on the terminal, from another process, beforehand, or by nobody.

use super::{LONG, available};
use crate::interrupted::{BUSY, send};
use crate::support::{Finished, Firedrill, Turn};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::Child;

/// A drill that asks `decide` before and `go_on` after its fault.
const DRILL: &str = "version: 1
name: people-decide
summary: people decide
objectives:
  - lost_commits: { at_most: 0 }
# A busy machine answers slowly, and that is not what is tested here.
workload:
  writers: { sessions: 8, deadline: 3s }
  fresh: { every: 400ms, deadline: 3s }
  readers: { every: 400ms, deadline: 3s }
  stability: 1s
steps:
  - baseline: { for: 3s }
  - ask:
      id: decide
      who: the database on call
      question: Break it?
      answers: [go, stop]
      stop_on: [stop]
      within: 2m
  - kill: { node: standby, id: crash }
  - ask:
      id: go_on
      who: the incident lead
      question: Go on?
      answers: [\"yes\", \"no\"]
      stop_on: [\"no\"]
      otherwise: \"yes\"
      within: 1s
  - hold: { for: 1s, id: more }
  - undo: { of: crash }
  - settle: { within: 1m }
";

fn files(sandbox: &Firedrill) -> [String; 3] {
    [
        sandbox.file("drill.yaml", DRILL),
        sandbox.file("busy.target.yaml", BUSY),
        format!("json={}", sandbox.home().join("result.json").display()),
    ]
}

fn result(sandbox: &Firedrill, finished: &Finished) -> Value {
    let written = std::fs::read_to_string(sandbox.home().join("result.json")).unwrap_or_default();
    serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}\n{}", finished.stderr))
}

fn started(sandbox: &Firedrill, more: &[&str]) -> Child {
    let [drill, target, output] = files(sandbox);
    let mut words = vec!["run", &drill, "--yes", "--target", &target, "-o", &output];
    words.extend(more);
    sandbox.start(&words)
}

/// Waits until the run asks.
fn asked(sandbox: &Firedrill, child: &mut Child) {
    let mut running = || child.try_wait().expect("an own child").is_none();
    let asked = sandbox.lines_reached("events.jsonl", "\"asked\":{", 1, &mut running);
    assert!(asked.is_some(), "it ended before it asked");
}

fn outcome<'a>(result: &'a Value, id: &str) -> &'a Value {
    let steps = result["steps"].as_array().expect("steps");
    let found = steps.iter().find(|step| step["id"] == id);
    &found.unwrap_or_else(|| panic!("no step {id} in {steps:?}"))["outcome"]
}

#[test]
fn another_process_calls_the_drill_off() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let mut child = started(&sandbox, &[]);
    asked(&sandbox, &mut child);
    let wrong = sandbox.run(&["answer", "latest", "decide", "perhaps"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("Answers are: go, stop"),
        "{}",
        wrong.stderr
    );
    let answered = sandbox.run(&["answer", "latest", "decide", "stop", "--by", "Ada"]);
    assert_eq!(answered.code, Some(0), "{}", answered.stderr);
    let finished = sandbox.wait(child);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("CALLED OFF"),
        "{}",
        finished.stderr
    );
    let result = result(&sandbox, &finished);
    let off = result["called_off"].as_str().expect("who called it off");
    assert!(off.contains("Ada answered stop to decide"), "{off}");
    assert_eq!(result["faults"], serde_json::json!([]));
    assert_eq!(outcome(&result, "crash"), "skipped");
    let late = sandbox.run(&["answer", "latest", "decide", "go"]);
    assert_eq!(late.code, Some(2), "{}", late.stderr);
    sandbox.nothing_left();
}

/// After the fault an answer that stops puts everything back, and what was seen is judged.
#[test]
fn answers_given_beforehand_are_automated_and_a_stop_leads_home() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let [drill, target, output] = files(&sandbox);
    let words = [
        "run",
        &drill,
        "--yes",
        "--target",
        &target,
        "-o",
        &output,
        "--no-input",
    ];
    let refused = sandbox.run(&words);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--answer decide=go"),
        "{}",
        refused.stderr
    );
    let mut words = words.to_vec();
    words.extend(["--answer", "decide=go", "--answer", "go_on=no"]);
    let finished = sandbox.run(&words);
    let result = result(&sandbox, &finished);
    // A machine that is too busy refuses the baseline; then nothing was asked.
    if result["asked"]
        .as_array()
        .is_none_or(|asked| asked.len() < 2)
    {
        assert_eq!(finished.code, Some(4), "{}", finished.stderr);
        return;
    }
    assert_eq!(result["asked"][1]["way"], "automated");
    assert_eq!(result["asked"][1]["stops"], true);
    assert_eq!(outcome(&result, "more"), "skipped");
    assert_eq!(outcome(&result, "settle-1"), "done", "{}", finished.stderr);
    assert_eq!(result["faults"][0]["undo"]["verified"], true);
    assert_eq!(result["called_off"], Value::Null);
    assert_eq!(result["ledger"]["judged"], true);
    sandbox.nothing_left();
}

/// `script` gives the run a terminal of its own; what is typed comes from a pipe.
#[test]
fn the_terminal_answers_and_nobody_is_an_answer_too() {
    if !available() {
        return;
    }
    let sandbox = Firedrill::new().limit(LONG);
    if sandbox.bash("command -v script").code != Some(0) {
        println!("skipped: there is no script(1) to make a terminal");
        return;
    }
    let _turn = Turn::take();
    let [drill, target, output] = files(&sandbox);
    let script = format!(
        "log() {{ cat \"$HOME\"/state/firedrill/runs/*/events.jsonl 2>/dev/null; }}
        type_it() {{
          until log | grep -q '\"asked\":{{'; do
            log | grep -q '\"run_ended\"' && return
            sleep 0.05
          done
          echo what; sleep 0.3; echo Go
        }}
        type_it | TERM=xterm script -qefc \"$FIREDRILL run {drill} --yes --target {target} -o {output}\" /dev/null
        exit \"${{PIPESTATUS[1]}}\""
    );
    let finished = sandbox.bash(&script);
    let result = result(&sandbox, &finished);
    if result["asked"]
        .as_array()
        .is_none_or(|asked| asked.len() < 2)
    {
        assert_eq!(finished.code, Some(4), "{}", finished.stdout);
        return;
    }
    assert_eq!(result["asked"][0]["answer"], "go", "{}", finished.stdout);
    assert_eq!(result["asked"][0]["way"], "terminal");
    assert_eq!(result["asked"][1]["answer"], "yes");
    assert_eq!(result["asked"][1]["way"], "otherwise");
    assert_eq!(outcome(&result, "more"), "done");
    assert!(
        finished
            .stdout
            .contains("is no answer; answers are: go, stop"),
        "{}",
        finished.stdout
    );
    sandbox.nothing_left();
}

#[test]
fn a_signal_while_it_asks_ends_the_run() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let mut child = started(&sandbox, &[]);
    asked(&sandbox, &mut child);
    send(&child, Signal::SIGINT);
    let finished = sandbox.wait(child);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    sandbox.nothing_left();
}
