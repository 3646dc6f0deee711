//! The folder of a throw-away cluster: where everything lies, whose it is, and how it is removed.
//!
//! A marker file inside names the run. Without it nothing here is ever killed or removed. The folder is
//! locked for as long as its runner lives.

use super::account::Account;
use super::{process_tree, segment};
use crate::target::TargetError;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A socket's path must fit into `sockaddr_un.sun_path` with its closing zero (unix(7): 108 bytes).
const LONGEST_SOCKET: usize = 107;

const MARKER: &str = "firedrill.json";
const MARKER_DRAFT: &str = "firedrill.json.new";
const LOCK: &str = "lock";

/// What the marker file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    version: u32,
    run: String,
    account: Account,
}

/// The folder of a throw-away cluster, locked.
#[derive(Debug)]
pub struct ClusterFolder {
    path: PathBuf,
    account: Account,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "held for life; the kernel lets go of it")
    )]
    lock: File,
}

/// Where the folder of a run will lie, so that it can be journaled before it is made.
#[must_use]
pub fn plan_folder(run: &str) -> PathBuf {
    let temp = std::env::temp_dir();
    // Processes are recognised by their working directory, which the kernel tells without symbolic links.
    let temp = temp.canonicalize().unwrap_or(temp);
    temp.join(format!("firedrill-{run}"))
}

impl ClusterFolder {
    /// Makes the folder of a run, with its marker and its lock.
    ///
    /// # Errors
    /// When it exists, cannot be made, lies where the account may not enter, or its path is too long for
    /// sockets.
    pub fn create(run: &str, account: &Account) -> Result<Self, TargetError> {
        let path = plan_folder(run);
        let what = format!("make the cluster's folder {}", path.display());
        let failed = |error: io::Error| TargetError::new(&what, error);
        // The longest number that a port can have.
        let socket = path.join("s/.s.PGSQL.65535.lock");
        if socket.as_os_str().len() > LONGEST_SOCKET {
            return Err(TargetError::new(
                &what,
                format!(
                    "a socket in it would have a path of {} bytes, at most {LONGEST_SOCKET} work; set \
                     TMPDIR to a shorter folder",
                    socket.as_os_str().len()
                ),
            ));
        }
        if let Some(closed) = path.parent().and_then(|temp| account.barred_from(temp)) {
            return Err(TargetError::new(
                &what,
                format!(
                    "user {}, as whom the servers run, may not enter {}; set TMPDIR to a folder that \
                     everybody may enter, such as /tmp",
                    account.name,
                    closed.display()
                ),
            ));
        }
        fs::DirBuilder::new()
            .mode(0o711)
            .create(&path)
            .map_err(failed)?;
        // The creation mask may have taken bits away.
        fs::set_permissions(&path, Permissions::from_mode(0o711)).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        lock.try_lock()
            .map_err(|error| TargetError::new(&what, error))?;
        let marker = Marker {
            version: 1,
            run: run.to_owned(),
            account: account.clone(),
        };
        let text =
            serde_json::to_string(&marker).map_err(|error| TargetError::new(&what, error))?;
        // Renamed into place, so that a runner that dies here leaves no half of it.
        let draft = path.join(MARKER_DRAFT);
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, path.join(MARKER)))
            .map_err(failed)?;
        let folder = Self {
            path,
            account: account.clone(),
            lock,
        };
        folder.make_folder("s").map_err(failed)?;
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the Unix sockets lie.
    #[must_use]
    pub fn sockets(&self) -> PathBuf {
        self.path.join("s")
    }

    /// Makes a folder inside that belongs to the account alone.
    ///
    /// # Errors
    /// The system's.
    pub fn make_folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        self.account.own(&path)?;
        Ok(path)
    }

    /// Writes a file inside that only the account may read: passwords pass through such files, because
    /// arguments and environments can be read by others.
    ///
    /// # Errors
    /// The system's.
    pub fn write_private(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        self.account.own(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }

    /// Lets go of the lock, as the kernel does when a runner dies.
    #[cfg(test)]
    pub fn unlock(&self) {
        self.lock.unlock().unwrap();
    }

    /// Kills what runs in it and removes it. Blocks.
    ///
    /// # Errors
    /// When something could not be killed or removed.
    pub fn remove(&self) -> Result<String, TargetError> {
        remove(&self.path, &self.account)
    }
}

/// Ends a cluster whose runner is dead: kills every process in its folder, frozen ones too, and removes
/// the folder. Needs no handle, no password and no answer of any server. Harmless where it is gone
/// already. Returns one line for people.
///
/// # Errors
/// When the folder is not one that firedrill made for `run`, when its runner still lives, or when
/// something could not be killed or removed.
pub async fn sweep(folder: &Path, run: &str) -> Result<String, TargetError> {
    let what = format!("sweep the cluster in {}", folder.display());
    if !folder.exists() {
        return Ok(format!("{} is gone already", folder.display()));
    }
    if folder.file_name() != plan_folder(run).file_name() {
        return Err(TargetError::new(
            what,
            format!("this is not the folder of run {run}; nothing was touched"),
        ));
    }
    let text = match fs::read_to_string(folder.join(MARKER)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return remove_unmarked(folder, &what);
        }
        Err(error) => return Err(TargetError::new(what, error)),
    };
    let marker: Marker = serde_json::from_str(&text).map_err(|error| {
        TargetError::new(
            &what,
            format!("its marker cannot be read ({error}); nothing was touched"),
        )
    })?;
    if marker.run != run {
        return Err(TargetError::new(
            what,
            format!("it belongs to run {}; nothing was touched", marker.run),
        ));
    }
    let _lock = take_lock(folder, &what).await?;
    let path = folder
        .canonicalize()
        .map_err(|error| TargetError::new(&what, error))?;
    tokio::task::spawn_blocking(move || remove(&path, &marker.account))
        .await
        .map_err(|error| TargetError::new(what, error))?
}

/// The runner may have died between making the folder and marking it: then there is nothing in it but an
/// empty lock file and half a marker.
fn remove_unmarked(folder: &Path, what: &str) -> Result<String, TargetError> {
    let failed = |error: io::Error| TargetError::new(what, error);
    let mut foreign = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name != LOCK && name != MARKER_DRAFT {
            foreign.push(name.to_string_lossy().into_owned());
        }
    }
    if !foreign.is_empty() {
        return Err(TargetError::new(
            what,
            format!(
                "it has no marker of firedrill, but holds {}; nothing was touched",
                foreign.join(", ")
            ),
        ));
    }
    fs::remove_dir_all(folder).map_err(failed)?;
    Ok(format!("{} was empty and is removed", folder.display()))
}

/// Takes the lock of a dead runner; the kernel may need a moment to let go of it.
async fn take_lock(folder: &Path, what: &str) -> Result<Option<File>, TargetError> {
    let file = match File::open(folder.join(LOCK)) {
        Ok(file) => file,
        // Removed with everything else by an earlier sweep that was cut short.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TargetError::new(what, error)),
    };
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(TryLockError::Error(error)) => return Err(TargetError::new(what, error)),
        }
    }
    Err(TargetError::new(
        what,
        "its runner still lives and holds its lock; nothing was touched",
    ))
}

/// The marker goes last, so that a removal that is cut short can be taken up again.
fn remove(path: &Path, account: &Account) -> Result<String, TargetError> {
    let what = format!("remove the cluster's folder {}", path.display());
    let failed = |error: io::Error| TargetError::new(&what, error);
    let killed = process_tree::kill_all(path, account)?;
    if path.exists() {
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                segment::release(&entry.path(), account)?;
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            } else if entry.file_name() != MARKER {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        fs::remove_dir_all(path).map_err(failed)?;
    }
    Ok(format!(
        "{killed} processes ended, {} removed",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run id that no other test uses.
    fn run(name: &str) -> String {
        format!("test-{name}-{}", std::process::id())
    }

    #[tokio::test]
    async fn a_live_runner_is_not_swept_and_a_dead_one_is() {
        let account = Account::choose().unwrap();
        let run = run("live");
        let folder = ClusterFolder::create(&run, &account).unwrap();
        let path = folder.path().to_path_buf();
        assert_eq!(path, plan_folder(&run));
        let refused = sweep(&path, &run).await.unwrap_err();
        assert!(refused.cause.contains("still lives"), "{refused}");
        assert!(ClusterFolder::create(&run, &account).is_err());
        drop(folder);
        assert!(sweep(&path, "another").await.is_err());
        assert!(path.exists());
        sweep(&path, &run).await.unwrap();
        assert!(!path.exists());
        let again = sweep(&path, &run).await.unwrap();
        assert!(again.ends_with("is gone already"), "{again}");
    }

    #[tokio::test]
    async fn a_folder_without_our_marker_is_never_touched() {
        let run = run("foreign");
        let path = plan_folder(&run);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("thesis.tex"), "years of work").unwrap();
        let refused = sweep(&path, &run).await.unwrap_err();
        assert!(refused.cause.contains("thesis.tex"), "{refused}");
        fs::remove_file(path.join("thesis.tex")).unwrap();
        fs::write(path.join(LOCK), "").unwrap();
        sweep(&path, &run).await.unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_private_file_is_private() {
        let account = Account::choose().unwrap();
        let folder = ClusterFolder::create(&run("private"), &account).unwrap();
        let file = folder.write_private("passfile", "secret").unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        folder.remove().unwrap();
        assert!(!folder.path().exists());
    }
}
