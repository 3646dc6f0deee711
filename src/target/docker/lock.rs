//! One drill at a time: a container that is made and never started. Two of one name cannot be, whoever makes
//! them and from which machine, and the engine keeps it when everybody who knows of it has died.

use super::client::{Engine, EngineError};
use crate::target::TargetError;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The run that something of firedrill's belongs to.
pub(super) const RUN: &str = "firedrill/run";
/// The machine that it runs on.
const HOST: &str = "firedrill/host";

/// The name of the lock on a cluster.
#[must_use]
pub(super) fn name(identity: &str) -> String {
    let digest = Sha256::digest(identity.as_bytes());
    let hash: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("firedrill-lock-{hash}")
}

/// Takes the lock for a run.
///
/// # Errors
/// When another run has it, which is named, or the engine refuses.
pub(super) async fn take(
    engine: &Engine,
    name: &str,
    image: &str,
    run: &str,
) -> Result<(), TargetError> {
    let what = "take the lock on the cluster";
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let labels = BTreeMap::from([
        (RUN.to_owned(), run.to_owned()),
        (HOST.to_owned(), host.trim().to_owned()),
    ]);
    match engine.make_lock(name, image, &labels).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_conflict() => Err(TargetError::new(what, held(engine, name).await)),
        Err(error) => Err(TargetError::new(what, error)),
    }
}

/// Who has it, and what to do where that run is over.
async fn held(engine: &Engine, name: &str) -> String {
    let labels = engine.inspect(name).await.map(|lock| lock.labels);
    let labels = labels.unwrap_or_default();
    let said = |label| labels.get(label).map_or("unknown", String::as_str);
    format!(
        "run {} on {} has it (container {name}); where that run is over and undone, `docker rm {name}` ends it",
        said(RUN),
        said(HOST)
    )
}

/// Removes what a run left to look from, and gives the lock back if it is this run's; says what came of it.
///
/// # Errors
/// The engine's.
pub(super) async fn give_back(
    engine: &Engine,
    name: &str,
    run: &str,
) -> Result<String, EngineError> {
    match engine.inspect(name).await {
        Ok(lock) if lock.labels.get(RUN).is_some_and(|of| of == run) => {
            engine.remove(name).await?;
            Ok("the lock on the cluster is given back".to_owned())
        }
        Ok(_) => Ok("the lock on the cluster is another run's by now".to_owned()),
        Err(error) if error.is_missing() => Ok("no lock on the cluster was left".to_owned()),
        Err(error) => Err(error),
    }
}
