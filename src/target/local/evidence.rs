//! Keeps what an old primary knows before it is rewound or cloned anew, since both destroy it.
//!
//! Saved are the control file's words, a listing of the WAL after the fork, and the ledger rows that only
//! this data holds. To read those, the data is opened by a single-user server, which listens nowhere and
//! answers nobody.

use super::cluster::Cluster;
use super::configuration::DATABASE;
use super::node::Node;
use super::tools::run_to_end;
use super::wal_tail;
use crate::load::ledger_table::quoted;
use crate::role::history_file;
use crate::sql::{Address, Session, SqlError};
use crate::target::{DivergedEvidence, TargetError};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

const TOOL: Duration = Duration::from_secs(30);
const READ: Duration = Duration::from_secs(60);
const ASK: Duration = Duration::from_secs(5);

/// What was found in one node's own data, as it lies in the evidence folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverged {
    /// Version of this file's shape.
    pub version: u32,
    /// The node.
    pub node: String,
    /// The timeline that it was on.
    pub timeline: u32,
    /// Where the newest timeline forked off it, as a byte position.
    pub fork: u64,
    /// Bytes of WAL beyond the fork; `None` where the end was not found.
    pub bytes_after_fork: Option<u64>,
    /// Ledger rows (writer, seq) that this data holds and the newest timeline does not.
    pub rows: Option<Vec<(u32, u64)>>,
    /// Why something above is missing.
    pub missing: Option<String>,
}

/// Saves the evidence of a node that is down, where its data lies beyond the fork of the leader's
/// timeline. Returns one line for people, or `None` where nothing diverged.
///
/// # Errors
/// When the fork cannot be found or a file cannot be written.
pub async fn save(
    cluster: &Cluster,
    node: &Node,
    leader: &Node,
    newest: u32,
    folder: &Path,
) -> Result<Option<String>, TargetError> {
    let what = format!("save the evidence of {}", node.name());
    let timeline = wal_tail::newest_timeline(node.server.data())
        .map_err(|error| TargetError::new(&what, error))?;
    if timeline >= newest {
        return Ok(None);
    }
    let Some(fork) = fork_of(cluster, leader, timeline, newest).await? else {
        return Ok(None);
    };
    let path = folder.join(format!("diverged-{}-timeline-{timeline}.json", node.name()));
    if path.exists() {
        // A first attempt saved it and was cut short; by now the data may be half rewound.
        return Ok(Some("its diverged tail was saved before".to_owned()));
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| TargetError::new(&what, error))?;
    let data = node.server.data();
    let control = cluster
        .tools
        .run(
            &what,
            "pg_controldata",
            &["-D".as_ref(), data.as_os_str()],
            TOOL,
        )
        .await
        // A data directory that was damaged on the way is still worth the rest.
        .unwrap_or_else(|error| error.to_string());
    let tail = wal_tail::list(&cluster.tools, data, timeline, fork, TOOL).await?;
    let write = |name: String, text: &str| {
        private(&folder.join(name), text).map_err(|error| TargetError::new(&what, error))
    };
    write(
        format!("{}-timeline-{timeline}.controldata.txt", node.name()),
        &control,
    )?;
    write(
        format!("{}-timeline-{timeline}.waldump.txt", node.name()),
        &tail.listing,
    )?;
    let bytes = tail.end.map(|end| end.saturating_sub(fork));
    let (rows, missing) = match bytes {
        Some(0) => (Some(Vec::new()), None),
        _ => match rows_only_here(cluster, node, leader).await {
            Ok(rows) => (Some(rows), None),
            Err(error) => (None, Some(error.to_string())),
        },
    };
    let found = Diverged {
        version: 1,
        node: node.name().to_owned(),
        timeline,
        fork,
        bytes_after_fork: bytes,
        rows,
        missing,
    };
    let text = serde_json::to_string(&found).map_err(|error| TargetError::new(&what, error))?;
    private(&path, &text).map_err(|error| TargetError::new(&what, error))?;
    Ok((bytes != Some(0)).then(|| describe(&found)))
}

/// Writes a file of the run's folder: nobody else reads what a run knows.
fn private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn describe(found: &Diverged) -> String {
    let bytes = match found.bytes_after_fork {
        Some(bytes) => format!("{bytes} bytes of WAL after the fork"),
        None => "WAL after the fork".to_owned(),
    };
    let rows = match &found.rows {
        Some(rows) => format!("{} ledger rows that only it held", rows.len()),
        None => "its ledger rows could not be read".to_owned(),
    };
    format!("saved {bytes}, {rows}")
}

/// Where the leader's timeline left the node's, from the leader's history file.
async fn fork_of(
    cluster: &Cluster,
    leader: &Node,
    timeline: u32,
    newest: u32,
) -> Result<Option<u64>, TargetError> {
    let file = history_file::file_name(newest);
    let sql = format!("SELECT pg_read_file('pg_wal/{file}')");
    let answer = cluster.ask(leader, &sql, ASK).await?;
    let text = answer
        .rows
        .first()
        .and_then(|row| row.first()?.clone())
        .unwrap_or_default();
    Ok(history_file::left_at(&history_file::parse(&text), timeline))
}

/// Ledger rows that the node's own data holds and the leader does not.
async fn rows_only_here(
    cluster: &Cluster,
    node: &Node,
    leader: &Node,
) -> Result<Vec<(u32, u64)>, TargetError> {
    let what = format!("read the ledger in the data of {}", node.name());
    let old = rows_of_data(cluster, node, &what).await?;
    let new = ledger_rows(&cluster.as_act(leader.server.port()), &cluster.run)
        .await
        .map_err(|error| TargetError::new(&what, error))?;
    let mut rows: Vec<(u32, u64)> = old.difference(&new).copied().collect();
    rows.sort_unstable();
    Ok(rows)
}

/// The same rows, read by a single-user server: it listens nowhere, has no client but this one statement,
/// and recovers a crashed node first, which pg_rewind would have to do anyway (PostgreSQL documentation,
/// postgres, "Options for Single-User Mode").
async fn rows_of_data(
    cluster: &Cluster,
    node: &Node,
    what: &str,
) -> Result<HashSet<(u32, u64)>, TargetError> {
    let failed = |error: std::io::Error| TargetError::new(what, error);
    // The single-user server refuses to be a standby.
    cluster.configure(node, false)?;
    let name = format!("evidence-{}", node.name());
    let scratch = cluster.folder.path().join(&name);
    if scratch.exists() {
        // An attempt that was cut short.
        fs::remove_dir_all(&scratch).map_err(failed)?;
    }
    cluster.folder.make_folder(&name).map_err(failed)?;
    let rows = scratch.join("rows");
    let sql = format!(
        "COPY ({}) TO {}\n",
        rows_of(&cluster.run),
        quoted(&rows.to_string_lossy())
    );
    let script = cluster
        .folder
        .write_private(&format!("{name}/sql"), &sql)
        .and_then(fs::File::open)
        .map_err(failed)?;
    let mut command = cluster.tools.command("postgres");
    command
        .args(["--single", "-D"])
        .arg(node.server.data())
        .arg(DATABASE)
        .stdin(script);
    run_to_end(what, command, READ).await?;
    let read = match fs::read_to_string(&rows) {
        Ok(text) => text.lines().filter_map(pair).collect(),
        // The statement failed, for there is no ledger in it yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HashSet::new(),
        Err(error) => return Err(failed(error)),
    };
    fs::remove_dir_all(&scratch).map_err(failed)?;
    Ok(read)
}

fn rows_of(run: &str) -> String {
    format!(
        "SELECT writer, seq FROM firedrill.ledger WHERE run = {}",
        quoted(run)
    )
}

/// One line of COPY's text format: two columns, a tab between.
fn pair(line: &str) -> Option<(u32, u64)> {
    let (writer, seq) = line.split_once('\t')?;
    Some((writer.parse().ok()?, seq.parse().ok()?))
}

/// Every (writer, seq) of the run's ledger; none where the ledger does not exist yet.
async fn ledger_rows(address: &Address, run: &str) -> Result<HashSet<(u32, u64)>, SqlError> {
    let session = Session::connect(address, ASK).await?;
    let select = rows_of(run);
    let mut rows = HashSet::new();
    let read = session
        .copy_pairs(&select, READ, |writer, seq| {
            if let (Ok(writer), Ok(seq)) = (u32::try_from(writer), u64::try_from(seq)) {
                rows.insert((writer, seq));
            }
        })
        .await;
    match read {
        Ok(()) => Ok(rows),
        // 42P01 undefined_table, 3F000 invalid_schema_name.
        Err(error) if matches!(error.state.as_deref(), Some("42P01" | "3F000")) => {
            Ok(HashSet::new())
        }
        Err(error) => Err(error),
    }
}

/// Reads what was saved; `None` where nothing was. What one node's file does not know, the sum does not.
///
/// # Errors
/// When a file cannot be read.
pub fn read(folder: &Path) -> Result<Option<DivergedEvidence>, TargetError> {
    let what = format!("read the evidence in {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TargetError::new(what, error)),
    };
    let mut sum: Option<DivergedEvidence> = None;
    for entry in entries {
        let entry = entry.map_err(|error| TargetError::new(&what, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(name.starts_with("diverged-") && name.ends_with(".json")) {
            continue;
        }
        let text =
            fs::read_to_string(entry.path()).map_err(|error| TargetError::new(&what, error))?;
        let found: Diverged = serde_json::from_str(&text)
            .map_err(|error| TargetError::new(&what, format!("{name}: {error}")))?;
        let so_far = sum.get_or_insert(DivergedEvidence {
            bytes_after_fork: Some(0),
            rows: Some(Vec::new()),
        });
        so_far.bytes_after_fork = so_far
            .bytes_after_fork
            .zip(found.bytes_after_fork)
            .map(|(one, other)| one + other);
        so_far.rows = so_far.rows.take().zip(found.rows).map(|(mut all, more)| {
            all.extend(more);
            all.sort_unstable();
            all.dedup();
            all
        });
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_copy_is_two_numbers() {
        assert_eq!(pair("3\t1844"), Some((3, 1844)));
        assert_eq!(pair("3"), None);
        assert_eq!(pair("a\t1"), None);
    }

    fn saved(folder: &Path, node: &str, bytes: Option<u64>, rows: Option<Vec<(u32, u64)>>) {
        let found = Diverged {
            version: 1,
            node: node.to_owned(),
            timeline: 1,
            fork: 100,
            bytes_after_fork: bytes,
            rows,
            missing: None,
        };
        let path = folder.join(format!("diverged-{node}-timeline-1.json"));
        fs::write(path, serde_json::to_string(&found).unwrap()).unwrap();
    }

    #[test]
    fn evidence_of_several_nodes_adds_up_and_ignorance_spreads() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")).unwrap(), None);
        assert_eq!(read(folder.path()).unwrap(), None);
        saved(
            folder.path(),
            "node-1",
            Some(10),
            Some(vec![(0, 7), (0, 8)]),
        );
        saved(folder.path(), "node-2", Some(5), Some(vec![(0, 8), (1, 1)]));
        let both = read(folder.path()).unwrap().unwrap();
        assert_eq!(both.bytes_after_fork, Some(15));
        assert_eq!(both.rows, Some(vec![(0, 7), (0, 8), (1, 1)]));
        saved(folder.path(), "node-3", Some(1), None);
        let all = read(folder.path()).unwrap().unwrap();
        assert_eq!((all.bytes_after_fork, all.rows), (Some(16), None));
        fs::write(folder.path().join("diverged-x.json"), "{").unwrap();
        assert!(read(folder.path()).is_err());
    }
}
