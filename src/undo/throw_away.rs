//! How a dead run on a target that was made for it is undone: the cluster goes with its run.
//!
//! No server of it is asked anything: every process in the cluster's folder is killed, frozen ones too, and
//! the folder is removed.

use super::journal::Opened;
use super::recover::{Reopen, Reopened};
use crate::target::{TargetError, local};
use async_trait::async_trait;
use std::path::Path;

/// The local target: its facts hold the cluster's `folder`.
#[derive(Clone, Copy, Debug)]
pub struct ThrowAwayLocal;

#[async_trait]
impl Reopen for ThrowAwayLocal {
    fn kind(&self) -> &'static str {
        "local"
    }
    async fn reopen(&self, opened: &Opened) -> Result<Reopened, TargetError> {
        let folder = opened.target_facts["folder"].as_str().ok_or_else(|| {
            let what = format!("sweep the cluster of run {}", opened.run);
            TargetError::new(what, "its journal does not name the folder")
        })?;
        let proof = local::sweep(Path::new(folder), &opened.run).await?;
        Ok(Reopened::Swept(proof))
    }
}

/// The simulated target: its cluster was part of the process that died.
#[derive(Clone, Copy, Debug)]
pub struct GoneWithItsRun;

#[async_trait]
impl Reopen for GoneWithItsRun {
    fn kind(&self) -> &'static str {
        "simulated"
    }
    async fn reopen(&self, _opened: &Opened) -> Result<Reopened, TargetError> {
        let proof = "the simulated cluster ended with its process; there is nothing to put back";
        Ok(Reopened::Swept(proof.to_owned()))
    }
}
