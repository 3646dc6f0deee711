//! Finds an installed PostgreSQL that can play a whole cluster.
//!
//! Installed first, because that works offline and is what the user runs elsewhere; `download.rs` comes
//! after. An installation counts only with its full tool set: some packages bring a server without the
//! programs that clone and rewind, and a drill that finds out in the middle has already lost its primary.

use super::account::Account;
use crate::target::TargetError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that a drill needs.
pub const TOOL_SET: [&str; 7] = [
    "initdb",
    "postgres",
    "pg_ctl",
    "pg_basebackup",
    "pg_rewind",
    "pg_controldata",
    "pg_waldump",
];

/// The oldest major version that is drilled.
pub const OLDEST: u32 = 14;

/// An installation of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The folder of its programs.
    pub bin: PathBuf,
    /// Major version, such as 15.
    pub major: u32,
    /// The whole version, such as "15.18".
    pub version: String,
    /// How it was found, for people.
    pub found: String,
}

/// What the search saw: the installation, or everything that was passed over and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// One that can be used.
    Found(Installation),
    /// None; one line for each that was looked at.
    Nothing(Vec<String>),
}

/// Searches in this order: `bin` of the target file, FIREDRILL_PG_BIN, `pg_config --bindir`, the folders of
/// distributions (newest first), PATH.
///
/// # Errors
/// When a folder that was named explicitly cannot be used: it is never silently replaced by another.
pub fn search(
    bin: Option<&Path>,
    env: &dyn Fn(&str) -> Option<OsString>,
    account: &Account,
) -> Result<Search, TargetError> {
    let named = match bin {
        Some(bin) => Some((bin.to_path_buf(), "the target file's bin")),
        None => env("FIREDRILL_PG_BIN").map(|bin| (PathBuf::from(bin), "FIREDRILL_PG_BIN")),
    };
    if let Some((bin, by)) = named {
        return examine(&bin, by, account)
            .map(Search::Found)
            .map_err(|why| TargetError::new(format!("use the PostgreSQL named by {by}"), why));
    }
    let path: Vec<PathBuf> = env("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let mut passed_over = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    let asked = ask_pg_config(&path).map(|bin| (bin, "pg_config"));
    let folders = distribution_folders()
        .into_iter()
        .map(|bin| (bin, "its usual folder"));
    let on_path = path.iter().map(|bin| (bin.clone(), "PATH"));
    for (bin, by) in asked.into_iter().chain(folders).chain(on_path) {
        let real = bin.canonicalize().unwrap_or_else(|_| bin.clone());
        // A folder without any server program is no installation, and naming each of PATH would be noise.
        if seen.contains(&real) || !(bin.join("postgres").exists() || bin.join("initdb").exists()) {
            continue;
        }
        seen.push(real);
        match examine(&bin, by, account) {
            Ok(found) => return Ok(Search::Found(found)),
            Err(why) => passed_over.push(why),
        }
    }
    Ok(Search::Nothing(passed_over))
}

/// Looks at one folder of programs; the error says what is missing or too old.
pub(super) fn examine(bin: &Path, by: &str, account: &Account) -> Result<Installation, String> {
    let missing: Vec<&str> = TOOL_SET
        .into_iter()
        .filter(|program| !bin.join(program).is_file())
        .collect();
    if missing.contains(&"postgres") {
        return Err(format!("no PostgreSQL at {}", bin.display()));
    }
    if let Some(closed) = account.barred_from(bin) {
        return Err(format!(
            "PostgreSQL at {} cannot be used, because user {} may not enter {}",
            bin.display(),
            account.name,
            closed.display()
        ));
    }
    let (major, version) = version_of(bin, account)?;
    if major < OLDEST {
        return Err(format!(
            "PostgreSQL {version} at {} is too old: firedrill drills {OLDEST} and newer",
            bin.display()
        ));
    }
    if !missing.is_empty() {
        return Err(format!(
            "PostgreSQL {version} at {} is incomplete: {} missing",
            bin.display(),
            missing.join(", ")
        ));
    }
    Ok(Installation {
        bin: bin.to_path_buf(),
        major,
        version,
        found: format!("found by {by} at {}", bin.display()),
    })
}

fn version_of(bin: &Path, account: &Account) -> Result<(u32, String), String> {
    let program = bin.join("postgres");
    let mut command = Command::new(&program);
    command
        .arg("--version")
        .current_dir("/")
        .stdin(Stdio::null());
    account.apply(&mut command);
    let output = command
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&said).ok_or_else(|| {
        let heard = String::from_utf8_lossy(&output.stderr);
        format!(
            "{} does not tell its version: {}",
            program.display(),
            super::tools::last_lines(&format!("{said}\n{heard}"), 3)
        )
    })
}

/// Reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", also "18beta1" and "9.6.24".
#[must_use]
pub fn parse_version(said: &str) -> Option<(u32, String)> {
    let version = said
        .strip_prefix("postgres (PostgreSQL) ")?
        .split_whitespace()
        .next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

fn ask_pg_config(path: &[PathBuf]) -> Option<PathBuf> {
    let program = path
        .iter()
        .map(|folder| folder.join("pg_config"))
        .find(|program| program.is_file())?;
    let output = Command::new(program)
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let bin = said.trim();
    (output.status.success() && !bin.is_empty()).then(|| PathBuf::from(bin))
}

/// Folders in which distributions keep each major version apart, newest first.
fn distribution_folders() -> Vec<PathBuf> {
    // (folder that holds the versions, prefix of each, what follows it)
    let homes = [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/libexec", "postgresql", ""),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/opt/local/lib", "postgresql", "bin"),
    ];
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (home, prefix, below) in homes {
        let Ok(entries) = std::fs::read_dir(home) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(version) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else {
                continue;
            };
            let major = version.split('.').next().and_then(|text| text.parse().ok());
            if let Some(major) = major {
                found.push((major, entry.path().join(below)));
            }
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, bin)| bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn fake(folder: &Path, version: &str, leave_out: &[&str]) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        for program in TOOL_SET {
            if leave_out.contains(&program) {
                continue;
            }
            let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n");
            fs::write(folder.join(program), script).unwrap();
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(folder.join(program), mode).unwrap();
        }
    }

    fn said(error: &impl ToString, folder: &Path) -> String {
        error
            .to_string()
            .replace(&folder.display().to_string(), "BIN")
    }

    #[test]
    fn versions_are_read() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some((15, "15.18".into())));
        let beta = "postgres (PostgreSQL) 18beta1";
        assert_eq!(parse_version(beta), Some((18, "18beta1".into())));
        let old = "postgres (PostgreSQL) 9.6.24";
        assert_eq!(parse_version(old), Some((9, "9.6.24".into())));
        assert_eq!(parse_version("psql (PostgreSQL) 15"), None);
    }

    #[test]
    fn too_old_is_refused_where_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        fake(folder.path(), "9.6.24", &[]);
        let account = Account::choose().unwrap();
        let refused = search(Some(folder.path()), &|_| None, &account).unwrap_err();
        insta::assert_snapshot!(said(&refused, folder.path()), @"use the PostgreSQL named by the target file's bin: PostgreSQL 9.6.24 at BIN is too old: firedrill drills 14 and newer");
    }

    #[test]
    fn an_incomplete_one_is_passed_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        fake(folder.path(), "16.1", &["pg_rewind", "pg_basebackup"]);
        let account = Account::choose().unwrap();
        let passed = examine(folder.path(), "PATH", &account).unwrap_err();
        insta::assert_snapshot!(said(&passed, folder.path()), @"PostgreSQL 16.1 at BIN is incomplete: pg_basebackup, pg_rewind missing");
        let whole = tempfile::tempdir().unwrap();
        fake(whole.path(), "16.1", &[]);
        let env =
            |name: &str| (name == "FIREDRILL_PG_BIN").then(|| whole.path().as_os_str().to_owned());
        let Search::Found(found) = search(None, &env, &account).unwrap() else {
            panic!("not found")
        };
        assert_eq!((found.major, found.version.as_str()), (16, "16.1"));
    }

    #[test]
    fn a_named_folder_without_postgres_is_no_silent_substitute() {
        let folder = tempfile::tempdir().unwrap();
        let account = Account::choose().unwrap();
        let refused = search(Some(folder.path()), &|_| None, &account).unwrap_err();
        insta::assert_snapshot!(said(&refused, folder.path()), @"use the PostgreSQL named by the target file's bin: no PostgreSQL at BIN");
    }
}
