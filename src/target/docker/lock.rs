//! One drill at a time: a container that is made and never started. Two of one name cannot be, whoever makes
//! them and from which machine, and the engine keeps it when everybody who knows of it has died.

use super::client::{Engine, EngineError};
use super::facts::Facts;
use crate::target::TargetError;
use crate::undo::runner::{Runner, boot_id};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The run that something of firedrill's belongs to.
pub(super) const RUN: &str = "firedrill/run";
/// The machine that it runs on.
const HOST: &str = "firedrill/host";
/// The process that carries it out.
const OWNER: &str = "firedrill/owner";
/// The containers as it found them.
const FACTS: &str = "firedrill/facts";

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

/// Takes the lock for a run. It carries what the journal keeps, so that what a run changed can be put back by whoever
/// reaches the engine, also where the journal is lost.
///
/// # Errors
/// When another run has it, which is named, or the engine refuses.
pub(super) async fn take(
    engine: &Engine,
    facts: &Facts,
    image: &str,
    run: &str,
) -> Result<(), TargetError> {
    let what = "take the lock on the cluster";
    let name = &facts.lock;
    let owner = Owner::this_process();
    let json = |text: serde_json::Result<String>| text.unwrap_or_default();
    let labels = BTreeMap::from([
        (RUN.to_owned(), run.to_owned()),
        (HOST.to_owned(), owner.host.clone()),
        (OWNER.to_owned(), json(serde_json::to_string(&owner))),
        (FACTS.to_owned(), json(serde_json::to_string(facts))),
    ]);
    match engine.make_lock(name, image, &labels).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_conflict() => Err(TargetError::new(what, held(engine, name).await)),
        Err(error) => Err(TargetError::new(what, error)),
    }
}

/// Who took a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The machine.
    pub host: String,
    /// By which one start of that machine is told from the next.
    pub boot: String,
    /// The process there.
    pub runner: Runner,
}

impl Owner {
    fn this_process() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            host: host.trim().to_owned(),
            boot: boot_id(),
            runner: Runner::this_process(),
        }
    }

    /// Whether it lives; `None` where that cannot be told from here.
    #[must_use]
    pub fn lives(&self) -> Option<bool> {
        let here = Self::this_process();
        (here.host == self.host).then(|| here.boot == self.boot && self.runner.lives())
    }
}

/// What a run left behind that has the lock.
#[derive(Clone, Debug)]
pub struct LeftBehind {
    /// The run.
    pub run: String,
    /// Who carried it out, where the lock says.
    pub owner: Option<Owner>,
    /// The machine that it was carried out on.
    pub host: String,
    /// The containers as that run found them; `None` where the lock does not tell.
    pub facts: Option<Facts>,
}

/// What the lock of this name says, where there is one.
///
/// # Errors
/// The engine's.
pub(super) async fn left_behind(
    engine: &Engine,
    name: &str,
) -> Result<Option<LeftBehind>, TargetError> {
    let labels = match engine.inspect(name).await {
        Ok(lock) => lock.labels,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(TargetError::new("look at the lock on the cluster", error)),
    };
    let said = |label| labels.get(label).map(String::as_str);
    Ok(Some(LeftBehind {
        run: said(RUN).unwrap_or("unknown").to_owned(),
        owner: said(OWNER).and_then(|text| serde_json::from_str(text).ok()),
        host: said(HOST).unwrap_or("unknown").to_owned(),
        facts: said(FACTS).and_then(|text| serde_json::from_str(text).ok()),
    }))
}

/// Who has it, and what to do where that run is over.
async fn held(engine: &Engine, name: &str) -> String {
    let labels = engine.inspect(name).await.map(|lock| lock.labels);
    let labels = labels.unwrap_or_default();
    let said = |label| labels.get(label).map_or("unknown", String::as_str);
    format!(
        "run {} on {} has it (container {name}); where that run died, `firedrill undo --target FILE` puts back what it \
         left",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_told_from_one_that_does_not_and_from_one_elsewhere() {
        let this = Owner::this_process();
        assert_eq!(this.lives(), Some(true));
        let before = Owner {
            boot: "another".to_owned(),
            ..this.clone()
        };
        assert_eq!(before.lives(), Some(false));
        let elsewhere = Owner {
            host: "another".to_owned(),
            ..this
        };
        assert_eq!(elsewhere.lives(), None);
    }
}
