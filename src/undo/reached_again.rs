//! How a dead run on containers is undone: the engine is reached again by what the journal kept, with no password
//! of the database.

use super::journal::Opened;
use super::recover::{Reopen, Reopened};
use crate::target::TargetError;
use crate::target::docker::{DockerTarget, Facts};
use async_trait::async_trait;

/// The docker target: its facts are those of its nodes as they were found.
#[derive(Clone, Copy, Debug)]
pub struct DockerAgain;

#[async_trait]
impl Reopen for DockerAgain {
    fn kind(&self) -> &'static str {
        "docker"
    }
    async fn reopen(&self, opened: &Opened) -> Result<Reopened, TargetError> {
        let facts: Facts =
            serde_json::from_value(opened.target_facts.clone()).map_err(|error| {
                let what = format!("reach the containers of run {}", opened.run);
                TargetError::new(what, format!("its journal does not tell them: {error}"))
            })?;
        let target = DockerTarget::again(facts, &opened.run).await?;
        Ok(Reopened::Attached(Box::new(target)))
    }
}
