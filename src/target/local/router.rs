//! The router: a writer and a reader endpoint on loopback, in the manner of HAProxy with the sample
//! configuration that Patroni ships (`haproxy.cfg`: check, fall, rise, `on-marked-down
//! shutdown-sessions`).
//!
//! - Each node is checked every `check` over a held session, through its client link: up for the writer
//!   endpoint if it says that it is out of recovery, up for the reader endpoint if it is in recovery.
//!   The session is held as Patroni's REST server holds its own, so a postmaster that is frozen alone is
//!   not noticed (patroni/patroni#1371): open sessions go on, new ones fail.
//! - New sessions go round robin over the nodes that are up. **Two primaries therefore both get
//!   writers**, as HAProxy would do: the router does not hide a split.
//! - The reader endpoint falls back to the primary while no standby is up; sessions that went there
//!   stay.
//! - A node that is marked down loses its sessions at once.
//! - Where no node is up, and where a server refuses, a client is accepted and closed at once. HAProxy
//!   would try a server again a second later; this one does not.
//!
//! It never decides who leads, and changes nothing on a server.

use super::emitter_slot::EmitterSlot;
use super::health::Health;
use super::link::listen;
use super::routes::{Routes, Side};
use crate::clock::Clock;
use crate::role::Held;
use crate::sql::{Address, Asks, Statement};
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// Bytes held for each direction of a session.
const BUFFER: usize = 16 * 1024;

/// What decides how fast the router follows a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterSettings {
    /// Time between the beginnings of two checks of one node (HAProxy's `inter`).
    pub check: Duration,
    /// Failed checks in a row after which a node is down.
    pub fall: NonZeroU32,
    /// Passed checks in a row after which a node is up.
    pub rise: NonZeroU32,
    /// Deadline of one check, a connect that it needs included (HAProxy's `timeout check`). A node
    /// that hangs is down after `fall` times the longer of this and `check`.
    pub timeout: Duration,
    /// Port of the writer endpoint, 0 for any.
    pub writer_port: u16,
    /// Port of the reader endpoint, 0 for any.
    pub reader_port: u16,
}

impl Default for RouterSettings {
    /// Quick ones: Patroni's sample has 3 s, 3, 2.
    fn default() -> Self {
        Self {
            check: Duration::from_millis(50),
            fall: NonZeroU32::MIN.saturating_add(2),
            rise: NonZeroU32::MIN.saturating_add(1),
            timeout: Duration::from_millis(100),
            writer_port: 0,
            reader_port: 0,
        }
    }
}

/// A node that clients are routed to.
#[derive(Clone, Debug)]
pub struct RoutedNode {
    /// Its name.
    pub name: String,
    /// Its client link on 127.0.0.1, as the role that checks it. Sessions of clients go to the same
    /// host and port under their own roles.
    pub via: Address,
}

/// The two endpoints, and what checks the nodes behind them. Dropping it stops everything.
#[derive(Debug)]
pub struct Router {
    writer_port: u16,
    reader_port: u16,
    routes: Arc<Routes>,
    tasks: Vec<AbortHandle>,
}

impl Router {
    /// Opens both endpoints and begins to check, on the runtime of `handle`. Events go to `emitter`
    /// once it is set.
    ///
    /// # Errors
    /// When a port cannot be had; the text names it.
    pub fn start(
        handle: &Handle,
        settings: RouterSettings,
        nodes: Vec<RoutedNode>,
        clock: Clock,
        emitter: EmitterSlot,
    ) -> io::Result<Self> {
        let named = |endpoint: &str, error: io::Error| {
            io::Error::new(error.kind(), format!("{endpoint} endpoint, {error}"))
        };
        let writer = listen(handle, settings.writer_port).map_err(|e| named("writer", e))?;
        let reader = listen(handle, settings.reader_port).map_err(|e| named("reader", e))?;
        let writer_port = writer.local_addr()?.port();
        let reader_port = reader.local_addr()?.port();
        let ways = nodes
            .iter()
            .map(|node| (node.name.clone(), (node.via.host.clone(), node.via.port)));
        let unchecked = Health::new(settings.fall, settings.rise);
        let routes = Arc::new(Routes::new(ways, unchecked, clock, emitter, "local router"));
        let mut tasks = Vec::new();
        for (n, node) in nodes.into_iter().enumerate() {
            let checks = check(Arc::clone(&routes), n, Held::new(node.via), settings);
            tasks.push(handle.spawn(checks).abort_handle());
        }
        for (listener, side) in [(writer, Side::Writer), (reader, Side::Reader)] {
            let serving = serve(listener, Arc::clone(&routes), side);
            tasks.push(handle.spawn(serving).abort_handle());
        }
        Ok(Self {
            writer_port,
            reader_port,
            routes,
            tasks,
        })
    }

    /// Port of the writer endpoint on 127.0.0.1.
    #[must_use]
    pub fn writer_port(&self) -> u16 {
        self.writer_port
    }

    /// Port of the reader endpoint on 127.0.0.1.
    #[must_use]
    pub fn reader_port(&self) -> u16 {
        self.reader_port
    }

    /// The nodes that new writers are sent to now: none, one, or more where the cluster is split.
    #[must_use]
    pub fn writers(&self) -> Vec<String> {
        self.routes.open(Side::Writer)
    }

    /// The standbys that new readers are sent to now.
    #[must_use]
    pub fn readers(&self) -> Vec<String> {
        self.routes.open(Side::Reader)
    }

    /// Takes the route to a node away at once and closes its sessions, until [`Router::allow_node`]. An
    /// unknown name changes nothing.
    pub fn drop_node(&self, name: &str) {
        self.routes.fence(name, true);
    }

    /// Lets a node be routed to again, once `rise` checks have passed.
    pub fn allow_node(&self, name: &str) {
        self.routes.fence(name, false);
    }

    /// Closes both endpoints, all sessions and the checks' own.
    pub fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Checks one node for as long as it lives.
pub async fn check(routes: Arc<Routes>, n: usize, mut held: Held, settings: RouterSettings) {
    let question = Statement::new("SELECT pg_is_in_recovery()", Asks::InRecovery);
    let mut ticks = interval(settings.check);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let answer = held.ask(question.again(), settings.timeout).await;
        let in_recovery = answer.ok().and_then(|answer| {
            let said = answer.rows.first()?.first()?.as_deref()?;
            Some(said == "t")
        });
        routes.checked(n, in_recovery);
    }
}

/// Accepts on one endpoint for as long as it lives, and owns its sessions.
async fn serve(listener: TcpListener, routes: Arc<Routes>, side: Side) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    sessions.spawn(session(client, Arc::clone(&routes), side));
                }
                // Out of file descriptors, most likely: the queue of the kernel keeps the client.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}

/// One session, from accept to its end. Dropping the streams closes both ends.
async fn session(mut client: TcpStream, routes: Arc<Routes>, side: Side) {
    let Some(way) = routes.next(side) else {
        return;
    };
    let (host, port) = way.to.clone();
    let carried = async {
        let mut stream = TcpStream::connect((host.as_str(), port)).await?;
        client.set_nodelay(true)?;
        stream.set_nodelay(true)?;
        copy_bidirectional_with_sizes(&mut client, &mut stream, BUFFER, BUFFER).await
    };
    let cleanly = tokio::select! {
        () = way.closed() => true,
        ended = carried => ended.is_ok(),
    };
    if !cleanly {
        // The server reset or refused it: the client sees a reset too. One that fails is already gone.
        let _ = client.set_zero_linger();
    }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
