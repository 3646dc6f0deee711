//! The four ways by which a text that somebody else wrote comes into the program, each with what must hold
//! of every text whatever. The fuzz targets call these, and the test suite does with every kept file.
//!
//! A mistake in the text is an answer, not a failure. What fails is a panic, and an answer that contradicts
//! another one.

use firedrill::drill::file::DrillFile;
use firedrill::drill::target_file::TargetFile;
use firedrill::drill::{Diagnostic, Given, Source, check_target_text, check_text, kind_of, render};
use firedrill::event::result::RunResult;
use firedrill::event::{Observer, log};
use firedrill::fault::undo_from_journal;
use firedrill::history::show_text;
use firedrill::live::{LiveView, Plain};
use firedrill::measure::{Measures, result_of};
use firedrill::plan::{TargetFacts, compile, preview};
use firedrill::report::Format;
use firedrill::undo::Journal;
use firedrill::undo::journal::OpenEntry;
use std::path::PathBuf;

/// A drill file: checked, its mistakes shown, planned for the default target.
pub fn drill_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = kind_of(text);
    let source = Source::new("drill.yaml", text);
    let checked = match check_text(&source, &Given::default()) {
        Ok(checked) => checked,
        Err(found) => return is_said(&found),
    };
    if !checked.warnings.is_empty() {
        is_said(&checked.warnings);
    }
    let facts = TargetFacts::of_file(&TargetFile::default());
    match compile(&checked, &facts, 7) {
        Ok(plan) => {
            let _ = preview(&plan.record, &facts, 7);
        }
        Err(refusals) => {
            let found: Vec<_> = refusals.into_iter().map(|each| each.diagnostic).collect();
            is_said(&found);
        }
    }
    let written = serde_json::to_string(&checked.drill).expect("a drill can be written");
    let read: DrillFile = serde_yaml::from_str(&written).expect("and read again");
    assert_eq!(read, checked.drill);
}

/// A target file: checked, its mistakes shown.
pub fn target_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = kind_of(text);
    match check_target_text(&Source::new("my.target.yaml", text)) {
        Ok(checked) => {
            if !checked.warnings.is_empty() {
                is_said(&checked.warnings);
            }
            let _ = TargetFacts::of_file(&checked.target);
            let written = serde_json::to_string(&checked.target).expect("a target can be written");
            let read: TargetFile = serde_yaml::from_str(&written).expect("and read again");
            assert_eq!(read, checked.target);
        }
        Err(found) => is_said(&found),
    }
}

/// An event log: measured while it comes and once more as a whole, which must agree; judged; in every
/// report.
pub fn event_log(bytes: &[u8]) {
    let Ok(log) = log::parse(PathBuf::from("events.jsonl"), bytes) else {
        return;
    };
    let mut live = Measures::new();
    let mut view = Plain::new(Vec::new());
    for entry in &log.entries {
        let _ = live.observe(entry);
        view.see(entry);
    }
    view.finish();
    let result = result_of(&log.entries, log.skipped, log.torn);
    if log.skipped == 0 && !log.torn {
        assert_eq!(
            format!("{:?}", live.snapshot()),
            format!("{result:?}"),
            "live and afterwards"
        );
    }
    for format in Format::ALL {
        let mut out = Vec::new();
        format
            .reporter(None)
            .write(&result, &mut out)
            .expect("memory takes every report");
        if format == Format::Json {
            let read: Result<RunResult, _> = serde_json::from_slice(&out);
            assert!(read.is_ok(), "what is written is read: {read:?}");
        }
    }
    let _ = show_text(&result);
}

/// An undo journal: what is open in it, and the undo of each. What a crash leaves of it is read as far as it
/// goes, and never as less open than it was.
pub fn journal(bytes: &[u8]) {
    let path = PathBuf::from("undo.journal");
    let Ok(journal) = Journal::parse(path.clone(), bytes) else {
        return;
    };
    let open = journal.open_entries();
    assert!(!journal.is_closed() || open.is_empty());
    for entry in &open {
        let _ = entry.describe();
        if let OpenEntry::Intent { fault, facts, .. } = entry
            && let Some(undo) = undo_from_journal(fault, facts)
        {
            assert_eq!(undo.fault(), fault);
            let again = undo_from_journal(fault, &undo.facts());
            let again = again.expect("its own facts are enough");
            assert_eq!(again.facts(), undo.facts());
        }
    }
    // The same journal with its last line torn: what that line closed is open again.
    let understood = journal.lines.len();
    if let Some(end) = bytes.strip_suffix(b"\n")
        && understood > 0
        && !journal.torn
    {
        let torn = Journal::parse(path, end).expect("a torn last line is no damage");
        assert!(torn.torn);
        assert_eq!(torn.lines, journal.lines[..understood - 1]);
    }
}

/// Every mistake can be shown, and says something.
fn is_said(found: &[Diagnostic]) {
    assert!(!found.is_empty(), "refused without a reason");
    assert!(!render(found, false, 100).trim().is_empty());
}
