//! How many clusters run at the same time: a machine with two cores is not to be a reason to fail.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Clusters at the same time, over all tests of this binary.
const AT_ONCE: usize = 3;

static RUNNING: (Mutex<Running>, Condvar) = (
    Mutex::new(Running {
        clusters: 0,
        want_quiet: 0,
    }),
    Condvar::new(),
);

struct Running {
    /// Turns that are taken.
    clusters: usize,
    /// Tests that wait for a machine to themselves; while there are any, nobody else begins.
    want_quiet: usize,
}

/// The right to run one cluster, or to have the machine alone, until it is dropped.
pub struct Turn {
    clusters: usize,
}

impl Turn {
    /// Waits for its turn.
    pub fn take() -> Self {
        Self::when(1, |running| {
            running.clusters < AT_ONCE && running.want_quiet == 0
        })
    }

    /// Waits until no other cluster runs, and keeps others from beginning: for what measures time.
    pub fn alone() -> Self {
        lock().want_quiet += 1;
        let turn = Self::when(AT_ONCE, |running| running.clusters == 0);
        lock().want_quiet -= 1;
        turn
    }

    fn when(clusters: usize, free: impl Fn(&Running) -> bool) -> Self {
        let mut running = RUNNING
            .1
            .wait_while(lock(), |running| !free(running))
            .unwrap_or_else(PoisonError::into_inner);
        running.clusters += clusters;
        Self { clusters }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock().clusters -= self.clusters;
        RUNNING.1.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Running> {
    RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the same with each item, as many at the same time as there are turns. A panic of one is a panic of
/// the whole, after the others have ended.
pub fn each_in_turn<T: Send>(items: impl IntoIterator<Item = T>, act: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for item in items {
            let act = &act;
            scope.spawn(move || {
                let _turn = Turn::take();
                act(item);
            });
        }
    });
}
