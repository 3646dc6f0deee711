//! The kinds of targets that a dead run's journal may name: one line each.

#[cfg(feature = "docker")]
use crate::undo::DockerAgain;
use crate::undo::recover::Reopen;
use crate::undo::{GoneWithItsRun, ThrowAwayLocal};

/// All kinds that this version can undo.
pub const KINDS: &[&dyn Reopen] = &[
    &ThrowAwayLocal,
    &GoneWithItsRun,
    #[cfg(feature = "docker")]
    &DockerAgain,
];
