//! Under which account the local servers run.
//!
//! PostgreSQL refuses to run as root, and containers and CI are root more often than not. So where
//! firedrill is root it drops to an unprivileged account for everything that belongs to the cluster, and
//! says which. It must never raise rights: an ordinary user's servers are that user's own.

use crate::target::TargetError;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The account that owns the servers and their files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Its name, for people.
    pub name: String,
    /// firedrill is root and has to change to it.
    pub dropped: bool,
}

/// In the order of preference: the one that distributions make for PostgreSQL, then the one that owns nothing.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

impl Account {
    /// The caller's own account, or an unprivileged one where the caller is root.
    ///
    /// # Errors
    /// When firedrill is root and no unprivileged account exists.
    pub fn choose() -> Result<Self, TargetError> {
        let own = nix::unistd::geteuid();
        if !own.is_root() {
            let name = nix::unistd::User::from_uid(own)
                .ok()
                .flatten()
                .map_or_else(|| own.to_string(), |user| user.name);
            return Ok(Self {
                uid: own.as_raw(),
                gid: nix::unistd::getegid().as_raw(),
                name,
                dropped: false,
            });
        }
        for name in UNPRIVILEGED {
            if let Ok(Some(user)) = nix::unistd::User::from_name(name) {
                return Ok(Self {
                    uid: user.uid.as_raw(),
                    gid: user.gid.as_raw(),
                    name: user.name,
                    dropped: true,
                });
            }
        }
        Err(TargetError::new(
            "choose an account for PostgreSQL",
            "firedrill runs as root, which PostgreSQL refuses, and neither the user postgres nor nobody \
             exists here; create one (useradd --system postgres) or run firedrill as an ordinary user",
        ))
    }

    /// One line for people where the account is not the caller's own.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.dropped.then(|| {
            format!(
                "running as root, so the servers run as user {} (PostgreSQL refuses root)",
                self.name
            )
        })
    }

    /// Makes a command run as this account. The standard library also gives up the supplementary groups.
    pub fn apply(&self, command: &mut Command) {
        if self.dropped {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Gives a file or folder to this account.
    ///
    /// # Errors
    /// When the system refuses, as in a user namespace that does not map the account.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if self.dropped {
            chown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }

    /// The first folder on the way to `path` (itself included) that this account may not enter; `None`
    /// where the way is open. Judged by the mode bits; access lists are not looked at.
    #[must_use]
    pub fn barred_from(&self, path: &Path) -> Option<PathBuf> {
        if !self.dropped {
            return None;
        }
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        way.into_iter().find_map(|folder| {
            let found = folder.metadata().ok()?;
            let bit = if found.uid() == self.uid {
                0o100
            } else if found.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            (found.is_dir() && found.mode() & bit == 0).then(|| folder.to_path_buf())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn root_drops_and_others_stay_themselves() {
        let account = Account::choose().unwrap();
        assert_ne!(account.uid, 0);
        assert_eq!(account.dropped, nix::unistd::geteuid().is_root());
        assert_eq!(account.notice().is_some(), account.dropped);
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::create_dir(closed.join("inside")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account {
            uid: 4_000_001,
            gid: 4_000_001,
            name: "stranger".into(),
            dropped: true,
        };
        assert_eq!(stranger.barred_from(&closed.join("inside")), Some(closed));
        assert_eq!(stranger.barred_from(folder.path()), None);
    }
}
