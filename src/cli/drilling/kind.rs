//! The kinds of targets as a run begins them: what each is set to, and on which runtime it goes.

use crate::cli::failure::Failure;
use crate::drill::target_file::{TargetFile, TargetKind};
use crate::target::local::LocalSettings;
use crate::target::simulated::SimulatedSettings;
use tokio::runtime::{Builder, Runtime};

/// What a run's target is set to.
#[derive(Clone, Debug)]
pub enum Settings {
    /// A throw-away cluster on this machine.
    Local(LocalSettings),
    /// A scripted cluster in this process.
    Simulated(SimulatedSettings),
}

impl Settings {
    /// Those of a target file.
    #[must_use]
    pub fn of(file: &TargetFile) -> Self {
        match file.kind() {
            TargetKind::Local(local) => Self::Local(LocalSettings::from(&local)),
            TargetKind::Simulated(simulated) => {
                Self::Simulated(SimulatedSettings::from(&simulated))
            }
        }
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
        let built = match self {
            Self::Local(_) => Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build(),
            Self::Simulated(_) => Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build(),
        };
        built.map_err(|error| Failure::target(format!("the runtime cannot start: {error}")))
    }
}
