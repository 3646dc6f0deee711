//! The probe must never be the outage: how many sessions firedrill has on each node, and whether one more
//! may be opened.
//!
//! A closed client does not free its backend: one that waits for a lost synchronous standby stays, and a
//! probe that opens the next connection each time fills the server within seconds. So a session that was
//! given up in the middle of a statement keeps its seat until a control session, opened to the node before
//! measuring, no longer sees its backend. This file only counts; it opens nothing.

use super::Limits;
use super::probes::Channel;
use crate::event::Stamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A node by its position in the plan.
pub(super) type Node = usize;
/// A seat by number.
pub(super) type Ticket = u64;

/// Seats that are kept free for connects to a node that is otherwise full: without them nobody would
/// notice that clients are meanwhile sent to another node.
pub(super) const RESERVE: usize = 2;
/// Connects at one node's door, under way or given up since it last let anybody in. A server that stands
/// still keeps them all in its queue and works them off one by one before it serves the next client, so a
/// probe that goes on knocking would prolong the very outage that it measures.
const AT_DOOR: usize = 6;
/// With so many at the door, one more is let through this often: somebody must notice that the door is
/// open again, or that clients are sent to another one.
const KNOCK_AGAIN: Duration = Duration::from_millis(250);
/// A control session that has not answered for this long says nothing of its node.
const SILENT: Duration = Duration::from_millis(700);
/// `max_connections` until a node has told its own.
const MAX_CONNECTIONS: u32 = 100;

/// Seats on all nodes.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    seats: BTreeMap<Ticket, Seat>,
    next: Ticket,
    nodes: Vec<View>,
    /// By node: connects that were given up before anybody was let in again.
    given_up_at_door: BTreeMap<Option<Node>, usize>,
    /// When the last connect towards a node was allowed, and to which channel.
    knocked: BTreeMap<Option<Node>, (Stamp, Channel)>,
}

#[derive(Debug)]
struct Seat {
    /// Where it is, as far as is known; `None` before the first answer of an endpoint.
    node: Option<Node>,
    /// The server's backend, 0 while connecting.
    backend: i32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Open,
    GivenUp(Stamp),
}

/// What the control session of a node says.
#[derive(Debug, Default)]
struct View {
    /// When the question was asked that is not answered yet.
    asking: Option<Stamp>,
    /// The node was found down: nothing of ours runs there.
    down: bool,
    max_connections: Option<u32>,
    /// Backends of ours in the last answer that no seat explains, and those that were so twice.
    strangers: BTreeSet<i32>,
    lasting: BTreeSet<i32>,
}

impl Room {
    pub(super) fn new(limits: Limits, nodes: usize) -> Self {
        Self {
            limit: limits.sessions as usize,
            seats: BTreeMap::new(),
            next: 0,
            nodes: (0..nodes).map(|_| View::default()).collect(),
            given_up_at_door: BTreeMap::new(),
            knocked: BTreeMap::new(),
        }
    }

    /// Sessions of ours on a node that have finished their start-up, the control session included.
    pub(super) fn occupied(&self, node: Node) -> usize {
        let there = |seat: &&Seat| seat.node == Some(node) && seat.stage != Stage::Connecting;
        let lasting = self.nodes.get(node).map_or(0, |view| view.lasting.len());
        1 + lasting + self.seats.values().filter(there).count()
    }

    fn connecting(&self, node: Option<Node>) -> usize {
        let there = |seat: &&Seat| seat.node == node && seat.stage == Stage::Connecting;
        self.seats.values().filter(there).count()
    }

    /// The node has answered lately, so that what is opened there really becomes a backend.
    fn answers(&self, node: Node, now: Stamp) -> bool {
        let Some(view) = self.nodes.get(node) else {
            return false;
        };
        !view.down && view.asking.is_none_or(|asked| now.since(asked) <= SILENT)
    }

    /// Whether one more session may be used on a node: the seats of the reserve are for looking only.
    pub(super) fn has_room(&self, node: Node) -> bool {
        self.occupied(node) + RESERVE < self.limit
    }

    /// Whether a node was found down and has not answered since: whoever lets us in is another one, or was
    /// started a moment ago.
    pub(super) fn is_found_down(&self, node: Node) -> bool {
        self.nodes.get(node).is_some_and(|view| view.down)
    }

    /// At most this many fresh connects at the same time: twice what the deadline needs, and never more
    /// than a quarter of what the smallest server allows.
    pub(super) fn fresh_cap(&self, deadline: Duration, period: Duration) -> usize {
        let needed = 2 * deadline.as_micros().div_ceil(period.as_micros().max(1)) as usize;
        needed.max(4).min(self.quarter())
    }

    fn quarter(&self) -> usize {
        let known = self.nodes.iter().filter_map(|view| view.max_connections);
        (known.min().unwrap_or(MAX_CONNECTIONS) as usize / 4).max(1)
    }

    /// Takes a seat for a connect towards `node` (the one that the endpoint served last, or a node's own);
    /// `None` when it must not be made.
    pub(super) fn connect(
        &mut self,
        node: Option<Node>,
        channel: Channel,
        now: Stamp,
    ) -> Option<Ticket> {
        let connecting = self.connecting(node);
        let has_seat = match node {
            Some(node) if self.answers(node, now) => self.occupied(node) + connecting < self.limit,
            // A server that does not answer makes no backends.
            _ => true,
        };
        let at_door = connecting + self.given_up_at_door.get(&node).copied().unwrap_or(0);
        // Whoever knocked last lets another channel go first, so that each has news of its own.
        let turn_of = |last: Channel| {
            if last == channel {
                2 * KNOCK_AGAIN
            } else {
                KNOCK_AGAIN
            }
        };
        let may_knock = at_door < AT_DOOR.min(self.quarter())
            || (self.knocked.get(&node)).is_none_or(|(at, last)| now.since(*at) >= turn_of(*last));
        let allowed = has_seat && may_knock && connecting < self.quarter();
        if !allowed {
            return None;
        }
        self.knocked.insert(node, (now, channel));
        self.next += 1;
        self.seats.insert(
            self.next,
            Seat {
                node,
                backend: 0,
                stage: Stage::Connecting,
            },
        );
        Some(self.next)
    }

    /// Start-up is over.
    pub(super) fn opened(&mut self, ticket: Ticket, backend: i32) {
        if let Some(seat) = self.seats.get_mut(&ticket) {
            seat.backend = backend;
            seat.stage = Stage::Open;
            self.given_up_at_door.remove(&seat.node);
        }
    }

    /// The session turned out to be on this node. (One through a pooler is on none: the backends that the
    /// pooler holds for us are seen by the control session.)
    pub(super) fn is_on(&mut self, ticket: Ticket, node: Node) {
        if let Some(seat) = self.seats.get_mut(&ticket).filter(|seat| seat.backend != 0) {
            seat.node = Some(node);
        }
    }

    /// The session was closed with nothing in flight, or the server closed it.
    pub(super) fn closed(&mut self, ticket: Ticket) {
        self.seats.remove(&ticket);
    }

    /// The session was closed in the middle of a connect or a statement.
    pub(super) fn gave_up(&mut self, ticket: Ticket, now: Stamp) {
        let Some(seat) = self.seats.get_mut(&ticket) else {
            return;
        };
        if seat.stage == Stage::Connecting {
            *self.given_up_at_door.entry(seat.node).or_insert(0) += 1;
            self.seats.remove(&ticket);
        } else if seat.backend == 0 {
            // Nobody could ever tell that it is gone; a pooler drops its client at once.
            self.seats.remove(&ticket);
        } else {
            seat.stage = Stage::GivenUp(now);
        }
    }

    /// A given-up session is waited for.
    pub(super) fn waits(&self) -> bool {
        let mut seats = self.seats.values();
        seats.any(|seat| matches!(seat.stage, Stage::GivenUp(_)))
    }

    /// The control session of a node is asked.
    pub(super) fn asks(&mut self, node: Node, now: Stamp) {
        if let Some(view) = self.nodes.get_mut(node) {
            view.asking.get_or_insert(now);
        }
    }

    /// The control session answered, to a question sent at `asked`: these backends of ours are there.
    pub(super) fn sees(
        &mut self,
        node: Node,
        asked: Stamp,
        backends: &BTreeSet<i32>,
        max_connections: Option<u32>,
    ) {
        let mut explained = BTreeSet::new();
        self.seats.retain(|_, seat| {
            if seat.backend == 0 {
                return true;
            }
            let here = backends.contains(&seat.backend);
            match seat.stage {
                // Found on another node than it was thought to be on.
                Stage::GivenUp(_) if here => seat.node = Some(node),
                // The answer is from after the giving up, and the backend is gone.
                Stage::GivenUp(at) if at < asked && seat.node.is_none_or(|on| on == node) => {
                    return false;
                }
                _ => {}
            }
            if here {
                explained.insert(seat.backend);
            }
            true
        });
        let Some(view) = self.nodes.get_mut(node) else {
            return;
        };
        let strangers: BTreeSet<i32> = backends.difference(&explained).copied().collect();
        // One that is seen once has just been closed, or is just being opened.
        view.lasting = strangers.intersection(&view.strangers).copied().collect();
        view.strangers = strangers;
        view.asking = None;
        view.down = false;
        view.max_connections = max_connections.or(view.max_connections);
    }

    /// The node refuses connections: no backend of ours is left there.
    pub(super) fn is_down(&mut self, node: Node) {
        self.seats.retain(|_, seat| {
            !(seat.node == Some(node) && matches!(seat.stage, Stage::GivenUp(_)))
        });
        self.given_up_at_door.remove(&Some(node));
        if let Some(view) = self.nodes.get_mut(node) {
            view.asking = None;
            view.down = true;
            view.strangers.clear();
            view.lasting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Stamp = Stamp(1_000_000);

    fn room(sessions: u32) -> Room {
        let limits = Limits {
            sessions,
            commits_per_second: 100,
        };
        Room::new(limits, 2)
    }

    fn open(room: &mut Room, node: Node, backend: i32) -> Ticket {
        let ticket = room.connect(Some(node), 0, NOW).unwrap();
        room.opened(ticket, backend);
        ticket
    }

    fn seen(room: &mut Room, node: Node, asked: Stamp, backends: &[i32]) {
        room.sees(node, asked, &backends.iter().copied().collect(), Some(100));
    }

    #[test]
    fn a_given_up_session_keeps_its_seat_until_its_backend_is_gone() {
        let mut room = room(10);
        let ticket = open(&mut room, 0, 77);
        room.gave_up(ticket, NOW);
        assert_eq!(room.occupied(0), 2);
        seen(&mut room, 0, Stamp(NOW.0 - 1), &[]);
        assert_eq!(
            room.occupied(0),
            2,
            "that answer is older than the giving up"
        );
        seen(&mut room, 0, Stamp(NOW.0 + 1), &[77]);
        assert_eq!(room.occupied(0), 2, "its backend is still there");
        seen(&mut room, 1, Stamp(NOW.0 + 1), &[]);
        assert_eq!(room.occupied(0), 2, "another node knows nothing of it");
        seen(&mut room, 0, Stamp(NOW.0 + 2), &[]);
        assert_eq!(room.occupied(0), 1);
        assert!(!room.waits());
    }

    #[test]
    fn a_given_up_session_is_charged_to_the_node_where_it_is_seen() {
        let mut room = room(10);
        let ticket = open(&mut room, 0, 77);
        room.gave_up(ticket, NOW);
        seen(&mut room, 1, Stamp(NOW.0 + 1), &[77]);
        assert_eq!((room.occupied(0), room.occupied(1)), (1, 2));
    }

    #[test]
    fn a_full_node_is_only_looked_at_and_never_over_its_limit() {
        let mut room = room(6);
        for backend in 1..=3 {
            assert!(room.has_room(0));
            let ticket = open(&mut room, 0, backend);
            room.gave_up(ticket, NOW);
        }
        assert!(!room.has_room(0), "3 + control + reserve of 2 = 6");
        assert!(room.connect(Some(0), 0, NOW).is_some());
        assert!(room.connect(Some(0), 0, NOW).is_some());
        assert!(
            room.connect(Some(0), 0, NOW).is_none(),
            "4 there and 2 on the way"
        );
        assert!(room.has_room(1));
    }

    #[test]
    fn a_node_that_stands_still_is_knocked_at_less_and_less() {
        let mut room = room(40);
        seen(&mut room, 0, NOW, &[]);
        room.asks(0, NOW);
        let later = NOW.plus(Duration::from_secs(2));
        for ticket in std::iter::from_fn(|| room.connect(Some(0), 0, later)).collect::<Vec<_>>() {
            room.gave_up(ticket, later);
        }
        assert!(room.connect(Some(0), 0, later).is_none());
        assert!(room.connect(Some(1), 0, later).is_some(), "another door");
        let mut knocks = 0;
        for tick in 0..50 {
            let now = later.plus(Duration::from_millis(20 * tick));
            if let Some(ticket) = room.connect(Some(0), 0, now) {
                room.gave_up(ticket, now);
                knocks += 1;
            }
        }
        assert_eq!(knocks, 1, "in one second, of one channel");
        assert!(
            room.connect(Some(0), 1, later.plus(Duration::from_millis(800)))
                .is_some(),
            "another has its turn sooner"
        );
        let now = later.plus(Duration::from_millis(1200));
        let let_in = room.connect(Some(0), 0, now).unwrap();
        room.opened(let_in, 5);
        assert!(room.connect(Some(0), 0, now).is_some());
        assert!(room.connect(Some(0), 0, now).is_some(), "the door is open");
    }

    #[test]
    fn a_small_server_is_knocked_at_by_a_quarter_of_what_it_allows() {
        let mut room = room(6);
        room.sees(0, NOW, &BTreeSet::new(), Some(20));
        room.asks(0, NOW);
        let later = NOW.plus(Duration::from_secs(2));
        let taken = std::iter::from_fn(|| room.connect(Some(0), 0, later)).count();
        assert_eq!(taken, 5);
    }

    #[test]
    fn a_backend_that_nobody_explains_counts_when_it_lasts() {
        let mut room = room(10);
        seen(&mut room, 0, NOW, &[9]);
        assert_eq!(room.occupied(0), 1);
        seen(&mut room, 0, NOW, &[9]);
        assert_eq!(room.occupied(0), 2);
        room.is_down(0);
        assert_eq!(room.occupied(0), 1);
    }

    #[test]
    fn fresh_connects_fit_the_deadline_and_the_server() {
        let mut room = room(20);
        let ms = Duration::from_millis;
        assert_eq!(room.fresh_cap(ms(500), ms(100)), 10);
        assert_eq!(room.fresh_cap(ms(5000), ms(100)), 25);
        room.sees(0, NOW, &BTreeSet::new(), Some(20));
        assert_eq!(room.fresh_cap(ms(500), ms(100)), 5);
    }
}
