//! Answers of people: how one comes to a run from another process.
//!
//! The way is a file in the run's folder, which is private to its user: nothing listens. It is written under
//! another name and given its own by a hard link, so that it is seen whole or not at all, and the first
//! answer stays.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The longest answer file that is read, in bytes.
const LONGEST: u64 = 4096;

/// An answer on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The word.
    pub answer: String,
    /// Who gave it.
    pub by: String,
}

/// By which way an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Typed on the terminal of the run.
    Terminal,
    /// `firedrill answer`, from another process.
    Command,
    /// `--answer`, given before the run: nobody was asked.
    Automated,
    /// Nobody answered in time: the drill's own `otherwise`.
    Otherwise,
}

impl Way {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Terminal => "on the terminal",
            Self::Command => "by firedrill answer",
            Self::Automated => "automated, by --answer",
            Self::Otherwise => "nobody answered in time",
        }
    }
}

/// Where the answer to a step lies. `step` is an id, which holds no `/`.
#[must_use]
pub fn path(folder: &Path, step: &str) -> PathBuf {
    folder.join(format!("answer-{step}.json"))
}

/// Puts an answer where the run looks for it.
///
/// # Errors
/// `AlreadyExists` where there is one already; else when the folder takes no files.
pub fn give(folder: &Path, step: &str, given: &Given) -> io::Result<()> {
    let path = path(folder, step);
    let draft = folder.join(format!(".answer-{step}.{}", std::process::id()));
    let _ = std::fs::remove_file(&draft);
    let written = write(&draft, given).and_then(|()| std::fs::hard_link(&draft, &path));
    let _ = std::fs::remove_file(&draft);
    written
}

fn write(draft: &Path, given: &Given) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    serde_json::to_writer(&mut file, given)?;
    file.flush()
}

/// Takes the answer to a step away; `None` where there is none yet. What is no answer is taken away too.
#[must_use]
pub fn take(folder: &Path, step: &str) -> Option<Given> {
    use std::io::Read as _;
    let path = path(folder, step);
    let file = File::open(&path).ok()?;
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    let _ = std::fs::remove_file(&path);
    read.ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn given(answer: &str) -> Given {
        Given {
            answer: answer.to_owned(),
            by: "alice".to_owned(),
        }
    }

    #[test]
    fn the_first_answer_stays_and_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path(), "decide"), None);
        give(folder.path(), "decide", &given("go")).unwrap();
        let mode = std::fs::metadata(path(folder.path(), "decide"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = give(folder.path(), "decide", &given("stop")).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(take(folder.path(), "decide"), Some(given("go")));
        assert_eq!(take(folder.path(), "decide"), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_answer_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path(), "decide"), "{").unwrap();
        assert_eq!(take(folder.path(), "decide"), None);
        give(folder.path(), "decide", &given("go")).unwrap();
    }
}
