//! The channels that write through an endpoint or into one node: fresh ones connect anew for each write,
//! pinned ones keep their sessions.

use super::Route;
use super::connect::{self, Seated};
use super::probes::{Channel, Probes};
use super::schedule::{Schedule, Ticks};
use crate::event::slots::Outcome;
use crate::sql::{Asks, Statement};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::spawn_local;

/// One writing channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) channel: Channel,
    pub(super) route: Route,
    pub(super) period: Duration,
    pub(super) deadline: Duration,
    /// At the deadline: keep the session and wait on (true), or close it and open it again (false).
    pub(super) keep: bool,
    /// A stuck session makes no slots until it is answered (the witness), instead of ticks not sent.
    pub(super) silent_when_stuck: bool,
}

/// Runs a fresh channel until the probes stop.
pub(super) async fn run_fresh(probes: Rc<Probes>, how: Writing, schedule: Schedule, writer: u32) {
    let mut ticks = Ticks::new(probes.clock, schedule, how.period);
    let flying = Rc::new(Cell::new(0usize));
    let in_recovery = Rc::new(Cell::new(matches!(how.route, Route::Node(_))));
    while let Some(k) = ticks.next(|| probes.is_stopping()).await {
        let cap = probes.room.borrow().fresh_cap(how.deadline, how.period);
        if flying.get() >= cap {
            probes.not_sent(how.channel, k);
            continue;
        }
        flying.set(flying.get() + 1);
        let (probes, flying) = (Rc::clone(&probes), Rc::clone(&flying));
        let in_recovery = Rc::clone(&in_recovery);
        spawn_local(async move {
            fresh_attempt(&probes, how, k, writer, &in_recovery).await;
            flying.set(flying.get() - 1);
        });
    }
}

async fn fresh_attempt(
    probes: &Probes,
    how: Writing,
    k: u64,
    writer: u32,
    in_recovery: &Cell<bool>,
) {
    let sent = probes.begin(how.channel, k);
    let Some(seated) = open_for(probes, how, k).await else {
        return;
    };
    let left = how.deadline.saturating_sub(probes.clock.now().since(sent));
    if let Some(done) = write(probes, how, k, writer, seated, (sent, left), in_recovery).await {
        probes.room.borrow_mut().closed(done.ticket);
    }
}

async fn open_for(probes: &Probes, how: Writing, k: u64) -> Option<Seated> {
    connect::open_or_settle(probes, (how.channel, how.route), how.deadline, k).await
}

/// Writes slot `k` on an open session, or asks a node that is in recovery whether it still is. Returns the
/// session where it can be used again.
async fn write(
    probes: &Probes,
    how: Writing,
    k: u64,
    writer: u32,
    seated: Seated,
    (sent, left): (crate::event::Stamp, Duration),
    in_recovery: &Cell<bool>,
) -> Option<Seated> {
    // A session that is kept is listened to for as long as it takes.
    let patience = if how.keep { Duration::MAX } else { left };
    if in_recovery.get() {
        let answer = seated
            .session
            .query(in_recovery_statement(), patience)
            .await;
        let outcome = match &answer {
            Ok(answer) => {
                let said = answer.rows.first().and_then(|row| row.first()?.as_deref());
                in_recovery.set(said != Some("f"));
                Outcome::InRecovery
            }
            // Nothing was written, so there is nothing to be in doubt about.
            Err(error) => Outcome::Failed(error.class),
        };
        probes.settle(how.channel, k, outcome, None);
        return keep_or_close(probes, seated, answer.is_ok());
    }
    let Some(key) = probes.take_key(how.channel, k, writer) else {
        probes.not_sent(how.channel, k);
        return keep_or_close(probes, seated, true);
    };
    let answer = seated.session.query(probes.tick(key), patience).await;
    let timing = (sent, how.deadline);
    let (outcome, node) = probes.answered(how.channel, k, how.route, &answer, timing);
    if let Some(node) = node {
        probes.room.borrow_mut().is_on(seated.ticket, node);
    }
    if outcome == Outcome::InRecovery {
        in_recovery.set(true);
    }
    keep_or_close(
        probes,
        seated,
        answer.is_ok() || answered_by_server(&answer),
    )
}

fn in_recovery_statement() -> Statement<'static> {
    Statement::new("select pg_is_in_recovery()", Asks::InRecovery)
}

/// An error that the server said about the statement leaves the session as good as before.
fn answered_by_server(answer: &Result<crate::sql::Answer, crate::sql::SqlError>) -> bool {
    matches!(answer, Err(error) if error.state.is_some() && !error.leaves_doubt())
}

fn keep_or_close(probes: &Probes, seated: Seated, healthy: bool) -> Option<Seated> {
    if healthy && !seated.session.is_closed() {
        return Some(seated);
    }
    // Through a router the server may not know yet that its client is gone, so a reset keeps its seat too.
    probes
        .room
        .borrow_mut()
        .gave_up(seated.ticket, probes.clock.now());
    None
}

/// One kept session of a pinned channel.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) writer: u32,
    session: RefCell<Option<Seated>>,
    busy: Cell<bool>,
    in_recovery: Cell<bool>,
}

impl Pin {
    pub(super) fn new(writer: u32, session: Option<Seated>, asks_first: bool) -> Self {
        Self {
            writer,
            session: RefCell::new(session),
            busy: Cell::new(false),
            in_recovery: Cell::new(asks_first),
        }
    }
}

/// Runs a channel of kept sessions until the probes stop.
pub(super) async fn run_pinned(
    probes: Rc<Probes>,
    how: Writing,
    schedule: Schedule,
    pins: Vec<Rc<Pin>>,
) {
    let mut next = 0;
    let mut ticks = Ticks::new(probes.clock, schedule, how.period);
    let freed = Rc::new(Notify::new());
    while let Some(k) = ticks.next(|| probes.is_stopping()).await {
        let mut pin = free(&pins, &mut next);
        while pin.is_none() && ticks.catch_up.may_wait(probes.clock.now()) {
            let left = ticks.catch_up.left(probes.clock.now());
            let _ = tokio::time::timeout(left, freed.notified()).await;
            pin = free(&pins, &mut next);
        }
        let Some(pin) = pin else {
            if !how.silent_when_stuck {
                probes.not_sent(how.channel, k);
            }
            continue;
        };
        pin.busy.set(true);
        let (probes, freed) = (Rc::clone(&probes), Rc::clone(&freed));
        spawn_local(async move {
            pinned_attempt(&probes, how, k, &pin).await;
            pin.busy.set(false);
            freed.notify_one();
        });
    }
}

/// The next free session, in turn.
fn free(pins: &[Rc<Pin>], next: &mut usize) -> Option<Rc<Pin>> {
    for step in 0..pins.len() {
        let at = (*next + step) % pins.len();
        if !pins[at].busy.get() {
            *next = at + 1;
            return Some(Rc::clone(&pins[at]));
        }
    }
    None
}

async fn pinned_attempt(probes: &Probes, how: Writing, k: u64, pin: &Pin) {
    let sent = probes.begin(how.channel, k);
    let held = pin.session.borrow_mut().take();
    // What is known to be gone is opened again; a session that was closed while idle costs one failure
    // only where nothing had told.
    let seated = match held {
        Some(seated) if !seated.session.is_closed() => seated,
        gone => {
            if let Some(gone) = gone {
                probes.room.borrow_mut().closed(gone.ticket);
            }
            pin.in_recovery.set(matches!(how.route, Route::Node(_)));
            match open_for(probes, how, k).await {
                Some(seated) => seated,
                None => return,
            }
        }
    };
    let left = how.deadline.saturating_sub(probes.clock.now().since(sent));
    let kept = write(
        probes,
        how,
        k,
        pin.writer,
        seated,
        (sent, left),
        &pin.in_recovery,
    )
    .await;
    *pin.session.borrow_mut() = kept;
}
