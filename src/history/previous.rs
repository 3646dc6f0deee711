//! The run before: the same drill on the same target, so that a new figure does not stand alone.

use super::runs_dir::ids;
use super::{FindError, cached_result};
use crate::event::result::{RunResult, Verdict};
use crate::report::{PreviousFigure, wording};
use std::path::Path;

/// The newest run that began before `result`'s and whose figures count: it ended, was not stopped, and is
/// not invalid. Runs without a kept result are passed over.
///
/// # Errors
/// When the folder of runs exists and cannot be read.
pub fn previous_figure(
    dir: &Path,
    result: &RunResult,
) -> Result<Option<PreviousFigure>, FindError> {
    let ids = ids(dir)?;
    // Read one by one, newest first, so that a long history costs no more than a short one.
    let mut earlier = ids.iter().filter(|id| **id < result.run.id);
    Ok(earlier.find_map(|id| figure(id, &cached_result(&dir.join(id))?, result)))
}

fn figure(id: &str, then: &RunResult, now: &RunResult) -> Option<PreviousFigure> {
    // Each throw-away or simulated cluster is a new one; elsewhere another identity is another cluster.
    let same_target = then.run.target == now.run.target
        && (matches!(now.run.target.as_str(), "local" | "simulated")
            || then.run.target_identity == now.run.target_identity);
    let counts =
        then.verdict != Verdict::Invalid && then.run.complete && then.undo.interrupted.is_none();
    if then.run.drill != now.run.drill || !same_target || !counts {
        return None;
    }
    Some(PreviousFigure {
        run: id.to_owned(),
        started_at: then.run.started_at.clone(),
        verdict: then.verdict,
        downtime: wording::worst_downtime(then),
        lost: then.ledger.lost.count,
        drill_changed: then.run.drill_sha256 != now.run.drill_sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::past_run::tests::make;
    use crate::history::store_result;
    use crate::report::sample;

    /// Keeps `result` as the run of a day of November 2026.
    fn keep(dir: &Path, day: u32, mut result: RunResult) {
        let id = format!("202611{day}t100000-1a2b3c");
        let folder = make(dir, &id, usize::MAX);
        result.run.id = id;
        store_result(&folder, &result).unwrap();
    }

    fn before(dir: &Path, result: &RunResult) -> Option<String> {
        let figure = previous_figure(dir, result).unwrap();
        figure.map(|figure| figure.run)
    }

    #[test]
    fn the_newest_that_counts_is_taken() {
        let runs = tempfile::tempdir().unwrap();
        let now = sample::pass();
        assert_eq!(before(runs.path(), &now), None);
        keep(runs.path(), 10, sample::pass());
        keep(runs.path(), 11, sample::loss());
        keep(runs.path(), 12, sample::calibration_met());
        keep(runs.path(), 13, sample::invalid());
        keep(runs.path(), 14, sample::interrupted());
        keep(runs.path(), 24, sample::pass());
        assert_eq!(
            before(runs.path(), &now),
            Some("20261111t100000-1a2b3c".to_owned())
        );
        let figure = previous_figure(runs.path(), &now).unwrap().unwrap();
        assert_eq!(figure.lost, Some(3));
        assert_eq!(figure.downtime.unwrap().lower_ms, 406.0);
        assert!(!figure.drill_changed);
    }

    #[test]
    fn another_cluster_is_no_run_before() {
        let runs = tempfile::tempdir().unwrap();
        let mut docker = sample::pass();
        docker.run.target = "docker".to_owned();
        keep(runs.path(), 10, docker.clone());
        assert_eq!(before(runs.path(), &sample::pass()), None);
        assert!(before(runs.path(), &docker).is_some());
        docker.run.target_identity = "another".to_owned();
        assert_eq!(before(runs.path(), &docker), None);
    }
}
