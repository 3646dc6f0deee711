//! The runs of a series (`run --repeat N`), found again by the folder of any of them.
//!
//! Each run's log says to which series it belongs. What only the series itself knew, which of its runs
//! were drawn again and why it ended early, lies in one file in the folder of its first run.

use super::cache::replace;
use super::runs_dir::{FindError, all_runs};
use super::{PastRun, PastState};
use crate::event::series::{InSeries, RECORD_SCHEMA, SeriesRecord};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file in the first run's folder.
const FILE_NAME: &str = "series.json";
/// Of a series that has no end on record.
const NO_END: &str = "its end is not on record: it goes on, or firedrill was killed";

/// A series that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct PastSeries {
    /// How many runs were asked for.
    pub asked: u32,
    /// The seed from which each run's own was drawn.
    pub seed: u64,
    /// The folders of its runs in order, each with whether another was drawn in its place.
    pub runs: Vec<(PathBuf, bool)>,
    /// Why it ended before all runs were there, if it did.
    pub ended_early: Option<String>,
}

/// Why there is no series.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The run stands alone.
    #[error("run {run} belongs to no series")]
    Alone {
        /// The run.
        run: String,
    },
    /// The log of the run cannot be read.
    #[error("run {run}: {why}")]
    Unreadable {
        /// The run.
        run: String,
        /// Why not.
        why: String,
    },
    /// The record of the series is not what this version writes.
    #[error("{path}: {why}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A run of the series is gone.
    #[error("run {run} of the series is not in {dir}")]
    Gone {
        /// The run.
        run: String,
        /// Where it should be.
        dir: PathBuf,
    },
    /// The folder of runs cannot be read.
    #[error(transparent)]
    Runs(#[from] FindError),
}

/// Keeps what a series decided in the folder of its first run. A reader sees the old file or the new one,
/// never half of one.
///
/// # Errors
/// When the folder cannot be written to.
pub fn store_series(first: &Path, record: &SeriesRecord) -> io::Result<()> {
    replace(first, FILE_NAME, record)
}

/// The series that the run in a folder belongs to; its other runs lie beside it.
///
/// # Errors
/// When it belongs to none, or one of its runs or its record cannot be read.
pub fn series_of_run(folder: &Path) -> Result<PastSeries, SeriesError> {
    // A path such as `.` names neither the run nor what lies beside it.
    let folder = fs::canonicalize(folder).map_err(|error| SeriesError::Unreadable {
        run: name(folder),
        why: error.to_string(),
    })?;
    let dir = folder.parent().unwrap_or(&folder);
    let place = place(PastRun::read(&folder))?;
    let record = record(&dir.join(&place.series))?;
    let ended = record.as_ref().is_some_and(|record| record.ended);
    let (known, again, ended_early) = match record {
        Some(record) => (record.runs, record.drawn_again, record.ended_early),
        None => (Vec::new(), Vec::new(), None),
    };
    // Without an end the record may lack the last run, or all of them.
    let runs = if ended { known } else { found(dir, &place)? };
    let runs: Vec<(PathBuf, bool)> = runs
        .iter()
        .map(|run| (dir.join(run), again.contains(run)))
        .collect();
    if let Some((gone, _)) = runs.iter().find(|(folder, _)| !folder.is_dir()) {
        return Err(SeriesError::Gone {
            run: name(gone),
            dir: dir.to_owned(),
        });
    }
    let kept = runs.iter().filter(|(_, again)| !again).count();
    let is_short = u32::try_from(kept).is_ok_and(|kept| kept < place.asked);
    Ok(PastSeries {
        asked: place.asked,
        seed: place.seed,
        runs,
        ended_early: ended_early.or_else(|| (!ended && is_short).then(|| NO_END.to_owned())),
    })
}

fn place(run: PastRun) -> Result<InSeries, SeriesError> {
    let run_id = run.id;
    match run.state {
        PastState::Ended(began, _) | PastState::Unfinished(began) => {
            began.series.ok_or(SeriesError::Alone { run: run_id })
        }
        PastState::Unreadable(why) => Err(SeriesError::Unreadable { run: run_id, why }),
    }
}

/// The runs whose logs say that they belong to the series, in order.
fn found(dir: &Path, place: &InSeries) -> Result<Vec<String>, SeriesError> {
    let mut numbered: Vec<(u32, String)> = all_runs(dir)?
        .iter()
        .filter_map(|run| {
            let other = run.began()?.series.as_ref()?;
            (other.series == place.series).then(|| (other.number, run.id.clone()))
        })
        .collect();
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, run)| run).collect())
}

fn record(first: &Path) -> Result<Option<SeriesRecord>, SeriesError> {
    let path = first.join(FILE_NAME);
    let wrong = |why: String| SeriesError::Record {
        path: path.clone(),
        why,
    };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let record: SeriesRecord =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if record.schema != RECORD_SCHEMA {
        return Err(wrong(format!(
            "it has the schema {:?}; this firedrill reads {RECORD_SCHEMA}",
            record.schema
        )));
    }
    Ok(Some(record))
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::event::log::{FILE_NAME as LOG, LogWriter};
    use crate::live::sample;

    /// Makes the folder of a run of the series `a`, or of none.
    fn make(dir: &Path, run: &str, number: Option<u32>) {
        let folder = dir.join(run);
        fs::create_dir(&folder).unwrap();
        let mut writer = LogWriter::create(&folder).unwrap();
        for mut entry in sample::run() {
            if let Event::RunBegan(began) = &mut entry.event {
                began.run = run.to_owned();
                began.series = number.map(|number| InSeries {
                    series: "a".to_owned(),
                    seed: 7,
                    asked: 3,
                    number,
                });
            }
            writer.append(&entry).unwrap();
        }
    }

    fn record_of(runs: &[&str], again: &[&str], ended: bool) -> SeriesRecord {
        let own = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        SeriesRecord {
            schema: RECORD_SCHEMA.to_owned(),
            runs: own(runs),
            drawn_again: own(again),
            ended,
            ended_early: None,
        }
    }

    fn names(series: &PastSeries) -> Vec<(String, bool)> {
        let runs = series.runs.iter();
        runs.map(|(folder, again)| (name(folder), *again)).collect()
    }

    fn named(ids: &[(&str, bool)]) -> Vec<(String, bool)> {
        let ids = ids.iter();
        ids.map(|(id, again)| ((*id).to_owned(), *again)).collect()
    }

    #[test]
    fn a_series_that_ended_has_the_runs_of_its_record() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), "a", Some(1));
        make(dir.path(), "b", Some(2));
        make(dir.path(), "other", None);
        // It began, and what came of it is in no report of the series.
        make(dir.path(), "c", Some(3));
        let mut record = record_of(&["a", "b"], &["a"], true);
        record.ended_early = Some("the target is gone".to_owned());
        store_series(&dir.path().join("a"), &record).unwrap();
        for run in ["a", "b", "c"] {
            let series = series_of_run(&dir.path().join(run)).unwrap();
            assert_eq!(names(&series), named(&[("a", true), ("b", false)]));
            assert_eq!((series.asked, series.seed), (3, 7));
            assert_eq!(series.ended_early.as_deref(), Some("the target is gone"));
        }
    }

    #[test]
    fn without_an_end_the_logs_say_which_runs_there_are() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), "b", Some(10));
        make(dir.path(), "c", Some(2));
        make(dir.path(), "a", Some(1));
        let of = || series_of_run(&dir.path().join("c")).unwrap();
        assert_eq!(
            names(&of()),
            named(&[("a", false), ("c", false), ("b", false)])
        );
        assert_eq!(of().ended_early, None, "all three are there");
        let record = record_of(&["a", "c"], &["a"], false);
        store_series(&dir.path().join("a"), &record).unwrap();
        assert_eq!(
            names(&of()),
            named(&[("a", true), ("c", false), ("b", false)])
        );
        assert_eq!(of().ended_early.as_deref(), Some(NO_END));
    }

    #[test]
    fn what_is_no_series_is_told() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), "alone", None);
        make(dir.path(), "a", Some(1));
        let wrong = |run: &str| {
            series_of_run(&dir.path().join(run))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(wrong("alone"), "run alone belongs to no series");
        let record = record_of(&["a", "gone"], &[], true);
        store_series(&dir.path().join("a"), &record).unwrap();
        assert!(wrong("a").starts_with("run gone of the series is not in "));
        let mut newer = record_of(&["a"], &[], true);
        newer.schema = "firedrill.series/2".to_owned();
        store_series(&dir.path().join("a"), &newer).unwrap();
        assert!(wrong("a").contains("firedrill.series/2"));
        fs::write(dir.path().join("a").join(LOG), "no log\n").unwrap();
        assert!(wrong("a").contains("does not begin as a run does"));
    }
}
