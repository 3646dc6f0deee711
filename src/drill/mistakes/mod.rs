//! Every class of mistake in a file, as it is shown to the person who made it.

mod across;
mod brought;
mod clients;
mod cuts;
mod endpoints;
mod fields;
mod in_turn;
mod slow_networks;
mod variables;
mod whole_files;

use super::*;

const HEAD: &str = "version: 1\nname: mine\nsummary: a drill\n";
const DEMAND: &str = "objectives:\n  - downtime: { at_most: 30s }\n";
const STEPS: &str = "steps:\n  - baseline: { for: 5s }\n  - kill: { node: primary, id: crash }\n  - fail_over: {}\n  - undo: { of: crash }\n";

/// What is said about a drill.
fn said(text: &str) -> String {
    said_given(text, &Given::default())
}

fn said_given(text: &str, given: &Given) -> String {
    let found = match check_text(&Source::new("drill.yaml", text), given) {
        Ok(checked) => checked.warnings,
        Err(found) => found,
    };
    if found.is_empty() {
        return "nothing".to_owned();
    }
    render(&found, false, 100)
}

/// What is said about a drill whose steps are these.
fn steps(lines: &str) -> String {
    said(&format!("{HEAD}{DEMAND}steps:\n{lines}"))
}

/// What is said about a target.
fn target(text: &str) -> String {
    let found = match check_target_text(&Source::new("my.target.yaml", text)) {
        Ok(checked) => checked.warnings,
        Err(found) => found,
    };
    if found.is_empty() {
        return "nothing".to_owned();
    }
    render(&found, false, 100)
}

#[test]
fn the_example_of_everything_else_is_right() {
    let text = include_str!("../../../drills/README.md");
    let (_, section) = text.split_once("## What else a drill can say").unwrap();
    let (_, rest) = section.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(said(example), "nothing");
}
