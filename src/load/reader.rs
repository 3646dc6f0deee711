//! The reader channel: the newest row of the ledger that is visible on the reader endpoint, on one kept
//! session that is opened again after a failure or at the deadline.

use super::Route;
use super::connect::{self, Seated};
use super::evidence::Evidence;
use super::probes::{Channel, Probes};
use super::schedule::{Schedule, Ticks};
use crate::event::slots::{ErrorClass, Outcome};
use crate::sql::{Asks, Statement};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::spawn_local;

/// How the reader reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) channel: Channel,
    pub(super) route: Route,
    pub(super) period: Duration,
    pub(super) deadline: Duration,
    /// How old the newest visible row may be, in milliseconds.
    pub(super) stale_ms: u64,
}

/// Runs the channel until the probes stop.
pub(super) async fn run(
    probes: Rc<Probes>,
    how: Reading,
    schedule: Schedule,
    session: Option<Seated>,
) {
    let held = Rc::new(RefCell::new(session));
    let busy = Rc::new(Cell::new(false));
    let mut ticks = Ticks::new(probes.clock, schedule, how.period);
    while let Some(k) = ticks.next(|| probes.is_stopping()).await {
        while busy.get() && ticks.catch_up.may_wait(probes.clock.now()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if busy.replace(true) {
            probes.not_sent(how.channel, k);
            continue;
        }
        let (probes, held, busy) = (Rc::clone(&probes), Rc::clone(&held), Rc::clone(&busy));
        spawn_local(async move {
            attempt(&probes, how, k, &held).await;
            busy.set(false);
        });
    }
}

async fn attempt(probes: &Probes, how: Reading, k: u64, held: &RefCell<Option<Seated>>) {
    let asked = probes.begin(how.channel, k);
    let before = held.borrow_mut().take();
    let seated = match before {
        Some(seated) if !seated.session.is_closed() => seated,
        gone => {
            if let Some(gone) = gone {
                probes.room.borrow_mut().closed(gone.ticket);
            }
            let way = (how.channel, how.route);
            match connect::open_or_settle(probes, way, how.deadline, k).await {
                Some(seated) => seated,
                None => return,
            }
        }
    };
    let left = how.deadline.saturating_sub(probes.clock.now().since(asked));
    let run = probes.plan.run.clone();
    let quoted = super::ledger_table::quoted(&run);
    let sql = format!("select * from firedrill.newest({quoted})");
    let newest = Statement::new(sql, Asks::Newest { run });
    let answer = match seated.session.query(newest, left).await {
        Ok(answer) => answer,
        Err(error) => {
            // A read leaves nothing in doubt.
            probes.settle(how.channel, k, Outcome::Failed(error.class), None);
            let now = probes.clock.now();
            return probes.room.borrow_mut().gave_up(seated.ticket, now);
        }
    };
    let Some((newest_us, evidence)) = Evidence::of_newest(&answer) else {
        let odd = Outcome::Failed(ErrorClass::sql("XX000"));
        probes.settle(how.channel, k, odd, None);
        return probes.room.borrow_mut().closed(seated.ticket);
    };
    let took = probes.clock.now().since(asked);
    let outcome = if probes.is_stale(evidence.timeline, asked, newest_us, how.stale_ms) {
        Outcome::Stale
    } else if took > how.deadline {
        Outcome::AcknowledgedLate
    } else {
        Outcome::Acknowledged
    };
    probes.settle(how.channel, k, outcome, Some(&evidence));
    if let Some(node) = probes.meet(&evidence.server, "reader").1 {
        probes.leads_to(how.route, node);
        probes.room.borrow_mut().is_on(seated.ticket, node);
    }
    *held.borrow_mut() = Some(seated);
}
