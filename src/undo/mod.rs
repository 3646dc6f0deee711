//! Putting everything back: what an undo is, and the four ways by which it is reached.
//!
//! | file | what |
//! |---|---|
//! | journal.rs | what must be undone, as it stands on disk; reading it |
//! | journal_owner.rs | writing it: an exclusive lock, which is the right to undo |
//! | open_runs.rs | finding journals that are not closed, wherever their run folders lie |
//! | guard.rs | holds the ways back; lets a node go |
//! | striking.rs | strikes faults: journal first |
//! | undoing.rs | undoes: the run ends, fails, panics or is told to stop |
//! | bounded.rs | no call without a limit |
//! | watchdog.rs | undoes when the runner died |
//! | recover.rs | undoes when both died: `firedrill undo` |
//! | by_label.rs | undoes when the journal is lost as well: `firedrill undo --target FILE` |
//! | outside.rs | what does not go with a throw-away cluster |
//! | reached_again.rs | how one on containers is reached again |
//! | throw_away.rs | how a dead run on the local target is swept |
//! | in_place.rs | the predicate that most undos share: the node leads or streams the newest timeline |
//! | no_second_primary.rs | how an old primary comes back without making two |
//!
//! Nothing here decides whether a drill passed; what could not be undone is said and left to others.

mod bounded;
#[cfg(test)]
mod by_itself_tests;
pub mod by_label;
#[cfg(test)]
mod fake_pressure;
#[cfg(test)]
pub(crate) mod fake_target;
#[cfg(test)]
mod gone_down_tests;
pub mod guard;
#[cfg(test)]
mod guard_tests;
pub mod in_place;
pub mod journal;
pub mod journal_owner;
#[cfg(test)]
mod journal_properties;
#[cfg(test)]
mod local_tests;
pub mod no_second_primary;
pub mod open_runs;
#[cfg(test)]
mod order_properties;
mod outside;
#[cfg(feature = "docker")]
mod reached_again;
pub mod recover;
pub(crate) mod runner;
#[cfg(test)]
mod safety_tests;
mod striking;
pub mod throw_away;
mod undoing;
pub mod watchdog;

pub use guard::{Guard, Limits, UndoReport, Urgency, WayBack};
pub use journal::{Journal, JournalError};
pub use journal_owner::JournalOwner;
#[cfg(feature = "docker")]
pub use reached_again::DockerAgain;
pub use striking::Strike;
pub use throw_away::{GoneWithItsRun, ThrowAwayLocal};

use crate::fault::Hit;
use crate::target::{Target, TargetError};
use async_trait::async_trait;
use std::path::Path;

/// The way back from one fault: a predicate and an action that makes it true, never a blind inverse.
#[async_trait]
pub trait Undo: Send + Sync + std::fmt::Debug {
    /// The fault's name: by it the journal finds the type again.
    fn fault(&self) -> &'static str;
    /// Everything needed to undo it in another process, without secrets.
    fn facts(&self) -> serde_json::Value;
    /// Whether its node may be down, cut off or frozen by it, so that nothing can be asked of that node.
    fn holds_node(&self) -> bool {
        true
    }
    /// Whether its node is down because of it, and is not to be started but by its own undo.
    fn keeps_down(&self) -> bool {
        false
    }
    /// Puts back what does not go with a target that is thrown away; `None` where everything does. The
    /// answer is the proof that it is back.
    async fn put_back_outside(&self) -> Option<Result<String, TargetError>> {
        None
    }
    /// Whether things are as before, with the proof, or what is missing.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError>;
    /// Makes it so, safely: never a second primary. Harmless when called twice.
    ///
    /// # Errors
    /// When it could not be carried out; the text says which node stays down and why.
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError>;
    /// Lets the node come back as it would in life: thawed, joined, started, unfenced.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError>;
    /// The proof that [`Undo::release`] took effect, or what is missing. It asks for less than
    /// [`Undo::standing`]: a node that was let go may well be a second primary.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError>;
}

/// What an undo has to know beyond its own fault.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// Folder where diverged data is saved before it is rewound.
    pub evidence: &'a Path,
    /// Nodes under other open faults of the run. Their own undo asks the same questions before they come
    /// back; those that led a newer timeline have had their turn before.
    pub held: Vec<Hit>,
    /// Another open fault keeps the node of this one down.
    pub kept_down: bool,
}

/// Whether a fault is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is; the text is the proof.
    Back(String),
    /// It is not; the text says what is missing.
    Missing(String),
}
