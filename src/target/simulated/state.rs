//! The servers together: who is let in, what is queued, and what is carried out now. Nothing here waits;
//! [`super::simulation`] does.

use super::backend::{Backend, Reply};
use super::node::{Node, Up};
use super::settings::SimulatedSettings;
use super::statements::{Outcome, carry_out};
use crate::event::Stamp;
use crate::event::slots::ErrorClass;
use crate::plan::draw;
use crate::sql::{Asks, SqlError};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;

/// The stream of chance of the simulation, apart from those of a drill's steps.
const STREAM: u64 = u64::MAX;
/// Connections that PostgreSQL keeps for superusers.
pub(super) const RESERVED: usize = 3;

/// The servers together.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: SimulatedSettings,
    pub(super) nodes: Vec<Node>,
    /// The newest timeline of any node: the next one is above it, as an archive that all share makes sure.
    pub(super) newest_timeline: u32,
    /// Where in the WAL the ledger was made.
    pub(super) ledger_made: Option<u64>,
    /// Nodes whose promotion is under way, late.
    pub(super) promoting: BTreeSet<usize>,
    /// Checks of the changes that drills made by statements of their own and did not undo yet. They hold for
    /// all nodes: whether such a change is replicated only its statement says.
    pub(super) changes: BTreeSet<String>,
    /// When everything that was due was last done.
    pub(super) worked_at: Option<Stamp>,
    chance: ChaCha8Rng,
    next_process: i32,
}

/// What comes of a connect.
#[derive(Debug)]
pub(super) enum Door {
    /// A backend was made.
    Open(i32),
    /// It says why not, or nobody listens.
    Shut(SqlError),
}

impl State {
    /// A cluster that is up: the first node leads, the others stream.
    pub(super) fn new(settings: SimulatedSettings, seed: u64, now: Stamp) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(STREAM);
        let names = settings.nodes.iter().enumerate();
        let nodes = names.map(|(n, name)| Node::new(name, n + 1)).collect();
        let mut state = Self {
            settings,
            nodes,
            newest_timeline: 1,
            ledger_made: None,
            promoting: BTreeSet::new(),
            changes: BTreeSet::new(),
            worked_at: None,
            chance,
            next_process: 100,
        };
        for n in 0..state.nodes.len() {
            if let Some(node) = state.nodes.get_mut(n) {
                node.in_recovery = n > 0;
                node.upstream = (n > 0).then_some(0);
            }
            state.start(n, now);
        }
        state
    }

    /// The index of a node.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// The number of a new process.
    pub(super) fn new_process(&mut self) -> i32 {
        self.next_process += 1;
        self.next_process
    }

    /// How long one half of the way to a server takes this time: a quarter to three quarters of the whole.
    pub(super) fn half_way(&mut self) -> Duration {
        let latency = self.settings.latency;
        latency / 4 + draw::time_up_to(&mut self.chance, latency / 2)
    }

    /// Makes a node's processes where it has none.
    pub(super) fn start(&mut self, n: usize, now: Stamp) {
        let (postmaster, auxiliary) = (self.new_process(), self.new_process());
        let receiver = self.new_process();
        if let Some(node) = self.nodes.get_mut(n)
            && node.up.is_none()
        {
            node.up = Some(Up {
                started: now,
                postmaster,
                auxiliary,
                receiver: node.in_recovery.then_some(receiver),
                receives_from: now,
                open_from: now,
                backends: BTreeMap::new(),
                frozen: BTreeSet::new(),
            });
        }
    }

    /// Lets a client in; `None` where nobody answers at this moment.
    pub(super) fn log_in(&mut self, n: usize, application: &str, now: Stamp) -> Option<Door> {
        let process = self.new_process();
        let most = self.settings.max_connections as usize;
        let Some(up) = self.nodes.get_mut(n).and_then(|node| node.up.as_mut()) else {
            let text = "Connection refused (os error 111)";
            return Some(Door::Shut(SqlError::new(ErrorClass::Refused, false, text)));
        };
        if up.is_frozen(up.postmaster) {
            return None;
        }
        let refusal = if now < up.open_from {
            Some(("57P03", "the database system is in recovery mode"))
        } else if up.backends.len() + RESERVED >= most {
            Some(("53300", "sorry, too many clients already"))
        } else {
            None
        };
        if let Some((state, words)) = refusal {
            let error = SqlError::of_state(state, false, format!("FATAL: {words}"));
            return Some(Door::Shut(error));
        }
        up.backends.insert(process, Backend::new(application));
        Some(Door::Open(process))
    }

    /// A statement arrives. `None` where there is no such backend any more.
    pub(super) fn submit(
        &mut self,
        n: usize,
        process: i32,
        asks: Asks,
    ) -> Option<oneshot::Receiver<Result<super::backend::Said, SqlError>>> {
        let up = self.nodes.get_mut(n)?.up.as_mut()?;
        let (reply, answered) = oneshot::channel();
        let backend = up.backends.get_mut(&process)?;
        backend.queue.push_back((asks, reply));
        Some(answered)
    }

    /// The client is gone.
    pub(super) fn close(&mut self, n: usize, process: i32) {
        let up = self.nodes.get_mut(n).and_then(|node| node.up.as_mut());
        if let Some(up) = up
            && let Some(backend) = up.backends.get_mut(&process)
        {
            backend.client_gone = true;
            if backend.is_idle() && !up.is_frozen(process) {
                up.backends.remove(&process);
            }
        }
    }

    /// Whether a backend is there.
    pub(super) fn has_backend(&self, n: usize, process: i32) -> bool {
        let up = self.nodes.get(n).and_then(|node| node.up.as_ref());
        up.is_some_and(|up| up.backends.contains_key(&process))
    }

    /// Carries out everything that can be carried out now. Says whether a commit waits for a standby.
    pub(super) fn work(&mut self, now: Stamp) -> bool {
        self.worked_at = Some(now);
        self.stream(now);
        self.wake(now);
        for n in 0..self.nodes.len() {
            while let Some((process, asks, reply)) = self.next_statement(n) {
                match carry_out(self, n, process, asks, now) {
                    Outcome::Said(said) => drop(reply.send(said)),
                    Outcome::Sleeps(until) => self.sleep(n, process, (until, reply)),
                    Outcome::Commits(waits) => {
                        let (end, answer) = waits;
                        self.wait(n, process, (end, answer, reply));
                    }
                }
            }
        }
        self.acknowledge()
    }

    fn sleep(&mut self, n: usize, process: i32, asleep: (Stamp, Reply)) {
        let up = self.nodes.get_mut(n).and_then(|node| node.up.as_mut());
        if let Some(backend) = up.and_then(|up| up.backends.get_mut(&process)) {
            backend.sleeping = Some(asleep);
        }
    }

    /// Answers the statements whose time has passed. Frozen backends sleep on.
    fn wake(&mut self, now: Stamp) {
        for up in self.nodes.iter_mut().filter_map(|node| node.up.as_mut()) {
            let frozen = &up.frozen;
            let awake = up.backends.iter_mut().filter(|(process, backend)| {
                let over = |(until, _): &(Stamp, Reply)| *until <= now;
                !frozen.contains(process) && backend.sleeping.as_ref().is_some_and(over)
            });
            for (_, backend) in awake {
                if let Some((_, reply)) = backend.sleeping.take() {
                    let _ = reply.send(Ok(super::backend::Said::Rows(
                        crate::sql::Answer::default(),
                    )));
                }
            }
        }
    }

    fn wait(&mut self, n: usize, process: i32, what: (u64, crate::sql::Answer, Reply)) {
        let (end, answer, reply) = what;
        let up = self.nodes.get_mut(n).and_then(|node| node.up.as_mut());
        if let Some(backend) = up.and_then(|up| up.backends.get_mut(&process)) {
            backend.waiting = Some(super::backend::Waiting { end, answer, reply });
        }
    }

    /// The next statement on a node whose backend is free, in the order of backends. One whose client is
    /// gone ends with its last.
    fn next_statement(&mut self, n: usize) -> Option<(i32, Asks, Reply)> {
        let up = self.nodes.get_mut(n)?.up.as_mut()?;
        let frozen = &up.frozen;
        up.backends.retain(|process, backend| {
            !(backend.client_gone && backend.is_idle() && !frozen.contains(process))
        });
        let mut free = up.backends.iter_mut();
        let (process, backend) = free.find(|(process, backend)| {
            !frozen.contains(process) && backend.is_free() && !backend.queue.is_empty()
        })?;
        let (asks, reply) = backend.queue.pop_front()?;
        Some((*process, asks, reply))
    }
}
