//! The cluster as everybody shares it: one lock, and those who wait for something to change in it.
//!
//! Everything runs on one thread under the runtime's clock, and who waits is woken in the order of coming,
//! so that a run is the same whenever its seed is.

use super::backend::{Said, reset};
use super::settings::SimulatedSettings;
use super::state::State;
use crate::clock::Clock;
use crate::event::Stamp;
use crate::sql::{Asks, SqlError};
use crate::target::TargetError;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// The cluster as everybody shares it.
#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) clock: Clock,
    state: Mutex<State>,
    changed: Notify,
}

impl Simulation {
    /// A cluster that is up.
    pub(super) fn new(settings: SimulatedSettings, seed: u64, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::new(State::new(settings, seed, clock.now())),
            changed: Notify::new(),
        })
    }

    /// Looks, or does something from which nothing follows, with everything done that is due by now.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, Stamp) -> T) -> T {
        let now = self.clock.now();
        // Nothing panics while it holds the lock; a poisoned one still holds a whole value.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.worked_at != Some(now) {
            state.work(now);
        }
        act(&mut state, now)
    }

    /// Does something that others may wait for, and what follows from it at once.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut State, Stamp) -> T) -> T {
        let result = self.with(|state, now| {
            let result = act(state, now);
            state.work(now);
            result
        });
        self.changed.notify_waiters();
        result
    }

    /// Waits until `look` finds something.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&mut State, Stamp) -> Option<T>) -> T {
        let mut woken = pin!(self.changed.notified());
        loop {
            woken.as_mut().enable();
            if let Some(found) = self.with(&mut look) {
                return found;
            }
            woken.as_mut().await;
            woken.set(self.changed.notified());
        }
    }

    /// The index of a node.
    ///
    /// # Errors
    /// When there is none of this name.
    pub(super) fn node(&self, name: &str) -> Result<usize, TargetError> {
        let found = self.with(|state, _| state.find(name));
        found.ok_or_else(|| TargetError::new(format!("find {name}"), "there is no such node"))
    }

    /// How long one half of the way to a server takes this time.
    pub(super) fn half_way(&self) -> Duration {
        self.with(|state, _| state.half_way())
    }

    /// Hands a statement to its backend. A commit that must wait for a standby is looked after when the
    /// standby has it, whether or not anybody else does something then.
    pub(super) fn submit(
        self: &Arc<Self>,
        n: usize,
        process: i32,
        asks: Asks,
    ) -> Result<oneshot::Receiver<Result<Said, SqlError>>, SqlError> {
        let asleep = match &asks {
            Asks::Sleep { ms } => Some(Duration::from_millis(*ms)),
            _ => None,
        };
        let (answered, waits, lag) = self.with(|state, now| {
            let answered = state.submit(n, process, asks);
            (answered, state.work(now), state.settings.lag)
        });
        if let Some(time) = asleep.or(waits.then_some(lag)) {
            let simulation = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                simulation.with(|_, _| ());
            });
        }
        answered.ok_or_else(|| reset(true))
    }
}
