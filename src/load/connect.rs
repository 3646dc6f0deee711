//! Opening a session for a probe, within its deadline and within the seats of the node it leads to.

use super::evidence::Evidence;
use super::outcome;
use super::probes::{Channel, Probes};
use super::room::Ticket;
use super::{LoadPlan, Route};
use crate::event::slots::ErrorClass;
use crate::sql::{Address, Asks, Session, SqlError, Statement};
use std::time::Duration;

/// Which server a session has reached, asked without writing anything.
pub(super) const WHO: &str = "select host(inet_server_addr()), inet_server_port(), \
     (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint";

/// The same with what it asks.
pub(super) fn who() -> Statement<'static> {
    Statement::new(WHO, Asks::Who)
}

/// An open session and its seat.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) session: Session,
    pub(super) ticket: Ticket,
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum NoSession {
    /// The server or the network.
    Failed(SqlError),
    /// No seat: the tick is not sent.
    NoSeat,
}

impl LoadPlan {
    /// Where a route begins.
    pub(super) fn address(&self, route: Route) -> Option<Address> {
        let address = match route {
            Route::Writer => Some(&self.writer),
            Route::Reader => self.reader.as_ref(),
            Route::Extra(extra) => self.extras.get(extra).map(|extra| &extra.address),
            Route::Watch(_) => None,
            Route::Node(node) => self.nodes.get(node).map(|node| &node.probe),
        };
        address.map(|address| address.named(self.application()))
    }
}

/// Opens a session for slot `k`; settles the slot where there is none.
pub(super) async fn open_or_settle(
    probes: &Probes,
    (channel, route): (Channel, Route),
    deadline: Duration,
    k: u64,
) -> Option<Seated> {
    // In a box of its own, so that the many attempts that have their session already stay small.
    match Box::pin(open(probes, (channel, route), deadline)).await {
        Ok(seated) => Some(seated),
        Err(NoSession::NoSeat) => {
            probes.not_sent(channel, k);
            None
        }
        Err(NoSession::Failed(error)) => {
            probes.refused(channel, route, error.class);
            probes.settle(channel, k, outcome::of_error(&error), None);
            None
        }
    }
}

/// Opens a session; `deadline` covers everything. Where the node that the route led to last is full, the
/// session is used only if it turns out to have reached another one. Where that node is down, it must have
/// reached another one: if that is full, the session is not used. Without that a route which leads to a
/// primary that confirms nothing (an old one, back alone) would fill it.
pub(super) async fn open(
    probes: &Probes,
    (channel, route): (Channel, Route),
    deadline: Duration,
) -> Result<Seated, NoSession> {
    let guess = probes.guess(route);
    let began = probes.clock.now();
    let address = probes.plan.address(route).ok_or(NoSession::NoSeat)?;
    let seat = probes.room.borrow_mut().connect(guess, channel, began);
    let ticket = seat.ok_or(NoSession::NoSeat)?;
    let session = match Session::connect(&address, deadline).await {
        Ok(session) => session,
        Err(error) => {
            let mut room = probes.room.borrow_mut();
            match error.class {
                ErrorClass::StartupDeadline => room.gave_up(ticket, probes.clock.now()),
                _ => room.closed(ticket),
            }
            return Err(NoSession::Failed(error));
        }
    };
    // The session is counted only while it is used, so that looking at a full node does not fill it more.
    let full = guess.is_some_and(|node| !probes.room.borrow().has_room(node));
    let elsewhere = guess.is_some_and(|node| probes.room.borrow().is_found_down(node));
    // The number that a pooler gives is its own: no server's control session will ever see it.
    let backend = match probes.plan.is_pooled(route) {
        true => 0,
        false => session.backend(),
    };
    if !full && !elsewhere {
        probes.room.borrow_mut().opened(ticket, backend);
        return Ok(Seated { session, ticket });
    }
    let left = deadline.saturating_sub(probes.clock.now().since(began));
    let said = session.query(who(), left).await;
    let server = said.ok().as_ref().and_then(Evidence::server_of);
    let node = server.and_then(|server| probes.meet(&server, "").1);
    let mut room = probes.room.borrow_mut();
    match node {
        Some(node) if room.has_room(node) => {
            room.opened(ticket, backend);
            room.is_on(ticket, node);
            Ok(Seated { session, ticket })
        }
        // Nobody knows it yet: a server that was started a moment ago is known as soon as its control
        // session is back.
        None if !full => {
            room.opened(ticket, backend);
            Ok(Seated { session, ticket })
        }
        _ => {
            room.closed(ticket);
            Err(NoSession::NoSeat)
        }
    }
}
