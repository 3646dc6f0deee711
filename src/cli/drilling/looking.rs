//! What a plan shows of a cluster that runs already: who is who there now. It only looks.

use super::kind::Settings;
use crate::cli::failure::Failure;
use crate::plan::TargetFacts;
#[cfg(feature = "docker")]
use crate::target::docker::{Candidates, DockerSettings, Overview};
use crate::undo::open_runs::Registry;

/// What is known of the target now: the same as its file says where the run itself brings the cluster.
///
/// # Errors
/// When it cannot be looked at; the text says what to do.
#[cfg_attr(
    not(feature = "docker"),
    expect(unused_variables, reason = "only containers run before firedrill does")
)]
pub fn look(
    facts: TargetFacts,
    settings: &Settings,
    registry: Option<&Registry>,
) -> Result<TargetFacts, Failure> {
    match settings {
        Settings::Local(_) | Settings::Simulated(_) => Ok(facts),
        #[cfg(feature = "docker")]
        Settings::Docker(docker) => {
            let seen = settings.runtime()?.block_on(containers(docker, registry))?;
            Ok(facts.at_a_glance(&seen.seen, seen.failover, seen.control_period))
        }
    }
}

#[cfg(feature = "docker")]
async fn containers(
    settings: &DockerSettings,
    registry: Option<&Registry>,
) -> Result<Overview, Failure> {
    let candidates = Candidates::find(settings).await?;
    let identity = candidates.identity();
    let seen = Overview::of(candidates, settings).await;
    if let (Err(_), Some(registry)) = (&seen, registry) {
        // What a run left that is not undone explains it better than what is wrong with it.
        super::session::refuse_unfinished(registry, &identity)?;
    }
    Ok(seen?)
}
