//! How the failover agent is held still while something is done on purpose.

use tokio::sync::watch;

/// Who asked it to hold still, and whether it does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stillness {
    /// Pauses that live.
    pub pauses: usize,
    /// Deeds that are under way.
    pub deeds: usize,
}

/// While this lives, the agent watches and does nothing: for what is done on purpose, such as a
/// switch-over. When the last one is dropped, a silent leader has the whole detection time again.
#[derive(Debug)]
#[must_use = "the agent goes on as soon as this is dropped"]
pub struct Pause {
    stillness: watch::Sender<Stillness>,
}

impl Pause {
    /// Holds the agent that this belongs to still from now on.
    pub(super) fn new(stillness: &watch::Sender<Stillness>) -> Self {
        stillness.send_modify(|still| still.pauses += 1);
        Self {
            stillness: stillness.clone(),
        }
    }

    /// Returns when nothing that the agent began before the pause is under way any more.
    pub async fn quiet(&self) {
        // The sender lives in self, so that this cannot fail.
        let _ = self
            .stillness
            .subscribe()
            .wait_for(|still| still.deeds == 0)
            .await;
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.stillness
            .send_modify(|still| still.pauses = still.pauses.saturating_sub(1));
    }
}

/// Stands for a deed under way for as long as it lives, also when its task is aborted.
pub struct Counted(watch::Sender<Stillness>);

impl Counted {
    /// For a deed that was counted when it was decided.
    pub fn new(stillness: &watch::Sender<Stillness>) -> Self {
        Self(stillness.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0
            .send_modify(|still| still.deeds = still.deeds.saturating_sub(1));
    }
}
