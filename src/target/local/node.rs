//! One node: its server, and the loopback links by which everybody else reaches it.

use super::link::Link;
use super::server::Server;
use crate::target::{CutFrom, TargetError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;

/// One node of the embedded cluster.
#[derive(Debug)]
pub struct Node {
    /// Its server.
    pub server: Server,
    /// Held by whatever starts, stops, promotes or rebuilds it: one at a time.
    pub operation: tokio::sync::Mutex<()>,
    /// The way of clients and of the router.
    clients: Link,
    /// The way of other nodes and of the failover agent.
    peers: Link,
    /// Its own way to the primary that it streams from. Without it a cut would stop only what comes in.
    upstream: Link,
    barred: Mutex<Barred>,
    /// The node that its upstream leads to.
    streams_from: Mutex<Option<String>>,
}

/// Why links of a node are cut. The client link has two reasons, and joins only when both are gone.
#[derive(Clone, Copy, Debug, Default)]
struct Barred {
    from_clients: bool,
    from_peers: bool,
    fenced: bool,
}

impl Node {
    /// A node around a server, with open links.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn new(server: Server, stack: &Handle) -> io::Result<Self> {
        let own = loopback(server.port());
        Ok(Self {
            clients: Link::open(stack, own)?,
            peers: Link::open(stack, own)?,
            // It streams from nobody until it is told from whom.
            upstream: Link::open(stack, own)?,
            server,
            operation: tokio::sync::Mutex::new(()),
            barred: Mutex::default(),
            streams_from: Mutex::default(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.server.name()
    }

    /// Port of its client link.
    #[must_use]
    pub fn clients_port(&self) -> u16 {
        self.clients.port()
    }

    /// Port of its peer link.
    #[must_use]
    pub fn peers_port(&self) -> u16 {
        self.peers.port()
    }

    /// Port of its own way to the primary.
    #[must_use]
    pub fn upstream_port(&self) -> u16 {
        self.upstream.port()
    }

    /// Makes it stream from another node: what it has open there is reset, and its walreceiver, which is
    /// told no new address, connects again a moment later.
    pub fn stream_from(&self, primary: &Node) {
        *self.source() = Some(primary.name().to_owned());
        self.upstream.retarget(primary.peers.address());
        self.upstream.reset_sessions();
    }

    /// Drops what is on its way between this node, which was lost just now, and `other`: a lost machine sends
    /// nothing again, and links that are cut would hand out what they hold once they are joined.
    pub fn lose_what_is_under_way_to(&self, other: &Node) {
        self.peers.reset_sessions();
        if self.name() != other.name() && other.source().as_deref() == Some(self.name()) {
            other.upstream.reset_sessions();
        }
    }

    fn source(&self) -> MutexGuard<'_, Option<String>> {
        self.streams_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Other nodes, and whoever decides about failover, do not reach it.
    #[must_use]
    pub fn is_cut_from_peers(&self) -> bool {
        self.peers.is_cut()
    }

    /// Loses all packets from and to these.
    pub fn cut(&self, from: CutFrom) {
        self.bar(|barred| {
            barred.from_clients |= matches!(from, CutFrom::Clients | CutFrom::All);
            barred.from_peers |= matches!(from, CutFrom::Peers | CutFrom::All);
        });
    }

    /// Lets packets through again; a fence stays.
    pub fn join(&self) {
        self.bar(|barred| {
            barred.from_clients = false;
            barred.from_peers = false;
        });
    }

    /// Keeps clients away until [`Node::unfence`].
    pub fn fence(&self) {
        self.bar(|barred| barred.fenced = true);
        self.clients.reset_sessions();
    }

    /// Lets clients come again.
    pub fn unfence(&self) {
        self.bar(|barred| barred.fenced = false);
    }

    fn bar(&self, change: impl FnOnce(&mut Barred)) {
        let mut barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut barred);
        set(&self.clients, barred.from_clients || barred.fenced);
        set(&self.peers, barred.from_peers);
        set(&self.upstream, barred.from_peers);
    }
}

fn set(link: &Link, cut: bool) {
    match (link.is_cut(), cut) {
        (false, true) => link.cut(),
        (true, false) => link.join(),
        _ => {}
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The error of a name that no node has.
#[must_use]
pub fn unknown(name: &str) -> TargetError {
    TargetError::new(format!("find node {name}"), "the cluster has no such node")
}
