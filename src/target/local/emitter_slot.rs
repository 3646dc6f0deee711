//! A place for the emitter that the stack's parts are told of only after they run.
//!
//! Router and agent start with the cluster, long before a run has a dispatcher. It keeps nothing: what
//! happens before anybody listens is no part of a run.

use crate::event::{Emitter, Event, Stamp};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by everything that speaks for one stack. Cheap to clone; clones share the place.
#[derive(Clone, Debug, Default)]
pub struct EmitterSlot {
    emitter: Arc<Mutex<Option<Emitter>>>,
}

impl EmitterSlot {
    /// From now on events go to `emitter`.
    pub fn set(&self, emitter: Emitter) {
        *self.lock() = Some(emitter);
    }

    /// Says that `event` happened at `at`, where anybody listens yet.
    pub fn emit(&self, at: Stamp, event: Event) {
        if let Some(emitter) = self.lock().as_ref() {
            emitter.emit(at, event);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Emitter>> {
        // Nothing here can panic while it holds the lock, so a poisoned one still holds a whole value.
        self.emitter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
