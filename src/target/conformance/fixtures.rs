//! The kinds that take part.

use super::{Fixture, Wanted};
use crate::clock::Clock;
use crate::drill::simulated;
use crate::drill::target_file::{self, FailoverFile, TargetFile};
use crate::plan::TargetFacts;
use crate::target::local::{LocalSettings, LocalTarget, test_installation};
use crate::target::simulated::{SimulatedSettings, SimulatedTarget};
use crate::target::{Failover, Target};
use async_trait::async_trait;
use std::sync::Arc;

#[cfg(feature = "docker")]
pub(super) use containers::Containers;

#[cfg(feature = "docker")]
mod containers;

fn in_file(failover: Failover) -> FailoverFile {
    match failover {
        Failover::Automatic => FailoverFile::Automatic,
        Failover::Promote => FailoverFile::Promote,
    }
}

/// The embedded cluster.
pub(super) struct Local;

impl Local {
    fn file(wanted: Wanted) -> target_file::Local {
        target_file::Local {
            standbys: wanted.standbys,
            failover: in_file(wanted.failover),
            ..target_file::Local::default()
        }
    }
}

#[async_trait]
impl Fixture for Local {
    fn kind(&self) -> &'static str {
        "local"
    }
    fn facts(&self, wanted: Wanted) -> TargetFacts {
        TargetFacts::of_file(&TargetFile {
            local: Some(Self::file(wanted)),
            ..TargetFile::default()
        })
    }
    fn clock(&self) -> Clock {
        Clock::start()
    }
    async fn start(&self, run: &str, wanted: Wanted, clock: Clock) -> Option<Arc<dyn Target>> {
        test_installation()?;
        let settings = LocalSettings::from(&Self::file(wanted));
        let started = LocalTarget::start(&settings, run, clock, |_| {}).await;
        Some(Arc::new(started.unwrap()))
    }
    fn journal_facts(&self, run: &str) -> serde_json::Value {
        serde_json::json!({ "folder": LocalTarget::plan_folder(run) })
    }
    fn left_over(&self, run: &str) -> Vec<String> {
        let folder = LocalTarget::plan_folder(run);
        let left = folder.exists().then(|| folder.display().to_string());
        left.into_iter().collect()
    }
}

/// The scripted cluster.
pub(super) struct Simulated;

impl Simulated {
    fn file(wanted: Wanted) -> simulated::Simulated {
        simulated::Simulated {
            nodes: wanted.standbys + 1,
            failover: in_file(wanted.failover),
            synchronous: false,
            ..simulated::Simulated::default()
        }
    }
}

#[async_trait]
impl Fixture for Simulated {
    fn kind(&self) -> &'static str {
        "simulated"
    }
    fn facts(&self, wanted: Wanted) -> TargetFacts {
        TargetFacts::of_file(&TargetFile {
            local: None,
            simulated: Some(Self::file(wanted)),
            ..TargetFile::default()
        })
    }
    fn clock(&self) -> Clock {
        Clock::of_runtime()
    }
    async fn start(&self, run: &str, wanted: Wanted, clock: Clock) -> Option<Arc<dyn Target>> {
        let settings = SimulatedSettings::from(&Self::file(wanted));
        let started = SimulatedTarget::start(&settings, run, 7, clock).await;
        Some(Arc::new(started.unwrap()))
    }
    fn journal_facts(&self, _run: &str) -> serde_json::Value {
        serde_json::json!({})
    }
    /// Everything is in this process and answers nobody any more, which the check asks.
    fn left_over(&self, _run: &str) -> Vec<String> {
        Vec::new()
    }
}
