//! SQL to one server, real or simulated: the only folder that knows tokio-postgres, and in it only
//! `wire.rs`.
//!
//! What a connection string may say, and how certificates are judged, is `connection`'s.
//!
//! It lies beside the stations and not in `load/`, because roles, targets and recovery actions speak SQL
//! too and must not import the probes.

mod address;
pub mod connection;
mod error;
mod link;
mod lsn;
mod session;
#[cfg(test)]
mod session_tests;
mod simple;
mod simulated;
mod statement;
#[cfg(test)]
pub(crate) mod test_server;
mod wire;

pub use address::{Address, Secret};
pub use error::SqlError;
pub use lsn::parse_lsn;
pub use session::{Answer, Session};
pub use simulated::{SimulatedHost, SimulatedServer, SimulatedSession};
pub use statement::{Asks, Brought, KeyRanges, Statement};
