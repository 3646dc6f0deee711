//! The kinds of targets that a dead run's journal may name: one line each.

use crate::undo::recover::Reopen;
use crate::undo::{GoneWithItsRun, ThrowAwayLocal};

/// All kinds that this version can undo.
pub const KINDS: &[&dyn Reopen] = &[&ThrowAwayLocal, &GoneWithItsRun];
