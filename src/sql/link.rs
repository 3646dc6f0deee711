//! A session's connection once it is open: statements of the simple protocol go through it, and between
//! them a listener reads, so that a session that says nothing still learns that it is gone.
//!
//! A statement reads and writes by itself and wakes no task: with a task for the connection, as client
//! libraries have it, each one costs four switches of tasks and another question to the kernel, several
//! thousand times a second. Only binary copies are left to the client library, which is `wire.rs`'s.

use super::error::SqlError;
use super::session::Answer;
use super::simple::{self, Inbox, Message};
use crate::event::slots::ErrorClass;
use futures_util::task::AtomicWaker;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Drives the client library's side of the connection as far as that goes now; `Ready` says why it ended.
pub(super) type Library = Box<dyn FnMut(&mut Context<'_>) -> Poll<SqlError> + Send>;

/// A connection and what became of it.
pub(super) struct Link {
    /// `None` once it has ended.
    open: Mutex<Option<Open>>,
    /// Why it ended, once it has.
    ended: Mutex<Option<SqlError>>,
    /// Said when it has.
    gone: watch::Sender<bool>,
    /// Held by the statement in flight.
    turn: tokio::sync::Mutex<()>,
    idle: Arc<Idle>,
    /// What wakes the listener.
    wakes_listener: Waker,
}

/// An open connection.
struct Open {
    stream: Arc<Mutex<dyn Stream>>,
    library: Library,
    /// The library copies, and what comes is its to read; otherwise it has nothing to do.
    copies: bool,
    inbox: Inbox,
    outbox: Outbox,
    /// Answers to come that nobody waits for any more.
    unwanted: u32,
}

/// What is not written yet.
#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    flushed: bool,
}

/// Whether the listener is wanted.
#[derive(Default)]
struct Idle {
    /// A statement drives the connection.
    asked: AtomicBool,
    listener: AtomicWaker,
}

impl Wake for Idle {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // What happens while a statement drives is seen by it, or when it hands the connection back.
        if !self.asked.load(Ordering::Acquire) {
            self.listener.wake();
        }
    }
}

impl Link {
    pub(super) fn new(stream: Arc<Mutex<dyn Stream>>, library: Library) -> Self {
        let idle = Arc::<Idle>::default();
        let open = Open {
            stream,
            library,
            copies: false,
            inbox: Inbox::new(),
            outbox: Outbox::default(),
            unwanted: 0,
        };
        let link = Self {
            open: Mutex::new(Some(open)),
            ended: Mutex::default(),
            gone: watch::Sender::default(),
            turn: tokio::sync::Mutex::default(),
            wakes_listener: Waker::from(Arc::clone(&idle)),
            idle,
        };
        // What came together with the end of the start-up lies with the library, which read it.
        link.drain();
        link
    }

    /// Sends a statement and waits for ReadyForQuery.
    pub(super) async fn ask(&self, sql: &str) -> Result<Answer, SqlError> {
        let _turn = self.turn.lock().await;
        let mut drives = self.drive(|open| simple::query(sql, &mut open.outbox.bytes))?;
        let mut answered = Answer::default();
        let answer = poll_fn(|context| {
            self.poll(|open| open.poll_answer(context, &mut answered))
                .map(|ended_or| ended_or.unwrap_or_else(Err))
        })
        .await;
        drives.answered = true;
        drop(drives);
        answer.map(|()| answered)
    }

    /// Waits for a copy by the client library, and drives the library's side meanwhile. A copy that is
    /// waited for no longer leaves the connection of no more use. Nothing may be left of one that is done.
    pub(super) async fn copy<T>(&self, copy: impl Future<Output = T>) -> Result<T, SqlError> {
        let _turn = self.turn.lock().await;
        let mut drives = self.drive(|open| {
            open.copies = true;
            Ok(())
        })?;
        // Its answer is the library's.
        drives.answered = true;
        let mut copy = pin!(copy);
        let copied = poll_fn(|context| {
            // It hands its request over, the library sends it, and it takes what has come.
            if let Poll::Ready(copied) = copy.as_mut().poll(context) {
                return Poll::Ready(copied);
            }
            let _ = self.poll(|open| (open.library)(context).map(Err::<(), _>));
            copy.as_mut().poll(context)
        })
        .await;
        self.drain();
        if let Some(open) = lock(&self.open).as_mut() {
            open.copies = false;
        }
        Ok(copied)
    }

    /// Takes the connection over from the listener, for what `begin` begins. Both under one lock: a listener
    /// that looks in between would read the answer, and be woken for it in the statement's place.
    fn drive(
        &self,
        begin: impl FnOnce(&mut Open) -> Result<(), SqlError>,
    ) -> Result<Drives<'_>, SqlError> {
        let mut held = lock(&self.open);
        match held.as_mut() {
            Some(open) if open.copies => return Err(given_up()),
            Some(open) => begin(open)?,
            None => return Err(self.why_ended()),
        }
        self.idle.asked.store(true, Ordering::Release);
        Ok(Drives {
            link: self,
            answered: false,
        })
    }

    /// Lets the library take what it has read already.
    fn drain(&self) {
        let mut nobody = Context::from_waker(Waker::noop());
        let _ = self.poll(|open| (open.library)(&mut nobody).map(Err::<(), _>));
    }

    /// Reads whenever no statement does, until the connection has ended.
    pub(super) async fn listen(&self) {
        poll_fn(|context| {
            self.idle.listener.register(context.waker());
            self.poll_idle()
        })
        .await;
    }

    fn poll_idle(&self) -> Poll<()> {
        let mut context = Context::from_waker(&self.wakes_listener);
        let ended = self.poll(|open| match self.idle.asked.load(Ordering::Acquire) {
            // The statement hands it back.
            true => Poll::Pending,
            false => open.poll_idle(&mut context).map(Err::<(), _>),
        });
        ended.map(|_| ())
    }

    /// Goes on with the connection while it is open. An error of `go_on` that ends it is kept; one that is
    /// the answer to a statement is in its value.
    fn poll<T>(
        &self,
        go_on: impl FnOnce(&mut Open) -> Poll<Result<T, SqlError>>,
    ) -> Poll<Result<T, SqlError>> {
        let mut held = lock(&self.open);
        let Some(open) = held.as_mut() else {
            // Whoever asks had sent something.
            let ended = self.why_ended();
            return Poll::Ready(Err(SqlError {
                sent: true,
                ..ended
            }));
        };
        let ended = match ready!(go_on(open)) {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(ended) => ended,
        };
        *lock(&self.ended) = Some(SqlError {
            sent: false,
            ..ended.clone()
        });
        *held = None;
        drop(held);
        self.gone.send_replace(true);
        Poll::Ready(Err(SqlError {
            sent: true,
            ..ended
        }))
    }

    /// It is known to have ended.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.open).is_none()
    }

    /// Closes this end at once.
    pub(super) fn close(&self) {
        *lock(&self.open) = None;
    }

    /// Waits until the connection is known to be gone.
    pub(super) async fn gone(&self) -> SqlError {
        let mut gone = self.gone.subscribe();
        // The sender lives as long as this, so that there is no other end of waiting.
        let _ = gone.wait_for(|gone| *gone).await;
        self.why_ended()
    }

    fn why_ended(&self) -> SqlError {
        lock(&self.ended).clone().unwrap_or_else(closed)
    }
}

impl Open {
    /// Sends what is to be sent and reads until a statement is answered. The outer error ends the
    /// connection.
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        answered: &mut Answer,
    ) -> Poll<Result<Result<(), SqlError>, SqlError>> {
        self.poll_send(context)?;
        loop {
            while let Some(message) = self.inbox.next()? {
                match message {
                    Message::Ready if self.unwanted > 0 => self.unwanted -= 1,
                    _ if self.unwanted > 0 => {}
                    Message::Row(row) => answered.rows.push(row),
                    Message::Notice(state) => answered.notices.push(state),
                    Message::Error { state, text } => {
                        // ReadyForQuery follows it, unless the server hangs up.
                        self.unwanted += 1;
                        return Poll::Ready(Ok(Err(SqlError::of_state(&state, true, text))));
                    }
                    Message::Ready => return Poll::Ready(Ok(Ok(()))),
                    Message::Else => {}
                }
            }
            ready!(self.poll_receive(context))?;
        }
    }

    /// Sends what is left to send, and reads what nobody waits for. `Ready` says why the connection ended.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<SqlError> {
        if self.copies {
            return (self.library)(context);
        }
        if let Err(ended) = self.poll_send(context) {
            return Poll::Ready(ended);
        }
        loop {
            match self.inbox.next() {
                Ok(Some(Message::Ready)) if self.unwanted > 0 => self.unwanted -= 1,
                // Without a statement it is the server's last word, and what comes after an error of one
                // is ReadyForQuery or that word.
                Ok(Some(Message::Error { state, text })) if self.unwanted == 0 => {
                    return Poll::Ready(SqlError::of_state(&state, false, text));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    if let Err(ended) = ready!(self.poll_receive(context)) {
                        return Poll::Ready(ended);
                    }
                }
                Err(ended) => return Poll::Ready(ended),
            }
        }
    }

    /// Writes as much as goes now, and asks to be woken for the rest.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Result<(), SqlError> {
        let Outbox {
            bytes,
            written,
            flushed,
        } = &mut self.outbox;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut stream = lock(&self.stream);
        let mut stream = Pin::new(&mut *stream);
        while let Some(left) = bytes.get(*written..).filter(|left| !left.is_empty()) {
            match stream.as_mut().poll_write(context, left) {
                Poll::Ready(Ok(0)) => return Err(closed()),
                Poll::Ready(Ok(count)) => *written += count,
                Poll::Ready(Err(error)) => return Err(lost(&error)),
                Poll::Pending => return Ok(()),
            }
            *flushed = false;
        }
        if !*flushed {
            match stream.poll_flush(context) {
                Poll::Ready(Ok(())) => *flushed = true,
                Poll::Ready(Err(error)) => return Err(lost(&error)),
                Poll::Pending => return Ok(()),
            }
        }
        bytes.clear();
        *written = 0;
        Ok(())
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SqlError>> {
        let mut room = ReadBuf::new(self.inbox.room());
        let mut stream = lock(&self.stream);
        let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut room));
        let count = room.filled().len();
        Poll::Ready(match read {
            Ok(()) if count == 0 => Err(closed()),
            Ok(()) => {
                self.inbox.filled(count);
                Ok(())
            }
            Err(error) => Err(lost(&error)),
        })
    }
}

fn given_up() -> SqlError {
    SqlError::new(
        ErrorClass::Reset,
        false,
        "a copy was given up on this connection",
    )
}

fn closed() -> SqlError {
    SqlError::new(ErrorClass::Reset, false, "connection closed")
}

fn lost(error: &io::Error) -> SqlError {
    let found = SqlError::of_io(error, ErrorClass::Reset, false);
    SqlError {
        text: format!("error communicating with the server: {error}"),
        ..found
    }
}

/// A statement that drives the connection. It hands it back to the listener when it is answered, or is
/// waited for no longer.
struct Drives<'a> {
    link: &'a Link,
    answered: bool,
}

impl Drop for Drives<'_> {
    fn drop(&mut self) {
        let Link { open, idle, .. } = self.link;
        if !self.answered
            && let Some(open) = lock(open).as_mut()
        {
            open.unwanted += 1;
        }
        idle.asked.store(false, Ordering::Release);
        // From here on the listener is woken; what came before is seen now.
        if self.link.poll_idle().is_ready() {
            idle.listener.wake();
        }
    }
}

/// What bytes go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream of which the client library has one handle and a [`Link`] another; they take turns.
#[derive(Debug)]
pub(super) struct Shared<S>(pub(super) Arc<Mutex<S>>);

impl<S> Shared<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }
}

impl<S: Stream> AsyncRead for Shared<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_read(context, into)
    }
}

impl<S: Stream> AsyncWrite for Shared<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_shutdown(context)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("ended", &*lock(&self.ended))
            .finish_non_exhaustive()
    }
}

/// A poisoned lock only means that another thread panicked between two changes; the value is still whole.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Answers each statement, whatever it is, with ReadyForQuery.
    async fn serve(mut server: tokio::io::DuplexStream) {
        let mut head = [0; 5];
        while server.read_exact(&mut head).await.is_ok() {
            let [_, length @ ..] = head;
            let mut text = vec![0; u32::from_be_bytes(length) as usize - 4];
            server.read_exact(&mut text).await.unwrap();
            server.write_all(b"Z\0\0\0\x05I").await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_listener_that_is_woken_for_nothing_takes_no_answer_away() {
        let (client, server) = tokio::io::duplex(1024);
        let link = Arc::new(Link::new(
            Arc::new(Mutex::new(client)),
            Box::new(|_| Poll::Pending),
        ));
        let serving = tokio::spawn(serve(server));
        let listening = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.listen().await }
        });
        let waking = tokio::spawn({
            let link = Arc::clone(&link);
            async move {
                loop {
                    link.idle.listener.wake();
                    tokio::task::yield_now().await;
                }
            }
        });
        for asked in 0..20_000 {
            let answer = link.ask("select 1");
            let answer = tokio::time::timeout(std::time::Duration::from_secs(5), answer).await;
            assert!(matches!(answer, Ok(Ok(_))), "statement {asked}: {answer:?}");
        }
        for task in [serving, listening, waking] {
            task.abort();
        }
    }
}
