//! The runner's end: a Unix socket, each connection to which is one to a port of loopback inside.
//!
//! A connection to the socket itself always succeeds. Where nobody listens inside, it is closed at once, which a
//! client takes for a server that went away before it had said anything: a definite failure, as a refusal is.

use super::frames::{HEAD, HELLO, Kind, LONGEST, head, read_head};
use crate::target::TargetError;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long the program may take to say that it runs.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Frames that may wait for the pipe, and for each connection. A session always reads what it is sent, so
/// that the second fills up for moments only.
const WAITING: usize = 64;

/// A way to one port inside. Dropping it closes the socket and all its connections; the program inside ends
/// with its input.
#[derive(Debug)]
pub struct Tunnel {
    socket: PathBuf,
    gone: watch::Receiver<bool>,
    connections: Arc<Mutex<Connections>>,
    tasks: Vec<JoinHandle<()>>,
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
    /// Opens the socket `folder`/.s.PGSQL.`port`, where a PostgreSQL client looks for it, once the program has said
    /// through `from_inside` that it runs. What is written to `to_inside` must reach its standard input.
    ///
    /// # Errors
    /// When the program says nothing or something else, or the socket cannot be made (its path may be too long:
    /// the kernel allows 107 bytes).
    pub async fn open(
        folder: &Path,
        port: u16,
        mut from_inside: impl AsyncRead + Send + Unpin + 'static,
        to_inside: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, TargetError> {
        let failed = |cause: String| TargetError::new("open a way into the node", cause);
        let hello = tokio::time::timeout(HELLO_WITHIN, read_frame(&mut from_inside)).await;
        match hello {
            Ok(Ok((Kind::Hello, 0, said))) if said == HELLO => {}
            Ok(Ok(_)) => {
                return Err(failed(
                    "what runs there is no firedrill-inside of this version".to_owned(),
                ));
            }
            Ok(Err(error)) => return Err(failed(format!("the program inside: {error}"))),
            Err(_) => {
                let limit = HELLO_WITHIN.as_secs();
                return Err(failed(format!(
                    "the program inside said nothing in {limit} s"
                )));
            }
        }
        let socket = folder.join(format!(".s.PGSQL.{port}"));
        let listener = UnixListener::bind(&socket)
            .map_err(|error| failed(format!("{}: {error}", socket.display())))?;
        let connections = Arc::new(Mutex::new(Connections::default()));
        let (frames, waiting) = channel(WAITING);
        let (gone, is_gone) = watch::channel(false);
        let gone = Arc::new(gone);
        let writing = tokio::spawn({
            let gone = Arc::clone(&gone);
            async move {
                // The end of the pipe is noticed by the reader.
                let _ = write_frames(waiting, to_inside).await;
                gone.send_replace(true);
            }
        });
        let reading = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move {
                let _ = hand_out(&connections, from_inside).await;
                // Nobody will answer any more: every client sees its connection end.
                lock(&connections).open.clear();
                gone.send_replace(true);
            }
        });
        let accepting = tokio::spawn({
            let mut is_gone = is_gone.clone();
            let connections = Arc::clone(&connections);
            async move {
                tokio::select! {
                    _ = is_gone.wait_for(|gone| *gone) => {}
                    () = accept(&listener, port, &connections, &frames) => {}
                }
            }
        });
        Ok(Self {
            socket,
            gone: is_gone,
            connections,
            tasks: vec![writing, reading, accepting],
        })
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
        // Who waits for an answer learns that none comes.
        lock(&self.connections).open.clear();
        // Nothing listens there any more; a folder that is gone already took it along.
        let _ = std::fs::remove_file(&self.socket);
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
    mut waiting: Receiver<Frame>,
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

async fn accept(
    listener: &UnixListener,
    port: u16,
    connections: &Arc<Mutex<Connections>>,
    frames: &Sender<Frame>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of file handles, for a moment or for good: the client sees that nobody answers.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (said, hears) = channel(WAITING);
        let connection = {
            let mut connections = lock(connections);
            connections.last += 1;
            let connection = connections.last;
            connections.open.insert(connection, said);
            connection
        };
        let (connections, frames) = (Arc::clone(connections), frames.clone());
        tokio::spawn(async move {
            pass(client, connection, port, hears, &frames).await;
            lock(&connections).open.remove(&connection);
            // The program has forgotten one that ended by itself, and is told all the same.
            let _ = frames.send((Kind::End, connection, Vec::new())).await;
        });
    }
}

/// One connection from its beginning to its end.
async fn pass(
    client: UnixStream,
    connection: u32,
    port: u16,
    mut hears: Receiver<Said>,
    frames: &Sender<Frame>,
) {
    let open = (Kind::Open, connection, port.to_le_bytes().to_vec());
    if frames.send(open).await.is_err() {
        return;
    }
    // Loopback answers at once, whatever state the server is in.
    if !matches!(hears.recv().await, Some(Said::Opened)) {
        return;
    }
    let (reading, writing) = client.into_split();
    tokio::select! {
        () = to_inside(reading, connection, frames) => {}
        () = to_client(writing, &mut hears) => {}
    }
}

async fn to_inside(mut client: OwnedReadHalf, connection: u32, frames: &Sender<Frame>) {
    let mut buffer = vec![0; LONGEST];
    while let Ok(length @ 1..) = client.read(&mut buffer).await {
        let data = (Kind::Data, connection, buffer[..length].to_vec());
        if frames.send(data).await.is_err() {
            return;
        }
    }
}

async fn to_client(mut client: OwnedWriteHalf, hears: &mut Receiver<Said>) {
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
