//! Runs that did not put everything back.

use super::finding::Finding;
use crate::undo::open_runs::{Lock, Registry, open_runs_everywhere};
use std::path::Path;

/// Looks for journals that are not closed.
pub fn runs(dir: &Path, registry: Option<&Registry>) -> Finding {
    let about = "unfinished";
    let open = match open_runs_everywhere(dir, registry) {
        Ok(open) => open,
        Err(error) => {
            return Finding::fail(
                about,
                format!("{} cannot be read: {error}", dir.display()),
                "make it readable, or give another folder with --runs-dir",
            );
        }
    };
    let dead: Vec<&str> = open
        .iter()
        .filter(|run| run.lock == Lock::Free)
        .map(|run| run.run.as_str())
        .collect();
    match (open.len(), dead.as_slice()) {
        (0, _) => Finding::ok(about, "no run"),
        (many, []) => Finding::ok(about, format!("no dead run, {many} still at work")),
        (_, [latest, ..]) => Finding::warn(
            about,
            format!(
                "{} did not put everything back: {}",
                runs_word(dead.len()),
                dead.join(", ")
            ),
            format!("firedrill undo {latest}"),
        ),
    }
}

fn runs_word(many: usize) -> String {
    match many {
        1 => String::from("1 run"),
        many => format!("{many} runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::clock::Clock;
    use crate::undo::JournalOwner;
    use crate::undo::journal::Opened;

    #[test]
    fn a_dead_run_is_named_with_the_command_and_a_living_one_is_left_alone() {
        let runs_dir = tempfile::tempdir().unwrap();
        assert_eq!(runs(runs_dir.path(), None).level, Level::Ok);
        let id = "20261123t101500-1a2b3c";
        let folder = runs_dir.path().join(id);
        std::fs::create_dir(&folder).unwrap();
        let facts = serde_json::json!({});
        let opened = Opened::by_this_process(id, "local", "local:x", facts, Clock::start());
        let owner = JournalOwner::create(&folder, opened).unwrap();
        assert_eq!(
            runs(runs_dir.path(), None).found,
            "no dead run, 1 still at work"
        );
        drop(owner);
        let finding = runs(runs_dir.path(), None);
        assert_eq!(finding.level, Level::Warn);
        assert_eq!(finding.next, Some(format!("firedrill undo {id}")));
    }
}
