//! Why the ledger cannot be kept, each with what to do about it.

use super::publications::Carrier;
use crate::sql::SqlError;

/// Why the ledger cannot be kept in this database.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A server did not answer, or refused.
    #[error("{what} on {server}: {cause}")]
    Sql {
        /// What was asked.
        what: &'static str,
        /// Which server (no password).
        server: String,
        /// Its answer.
        cause: SqlError,
    },
    /// The table is missing and the role may not make it.
    #[error(
        "{server} has no schema firedrill, and {user} may not create it ({cause}); ask a DBA to run what `firedrill schema ledger` prints, then `grant firedrill_probe to {probe}`"
    )]
    MayNotCreate {
        /// Which server.
        server: String,
        /// The role that was used.
        user: String,
        /// The probe's role.
        probe: String,
        /// The server's answer.
        cause: SqlError,
    },
    /// A publication would carry the ledger to subscribers that do not have it.
    #[error(
        "publication {} ({}) would carry the ledger: a subscriber without the table stops, and its slot holds WAL; {}", .0.name, .0.what, .0.help
    )]
    Published(Carrier),
    /// A role cannot use the ledger.
    #[error("role {role} may not use the ledger: grant firedrill_probe to {role}")]
    MayNotUse {
        /// The role.
        role: String,
    },
    /// The role whose durability is wanted does not exist.
    #[error("durability_of names the role {role}, and there is no such role")]
    NoSuchRole {
        /// The role.
        role: String,
    },
    /// The role may not hold the sessions that the drill needs.
    #[error(
        "role {role} may hold {limit} connections and the probes need {needed}; raise it: alter role {role} connection limit {needed}"
    )]
    RoleLimit {
        /// The probe's role.
        role: String,
        /// `rolconnlimit`.
        limit: i64,
        /// What the probes need.
        needed: u32,
    },
    /// The server has not enough connections.
    #[error(
        "the server allows {max} connections, {used} are in use, and the drill may need {needed}; lower `limits: {{ sessions }}`, have fewer clients in its loads, or raise max_connections"
    )]
    ServerLimit {
        /// `max_connections` less the reserved ones.
        max: u32,
        /// In use now.
        used: u32,
        /// What the probes may need.
        needed: u32,
    },
    /// An endpoint leads to a database without the ledger.
    #[error("{server} has no schema firedrill; does it lead to another database?")]
    Elsewhere {
        /// Which address.
        server: String,
    },
    /// A standby did not replay the table in time.
    #[error("{node} does not have the ledger's table after {waited_s} s; does it stream?")]
    NotReplayed {
        /// Its name.
        node: String,
        /// How long it was waited for.
        waited_s: u64,
    },
    /// Sessions of this run are still there.
    #[error("{node} still holds {count} sessions of this run")]
    StillThere {
        /// Its name.
        node: String,
        /// How many.
        count: usize,
    },
}
