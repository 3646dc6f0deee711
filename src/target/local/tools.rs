//! Runs PostgreSQL's own programs.
//!
//! Every program runs as the cluster's account, in the cluster's folder, without the caller's PG…
//! variables (a PGHOST of the caller must never send a program to another server), and within a limit.

use super::account::Account;
use super::binaries::Installation;
use crate::target::TargetError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// An installation of PostgreSQL together with how its programs are run here.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Where the programs lie.
    pub installation: Installation,
    /// Whose programs they are.
    pub account: Account,
    /// The folder in which they run. A program that outlives its runner is found by it.
    pub folder: PathBuf,
}

impl Tools {
    /// A command that is ready for its arguments; nothing is connected to the terminal.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.installation.bin.join(program));
        let libpq = std::env::vars_os().map(|(name, _)| name);
        for name in libpq.filter(|name| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        // Messages are read by us, so they must not be translated.
        command.env("LC_ALL", "C").env("LANG", "C");
        command.current_dir(&self.folder).stdin(Stdio::null());
        self.account.apply(&mut command);
        command
    }

    /// Runs a program to its end and returns what it wrote to stdout.
    ///
    /// # Errors
    /// When it cannot be started, ends with another status than 0, or passes `limit` (it is killed then);
    /// the cause carries the last lines of its stderr.
    pub async fn run(
        &self,
        what: &str,
        program: &str,
        args: &[&OsStr],
        limit: Duration,
    ) -> Result<String, TargetError> {
        let mut command = self.command(program);
        command.args(args);
        run_to_end(what, command, limit).await
    }
}

/// Runs any command to its end under the same rules as [`Tools::run`].
///
/// # Errors
/// As [`Tools::run`].
pub async fn run_to_end(
    what: &str,
    command: Command,
    limit: Duration,
) -> Result<String, TargetError> {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().map_or_else(
        || program.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let mut command = tokio::process::Command::from(command);
    command
        .process_group(0)
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => {
            return Err(TargetError::new(
                what,
                format!("{name} did not end within {} s", limit.as_secs()),
            ));
        }
        Ok(Err(error)) => {
            return Err(TargetError::new(
                what,
                format!("{} cannot be started: {error}", program.display()),
            ));
        }
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = last_lines(&String::from_utf8_lossy(&output.stderr), 8);
    Err(TargetError::new(
        what,
        format!("{name} ended with {}: {said}", output.status),
    ))
}

/// The last `count` lines that are not empty, joined for one error text.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(count);
    if lines.is_empty() {
        return "it wrote nothing".to_owned();
    }
    lines[from..].join(" / ")
}

/// The last lines of a log file, read from its end.
#[must_use]
pub fn log_tail(path: &Path, count: usize) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(8192)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => last_lines(&text, count),
        Err(error) => format!("no log at {}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        command
    }

    #[tokio::test]
    async fn a_failing_program_is_quoted() {
        let failed = run_to_end(
            "make node-1",
            shell("echo one >&2; echo two >&2; exit 3"),
            Duration::from_secs(5),
        )
        .await
        .unwrap_err();
        insta::assert_snapshot!(failed, @"make node-1: sh ended with exit status: 3: one / two");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_left() {
        let failed = run_to_end(
            "make node-1",
            shell("sleep 60"),
            Duration::from_millis(1100),
        )
        .await
        .unwrap_err();
        insta::assert_snapshot!(failed, @"make node-1: sh did not end within 1 s");
    }

    #[test]
    fn only_the_tail_is_kept() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b / c");
        assert_eq!(last_lines("", 2), "it wrote nothing");
    }
}
