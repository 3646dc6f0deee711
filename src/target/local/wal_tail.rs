//! Looks at the WAL of a server that is down: its newest timeline, and what lies after a position.

use super::tools::Tools;
use crate::sql::parse_lsn;
use crate::target::TargetError;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Records that are listed at most: about 20 MB of text.
const MOST_RECORDS: &str = "200000";

/// The WAL after a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalTail {
    /// What pg_waldump said, its complaint about the end included.
    pub listing: String,
    /// Where valid WAL ends, as a byte position; `None` where it was not found.
    pub end: Option<u64>,
}

/// Lists the WAL of `timeline` from `from` on.
///
/// # Errors
/// When pg_waldump cannot be started or does not end in time.
pub async fn list(
    tools: &Tools,
    data: &Path,
    timeline: u32,
    from: u64,
    limit: Duration,
) -> Result<WalTail, TargetError> {
    let what = format!("list the WAL in {}", data.display());
    let mut command = tools.command("pg_waldump");
    command
        .arg("-p")
        .arg(data.join("pg_wal"))
        .arg("-t")
        .arg(timeline.to_string())
        .arg("-s")
        .arg(format!("{:X}/{:X}", from >> 32, from & 0xffff_ffff))
        .args(["-n", MOST_RECORDS])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true).process_group(0);
    let output = tokio::time::timeout(limit, command.output())
        .await
        .map_err(|_| {
            TargetError::new(&what, format!("pg_waldump took over {} s", limit.as_secs()))
        })?
        .map_err(|error| TargetError::new(&what, error))?;
    // It always ends with an error: that it found no further record is how the end is known.
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut listing = String::from_utf8_lossy(&output.stdout).into_owned();
    listing.push_str(&complaint);
    let end = match output.status.success() {
        true => None,
        false => end_of(&complaint, from),
    };
    Ok(WalTail { listing, end })
}

/// The last WAL position in a complaint such as "error in WAL record at 0/155F3B0: invalid record length at
/// 0/155F3D8: wanted 24, got 0". Nothing after `from` reads "could not find a valid record after" it.
fn end_of(complaint: &str, from: u64) -> Option<u64> {
    let positions = complaint
        .split(|letter: char| !(letter.is_ascii_hexdigit() || letter == '/'))
        .filter_map(parse_lsn);
    positions.filter(|position| *position >= from).max()
}

/// The newest timeline of which a server has WAL: the first 8 hex digits of a segment's name. The control
/// file lags behind a promotion until the next checkpoint.
///
/// # Errors
/// When the folder cannot be read or has no segment.
pub fn newest_timeline(data: &Path) -> io::Result<u32> {
    let mut newest = None;
    for entry in fs::read_dir(data.join("pg_wal"))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            newest = newest.max(u32::from_str_radix(&name[..8], 16).ok());
        }
    }
    newest.ok_or_else(|| io::Error::other(format!("no WAL in {}", data.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read_from_the_complaint() {
        let some = "pg_waldump: error: error in WAL record at 0/155F3B0: invalid record length at \
                    0/155F3D8: wanted 24, got 0\n";
        assert_eq!(end_of(some, 0x155_0000), Some(0x155_F3D8));
        let none = "pg_waldump: error: could not find a valid record after 0/3000148\n";
        assert_eq!(end_of(none, 0x300_0148), Some(0x300_0148));
        assert_eq!(end_of("pg_waldump: error: could not open file\n", 1), None);
    }

    #[test]
    fn the_newest_timeline_is_in_the_names() {
        let folder = tempfile::tempdir().unwrap();
        let wal = folder.path().join("pg_wal");
        fs::create_dir(&wal).unwrap();
        assert!(newest_timeline(folder.path()).is_err());
        for name in [
            "000000010000000000000004",
            "0000000B0000000000000003",
            "0000000C.history",
        ] {
            fs::write(wal.join(name), "12345").unwrap();
        }
        assert_eq!(newest_timeline(folder.path()).unwrap(), 11);
    }
}
