//! Whom to log in as, and where the password is, where a connection string does not say it.

use super::files::{self, Files};
use super::words::WordError;
use crate::sql::Secret;
use std::path::{Path, PathBuf};

/// Whom to log in as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database.
    pub database: Option<String>,
    /// The password file that is asked instead of the usual one.
    pub passfile: Option<PathBuf>,
}

/// The password in an environment variable.
///
/// # Errors
/// When it is not set, or no text. Its value is never repeated.
pub fn password_from_env(name: &str) -> Result<Secret, WordError> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
        Ok(_) => Err(missing(name, "is empty")),
        Err(std::env::VarError::NotPresent) => Err(missing(name, "is not set")),
        Err(std::env::VarError::NotUnicode(_)) => Err(missing(name, "holds no text")),
    }
}

fn missing(name: &str, why: &str) -> WordError {
    let text = format!("the password is to be in the environment variable {name}, which {why}");
    WordError::Contradiction(text)
}

/// The password that a file holds and nothing else; a line break at its end is none of it.
///
/// # Errors
/// When the file cannot be read, can be read by others, or is empty.
pub fn password_from_file(files: &Files, path: &Path) -> Result<Secret, WordError> {
    let path = files.path(&path.to_string_lossy());
    let text = files::read_secret("password", &path)?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(WordError::File {
            word: "password",
            path: path.display().to_string(),
            why: "is empty".to_owned(),
        });
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_password_is_taken_from_where_it_is_said_to_be() {
        // PATH is set wherever tests run; a variable of our own would have to be set for all threads.
        assert!(password_from_env("PATH").is_ok());
        let error = password_from_env("FIREDRILL_NO_SUCH_VARIABLE").unwrap_err();
        insta::assert_snapshot!(error, @"the password is to be in the environment variable FIREDRILL_NO_SUCH_VARIABLE, which is not set");
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            base: folder.path().into(),
            home: None,
            service_file: None,
            pass_file: None,
        };
        let path = folder.path().join("secret");
        let keep = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            password_from_file(&files, Path::new("secret"))
        };
        assert_eq!(
            keep("two words\n", 0o600).unwrap(),
            Secret::new("two words")
        );
        assert!(
            keep("\n", 0o600)
                .unwrap_err()
                .to_string()
                .ends_with("is empty")
        );
        let open = keep("s3cret", 0o644).unwrap_err().to_string();
        assert!(
            open.contains("can be read by others") && !open.contains("s3cret"),
            "{open}"
        );
    }
}
