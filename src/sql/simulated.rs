//! What a simulated server must be able to do, so that everything that speaks SQL can speak to it.
//!
//! It sits where the network would: probes, control sessions, preflight, audit and roles run unchanged
//! above it. It knows no cluster: that is the simulated target's.

use super::error::SqlError;
use super::session::Answer;
use super::statement::Asks;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// A way to a simulated server. What is never answered is a future that never ends: the deadline is the
/// session's, as it is towards a real server.
#[async_trait]
pub trait SimulatedServer: Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> String;
    /// Up to where a TCP connection would be accepted.
    ///
    /// # Errors
    /// When it is refused.
    async fn reach(&self) -> Result<(), SqlError>;
    /// From there until the session is ready for a statement.
    ///
    /// # Errors
    /// When the server refuses, or the connection ends.
    async fn log_in(
        &self,
        user: &str,
        application: &str,
    ) -> Result<Box<dyn SimulatedSession>, SqlError>;
}

/// A session with a simulated server. Dropping it closes the client's side at once.
#[async_trait]
pub trait SimulatedSession: Send + Sync + fmt::Debug {
    /// One statement. Dropping the future withdraws nothing.
    ///
    /// # Errors
    /// The server's error, or a lost connection.
    async fn ask(&self, asks: Asks) -> Result<Answer, SqlError>;
    /// Rows of `(integer, bigint)`.
    ///
    /// # Errors
    /// As [`SimulatedSession::ask`].
    async fn pairs(&self, asks: Asks) -> Result<Vec<(i32, i64)>, SqlError>;
    /// Number of the server's backend.
    fn backend(&self) -> i32;
    /// Why the connection is known to be gone, once it is. Passive: `None` proves nothing.
    fn ended(&self) -> Option<SqlError>;
    /// Waits for that.
    async fn gone(&self) -> SqlError;
}

/// The handle of a simulated server in an [`super::Address`]. Nothing that is written in a file makes one.
#[derive(Clone)]
pub struct SimulatedHost(Arc<dyn SimulatedServer>);

impl SimulatedHost {
    /// A handle of this server.
    pub fn new(server: impl SimulatedServer + 'static) -> Self {
        Self(Arc::new(server))
    }

    pub(super) fn server(&self) -> &dyn SimulatedServer {
        self.0.as_ref()
    }
}

impl fmt::Debug for SimulatedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated {}", self.0.name())
    }
}

impl PartialEq for SimulatedHost {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SimulatedHost {}
