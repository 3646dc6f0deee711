//! How any part of the left half says what happened.

use super::{Event, Stamp};
use tokio::sync::mpsc;

/// Hands stamped events to the dispatcher, which puts them into one order. Cheap to clone; sending never
/// waits, and sending after the dispatcher is gone is silently dropped.
#[derive(Clone, Debug)]
pub struct Emitter {
    events: mpsc::UnboundedSender<(Stamp, Event)>,
}

impl Emitter {
    /// An emitter and the end that the dispatcher reads.
    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<(Stamp, Event)>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events }, receiver)
    }

    /// Says that `event` happened at `at`.
    pub fn emit(&self, at: Stamp, event: Event) {
        let _ = self.events.send((at, event));
    }
}
