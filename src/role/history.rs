//! Which timelines a node's history consists of.

use super::history_file;
use crate::sql::{Address, Asks, Session, SqlError, Statement};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(2);

/// The timelines of a writable node's history, oldest first, its own last.
///
/// A timeline's history file names its parents. Timeline 1 has none.
///
/// # Errors
/// When the node does not answer or the role may not read the file.
pub async fn timeline_history(address: &Address, timeline: u32) -> Result<Vec<u32>, SqlError> {
    if timeline <= 1 {
        return Ok(vec![timeline]);
    }
    let session = Session::connect(address, DEADLINE).await?;
    let file = history_file::file_name(timeline);
    let sql = format!("SELECT pg_catalog.pg_read_file('pg_wal/{file}')");
    let history = Statement::new(sql, Asks::History { timeline });
    let answer = session.query(history, DEADLINE).await?;
    let text = answer
        .rows
        .first()
        .and_then(|row| row.first().cloned().flatten())
        .unwrap_or_default();
    let left = history_file::parse(&text).into_iter();
    let mut history: Vec<u32> = left.map(|(timeline, _)| timeline).collect();
    history.push(timeline);
    Ok(history)
}
