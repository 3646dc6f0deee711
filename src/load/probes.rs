//! What all channels share while they probe: the slots that are open, the ledger, the seats, and who
//! served last. One thread owns it; nothing here waits.

use super::evidence::{Evidence, Server, Servers};
use super::freshness::Freshness;
use super::ledger::{KeyRecord, Ledger, Told};
use super::ledger_file::FileError;
use super::outcome;
use super::room::{Node, Room};
use super::slot_log::SlotLog;
use super::{LoadPlan, Route};
use crate::clock::Clock;
use crate::event::slots::{ErrorClass, Outcome, Slot};
use crate::event::{Emitter, Event, Stamp};
use crate::sql::{Asks, Statement};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A server that no node explains is reported after this long: a node that has just been restarted says
/// so through its own session a moment later.
const UNEXPLAINED: Duration = Duration::from_secs(5);
/// Single acknowledgement times older than this are not kept for readers.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A key as a statement names it: three numbers, and what lies between them.
const LONGEST_KEY: usize = 56;

/// A channel by its position in the list of channels.
pub(super) type Channel = usize;

/// An attempt that is not settled.
#[derive(Clone, Copy, Debug)]
struct OpenSlot {
    sent: Stamp,
    key: Option<Key>,
}

/// The key of a write in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) writer: u32,
    pub(super) seq: u64,
    /// When the statement was sent: the row's `sent_us`.
    pub(super) sent: Stamp,
}

/// A server that no node explains yet.
#[derive(Debug)]
struct Unexplained {
    number: u32,
    since: Stamp,
    channel: String,
    server: Server,
}

/// What all channels share.
#[derive(Debug)]
pub(super) struct Probes {
    pub(super) plan: LoadPlan,
    pub(super) clock: Clock,
    pub(super) room: RefCell<Room>,
    events: Emitter,
    logs: Vec<RefCell<SlotLog>>,
    /// The nodes' names.
    names: Vec<Arc<str>>,
    /// How the statement of every write begins.
    tick: String,
    ledger: RefCell<Ledger>,
    servers: RefCell<Servers>,
    unexplained: RefCell<Vec<Unexplained>>,
    rows: RefCell<Freshness>,
    open: RefCell<BTreeMap<(Channel, u64), OpenSlot>>,
    /// The node that each endpoint led to last.
    served: RefCell<BTreeMap<Route, Node>>,
    stopping: Cell<bool>,
    acknowledged: Arc<AtomicU64>,
}

impl Probes {
    pub(super) fn new(
        plan: LoadPlan,
        events: Emitter,
        ledger: Ledger,
        room: Room,
        logs: Vec<SlotLog>,
        acknowledged: Arc<AtomicU64>,
    ) -> Self {
        // Local to the statement's own transaction, so that it works through a pooler too.
        let durability = match &plan.synchronous_commit {
            Some(value) => format!("set local synchronous_commit = {value}; "),
            None => String::new(),
        };
        let run = super::ledger_table::quoted(&plan.run);
        let names = plan.nodes.iter().map(|node| node.name.as_str().into());
        Self {
            clock: plan.clock,
            names: names.collect(),
            tick: format!("{durability}select * from firedrill.tick({run}, "),
            plan,
            room: RefCell::new(room),
            events,
            logs: logs.into_iter().map(RefCell::new).collect(),
            ledger: RefCell::new(ledger),
            servers: RefCell::default(),
            unexplained: RefCell::default(),
            rows: RefCell::default(),
            open: RefCell::default(),
            served: RefCell::default(),
            stopping: Cell::new(false),
            acknowledged,
        }
    }

    pub(super) fn emit(&self, event: Event) {
        self.events.emit(self.clock.now(), event);
    }

    /// No tick is taken any more.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Attempts that are not settled.
    pub(super) fn in_flight(&self) -> usize {
        self.open.borrow().len()
    }

    /// The node that a route led to last.
    pub(super) fn guess(&self, route: Route) -> Option<Node> {
        match route {
            Route::Node(node) => Some(node),
            // A pooler opens sessions when it likes, so a connect to it is a connect to no server.
            _ if self.plan.is_pooled(route) => None,
            _ => self.served.borrow().get(&route).copied(),
        }
    }

    /// An endpoint was found to lead to this node.
    pub(super) fn leads_to(&self, route: Route, node: Node) {
        if !matches!(route, Route::Node(_)) {
            self.served.borrow_mut().insert(route, node);
        }
    }

    /// Slot `k` begins now.
    pub(super) fn begin(&self, channel: Channel, k: u64) -> Stamp {
        let sent = self.clock.now();
        let slot = OpenSlot { sent, key: None };
        self.open.borrow_mut().insert((channel, k), slot);
        sent
    }

    /// Slot `k` has no session, no seat or no key: it is not sent.
    pub(super) fn not_sent(&self, channel: Channel, k: u64) {
        let begun = self.open.borrow_mut().remove(&(channel, k));
        let now = self.clock.now();
        let Some(log) = self.logs.get(channel) else {
            return;
        };
        let mut log = log.borrow_mut();
        // One that was begun was only looked at: no statement was sent, so its tick counts.
        let sent = begun.map_or_else(|| log.due(k), |slot| slot.sent);
        log.push(Slot {
            k,
            sent,
            settled: now.max(sent),
            outcome: Outcome::NotSent,
        });
    }

    /// A key for the write of slot `k`, which is sent right after.
    pub(super) fn take_key(&self, channel: Channel, k: u64, writer: u32) -> Option<Key> {
        let seq = self.ledger.borrow_mut().take_key(writer)?;
        let key = Key {
            writer,
            seq,
            sent: self.clock.now(),
        };
        if let Some(slot) = self.open.borrow_mut().get_mut(&(channel, k)) {
            slot.key = Some(key);
        }
        Some(key)
    }

    /// Opens a writer of the ledger for a channel.
    pub(super) fn add_writer(&self, name: &str) -> u32 {
        self.ledger.borrow_mut().add_writer(name)
    }

    /// Slot `k` is settled now.
    pub(super) fn settle(
        &self,
        channel: Channel,
        k: u64,
        outcome: Outcome,
        evidence: Option<&Evidence>,
    ) {
        self.settle_at(self.clock.now(), channel, k, outcome, evidence);
    }

    /// Slot `k` was settled at a moment. Nothing happens when the end of the run has already settled it.
    /// Returns the node that answered, where that is known.
    fn settle_at(
        &self,
        settled: Stamp,
        channel: Channel,
        k: u64,
        outcome: Outcome,
        evidence: Option<&Evidence>,
    ) -> Option<Node> {
        let slot = self.open.borrow_mut().remove(&(channel, k))?;
        let mut log = self.logs.get(channel)?.borrow_mut();
        let mut told = Told::default();
        let mut met = None;
        if let Some(evidence) = evidence {
            let (number, node) = self.meet(&evidence.server, &log.channel.name);
            met = node;
            let name = node.and_then(|node| self.names.get(node));
            log.served(k, name.cloned(), evidence.timeline);
            told = Told {
                server: number,
                timeline: evidence.timeline,
                lsn: evidence.lsn,
            };
        }
        log.push(Slot {
            k,
            sent: slot.sent,
            settled,
            outcome,
        });
        if let Some(key) = slot.key {
            self.ledger.borrow_mut().settle(KeyRecord {
                writer: key.writer,
                seq: key.seq,
                sent: key.sent,
                settled,
                outcome,
                told,
            });
            if outcome == Outcome::Acknowledged {
                if log.channel.kind.is_client_writer() {
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                let mut rows = self.rows.borrow_mut();
                rows.acknowledged(told.timeline, settled, key.sent.0);
            }
        }
        met
    }

    /// Whether a read that was sent at `asked` saw too old a row.
    pub(super) fn is_stale(&self, timeline: u32, asked: Stamp, newest_us: u64, ms: u64) -> bool {
        let allowed = Duration::from_millis(ms);
        let mut rows = self.rows.borrow_mut();
        rows.is_stale(timeline, asked, newest_us, allowed)
    }

    /// The node that a server is, where it is known; a new one is noted in the ledger.
    pub(super) fn meet(&self, server: &Server, channel: &str) -> (u32, Option<Node>) {
        let (number, node, first) = self.servers.borrow_mut().number(server);
        if first {
            let mut ledger = self.ledger.borrow_mut();
            ledger.add_server(number, server.to_string());
            match node.and_then(|node| self.plan.nodes.get(node)) {
                Some(node) => ledger.name_server(number, &node.name),
                None => self.unexplained.borrow_mut().push(Unexplained {
                    number,
                    since: self.clock.now(),
                    channel: channel.to_owned(),
                    server: server.clone(),
                }),
            }
        }
        (number, node)
    }

    /// A node said through its own session which server it is.
    pub(super) fn learn(&self, node: Node, server: Server) {
        let explained = self.servers.borrow_mut().learn(node, server);
        if let Some(access) = self.plan.nodes.get(node) {
            let mut ledger = self.ledger.borrow_mut();
            for number in explained {
                ledger.name_server(number, &access.name);
            }
        }
    }

    /// The server refused a connection because of its number (53300): while we are at our own limit it is
    /// the observer's fault.
    pub(super) fn refused(&self, channel: Channel, route: Route, class: ErrorClass) {
        if class != ErrorClass::TooManyConnections {
            return;
        }
        let full = self
            .guess(route)
            .is_some_and(|node| !self.room.borrow().has_room(node));
        if let (true, Some(log)) = (full, self.logs.get(channel)) {
            let channel = log.borrow().channel.name.clone();
            self.emit(Event::OwnLimit { channel });
        }
    }

    /// Hands over what was settled since the last time.
    pub(super) fn hand_over(&self) {
        for log in &self.logs {
            if let Some(batch) = log.borrow_mut().take() {
                self.emit(Event::Slots(batch));
            }
        }
        self.ledger.borrow_mut().flush();
        let now = self.clock.now();
        self.rows.borrow_mut().forget_before(now.minus(REMEMBERED));
        let servers = self.servers.borrow();
        self.unexplained.borrow_mut().retain(|unknown| {
            if servers.node(unknown.number).is_some() {
                return false;
            }
            if now.since(unknown.since) < UNEXPLAINED {
                return true;
            }
            self.emit(Event::UnknownNode {
                channel: unknown.channel.clone(),
                server: unknown.server.to_string(),
            });
            false
        });
    }

    /// Settles what nobody answered: it is in doubt where a statement was sent.
    pub(super) fn settle_unanswered(&self) {
        let open: Vec<((Channel, u64), OpenSlot)> = {
            let open = self.open.borrow();
            open.iter().map(|(at, slot)| (*at, *slot)).collect()
        };
        for ((channel, k), slot) in open {
            let outcome = match slot.key {
                Some(_) => Outcome::InDoubt(ErrorClass::StatementDeadline),
                None => Outcome::Failed(ErrorClass::StatementDeadline),
            };
            self.settle(channel, k, outcome, None);
        }
    }

    /// Closes the ledger and takes it out; nothing is recorded any more.
    pub(super) fn finish_ledger(&self) -> Result<Ledger, FileError> {
        let mut ledger = self.ledger.borrow_mut();
        ledger.finish()?;
        Ok(std::mem::take(&mut *ledger))
    }

    /// Slot 0 of a channel is due at `t0`.
    pub(super) fn begins(&self, channel: Channel, t0: Stamp) {
        if let Some(log) = self.logs.get(channel) {
            log.borrow_mut().channel.t0 = t0;
        }
    }

    /// The statement of a write.
    pub(super) fn tick(&self, key: Key) -> Statement<'static> {
        let mut sql = String::with_capacity(self.tick.len() + LONGEST_KEY);
        sql.push_str(&self.tick);
        // Writing into memory cannot fail.
        let _ = write!(sql, "{}, {}, {})", key.writer, key.seq, key.sent.0);
        let asks = Asks::Tick {
            run: self.plan.run.clone(),
            writer: key.writer,
            seq: key.seq,
            sent_us: key.sent.0,
        };
        Statement::new(sql, asks)
    }

    /// Settles slot `k` by the answer to its write, and notes where the route leads. Returns the outcome.
    pub(super) fn answered(
        &self,
        channel: Channel,
        k: u64,
        route: Route,
        answer: &Result<crate::sql::Answer, crate::sql::SqlError>,
        timing: (Stamp, Duration),
    ) -> (Outcome, Option<Node>) {
        let (sent, deadline) = timing;
        let settled = self.clock.now();
        let took = settled.since(sent);
        let (mut outcome, evidence) = outcome::of_tick(answer, took, deadline);
        // A node that says it is in recovery was only asked; an endpoint that leads to it is broken.
        if matches!(route, Route::Node(_))
            && evidence
                .as_ref()
                .is_some_and(|evidence| !evidence.is_primary)
        {
            outcome = Outcome::InRecovery;
        }
        let node = self.settle_at(settled, channel, k, outcome, evidence.as_ref());
        if let Some(node) = node {
            self.leads_to(route, node);
        }
        (outcome, node)
    }
}
