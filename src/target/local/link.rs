//! A link: the loopback stand-in for the wire between a server and those who reach it.
//!
//! It forwards bytes and can lose them for a while, as a pulled cable does: nothing is refused, reset or
//! closed, and after [`Link::join`] the connections that both ends kept go on where they stopped, with
//! the held bytes delivered, as TCP's retransmission would.
//!
//! What a proxy in user space cannot do, and what is done instead:
//!
//! - It cannot lose a SYN. While cut, a new connection is accepted and nothing ever answers on it: a
//!   client's `connect` returns, its start-up hangs. One that its client gave up before the join is
//!   forgotten, since with a real cable the server would never have heard of it.
//! - The kernel takes what fits its buffers from a writer before it blocks; it waits here.
//! - After the join it delivers at once, where TCP would wait for its next retransmission.
//! - It has accepted before it knows whether the server listens. A server that refuses is passed on as
//!   a reset of the fresh connection.
//!
//! It knows nothing of PostgreSQL.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Bytes held for each direction of a connection besides the kernel's own buffers.
const BUFFER: usize = 16 * 1024;

/// A listening port on loopback whose traffic goes to one server. Dropping it closes the port and
/// what goes through it.
#[derive(Debug)]
pub struct Link {
    port: u16,
    wire: watch::Sender<Wire>,
    /// Held once by each connection, so that they can be counted.
    alive: Arc<()>,
    accepting: AbortHandle,
}

/// What all connections of a link go by.
#[derive(Clone, Copy, Debug)]
struct Wire {
    cut: bool,
    to: SocketAddr,
    /// How often the sessions were reset: a connection ends when this grows beyond what it was born with.
    resets: u64,
}

impl Link {
    /// Opens a link to `to` on a free port of 127.0.0.1; its work is done on the runtime of `handle`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn open(handle: &Handle, to: SocketAddr) -> io::Result<Self> {
        let listener = listen(handle, 0)?;
        let port = listener.local_addr()?.port();
        let (wire, seen) = watch::channel(Wire {
            cut: false,
            to,
            resets: 0,
        });
        let alive = Arc::new(());
        let accepting = handle.spawn(accept(listener, seen, Arc::clone(&alive)));
        Ok(Self {
            port,
            wire,
            alive,
            accepting: accepting.abort_handle(),
        })
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Loses everything from now on, both ways, a close or reset of either end included. At most the
    /// one write that is under way at this moment still passes.
    pub fn cut(&self) {
        self.wire.send_modify(|wire| wire.cut = true);
    }

    /// Lets traffic flow again, beginning with what was held.
    pub fn join(&self) {
        self.wire.send_modify(|wire| wire.cut = false);
    }

    /// Whether it is cut now.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.wire.borrow().cut
    }

    /// Sends connections that are opened from now on to another address.
    pub fn retarget(&self, to: SocketAddr) {
        self.wire.send_modify(|wire| wire.to = to);
    }

    /// Resets every connection at both ends, also while cut.
    pub fn reset_sessions(&self) {
        self.wire.send_modify(|wire| wire.resets += 1);
    }

    /// Connections that are open or held.
    #[must_use]
    pub fn sessions(&self) -> usize {
        // The link and its accepting task hold one each.
        Arc::strong_count(&self.alive).saturating_sub(2)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The connections belong to the accepting task and end with it.
        self.accepting.abort();
    }
}

/// Binds a port of 127.0.0.1, 0 for any, on the runtime of `handle`.
///
/// # Errors
/// The system's refusal, with the port in its text.
pub(super) fn listen(handle: &Handle, port: u16) -> io::Result<TcpListener> {
    let _entered = handle.enter();
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("port {port} of 127.0.0.1: {error}"))
    };
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(named)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Accepts for as long as it lives, and owns what it accepted.
async fn accept(listener: TcpListener, wire: watch::Receiver<Wire>, alive: Arc<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(carry(client, wire.clone(), Arc::clone(&alive)));
                }
                // Out of file descriptors, most likely: the queue of the kernel keeps the client.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, from accept to its end.
async fn carry(mut client: TcpStream, wire: watch::Receiver<Wire>, _alive: Arc<()>) {
    let born = wire.borrow().resets;
    let mut resets = wire.clone();
    let mut server = None;
    let clean = tokio::select! {
        // A reset that is followed at once by a join must not hand out what was held.
        biased;
        // The sender gone means the link is: an end like a reset.
        _ = resets.wait_for(|wire| wire.resets > born) => false,
        ended = through(&mut client, &mut server, wire) => ended.is_ok(),
    };
    if !clean {
        reset(&client);
        if let Some(server) = &server {
            reset(server);
        }
    }
}

/// Makes the coming drop send a reset instead of a polite end.
fn reset(stream: &TcpStream) {
    // A stream on which this fails is already gone.
    let _ = stream.set_zero_linger();
}

/// Carries bytes both ways until both ends have closed politely; any other end is an error. The stream
/// to the server is left in `slot`, so that the caller can reset it.
async fn through(
    client: &mut TcpStream,
    slot: &mut Option<TcpStream>,
    wire: watch::Receiver<Wire>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut early = Vec::new();
    if wire.borrow().cut && !hold(client, &mut early, wire.clone()).await? {
        return Ok(());
    }
    let to = wire.borrow().to;
    let server = slot.insert(TcpStream::connect(to).await?);
    server.set_nodelay(true)?;
    let (client_in, client_out) = client.split();
    let (server_in, server_out) = server.split();
    tokio::try_join!(
        pump(client_in, server_out, early, wire.clone()),
        pump(server_in, client_out, Vec::new(), wire),
    )?;
    Ok(())
}

/// Keeps a connection that was opened during a cut, with the first bytes its client sent. False when
/// the client gave up before the join.
async fn hold(
    client: &mut TcpStream,
    early: &mut Vec<u8>,
    mut wire: watch::Receiver<Wire>,
) -> io::Result<bool> {
    let given_up = async {
        while early.len() < BUFFER {
            // An error is a client that gave up as well.
            if !matches!(client.read_buf(early).await, Ok(1..)) {
                return;
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        flowing = wire.wait_for(|wire| !wire.cut) => flowing.map(|_| true).map_err(gone),
        () = given_up => Ok(false),
    }
}

/// One direction: reads, waits while the wire is cut, writes what it held. Passes a polite end on.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: Vec<u8>,
    mut wire: watch::Receiver<Wire>,
) -> io::Result<()> {
    held.reserve(BUFFER.saturating_sub(held.len()));
    loop {
        let mut done = 0;
        while done < held.len() {
            match while_joined(&mut wire, to.write(&held[done..])).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => done += written,
            }
        }
        held.clear();
        let read = while_joined(&mut wire, from.read_buf(&mut held)).await;
        // What came in the moment of a cut, an end or a reset too, must not pass before the join.
        wire.wait_for(|wire| !wire.cut).await.map_err(gone)?;
        if read? == 0 {
            return while_joined(&mut wire, to.shutdown()).await;
        }
    }
}

/// Carries an operation out, but leaves it alone for as long as the wire is cut.
async fn while_joined<T>(
    wire: &mut watch::Receiver<Wire>,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::pin!(operation);
    loop {
        wire.wait_for(|wire| !wire.cut).await.map_err(gone)?;
        tokio::select! {
            biased;
            cut = wire.wait_for(|wire| wire.cut) => { cut.map_err(gone)?; }
            done = &mut operation => return done,
        }
    }
}

/// The link itself is no more.
fn gone(_: watch::error::RecvError) -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

#[cfg(test)]
mod tests;
