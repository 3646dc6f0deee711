//! The kinds of targets as a run begins them: what each is set to, and on which runtime it goes.

use crate::cli::failure::Failure;
use crate::drill::CheckedTarget;
use crate::drill::target_file::TargetKind;
#[cfg(feature = "docker")]
use crate::target::docker::DockerSettings;
use crate::target::local::LocalSettings;
use crate::target::simulated::SimulatedSettings;
use tokio::runtime::{Builder, Runtime};

/// What a run's target is set to.
#[derive(Clone, Debug)]
pub enum Settings {
    /// A throw-away cluster on this machine.
    Local(LocalSettings),
    /// A cluster in containers.
    #[cfg(feature = "docker")]
    Docker(Box<DockerSettings>),
    /// A scripted cluster in this process.
    Simulated(SimulatedSettings),
}

impl Settings {
    /// Those of a target file.
    ///
    /// # Errors
    /// A connection string, or a file that it names, that cannot be used.
    pub fn of(checked: &CheckedTarget) -> Result<Self, Failure> {
        Ok(match checked.target.kind() {
            TargetKind::Local(local) => Self::Local(LocalSettings::from(&local)),
            #[cfg(feature = "docker")]
            TargetKind::Docker(docker) => {
                Self::Docker(Box::new(super::containers::settings(&docker, checked)?))
            }
            #[cfg(not(feature = "docker"))]
            TargetKind::Docker(_) => {
                return Err(Failure::target(
                    "this firedrill was built without targets in containers",
                )
                .hint("build it with the feature docker"));
            }
            TargetKind::Simulated(simulated) => {
                Self::Simulated(SimulatedSettings::from(&simulated))
            }
        })
    }

    /// Whether time is virtual.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }

    /// The runtime that such a run needs: two threads that the probes have none of, or one thread whose
    /// clock stands still while anybody works and jumps when nobody does.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn runtime(&self) -> Result<Runtime, Failure> {
        let built = match self.is_simulated() {
            false => Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build(),
            true => Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build(),
        };
        built.map_err(|error| Failure::target(format!("the runtime cannot start: {error}")))
    }
}
