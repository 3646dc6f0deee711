//! Where the router's sessions go: the nodes as both endpoints see them, and the choice among them.
//!
//! It opens no connection and asks nobody: checks tell it what they found, sessions ask it where to go.

use super::emitter_slot::EmitterSlot;
use super::health::{Change, Health};
use crate::clock::Clock;
use crate::event::{Event, StackSaw, StackView, Stamp};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Sends sessions to primaries.
    Writer,
    /// Sends sessions to standbys.
    Reader,
}

/// All nodes behind both endpoints.
#[derive(Debug)]
pub struct Routes {
    servers: Vec<Server>,
    clock: Clock,
    emitter: EmitterSlot,
    /// How the router is called in what it says.
    name: &'static str,
    /// Counts up with each session of an endpoint: round robin.
    turns: [AtomicUsize; 2],
}

/// One node.
#[derive(Debug)]
struct Server {
    name: String,
    to: (String, u16),
    checked: Mutex<Checked>,
    /// What sessions of the writer and of the reader endpoint watch.
    routes: [Arc<Gate>; 2],
}

/// What is known of a node.
#[derive(Debug)]
struct Checked {
    /// As a writer and as a reader.
    health: [Health; 2],
    /// When it was last known not to be routed to as a writer.
    last_negative: Stamp,
    /// It gets no sessions, whatever its checks say.
    fenced: bool,
}

/// Whether sessions go to a node.
#[derive(Clone, Copy, Debug, Default)]
struct Route {
    open: bool,
    /// How often it was closed: a session ends when this grows beyond what it was born with, also when
    /// the route is open again before the session looks.
    closings: u64,
}

/// A route, and those who wait for its end. They are woken in the order in which they came, which a watch
/// channel does not promise and a simulated run needs.
#[derive(Debug, Default)]
struct Gate {
    route: Mutex<Route>,
    closed: Notify,
}

/// A way that one session was given.
#[derive(Debug)]
pub struct Way {
    /// Host and port of the node's client link.
    pub to: (String, u16),
    gate: Arc<Gate>,
    closings: u64,
}

impl Way {
    /// Returns when the session must end: its node lost its role, went down or was fenced.
    pub async fn closed(&self) {
        let mut woken = std::pin::pin!(self.gate.closed.notified());
        loop {
            woken.as_mut().enable();
            if self.is_closed() {
                return;
            }
            woken.as_mut().await;
            woken.set(self.gate.closed.notified());
        }
    }

    /// Whether the session must end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.gate.route).closings > self.closings
    }
}

impl Routes {
    /// Routes to these nodes, none of which is open before its first check.
    pub fn new(
        nodes: impl Iterator<Item = (String, (String, u16))>,
        unchecked: Health,
        clock: Clock,
        emitter: EmitterSlot,
        name: &'static str,
    ) -> Self {
        let servers = nodes.map(|(name, to)| Server {
            name,
            to,
            checked: Mutex::new(Checked {
                health: [unchecked; 2],
                last_negative: clock.now(),
                fenced: false,
            }),
            routes: Default::default(),
        });
        Self {
            servers: servers.collect(),
            clock,
            emitter,
            name,
            turns: Default::default(),
        }
    }

    /// Takes the answer of a check of the `n`th node that ended just now: whether it is in recovery,
    /// `None` for no answer.
    pub fn checked(&self, n: usize, in_recovery: Option<bool>) {
        let Some(server) = self.servers.get(n) else {
            return;
        };
        let mut checked = lock(&server.checked);
        let now = self.clock.now();
        let last_negative = checked.last_negative;
        for (side, passes_if) in [(Side::Writer, false), (Side::Reader, true)] {
            let passed = in_recovery == Some(passes_if) && !checked.fenced;
            let route = &server.routes[side as usize];
            match checked.health[side as usize].check(passed) {
                Some(Change::MarkedUp) => {
                    open(route);
                    if side == Side::Writer {
                        self.say_routed(&server.name, last_negative, now);
                    }
                }
                Some(Change::MarkedDown) => close(route),
                None => {}
            }
        }
        if !checked.health[Side::Writer as usize].is_up() {
            checked.last_negative = now;
        }
    }

    /// Closes the routes to a node at once, and keeps them closed or lets its checks open them again.
    pub fn fence(&self, name: &str, fenced: bool) {
        for server in self.servers.iter().filter(|server| server.name == name) {
            let mut checked = lock(&server.checked);
            checked.fenced = fenced;
            if fenced {
                checked.last_negative = self.clock.now();
                checked.health.iter_mut().for_each(|health| {
                    health.take_down();
                });
                server.routes.iter().for_each(close);
            }
        }
    }

    /// Names of the nodes that new sessions of an endpoint go to, fall-back apart.
    pub fn open(&self, side: Side) -> Vec<String> {
        let names = self
            .candidates(side)
            .into_iter()
            .map(|(server, _)| server.name.clone());
        names.collect()
    }

    /// The way for the next session; `None` where no node is up. Readers fall back to writers' nodes.
    pub fn next(&self, side: Side) -> Option<Way> {
        let mut candidates = self.candidates(side);
        if candidates.is_empty() && side == Side::Reader {
            candidates = self.candidates(Side::Writer);
        }
        let turn = self.turns[side as usize].fetch_add(1, Ordering::Relaxed);
        let (server, gate) = candidates.get(turn.checked_rem(candidates.len())?)?;
        let Route { open, closings } = *lock(&gate.route);
        // It may have been closed between the choice and now.
        open.then(|| Way {
            to: server.to.clone(),
            gate: Arc::clone(gate),
            closings,
        })
    }

    fn candidates(&self, side: Side) -> Vec<(&Server, &Arc<Gate>)> {
        let all = self
            .servers
            .iter()
            .map(|server| (server, &server.routes[side as usize]));
        all.filter(|(_, gate)| lock(&gate.route).open).collect()
    }

    fn say_routed(&self, node: &str, last_negative: Stamp, first_positive: Stamp) {
        let saw = StackSaw {
            source: self.name.to_owned(),
            what: StackView::RoutedTo,
            node: node.to_owned(),
            last_negative,
            first_positive,
        };
        self.emitter.emit(first_positive, Event::StackSaw(saw));
    }
}

fn open(gate: &Arc<Gate>) {
    lock(&gate.route).open = true;
}

fn close(gate: &Arc<Gate>) {
    let mut route = lock(&gate.route);
    route.open = false;
    route.closings += 1;
    drop(route);
    gate.closed.notify_waiters();
}

/// Nothing panics while it holds one of these locks, so a poisoned one still holds a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use std::time::Duration;
    use tokio::time::{advance, timeout};

    const TICK: Duration = Duration::from_millis(50);

    fn routes(emitter: EmitterSlot) -> Routes {
        let (fall, rise) = (NonZeroU32::new(3).unwrap(), NonZeroU32::new(2).unwrap());
        let nodes = ["a", "b", "c"].map(|name| (name.to_owned(), (name.to_owned(), 1)));
        let unchecked = Health::new(fall, rise);
        Routes::new(
            nodes.into_iter(),
            unchecked,
            Clock::of_runtime(),
            emitter,
            "local router",
        )
    }

    /// One round of checks, one letter for each node: p(rimary), s(tandby), - (no answer).
    async fn round(routes: &Routes, answers: &str) {
        advance(TICK).await;
        for (n, answer) in answers.chars().enumerate() {
            routes.checked(
                n,
                match answer {
                    'p' => Some(false),
                    's' => Some(true),
                    _ => None,
                },
            );
        }
    }

    fn to(routes: &Routes, side: Side) -> Option<String> {
        routes.next(side).map(|way| way.to.0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_failover_is_followed_with_its_stamps() {
        let slot = EmitterSlot::default();
        let routes = routes(slot.clone());
        assert_eq!(to(&routes, Side::Writer), None);
        round(&routes, "pss").await;
        let (emitter, mut events) = crate::event::Emitter::channel();
        slot.set(emitter);
        assert_eq!(routes.open(Side::Writer), ["a"]);
        let way = routes.next(Side::Writer).unwrap();
        round(&routes, "-ss").await;
        round(&routes, "-ps").await;
        assert!(timeout(Duration::ZERO, way.closed()).await.is_err());
        round(&routes, "-ps").await;
        timeout(Duration::ZERO, way.closed()).await.unwrap();
        assert_eq!(routes.open(Side::Writer), ["b"]);
        let (at, Event::StackSaw(saw)) = events.try_recv().unwrap() else {
            panic!()
        };
        let ms = |stamp: Stamp| stamp.as_ms();
        assert_eq!(
            (saw.node.as_str(), ms(saw.last_negative), ms(at)),
            ("b", 150.0, 200.0)
        );
        assert!(events.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_take_turns_and_readers_fall_back() {
        let routes = routes(EmitterSlot::default());
        round(&routes, "pss").await;
        let turns: Vec<_> = (0..4).map(|_| to(&routes, Side::Reader).unwrap()).collect();
        assert_eq!(turns, ["b", "c", "b", "c"]);
        for _ in 0..3 {
            round(&routes, "p--").await;
        }
        let fallen_back = routes.next(Side::Reader).unwrap();
        assert_eq!(
            (fallen_back.to.0.as_str(), routes.open(Side::Reader).len()),
            ("a", 0)
        );
        round(&routes, "ps-").await;
        round(&routes, "ps-").await;
        assert_eq!(to(&routes, Side::Reader).as_deref(), Some("b"));
        assert!(
            timeout(TICK, fallen_back.closed()).await.is_err(),
            "it stays where it is"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_fence_closes_at_once_and_a_session_notices_it_after_the_fact() {
        let routes = routes(EmitterSlot::default());
        round(&routes, "pss").await;
        let way = routes.next(Side::Writer).unwrap();
        routes.fence("a", true);
        assert_eq!(to(&routes, Side::Writer), None);
        for _ in 0..5 {
            round(&routes, "pss").await;
        }
        assert_eq!(to(&routes, Side::Writer), None);
        routes.fence("a", false);
        round(&routes, "pss").await;
        assert_eq!(to(&routes, Side::Writer), None);
        round(&routes, "pss").await;
        assert_eq!(to(&routes, Side::Writer).as_deref(), Some("a"));
        timeout(Duration::ZERO, way.closed()).await.unwrap();
    }
}
