//! The observer watches itself: a thread that wants to wake every 5 ms and says by how much it could not,
//! and whether the machine slept.

use crate::clock::{Clock, time_asleep};
use crate::event::{Emitter, Event, ObserverLate};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it wants to wake.
const PERIOD: Duration = Duration::from_millis(5);
/// Lateness up to this is the ordinary jitter of a scheduler on a busy machine and is not logged.
const ORDINARY: Duration = Duration::from_millis(10);
/// The two clocks are read one after the other: less than this is no sleep.
const ASLEEP: Duration = Duration::from_millis(2);

/// A running watch; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lateness {
    over: Arc<AtomicBool>,
}

impl Lateness {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn watch(clock: Clock, events: Emitter) -> std::io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        std::thread::Builder::new()
            .name("firedrill-observer".into())
            .spawn(move || {
                let mut asleep = time_asleep();
                while !end.load(Ordering::Relaxed) {
                    let due = clock.now().plus(PERIOD);
                    std::thread::sleep(PERIOD);
                    let woke = clock.now();
                    if woke.since(due) > ORDINARY {
                        events.emit(woke, Event::ObserverLate(ObserverLate { due, woke }));
                    }
                    let now = time_asleep();
                    if now > asleep + ASLEEP {
                        let us = (now - asleep).as_micros() as u64;
                        events.emit(woke, Event::MachineSlept { us });
                        asleep = now;
                    }
                }
            })?;
        Ok(Self { over })
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
