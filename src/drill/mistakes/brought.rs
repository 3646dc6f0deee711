//! What a drill brings along, and what it asks people.

use super::*;

#[test]
fn what_a_drill_brings_along() {
    let text = "  - baseline: { for: 5s }\n  \
        - sql: { node: primary, run: \"select 1\" }\n  \
        - sql: { node: primary, run: \" \", undo: \"select 1\", changes: nothing }\n  \
        - sql: { node: primary, run: \"select 1\", undo: \"select 2\" }\n  \
        - sql: { node: primary, run: \"select 1\", changes: nothing, check: \"select true\" }\n  \
        - command: { run: [], changes: nothing }\n  \
        - command: { run: [a], undo: [b], check: [c] }\n  \
        - command: { node: primary, run: [a, \"x{{node.hst}}\"], changes: nothing }\n  \
        - command: { run: [a, \"{{node.host}}\", \"{{writer.port}}\"], changes: nothing }\n";
    insta::assert_snapshot!(steps(text), @r#"
     × this statement does not say how it is undone
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │   - sql: { node: primary, run: "select 1" }
      ·     ─┬─
      ·      ╰── everything that a drill changes is put back on every way out
    9 │   - sql: { node: primary, run: " ", undo: "select 1", changes: nothing }
      ╰────
     help: add `undo` and `check`; or `changes: nothing`, if it changes nothing

     × there is no statement to run
       ╭─[drill.yaml:9:32]
     8 │   - sql: { node: primary, run: "select 1" }
     9 │   - sql: { node: primary, run: " ", undo: "select 1", changes: nothing }
       ·                                ───
    10 │   - sql: { node: primary, run: "select 1", undo: "select 2" }
       ╰────

     × what changes nothing needs no undo
       ╭─[drill.yaml:9:64]
     8 │   - sql: { node: primary, run: "select 1" }
     9 │   - sql: { node: primary, run: " ", undo: "select 1", changes: nothing }
       ·                                                                ───┬───
       ·                                                                   ╰── leave out this, or `undo` and `check`
    10 │   - sql: { node: primary, run: "select 1", undo: "select 2" }
       ╰────

     × an undo is verified, and this one cannot be
       ╭─[drill.yaml:10:50]
     9 │   - sql: { node: primary, run: " ", undo: "select 1", changes: nothing }
    10 │   - sql: { node: primary, run: "select 1", undo: "select 2" }
       ·                                                  ─────┬────
       ·                                                       ╰── expected `check` beside it
    11 │   - sql: { node: primary, run: "select 1", changes: nothing, check: "select true" }
       ╰────
     help: such as `check: "select not exists (select …)"`: true before the statement, and again when
           it is undone

     × there is no undo that this could check
       ╭─[drill.yaml:11:69]
    10 │   - sql: { node: primary, run: "select 1", undo: "select 2" }
    11 │   - sql: { node: primary, run: "select 1", changes: nothing, check: "select true" }
       ·                                                                     ─────────────
    12 │   - command: { run: [], changes: nothing }
       ╰────

     × there is no program to run
       ╭─[drill.yaml:12:16]
    11 │   - sql: { node: primary, run: "select 1", changes: nothing, check: "select true" }
    12 │   - command: { run: [], changes: nothing }
       ·                ───
    13 │   - command: { run: [a], undo: [b], check: [c] }
       ╰────
     help: a command is a list: program and arguments, such as `[ls, -l]`

     × a command with an undo is a fault, and a fault hits a node
       ╭─[drill.yaml:13:5]
    12 │   - command: { run: [], changes: nothing }
    13 │   - command: { run: [a], undo: [b], check: [c] }
       ·     ───┬───
       ·        ╰── expected `node`
    14 │   - command: { node: primary, run: [a, "x{{node.hst}}"], changes: nothing }
       ╰────
     help: such as `node: primary`: the node that the command is about

     × {{node.hst}} stands for nothing
       ╭─[drill.yaml:14:40]
    13 │   - command: { run: [a], undo: [b], check: [c] }
    14 │   - command: { node: primary, run: [a, "x{{node.hst}}"], changes: nothing }
       ·                                        ───────┬───────
       ·                                               ╰── did you mean {{node.host}}?
    15 │   - command: { run: [a, "{{node.host}}", "{{writer.port}}"], changes: nothing }
       ╰────
     help: there are: node.name, node.role, node.host, node.port, writer.host, writer.port,
           writer.database, reader.host, reader.port, run.id

     × this step names no node
       ╭─[drill.yaml:15:25]
    14 │   - command: { node: primary, run: [a, "x{{node.hst}}"], changes: nothing }
    15 │   - command: { run: [a, "{{node.host}}", "{{writer.port}}"], changes: nothing }
       ·                         ───────┬───────
       ·                                ╰── {{node.host}} stands for nothing without one
       ╰────
     help: add `node`, such as `node: primary`
    "#);
}

#[test]
fn what_it_asks_people() {
    let text = "  - baseline: { for: 5s }\n  \
        - ask: { who: \"\", question: \"Go on?\", answers: [], within: 0s }\n  \
        - ask: { who: on call, question: \"Go on?\", answers: [\"go on\", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }\n";
    insta::assert_snapshot!(steps(text), @r#"
     × who is empty
      ╭─[drill.yaml:8:17]
    7 │   - baseline: { for: 5s }
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
      ·                 ──
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ╰────

     × there is no answer to give
      ╭─[drill.yaml:8:41]
    7 │   - baseline: { for: 5s }
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
      ·                                         ───────
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ╰────
     help: name the words that answer it, such as `answers: [go, stop]`

     × nobody can answer within no time
      ╭─[drill.yaml:8:62]
    7 │   - baseline: { for: 5s }
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
      ·                                                              ──
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ╰────

     × this is no word to answer with
      ╭─[drill.yaml:9:56]
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ·                                                        ───┬───
      ·                                                           ╰── expected letters, digits, - and _, at most 30
      ╰────

     × Stop is an answer twice
      ╭─[drill.yaml:9:71]
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ·                                                                       ────
      ╰────

     × stpo is none of the answers
      ╭─[drill.yaml:9:101]
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ·                                                                                                     ──┬─
      ·                                                                                                       ╰── did you mean stop?
      ╰────

     × halt is none of the answers
      ╭─[drill.yaml:9:117]
    8 │   - ask: { who: "", question: "Go on?", answers: [], within: 0s }
    9 │   - ask: { who: on call, question: "Go on?", answers: ["go on", stop, Stop], within: 1m, otherwise: stpo, stop_on: [halt] }
      ·                                                                                                                     ────
      ╰────
     help: answers are: go on, stop, Stop
    "#);
}
