//! Writing the undo journal. Who owns the journal has the right to undo: an exclusive lock, held for the
//! life of the owner and given up by the kernel when its process dies, however it dies.
//!
//! Every append is on disk before it returns; it never decides what is to be done.

use super::journal::{FILE_NAME, How, Journal, JournalError, Line, Opened, Record};
use crate::fault::Hit;
use serde_json::Value;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How often, and how far apart, a lock without a holder is tried again: one second in all.
const STARTING_TRIES: u32 = 50;
const STARTING_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// The right to undo one run.
#[derive(Debug)]
pub struct JournalOwner {
    path: PathBuf,
    file: File,
    good_len: u64,
    highest: u32,
    open: Vec<u32>,
    closed: bool,
    broken: Option<String>,
}

impl JournalOwner {
    /// Creates the journal of a run (mode 0600) in its folder and takes the right to undo it.
    ///
    /// It is written under another name first and renamed, so that a journal without its first record is
    /// never seen, and the lock is held before anybody can see it.
    ///
    /// # Errors
    /// When it cannot be created or exists already.
    pub fn create(folder: &Path, opened: Opened) -> Result<Self, JournalError> {
        let path = folder.join(FILE_NAME);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        if path.exists() {
            return Err(io(std::io::ErrorKind::AlreadyExists.into()));
        }
        let draft = folder.join(format!("{FILE_NAME}.new"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(io)?;
        lock(&file, &path)?;
        reserve(&file).map_err(io)?;
        let mut owner = Self {
            path: path.clone(),
            file,
            good_len: 0,
            highest: 0,
            open: Vec::new(),
            closed: false,
            broken: None,
        };
        owner.append(Record::Opened(Box::new(opened)))?;
        fs::rename(&draft, &path).map_err(io)?;
        // Without this the name itself may be lost in a power cut.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
        Ok(owner)
    }

    /// Takes the right to undo a run whose runner has died, with what its journal says. A torn last line
    /// is cut off.
    ///
    /// # Errors
    /// [`JournalError::Held`] while somebody else has the right; else when it cannot be read.
    pub fn take(folder: &Path) -> Result<(Self, Journal), JournalError> {
        let path = folder.join(FILE_NAME);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io)?;
        lock_once_free(&file, &path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let journal = Journal::parse(path.clone(), &bytes)?;
        if journal.torn {
            file.set_len(journal.good_len).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        let owner = Self {
            good_len: journal.good_len,
            highest: journal.highest_number(),
            open: journal
                .open_entries()
                .iter()
                .map(super::journal::OpenEntry::number)
                .collect(),
            closed: journal.is_closed(),
            broken: None,
            path,
            file,
        };
        Ok((owner, journal))
    }

    /// The next free number. It counts on whether or not it is then used, so that one allocator serves
    /// the journal's entries and all acts of the event log.
    pub fn next_number(&mut self) -> u32 {
        self.highest += 1;
        self.highest
    }

    /// Writes down that something is about to be made in the target. Returns its number.
    ///
    /// # Errors
    /// When it is not on disk; then nothing must be made.
    pub fn made(&mut self, what: &str, facts: Value) -> Result<u32, JournalError> {
        let n = self.next_number();
        self.append(Record::Made {
            n,
            what: what.to_owned(),
            facts,
        })?;
        self.open.push(n);
        Ok(n)
    }

    /// Writes down that a fault is about to be injected. Returns its number, which its acts carry too.
    ///
    /// # Errors
    /// When it is not on disk; then nothing must be injected.
    pub fn intent(
        &mut self,
        step: &str,
        hit: &Hit,
        fault: &str,
        facts: Value,
    ) -> Result<u32, JournalError> {
        let n = self.next_number();
        self.append(Record::Intent {
            n,
            step: step.to_owned(),
            hit: hit.clone(),
            fault: fault.to_owned(),
            facts,
        })?;
        self.open.push(n);
        Ok(n)
    }

    /// Writes down that an intent's node is about to be let go.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn released(&mut self, n: u32) -> Result<(), JournalError> {
        self.append(Record::Released { n })
    }

    /// Writes down that an entry is undone and was seen to be.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn done(&mut self, n: u32, how: How, proof: &str) -> Result<(), JournalError> {
        self.append(Record::Done {
            n,
            how,
            proof: proof.to_owned(),
        })?;
        self.open.retain(|open| *open != n);
        Ok(())
    }

    /// Writes down that an entry could not be undone.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn failed(&mut self, n: u32, why: &str) -> Result<(), JournalError> {
        self.append(Record::Failed {
            n,
            why: why.to_owned(),
        })
    }

    /// Whether nothing is left to undo.
    #[must_use]
    pub fn nothing_open(&self) -> bool {
        self.open.is_empty()
    }

    /// Closes the journal if nothing is open; says whether it is closed now. Harmless when it was.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn close(&mut self) -> Result<bool, JournalError> {
        if self.closed || !self.open.is_empty() {
            return Ok(self.closed);
        }
        self.append(Record::Closed)?;
        self.closed = true;
        Ok(true)
    }

    /// The journal's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One line, written at once and on disk when this returns. After a failure the file is cut back to
    /// its last whole line, since a torn one in the middle would make the rest unreadable.
    fn append(&mut self, record: Record) -> Result<(), JournalError> {
        if let Some(cause) = &self.broken {
            return Err(JournalError::Broken {
                path: self.path.clone(),
                cause: cause.clone(),
            });
        }
        let result = self.write(&record);
        match result {
            Ok(written) => {
                self.good_len += written;
                Ok(())
            }
            Err(source) => {
                let cut = self
                    .file
                    .set_len(self.good_len)
                    .and_then(|()| self.file.sync_all());
                if cut.is_err() {
                    self.broken = Some(source.to_string());
                }
                Err(JournalError::Io {
                    path: self.path.clone(),
                    source,
                })
            }
        }
    }

    fn write(&mut self, record: &Record) -> std::io::Result<u64> {
        let mut text = serde_json::to_vec(&Line::now(record.clone()))?;
        text.push(b'\n');
        self.file.seek(SeekFrom::Start(self.good_len))?;
        self.file.write_all(&text)?;
        // The length belongs to the data here: fdatasync writes it wherever it is needed to read them.
        self.file.sync_data()?;
        Ok(text.len() as u64)
    }
}

impl Drop for JournalOwner {
    /// Lets go of the lock itself and not only of this handle on it: a program that is just being started
    /// has a copy of the handle, with which the lock would outlive its owner (open(2), O_CLOEXEC).
    fn drop(&mut self) {
        // What fails here is let go of with the last handle.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
impl JournalOwner {
    /// From now on every append fails, as it does when the disk is gone.
    pub(super) fn break_for_test(&mut self) {
        self.broken = Some(String::from("broken for the test"));
    }
}

/// Room for all records of a long run. A disk that fills up during a drill, by its own event log for one,
/// must not keep the journal from saying that everything is put back.
const ROOM: i64 = 128 * 1024;

/// Reserves [`ROOM`] without changing the file's length.
#[cfg(target_os = "linux")]
fn reserve(file: &File) -> std::io::Result<()> {
    use nix::errno::Errno;
    use nix::fcntl::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, ROOM) {
        // Not every file system can (fallocate(2)); then a full disk keeps the journal open.
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File) -> std::io::Result<()> {
    Ok(())
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Held {
            path: path.to_owned(),
            pid: lock_holder(file),
        }),
        Err(TryLockError::Error(source)) => Err(JournalError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The same, with patience where no other process is seen to have the right: somebody in this one may be looking
/// who has it ([`held_by`]), and a holder that has just died may have left the copy of its lock that a program has
/// which is just being started (open(2), O_CLOEXEC).
fn lock_once_free(file: &File, path: &Path) -> Result<(), JournalError> {
    let me = std::process::id();
    for _ in 0..STARTING_TRIES {
        match lock(file, path) {
            Err(JournalError::Held { pid, .. }) if pid.is_none_or(|pid| pid == me) => {
                std::thread::sleep(STARTING_PAUSE);
            }
            result => return result,
        }
    }
    lock(file, path)
}

/// Whether somebody holds the right to undo this run now, and which process, where the system tells.
///
/// # Errors
/// When the journal cannot be opened.
pub fn held_by(folder: &Path) -> Result<Option<Option<u32>>, JournalError> {
    let path = folder.join(FILE_NAME);
    let file = File::open(&path).map_err(|source| JournalError::Io {
        path: path.clone(),
        source,
    })?;
    match lock(&file, &path) {
        Ok(()) => {
            // For the same reason as in `JournalOwner::drop`.
            let _ = file.unlock();
            Ok(None)
        }
        Err(JournalError::Held { pid, .. }) => Ok(Some(pid)),
        Err(error) => Err(error),
    }
}

/// The process that holds the lock, from `/proc/locks` (proc_locks(5)): the fields of a line are number,
/// class, kind, access, process id, MAJOR:MINOR:INODE, and a range. Only the inode is compared, because
/// layered file systems show another device there.
fn lock_holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let table = fs::read_to_string("/proc/locks").ok()?;
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let class = fields.next()?;
        // A waiting lock has "->" before its class and holds nothing.
        let pid = fields.nth(2)?.parse().ok()?;
        let place = fields.next()?;
        let (_, found) = place.rsplit_once(':')?;
        (class == "FLOCK" && found == inode).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::undo::journal::OpenEntry;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt as _;

    fn opened() -> Opened {
        Opened::by_this_process(
            "20261123t014500z-0a1b2c",
            "local",
            "local:/tmp/x",
            json!({ "folder": "/tmp/x" }),
            Clock::start(),
        )
    }

    fn hit() -> Hit {
        Hit {
            node: String::from("node-1"),
            role: String::from("primary"),
            timeline: 1,
        }
    }

    fn text(folder: &Path) -> String {
        fs::read_to_string(folder.join(FILE_NAME)).unwrap()
    }

    #[test]
    fn what_is_written_is_open_until_it_is_done_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = JournalOwner::create(folder.path(), opened()).unwrap();
        let made = owner.made("ledger table", json!({})).unwrap();
        let kill = owner.intent("crash", &hit(), "kill", json!({})).unwrap();
        assert!(!owner.close().unwrap());
        let open = Journal::read(folder.path()).unwrap().open_entries();
        let numbers: Vec<_> = open.iter().map(OpenEntry::number).collect();
        assert_eq!(numbers, [kill, made]);

        owner.released(kill).unwrap();
        owner.failed(kill, "node-1 stays down").unwrap();
        let open = Journal::read(folder.path()).unwrap().open_entries();
        assert!(matches!(&open[0], OpenEntry::Intent { released: true, .. }));

        owner
            .done(kill, How::ReleasedThenVerified, "leads")
            .unwrap();
        owner.done(made, How::Undone, "dropped").unwrap();
        assert!(owner.close().unwrap());
        let journal = Journal::read(folder.path()).unwrap();
        assert!(journal.is_closed());
        assert!(journal.open_entries().is_empty());
        let mode = fs::metadata(owner.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_program_that_is_being_started_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let owner = JournalOwner::create(folder.path(), opened()).unwrap();
        let copy_in_the_child = owner.file.try_clone().unwrap();
        drop(owner);
        assert_eq!(held_by(folder.path()).unwrap(), None);
        JournalOwner::take(folder.path()).unwrap();
        drop(copy_in_the_child);
    }

    #[test]
    fn one_owner_at_a_time_and_the_holder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let owner = JournalOwner::create(folder.path(), opened()).unwrap();
        let error = JournalOwner::take(folder.path()).unwrap_err();
        let me = std::process::id();
        assert!(
            matches!(error, JournalError::Held { pid, .. } if pid == Some(me)),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("process {me} has the right"))
        );
        assert_eq!(held_by(folder.path()).unwrap(), Some(Some(me)));
        drop(owner);
        assert_eq!(held_by(folder.path()).unwrap(), None);
        JournalOwner::take(folder.path()).unwrap();
    }

    #[test]
    fn a_second_journal_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(JournalOwner::create(folder.path(), opened()).unwrap());
        assert!(JournalOwner::create(folder.path(), opened()).is_err());
    }

    #[test]
    fn a_torn_last_line_was_never_acted_on_wherever_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = JournalOwner::create(folder.path(), opened()).unwrap();
        owner.intent("a", &hit(), "kill", json!({})).unwrap();
        let whole = text(folder.path());
        owner.intent("b", &hit(), "freeze", json!({})).unwrap();
        drop(owner);
        let both = text(folder.path());
        for cut in whole.len() + 1..both.len() {
            fs::write(folder.path().join(FILE_NAME), &both[..cut]).unwrap();
            let (mut owner, journal) = JournalOwner::take(folder.path()).unwrap();
            assert!(journal.torn);
            assert_eq!(journal.open_entries().len(), 1);
            assert_eq!(text(folder.path()), whole);
            assert_eq!(owner.next_number(), 2);
            owner.done(1, How::Undone, "leads").unwrap();
            assert!(owner.close().unwrap());
        }
        // A power cut may leave zeros where the data never came to disk.
        let zeros = format!("{whole}{}\n", "\0".repeat(40));
        fs::write(folder.path().join(FILE_NAME), zeros).unwrap();
        assert!(Journal::read(folder.path()).unwrap().torn);
    }

    #[test]
    fn damage_in_the_middle_and_newer_records_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = JournalOwner::create(folder.path(), opened()).unwrap();
        owner.intent("a", &hit(), "kill", json!({})).unwrap();
        drop(owner);
        let good = text(folder.path());
        let path = folder.path().join(FILE_NAME);
        let refusal = |text: &str| {
            fs::write(&path, text).unwrap();
            JournalOwner::take(folder.path()).unwrap_err()
        };

        let (first, second) = good.split_once('\n').unwrap();
        let damaged = refusal(&format!("{first}\n{{\"at\n{second}"));
        assert!(
            matches!(damaged, JournalError::Damaged { line: 2, .. }),
            "{damaged}"
        );
        let headless = refusal(second);
        assert!(
            matches!(headless, JournalError::Damaged { line: 1, .. }),
            "{headless}"
        );

        let unknown = good.replace("\"intent\"", "\"borrowed\"");
        let field = good.replace("\"fault\":", "\"unless\":true,\"fault\":");
        let version = good.replace("\"version\":1", "\"version\":2");
        for newer in [unknown, field, version] {
            let error = refusal(&newer);
            assert!(matches!(error, JournalError::Newer { .. }), "{error}");
            assert!(error.to_string().contains("written by a newer firedrill"));
        }
        // An unknown record is refused in the last line too: it is whole, so it may have been acted on.
        let last = format!("{good}{{\"at\":\"\",\"record\":\"reopened\"}}\n");
        assert!(matches!(
            refusal(&last),
            JournalError::Newer { line: 3, .. }
        ));
    }

    #[test]
    fn a_failed_write_leaves_the_journal_readable() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = JournalOwner::create(folder.path(), opened()).unwrap();
        owner.intent("a", &hit(), "kill", json!({})).unwrap();
        // A read-only handle makes every write fail, as a full disk does, and so does the cut back.
        owner.file = File::open(owner.path()).unwrap();
        assert!(matches!(
            owner.intent("b", &hit(), "kill", json!({})).unwrap_err(),
            JournalError::Io { .. }
        ));
        assert!(matches!(
            owner.released(1).unwrap_err(),
            JournalError::Broken { .. }
        ));
        assert_eq!(
            Journal::read(folder.path()).unwrap().open_entries().len(),
            1
        );
    }
}
