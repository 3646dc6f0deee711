//! One session with one server, real or simulated.

use super::address::Address;
use super::error::SqlError;
use super::simulated::SimulatedSession;
use super::statement::{Asks, Statement};
use super::wire::{Wire, unanswered, unanswered_statement};
use crate::event::slots::ErrorClass;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// An open session. Dropping it closes the client's side at once; the server's backend may live on.
#[derive(Debug)]
pub struct Session(With);

/// Whom a session is with.
#[derive(Debug)]
enum With {
    Server(Wire),
    Simulated(Box<dyn SimulatedSession>),
}

/// The rows of one statement as text, with the notices that came with it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Rows, column by column; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// SQLSTATEs of the warnings and notices that arrived between sending and ReadyForQuery.
    pub notices: Vec<String>,
}

impl Session {
    /// Connects; `deadline` covers name, TCP, start-up and authentication together. (tokio-postgres' own
    /// connect_timeout covers only the TCP connect of each address, and a frozen server accepts TCP.)
    ///
    /// # Errors
    /// When it is not ready for a query by then. The class says how far it came: `Dns`, `ConnectDeadline`
    /// and `StartupDeadline` are the deadline in that phase.
    pub async fn connect(address: &Address, deadline: Duration) -> Result<Self, SqlError> {
        let Some(host) = &address.simulated else {
            return Ok(Self(With::Server(Wire::connect(address, deadline).await?)));
        };
        let until = Instant::now() + deadline;
        let (server, phase) = (host.server(), ErrorClass::ConnectDeadline);
        let reached = timeout_at(until, server.reach()).await;
        reached.map_err(|_| unanswered(phase, "connect", deadline))??;
        let log_in = server.log_in(&address.user, &address.application);
        let ready = timeout_at(until, log_in).await;
        let phase = ErrorClass::StartupDeadline;
        let session = ready.map_err(|_| unanswered(phase, "start-up", deadline))??;
        Ok(Self(With::Simulated(session)))
    }

    /// Sends one statement by the simple protocol and waits for ReadyForQuery. No prepared statement and
    /// no session state, so that it works through a pooler in transaction mode.
    ///
    /// One statement at a time: notices are handed to the one in flight. Dropping the future withdraws
    /// nothing. After an error with class `StatementDeadline`, or after the future was dropped, the
    /// statement is still queued at the server and may run later; drop the session.
    ///
    /// # Errors
    /// The server's error, a lost connection, or the deadline.
    pub async fn query(
        &self,
        statement: impl Into<Statement<'_>>,
        deadline: Duration,
    ) -> Result<Answer, SqlError> {
        let statement = statement.into();
        let session = match &self.0 {
            With::Server(wire) => return wire.query(statement.sql(), deadline).await,
            With::Simulated(session) => session,
        };
        let asks = understood(session.as_ref(), &statement)?;
        match tokio::time::timeout(deadline, session.ask(asks)).await {
            Ok(answered) => answered,
            Err(_) => Err(unanswered_statement("statement", deadline)),
        }
    }

    /// Reads `(integer, bigint)` rows by a binary COPY and gives each to `each`. `select` is the statement
    /// inside `COPY (…) TO STDOUT`. Uses the extended protocol: only for direct connections.
    ///
    /// # Errors
    /// The server's error, a lost connection, rows of another shape, or the deadline.
    pub async fn copy_pairs(
        &self,
        select: impl Into<Statement<'_>>,
        deadline: Duration,
        mut each: impl FnMut(i32, i64),
    ) -> Result<(), SqlError> {
        let statement = select.into();
        let session = match &self.0 {
            With::Server(wire) => return wire.copy_pairs(statement.sql(), deadline, each).await,
            With::Simulated(session) => session,
        };
        let asks = understood(session.as_ref(), &statement)?;
        let rows = match tokio::time::timeout(deadline, session.pairs(asks)).await {
            Ok(rows) => rows?,
            Err(_) => return Err(unanswered_statement("copy", deadline)),
        };
        for (one, other) in rows {
            each(one, other);
        }
        Ok(())
    }

    /// Whether the server reads what it is sent: a simulated one goes by what a statement is for, and of a
    /// drill's own statements it knows no more than that.
    #[must_use]
    pub fn reads_sql(&self) -> bool {
        matches!(self.0, With::Server(_))
    }

    /// Process id of the server's backend, as BackendKeyData told it; 0 where it told none (a pooler may).
    #[must_use]
    pub fn backend(&self) -> i32 {
        match &self.0 {
            With::Server(wire) => wire.backend,
            With::Simulated(session) => session.backend(),
        }
    }

    /// The connection is known to be gone. Passive: false proves nothing.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            With::Server(wire) => wire.is_closed(),
            With::Simulated(session) => session.ended().is_some(),
        }
    }

    /// Waits until the connection is known to be gone, and says why. Passive: what a client learns that
    /// sends nothing, which may be never.
    pub async fn gone(&self) -> SqlError {
        match &self.0 {
            With::Server(wire) => wire.gone().await,
            With::Simulated(session) => session.gone().await,
        }
    }
}

/// What a statement asks of a simulated server, while the session with it is not known to be gone.
fn understood(session: &dyn SimulatedSession, statement: &Statement<'_>) -> Result<Asks, SqlError> {
    if let Some(ended) = session.ended() {
        return Err(ended);
    }
    statement.asks().cloned().ok_or_else(|| {
        let text = format!(
            "a simulated server understands no SQL, and this statement does not say what it asks: {}",
            statement.sql()
        );
        // feature_not_supported: said before anything could have been committed.
        SqlError::of_state("0A000", true, text)
    })
}
