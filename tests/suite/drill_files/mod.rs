//! Wrong files are refused, with a message that helps.

mod check;
mod hostile;

use crate::support::Firedrill;

/// A drill that is right, which each test makes wrong in one way.
const RIGHT: &str = "\
version: 1
name: ours
summary: The primary dies.
why: To see.
variables: { limit: 30s }
objectives:
  - downtime: { at_most: \"${limit}\" }
steps:
  - baseline: { for: 5s }
  - kill: { node: primary, id: crash }
  - fail_over: { within: 60s }
  - undo: { of: crash }
  - restore_redundancy: { within: 2m }
  - settle: { within: 30s }
";

/// The drill with `old` replaced by `new`; `old` must be there.
fn wrong(old: &str, new: &str) -> String {
    assert!(RIGHT.contains(old), "{old:?} is not in the drill");
    RIGHT.replacen(old, new, 1)
}

/// Checks a text that is wrong and returns what is said of it.
fn refused(text: &str) -> String {
    let sandbox = Firedrill::new();
    let file = sandbox.file("ours.yaml", text);
    let run = sandbox.run(&["check", &file]);
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.is_empty(), "{}", run.stdout);
    run.plain_stderr()
}
