//! The runner's end: many connections to ports of loopback inside, over one pair of pipes.
//!
//! A client is carried from the moment it has come. Where nobody listens inside, it is closed at once, which it
//! takes for a server that went away before it had said anything: a definite failure, as a refusal is.

use super::frames::{HEAD, HELLO, Kind, LONGEST, head, read_head};
use crate::target::TargetError;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{
    Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long the program may take to say that it runs.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Frames that may wait for one client. A session always reads what it is sent, so that they fill up for moments
/// only, and then everybody waits.
const WAITING: usize = 64;

/// A way inside. Dropping it ends all its connections; the program inside ends with its input.
#[derive(Debug)]
pub struct Tunnel {
    gone: watch::Receiver<bool>,
    connections: Arc<Mutex<Connections>>,
    /// What clients send is little, and an end must not be lost, so this has no bound.
    frames: UnboundedSender<Frame>,
    tasks: [JoinHandle<()>; 2],
}

/// What came from inside for one connection.
#[derive(Debug)]
enum Said {
    Opened,
    Refused,
    Data(Vec<u8>),
}

/// The connections that are open, by number.
#[derive(Debug, Default)]
struct Connections {
    last: u32,
    open: BTreeMap<u32, Sender<Said>>,
}

/// A frame for the program.
type Frame = (Kind, u32, Vec<u8>);

impl Tunnel {
    /// Begins, once the program has said through `from_inside` that it runs. What is written to `to_inside` must
    /// reach its standard input.
    ///
    /// # Errors
    /// When the program says nothing or something else.
    pub async fn open(
        mut from_inside: impl AsyncRead + Send + Unpin + 'static,
        to_inside: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, TargetError> {
        let failed = |cause: String| TargetError::new("open a way into the node", cause);
        let hello = tokio::time::timeout(HELLO_WITHIN, read_frame(&mut from_inside)).await;
        match hello {
            Ok(Ok((Kind::Hello, 0, said))) if said == HELLO => {}
            Ok(Ok(_)) => {
                let cause = "what runs there is no firedrill-inside of this version";
                return Err(failed(cause.to_owned()));
            }
            Ok(Err(error)) => return Err(failed(format!("the program inside: {error}"))),
            Err(_) => {
                let limit = HELLO_WITHIN.as_secs();
                let cause = format!("the program inside said nothing in {limit} s");
                return Err(failed(cause));
            }
        }
        let connections = Arc::new(Mutex::new(Connections::default()));
        let (frames, waiting) = unbounded_channel();
        let (ended, gone) = watch::channel(false);
        let ended = Arc::new(ended);
        let writing = tokio::spawn({
            let ended = Arc::clone(&ended);
            async move {
                // That the pipe is broken is all that an error can say.
                let _ = write_frames(waiting, to_inside).await;
                ended.send_replace(true);
            }
        });
        let reading = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move {
                let _ = hand_out(&connections, from_inside).await;
                // Nobody will answer any more: every client sees its connection end.
                lock(&connections).open.clear();
                ended.send_replace(true);
            }
        });
        Ok(Self {
            gone,
            connections,
            frames,
            tasks: [writing, reading],
        })
    }

    /// Carries a client's bytes to a port inside and back, until either side is done; then the other is closed
    /// too, since a client that is gone must not keep its backend.
    pub async fn carry(&self, mut client: UnixStream, port: u16) {
        let (said, mut hears) = channel(WAITING);
        let connection = {
            let mut connections = lock(&self.connections);
            connections.last += 1;
            let connection = connections.last;
            connections.open.insert(connection, said);
            connection
        };
        let _carried = Carried {
            connection,
            by: self,
        };
        let open = (Kind::Open, connection, port.to_le_bytes().to_vec());
        // Loopback answers at once, whatever state the server is in.
        if self.frames.send(open).is_err() || !matches!(hears.recv().await, Some(Said::Opened)) {
            return;
        }
        let (reading, writing) = client.split();
        tokio::select! {
            () = to_inside(reading, connection, &self.frames) => {}
            () = to_client(writing, &mut hears) => {}
        }
    }

    /// Waits until the program inside is gone.
    pub async fn gone(&self) {
        // An error says that the tasks have ended, which is the same.
        let _ = self.gone.clone().wait_for(|gone| *gone).await;
    }

    /// The program inside is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A connection that is carried; its end is told inside however it comes.
struct Carried<'a> {
    connection: u32,
    by: &'a Tunnel,
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        lock(&self.by.connections).open.remove(&self.connection);
        // Where the program ended it, or is gone itself, it has nothing to learn.
        let _ = self
            .by
            .frames
            .send((Kind::End, self.connection, Vec::new()));
    }
}

async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let mut start = [0; HEAD];
    from.read_exact(&mut start).await?;
    let (kind, connection, length) =
        read_head(&start).ok_or_else(|| io::Error::other("it says what is no frame"))?;
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok((kind, connection, body))
}

async fn write_frames(
    mut waiting: UnboundedReceiver<Frame>,
    mut to_inside: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some((kind, connection, body)) = waiting.recv().await {
        bytes.clear();
        bytes.extend_from_slice(&head(kind, connection, body.len()));
        bytes.extend_from_slice(&body);
        to_inside.write_all(&bytes).await?;
        to_inside.flush().await?;
    }
    Ok(())
}

/// Gives each frame from inside to its connection.
async fn hand_out(
    connections: &Mutex<Connections>,
    mut from_inside: impl AsyncRead + Unpin,
) -> io::Result<()> {
    loop {
        let (kind, connection, body) = read_frame(&mut from_inside).await?;
        let said = match kind {
            Kind::Opened => Said::Opened,
            Kind::Refused => Said::Refused,
            Kind::Data => Said::Data(body),
            Kind::End => {
                lock(connections).open.remove(&connection);
                continue;
            }
            Kind::Hello | Kind::Open => return Err(io::Error::other("not from the program")),
        };
        let to = lock(connections).open.get(&connection).cloned();
        if let Some(to) = to {
            // A client that has left needs nothing any more.
            let _ = to.send(said).await;
        }
    }
}

async fn to_inside(mut client: ReadHalf<'_>, connection: u32, frames: &UnboundedSender<Frame>) {
    let mut buffer = vec![0; LONGEST];
    while let Ok(length @ 1..) = client.read(&mut buffer).await {
        let data = (Kind::Data, connection, buffer[..length].to_vec());
        if frames.send(data).is_err() {
            return;
        }
    }
}

async fn to_client(mut client: WriteHalf<'_>, hears: &mut Receiver<Said>) {
    while let Some(said) = hears.recv().await {
        if let Said::Data(bytes) = said
            && client.write_all(&bytes).await.is_err()
        {
            return;
        }
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}
