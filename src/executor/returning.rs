//! Nodes that firedrill starts again after a time, while other steps go on: `returns: { after: … }`.
//!
//! A node that was undone or released by then is left alone. The safe way back always follows, as after any
//! release.

use super::undoing::SharedUndoing;
use crate::clock::Clock;
use crate::event::Stamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The nodes that are waited for.
#[derive(Debug)]
pub(super) struct Returning {
    tasks: JoinSet<()>,
    failed: mpsc::UnboundedSender<String>,
    failures: mpsc::UnboundedReceiver<String>,
}

impl Default for Returning {
    fn default() -> Self {
        let (failed, failures) = mpsc::unbounded_channel();
        Self {
            tasks: JoinSet::new(),
            failed,
            failures,
        }
    }
}

impl Returning {
    /// Lets the nodes of a step's fault come back at a moment.
    pub(super) fn at(&mut self, moment: Stamp, step: &str, clock: Clock, undoing: &SharedUndoing) {
        let (step, undoing) = (step.to_owned(), undoing.clone());
        let failed = self.failed.clone();
        self.tasks.spawn(async move {
            clock.sleep_until(moment).await;
            let mut undoing = undoing.lock().await;
            if undoing.is_held(&step)
                && let Err(why) = undoing.release(&step).await
            {
                // Whoever reads it is gone only when the run is over.
                let _ = failed.send(format!("{step} was to come back: {why}"));
            }
        });
    }

    /// The first node that did not come back when it should have.
    pub(super) fn failure(&mut self) -> Option<String> {
        self.failures.try_recv().ok()
    }

    /// Ends all waiting, also in the middle of a start: the undo that follows tries again.
    pub(super) async fn end(&mut self) {
        self.tasks.shutdown().await;
    }
}
