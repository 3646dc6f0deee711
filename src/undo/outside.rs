//! What does not go with a throw-away cluster: whatever commands of a drill changed elsewhere.
//!
//! They are undone before the cluster is swept, since they may need it, and tried once more after it.

use super::bounded::within;
use super::journal::OpenEntry;
use crate::fault::undo_from_journal;
use crate::target::TargetError;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one may take: longer than its own limits together, unless they are very long.
const EACH: Duration = Duration::from_secs(300);

/// What came of each entry that has something outside, by its number: the proof, or why not.
pub(super) type Outside = BTreeMap<u32, Result<String, TargetError>>;

/// Puts back what lies outside, newest first, as [`super::journal::Journal::open_entries`] gives it.
pub(super) async fn put_back(open: &[OpenEntry]) -> Outside {
    let mut outside = Outside::new();
    for entry in open {
        if let Some(came) = one(entry).await {
            outside.insert(entry.number(), came);
        }
    }
    outside
}

/// Puts back one entry; `None` where nothing of it lies outside.
pub(super) async fn one(entry: &OpenEntry) -> Option<Result<String, TargetError>> {
    let OpenEntry::Intent { fault, facts, .. } = entry else {
        return None;
    };
    let undo = undo_from_journal(fault, facts)?;
    let call = async { Ok(undo.put_back_outside().await) };
    match within(EACH, "undo what lies outside", call).await {
        Ok(came) => came,
        Err(error) => Some(Err(error)),
    }
}
