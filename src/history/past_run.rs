//! One earlier run, as its folder tells it: the first and the last event of its log, and the kept result.
//!
//! Everything between is left unread, so that a list of a thousand runs is quick.

use super::cache::cached_result;
use crate::event::result::RunResult;
use crate::event::{Entry, Event, RunBegan, RunEnded, SCHEMA, log};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The longest first or last line that is read: a plan of many steps is a few kilobytes.
const LONGEST_LINE: u64 = 4 << 20;

/// An earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its id: the folder's name.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// How far it came.
    pub state: PastState,
    /// Its result, where one was kept.
    pub result: Option<RunResult>,
}

/// How far an earlier run came.
#[derive(Clone, Debug, PartialEq)]
pub enum PastState {
    /// It ended by itself, or was stopped and put things back.
    Ended(Box<RunBegan>, RunEnded),
    /// Its log has no end: it is running now, or its runner died.
    Unfinished(Box<RunBegan>),
    /// The log cannot be read; the text says why.
    Unreadable(String),
}

impl PastRun {
    /// Reads a run's folder.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let name = folder.file_name().unwrap_or_default();
        Self {
            id: name.to_string_lossy().into_owned(),
            folder: folder.to_owned(),
            state: state(&folder.join(log::FILE_NAME))
                .unwrap_or_else(|error| PastState::Unreadable(error.to_string())),
            result: cached_result(folder),
        }
    }

    /// What was decided before it began, where that can be read.
    #[must_use]
    pub fn began(&self) -> Option<&RunBegan> {
        match &self.state {
            PastState::Ended(began, _) | PastState::Unfinished(began) => Some(began),
            PastState::Unreadable(_) => None,
        }
    }
}

fn state(path: &Path) -> io::Result<PastState> {
    let mut file = File::open(path)?;
    let mut first = Vec::new();
    BufReader::new(&file)
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut first)?;
    let began = match serde_json::from_slice::<Entry>(&first) {
        Ok(Entry {
            event: Event::RunBegan(began),
            ..
        }) => began,
        _ => {
            let why = "the log does not begin as a run does".to_owned();
            return Ok(PastState::Unreadable(why));
        }
    };
    if began.schema != SCHEMA {
        let why = format!("the log has the schema {:?}", began.schema);
        return Ok(PastState::Unreadable(why));
    }
    let last = last_line(&mut file)?;
    match serde_json::from_slice::<Entry>(&last) {
        Ok(Entry {
            event: Event::RunEnded(ended),
            ..
        }) => Ok(PastState::Ended(began, ended)),
        // Anything else, a torn line included, is what a run leaves that has not ended.
        _ => Ok(PastState::Unfinished(began)),
    }
}

/// The last line of a file, read from its end; empty where it is longer than [`LONGEST_LINE`].
fn last_line(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut block = 4096;
    loop {
        let from = length.saturating_sub(block);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        file.by_ref().take(length - from).read_to_end(&mut tail)?;
        let body = tail.strip_suffix(b"\n").unwrap_or(&tail);
        if let Some(end) = body.iter().rposition(|byte| *byte == b'\n') {
            return Ok(body[end + 1..].to_vec());
        }
        if from == 0 {
            return Ok(body.to_vec());
        }
        if block >= LONGEST_LINE {
            return Ok(Vec::new());
        }
        block *= 4;
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::live::sample;
    use std::fs;

    /// Makes a run's folder with the first `count` of the sample's events, under another id.
    pub fn make(runs_dir: &Path, id: &str, count: usize) -> PathBuf {
        let folder = runs_dir.join(id);
        fs::create_dir_all(&folder).unwrap();
        let mut writer = log::LogWriter::create(&folder).unwrap();
        for mut entry in sample::run().into_iter().take(count) {
            if let Event::RunBegan(began) = &mut entry.event {
                began.run = id.to_owned();
            }
            writer.append(&entry).unwrap();
        }
        folder
    }

    #[test]
    fn a_run_that_ended_and_one_that_did_not() {
        let runs = tempfile::tempdir().unwrap();
        let ended = PastRun::read(&make(runs.path(), "a", usize::MAX));
        assert!(matches!(ended.state, PastState::Ended(..)));
        assert_eq!(ended.began().unwrap().run, "a");
        let cut = PastRun::read(&make(runs.path(), "b", 9));
        assert!(matches!(cut.state, PastState::Unfinished(_)));
        let only_begun = PastRun::read(&make(runs.path(), "c", 1));
        assert!(matches!(only_begun.state, PastState::Unfinished(_)));
    }

    #[test]
    fn a_torn_line_is_a_run_that_did_not_end() {
        let runs = tempfile::tempdir().unwrap();
        let folder = make(runs.path(), "a", usize::MAX);
        let path = folder.join(log::FILE_NAME);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
        assert!(matches!(
            PastRun::read(&folder).state,
            PastState::Unfinished(_)
        ));
    }

    #[test]
    fn a_log_of_another_kind_is_told_and_no_panic() {
        let runs = tempfile::tempdir().unwrap();
        for text in ["", "\n", "not json\n", "{\"seq\":0}\n"] {
            fs::write(runs.path().join(log::FILE_NAME), text).unwrap();
            let state = PastRun::read(runs.path()).state;
            assert!(matches!(state, PastState::Unreadable(_)), "{text:?}");
        }
        let gone = PastRun::read(&runs.path().join("gone")).state;
        assert!(matches!(gone, PastState::Unreadable(_)));
    }

    #[test]
    fn the_last_line_is_found_wherever_it_begins() {
        let runs = tempfile::tempdir().unwrap();
        for length in [0, 1, 4094, 4095, 4096, 4097, 70_000] {
            let folder = runs.path().join(length.to_string());
            fs::create_dir(&folder).unwrap();
            let mut writer = log::LogWriter::create(&folder).unwrap();
            let text = "x".repeat(length);
            let noted = Entry {
                seq: 1,
                at: Stamp(1),
                event: Event::Noted { text },
            };
            writer.append(&sample::run()[0]).unwrap();
            writer.append(&noted).unwrap();
            let mut file = File::open(folder.join(log::FILE_NAME)).unwrap();
            let line = last_line(&mut file).unwrap();
            assert_eq!(serde_json::from_slice::<Entry>(&line).unwrap(), noted);
        }
    }
}
