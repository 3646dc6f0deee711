//! How many clusters run at the same time: a machine with two cores is not to be a reason to fail.
//!
//! Turns are given in the order in which they were asked for, so that a test which wants the machine to itself
//! is not kept waiting by those that are content with less.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What all tests of this binary may take together.
const ALL: usize = 6;
/// Three clusters at the same time, where nothing is measured.
const A_THIRD: usize = 2;
/// Two at the same time: each is a small disturbance of the other, about as large as the tests of other
/// kinds that run beside them.
const A_HALF: usize = 3;

static RUNNING: (Mutex<Running>, Condvar) = (
    Mutex::new(Running {
        taken: 0,
        asked: 0,
        served: 0,
    }),
    Condvar::new(),
);

struct Running {
    taken: usize,
    /// How many have asked for a turn, and how many of them have got it.
    asked: u64,
    served: u64,
}

/// The right to run one cluster, or to have the machine alone, until it is dropped.
pub struct Turn {
    takes: usize,
}

impl Turn {
    /// For what only has to work.
    pub fn take() -> Self {
        Self::of(A_THIRD)
    }

    /// For what measures, and is drawn again where the machine disturbed it.
    pub fn beside_one() -> Self {
        Self::of(A_HALF)
    }

    /// For what measures and cannot be drawn again: no other cluster runs meanwhile.
    pub fn alone() -> Self {
        Self::of(ALL)
    }

    fn of(takes: usize) -> Self {
        let mut running = lock();
        let place = running.asked;
        running.asked += 1;
        let mut running = RUNNING
            .1
            .wait_while(running, |running| {
                running.served != place || running.taken + takes > ALL
            })
            .unwrap_or_else(PoisonError::into_inner);
        running.served += 1;
        running.taken += takes;
        drop(running);
        // Whoever is next may fit in beside this one.
        RUNNING.1.notify_all();
        Self { takes }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock().taken -= self.takes;
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
