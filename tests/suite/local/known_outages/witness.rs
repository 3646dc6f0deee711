//! A second observer, built the other way round: it asks the server directly and one thing after the other,
//! on a thread of its own, and says when the machine itself was slow. An outage of a known length that the
//! machine made longer has no known truth, and proves nothing about the bounds.

use firedrill::clock::Clock;
use firedrill::sql::{Address, Session};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_TO_CONNECT: Duration = Duration::from_millis(50);
const LONGEST_PAUSE_MS: f64 = 50.0;
/// Longer than any outage that is made.
const DEADLINE: Duration = Duration::from_secs(20);
/// A commit that reaches the disk, and leaves nothing behind.
const COMMIT: &str = "select pg_logical_emit_message(true, 'witness', '')";
/// Quicker than this is quick on any machine: the smallest stall limit of the probes.
const QUICK_MS: f64 = 50.0;
/// For how long before and after a break the machine must have been quick.
const AROUND_MS: f64 = 700.0;

/// One question and its answer, in milliseconds since the origin.
#[derive(Clone, Copy, Debug)]
struct Asked {
    sent: f64,
    settled: f64,
}

/// What one client saw, in order.
type Seen = Arc<Mutex<Vec<Asked>>>;

pub struct Witness {
    /// Of a kept session, and of sessions opened for each question.
    clients: [Seen; 2],
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Witness {
    pub fn start(server: Address, clock: Clock) -> Self {
        let clients: [Seen; 2] = Default::default();
        let over = Arc::new(AtomicBool::new(false));
        let [kept, fresh] = clients.clone();
        let ends = over.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::join!(
                    keep_asking(&server, clock, &kept, &ends),
                    keep_connecting(&server, clock, &fresh, &ends),
                )
            });
        });
        Self {
            clients,
            over,
            thread: Some(thread),
        }
    }

    /// The slowest answer so far: what is quick on this machine.
    pub fn quick_ms(&self) -> f64 {
        let slowest = |seen: &Seen| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let took = seen.iter().map(|asked| asked.settled - asked.sent);
            took.fold(0.0, f64::max)
        };
        let all = self.clients.iter().map(slowest);
        all.fold(QUICK_MS, f64::max)
    }

    /// Whether the machine was quick around a break that began at `began` and was over at `over`, which the
    /// server itself may have spent frozen.
    pub fn was_quick(&self, began: f64, over: f64, quick_ms: f64) -> bool {
        self.clients.iter().all(|seen| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            was_quick(&seen, began, over, quick_ms)
        })
    }

    /// When all were answered that waited at the moment `over`: service is back for certain then.
    pub fn served_by(&self, over: f64) -> f64 {
        let waited = self.clients.iter().filter_map(|seen| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = seen
                .iter()
                .find(|asked| asked.sent < over && asked.settled > over);
            asked.map(|asked| asked.settled)
        });
        waited.fold(over, f64::max)
    }

    /// Ends the questions; what was seen stays.
    pub fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn was_quick(seen: &[Asked], began: f64, over: f64, quick_ms: f64) -> bool {
    let (from, to) = (began - AROUND_MS, over + AROUND_MS);
    let mut free = None;
    let near = seen
        .iter()
        .filter(|asked| asked.settled >= from && asked.sent <= to);
    for asked in near {
        // What was under way in the break may have waited for its end.
        let waited_from = if asked.sent < over && asked.settled > began {
            asked.sent.max(over)
        } else {
            asked.sent
        };
        let late = asked.settled - waited_from > quick_ms;
        // It asks again at once; where it did not, its own thread had to wait for a processor.
        let starved = free.is_some_and(|free| asked.sent - free > quick_ms + LONGEST_PAUSE_MS);
        if late || starved {
            return false;
        }
        free = Some(asked.settled);
    }
    free.is_some_and(|free| free >= over)
}

async fn keep_asking(server: &Address, clock: Clock, seen: &Seen, over: &AtomicBool) {
    let session = Session::connect(server, DEADLINE).await.unwrap();
    while !over.load(Ordering::Relaxed) {
        let sent = clock.now().as_ms();
        session.query(COMMIT, DEADLINE).await.unwrap();
        note(seen, sent, clock);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn keep_connecting(server: &Address, clock: Clock, seen: &Seen, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let sent = clock.now().as_ms();
        let session = Session::connect(server, DEADLINE).await.unwrap();
        session.query(COMMIT, DEADLINE).await.unwrap();
        note(seen, sent, clock);
        tokio::time::sleep(PAUSE_TO_CONNECT).await;
    }
}

fn note(seen: &Seen, sent: f64, clock: Clock) {
    let settled = clock.now().as_ms();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.push(Asked { sent, settled });
}

#[cfg(test)]
mod tests {
    use super::{Asked, was_quick};

    /// Questions of 5 ms every 20 ms, for four seconds.
    fn steady() -> Vec<Asked> {
        let at = |number: u32| f64::from(number) * 20.0;
        (0..200)
            .map(|number| Asked {
                sent: at(number),
                settled: at(number) + 5.0,
            })
            .collect()
    }

    #[test]
    fn steady_answers_are_quick() {
        assert!(was_quick(&steady(), 1000.0, 2000.0, 50.0));
    }

    #[test]
    fn an_answer_that_waited_for_the_end_of_the_break_is_quick() {
        let mut seen = steady();
        seen.retain(|asked| asked.sent <= 1000.0 || asked.sent > 2000.0);
        let last = seen.iter_mut().find(|asked| asked.sent == 1000.0).unwrap();
        last.settled = 2010.0;
        assert!(was_quick(&seen, 1000.0, 2000.0, 50.0));
    }

    #[test]
    fn a_slow_answer_after_the_break_is_not() {
        let mut seen = steady();
        seen.iter_mut()
            .find(|asked| asked.sent == 2400.0)
            .unwrap()
            .settled = 2460.0;
        seen.retain(|asked| asked.sent <= 2400.0 || asked.sent > 2460.0);
        assert!(!was_quick(&seen, 1000.0, 2000.0, 50.0));
    }

    #[test]
    fn a_witness_that_did_not_ask_is_not() {
        let mut seen = steady();
        seen.retain(|asked| asked.sent < 2400.0 || asked.sent > 2520.0);
        assert!(!was_quick(&seen, 1000.0, 2000.0, 50.0));
        assert!(!was_quick(&[], 1000.0, 2000.0, 50.0));
    }
}
