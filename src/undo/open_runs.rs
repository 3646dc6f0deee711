//! Finding runs that are not undone: in a folder of runs, and by the target's identity wherever the run's
//! folder lies.
//!
//! The registry is a folder of small files, one per open journal. It only points at journals; what a
//! journal says decides, so a lost or stale entry undoes nothing and hides nothing that `--runs-dir` shows.

use super::journal::{FILE_NAME, Journal, JournalError, Opened};
use super::journal_owner::{JournalOwner, held_by};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A run whose journal is not closed.
#[derive(Debug)]
pub struct OpenRun {
    /// Id of the run (the name of its folder where the journal cannot be read).
    pub run: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its journal, or why it cannot be read: then it is open for all that is known.
    pub journal: Result<Journal, JournalError>,
    /// Who holds the right to undo it.
    pub lock: Lock,
}

/// Who holds the right to undo a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Nobody: its runner is dead, and so is its watchdog.
    Free,
    /// A living process, with its number where the system tells.
    Held(Option<u32>),
}

impl OpenRun {
    fn look(folder: &Path) -> Option<Self> {
        let journal = Journal::read(folder);
        match &journal {
            Ok(journal) if journal.is_closed() => return None,
            Err(JournalError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return None;
            }
            _ => {}
        }
        let run = match &journal {
            Ok(journal) => journal.opened.run.clone(),
            Err(_) => folder
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        let lock = match held_by(folder) {
            Ok(None) | Err(_) => Lock::Free,
            Ok(Some(pid)) => Lock::Held(pid),
        };
        Some(Self {
            run,
            folder: folder.to_owned(),
            journal,
            lock,
        })
    }

    /// Whether it ran on a target that dies with its run, so that the next run may sweep it and go on.
    #[must_use]
    pub fn is_throw_away(&self) -> bool {
        let dies = |kind: &str| matches!(kind, "local" | "simulated");
        matches!(&self.journal, Ok(journal) if dies(&journal.opened.target_kind))
    }
}

/// All runs of a folder whose journal is not closed, latest first (run ids begin with a UTC stamp).
///
/// # Errors
/// When the folder exists and cannot be listed.
pub fn open_runs(runs_dir: &Path) -> std::io::Result<Vec<OpenRun>> {
    let entries = match fs::read_dir(runs_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut open = Vec::new();
    for entry in entries {
        open.extend(OpenRun::look(&entry?.path()));
    }
    open.sort_by(|a, b| b.run.cmp(&a.run));
    Ok(open)
}

/// All runs whose journal is not closed, latest first: those in a folder of runs, and those that the
/// registry knows of in other folders.
///
/// # Errors
/// When either exists and cannot be read.
pub fn open_runs_everywhere(
    runs_dir: &Path,
    registry: Option<&Registry>,
) -> std::io::Result<Vec<OpenRun>> {
    let mut open = open_runs(runs_dir)?;
    let elsewhere = match registry {
        Some(registry) => registry.all_open()?,
        None => Vec::new(),
    };
    for run in elsewhere {
        if open.iter().all(|known| known.run != run.run) {
            open.push(run);
        }
    }
    open.sort_by(|a, b| b.run.cmp(&a.run));
    Ok(open)
}

/// The registry of open journals in the user's state folder.
#[derive(Clone, Debug)]
pub struct Registry {
    folder: PathBuf,
}

/// What a registry file says.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    /// The target's identity in full: its hash in the file's name only narrows the search.
    identity: String,
    /// The run's folder.
    run_folder: PathBuf,
}

impl Registry {
    /// The registry below a state folder; nothing is created yet.
    #[must_use]
    pub fn below(state_dir: &Path) -> Self {
        Self {
            folder: state_dir.join("open"),
        }
    }

    /// Opens a run's journal and registers it. The pointer comes second: whoever cleans the registry
    /// would take one to a missing journal for stale; and nothing is injected before both are on disk.
    ///
    /// # Errors
    /// When either is not on disk.
    pub fn open_journal(
        &self,
        run_folder: &Path,
        opened: Opened,
    ) -> Result<JournalOwner, JournalError> {
        let pointer = self.pointer(&opened.target_identity, &opened.run);
        let text = serde_json::to_vec(&Pointer {
            identity: opened.target_identity.clone(),
            run_folder: fs::canonicalize(run_folder).unwrap_or_else(|_| run_folder.to_owned()),
        });
        let owner = JournalOwner::create(run_folder, opened)?;
        text.map_err(std::io::Error::from)
            .and_then(|text| self.write(&pointer, &text))
            .map_err(|source| JournalError::Io {
                path: pointer,
                source,
            })?;
        Ok(owner)
    }

    fn write(&self, pointer: &Path, text: &[u8]) -> std::io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(pointer)?;
        file.write_all(text)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    /// Forgets a run, after its journal was closed. Harmless when it is not registered.
    pub fn forget(&self, opened: &Opened) {
        // What stays behind points at a closed journal and is cleaned by the next search.
        let _ = fs::remove_file(self.pointer(&opened.target_identity, &opened.run));
    }

    /// Runs on this target whose journals are not closed, latest first. Pointers to journals that are
    /// closed or gone are removed on the way.
    ///
    /// # Errors
    /// When the registry exists and cannot be read: then it is not known that none is open.
    pub fn find_open(&self, identity: &str) -> std::io::Result<Vec<OpenRun>> {
        self.look(&hash(identity), |pointer| pointer.identity == identity)
    }

    /// All runs whose journals are not closed, whatever they ran on and wherever their folders lie, as
    /// [`Registry::find_open`] finds them.
    ///
    /// # Errors
    /// As [`Registry::find_open`].
    pub fn all_open(&self) -> std::io::Result<Vec<OpenRun>> {
        self.look("", |_| true)
    }

    fn look(
        &self,
        prefix: &str,
        wanted: impl Fn(&Pointer) -> bool,
    ) -> std::io::Result<Vec<OpenRun>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut open = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(prefix) {
                continue;
            }
            let text = match fs::read(entry.path()) {
                Ok(text) => text,
                // Another run forgot it in this moment.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let Ok(pointer) = serde_json::from_slice::<Pointer>(&text) else {
                // Torn by a crash between its creation and its fsync: nothing had been injected.
                continue;
            };
            if !wanted(&pointer) {
                continue;
            }
            match OpenRun::look(&pointer.run_folder) {
                Some(run) => open.push(run),
                None => {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        open.sort_by(|a, b| b.run.cmp(&a.run));
        Ok(open)
    }

    fn pointer(&self, identity: &str, run: &str) -> PathBuf {
        self.folder.join(format!("{}.{run}", hash(identity)))
    }
}

fn hash(identity: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(identity.as_bytes());
    digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether a folder holds a run's journal.
#[must_use]
pub fn has_journal(folder: &Path) -> bool {
    folder.join(FILE_NAME).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use serde_json::json;

    fn opened(run: &str, identity: &str) -> Opened {
        Opened::by_this_process(run, "docker", identity, json!({}), Clock::start())
    }

    #[test]
    fn an_open_run_is_found_by_its_target_wherever_its_folder_lies() {
        let state = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let registry = Registry::below(state.path());
        assert!(registry.find_open("docker:a").unwrap().is_empty());

        let mut owner = registry
            .open_journal(elsewhere.path(), opened("20261123t01-aaaaaa", "docker:a"))
            .unwrap();
        let found = registry.find_open("docker:a").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].run, "20261123t01-aaaaaa");
        assert_eq!(found[0].lock, Lock::Held(Some(std::process::id())));
        assert!(registry.find_open("docker:b").unwrap().is_empty());

        let runs = state.path().join("runs");
        let all = open_runs_everywhere(&runs, Some(&registry)).unwrap();
        assert_eq!(all.len(), 1, "found though it lies elsewhere");
        assert!(open_runs_everywhere(&runs, None).unwrap().is_empty());

        owner.close().unwrap();
        assert!(registry.find_open("docker:a").unwrap().is_empty());
        let left = fs::read_dir(state.path().join("open")).unwrap().count();
        assert_eq!(left, 0, "a pointer to a closed journal is cleaned");
    }

    #[test]
    fn a_vanished_folder_is_stale_and_an_unreadable_journal_is_not() {
        let state = tempfile::tempdir().unwrap();
        let registry = Registry::below(state.path());
        let gone = tempfile::tempdir().unwrap();
        drop(
            registry
                .open_journal(gone.path(), opened("r1", "docker:a"))
                .unwrap(),
        );
        let newer = tempfile::tempdir().unwrap();
        drop(
            registry
                .open_journal(newer.path(), opened("r2", "docker:a"))
                .unwrap(),
        );
        let path = newer.path().join(FILE_NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"version\":1", "\"version\":9")).unwrap();
        gone.close().unwrap();

        let found = registry.find_open("docker:a").unwrap();
        assert_eq!(found.len(), 1);
        assert!(matches!(found[0].journal, Err(JournalError::Newer { .. })));
        assert_eq!(found[0].lock, Lock::Free);
    }

    #[test]
    fn open_runs_are_listed_latest_first() {
        let runs = tempfile::tempdir().unwrap();
        for (run, close) in [
            ("20260101t00-a", false),
            ("20260102t00-b", true),
            ("20260103t00-c", false),
        ] {
            let folder = runs.path().join(run);
            fs::create_dir(&folder).unwrap();
            let mut owner = JournalOwner::create(&folder, opened(run, "docker:a")).unwrap();
            if close {
                owner.close().unwrap();
            }
        }
        fs::create_dir(runs.path().join("no journal")).unwrap();
        let open = open_runs(runs.path()).unwrap();
        let names: Vec<_> = open.iter().map(|open| open.run.as_str()).collect();
        assert_eq!(names, ["20260103t00-c", "20260101t00-a"]);
        assert!(open.iter().all(|open| open.lock == Lock::Free));
        assert!(open_runs(&runs.path().join("none")).unwrap().is_empty());
    }
}
