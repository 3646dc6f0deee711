//! Whoever reads may leave: that is never a panic.

use crate::support::Firedrill;
use std::fs::OpenOptions;
use std::process::Stdio;

#[test]
fn a_reader_that_left_is_no_error() {
    // `true` leaves at once without reading; the man page is longer than a pipe holds.
    for command in ["man", "completions bash", "schema result"] {
        let sandbox = Firedrill::new();
        let script = format!("\"$FIREDRILL\" {command} | true; exit \"${{PIPESTATUS[0]}}\"");
        let run = sandbox.bash(&script);
        assert_eq!(run.code, Some(0), "{command}: {}", run.stderr);
        assert!(
            !run.stderr.contains("panicked"),
            "{command}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_reader_that_leaves_later_is_no_error() {
    let sandbox = Firedrill::new();
    let mut child = sandbox.start(&["man"]);
    drop(child.stdout.take());
    let run = sandbox.wait(child);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.is_empty(), "{}", run.stderr);
}

#[test]
fn a_closed_standard_error_changes_no_exit_code() {
    let sandbox = Firedrill::new();
    let run = sandbox.bash("\"$FIREDRILL\" show no-such-run 2>&-");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let run = sandbox.bash("\"$FIREDRILL\" --no-such-flag 2>&-");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
}

#[test]
fn a_full_disk_behind_standard_output_is_said() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        return; // Not a system that has one.
    };
    let sandbox = Firedrill::new();
    let run = sandbox.run_into(&["schema", "ledger"], Stdio::from(full));
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("standard output cannot be written"),
        "{}",
        run.stderr
    );
}
