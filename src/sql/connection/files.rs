//! Where files of a connection lie, and reading them. What they say is for others.

use super::words::WordError;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file of secrets is small; what is larger is another file.
const LARGEST: u64 = 1024 * 1024;

/// Where relative paths begin, and where the user's own files are.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The folder of the target file: a path in it means the same wherever firedrill is started.
    pub base: PathBuf,
    /// The user's home; `None` where there is none, and then no default file either.
    pub home: Option<PathBuf>,
    /// PGSERVICEFILE.
    pub service_file: Option<PathBuf>,
    /// PGPASSFILE.
    pub pass_file: Option<PathBuf>,
}

impl Files {
    /// As this user has them.
    #[must_use]
    pub fn of_user(base: &Path) -> Self {
        let named = |variable| std::env::var_os(variable).map(PathBuf::from);
        Self {
            base: base.to_path_buf(),
            home: etcetera::home_dir().ok(),
            service_file: named("PGSERVICEFILE"),
            pass_file: named("PGPASSFILE"),
        }
    }

    /// The path that a word names.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.base.join(written),
        }
    }

    /// A file in the user's home that is used unless another is named, if it is there.
    pub(super) fn in_home(&self, name: &str) -> Option<PathBuf> {
        let path = self.home.as_ref()?.join(name);
        path.is_file().then_some(path)
    }
}

/// The text of a file.
pub(super) fn read(word: &'static str, path: &Path) -> Result<String, WordError> {
    let failed = |why: String| WordError::File {
        word,
        path: path.display().to_string(),
        why,
    };
    let about = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if about.len() > LARGEST {
        return Err(failed("is larger than 1 MiB".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

/// The text of a file that holds a secret. libpq passes over a password file that others can read, and
/// refuses such a key; both would be a riddle in a drill, so both are refused. A key of root may be
/// readable by a group, as libpq allows.
pub(super) fn read_secret(word: &'static str, path: &Path) -> Result<String, WordError> {
    let text = read(word, path)?;
    let open = std::fs::metadata(path).is_ok_and(|about| {
        let mode = about.permissions().mode();
        let allowed = if word == "sslkey" && about.uid() == 0 {
            0o037
        } else {
            0o077
        };
        mode & allowed != 0
    });
    if open {
        return Err(WordError::File {
            word,
            path: path.display().to_string(),
            why: "can be read by others; chmod 600 keeps it to you".to_owned(),
        });
    }
    Ok(text)
}
