//! The ledger's table and functions in the database (`firedrill schema ledger`): making them, waiting
//! until they are everywhere, and removing what firedrill made. Also the sessions that a run may hold
//! and the ones it may have left. It reads and judges no rows: that is the audit's.

use super::publications::{self, Carrier};
use crate::sql::{Address, Asks, Session, SqlError, Statement};
use std::time::Duration;

/// SQL that a DBA can read and run.
pub const SQL: &str = include_str!("ledger.sql");

/// How long one question of the preparation may take.
const ASK: Duration = Duration::from_secs(5);
/// Between two looks at a standby that has not replayed the table yet.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Why the ledger cannot be kept in this database.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
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
    /// A role whose durability is wanted, and cannot be told.
    #[error("the synchronous_commit of {role} is not known: {why}")]
    Durability {
        /// The role.
        role: String,
        /// Why not.
        why: String,
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

/// What [`prepare`] found or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// firedrill made schema and roles, and removes them again.
    Made,
    /// They were there; what a DBA made is never dropped.
    Found,
}

/// What the server allows, for the plan's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// `max_connections`.
    pub max_connections: u32,
    /// Connections of everybody now.
    pub used: u32,
}

pub(super) async fn open(address: &Address, what: &'static str) -> Result<Session, TableError> {
    Session::connect(address, ASK)
        .await
        .map_err(|cause| failed(address, what, cause))
}

pub(super) fn failed(address: &Address, what: &'static str, cause: SqlError) -> TableError {
    TableError::Sql {
        what,
        server: address.to_string(),
        cause,
    }
}

/// The rows of one question, missing values as empty text.
pub(super) async fn ask(
    session: &Session,
    address: &Address,
    what: &'static str,
    sql: impl Into<Statement<'_>>,
) -> Result<Vec<Vec<String>>, TableError> {
    let answer = session.query(sql, ASK).await;
    let answer = answer.map_err(|cause| failed(address, what, cause))?;
    let text = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect();
    Ok(answer.rows.into_iter().map(text).collect())
}

/// The text as a SQL string constant.
#[must_use]
pub fn quoted(text: &str) -> String {
    // E'' is understood with standard_conforming_strings on and off.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Looks, without changing anything, whether the probes may run here: no publication that would carry the
/// ledger, and room for `sessions` sessions of the role `probe`.
///
/// # Errors
/// The first thing that is in the way, with what to do.
pub async fn preflight(act: &Address, probe: &str, sessions: u32) -> Result<Room, TableError> {
    let session = open(act, "preflight").await?;
    if let Some(carrier) = publications::carrier(&session, act).await? {
        return Err(TableError::Published(carrier));
    }
    let numbers = format!(
        "select (select setting from pg_settings where name = 'max_connections'), \
                (select setting from pg_settings where name = 'superuser_reserved_connections'), \
                (select count(*) from pg_stat_activity where backend_type = 'client backend'), \
                (select rolconnlimit from pg_roles where rolname = {})",
        quoted(probe)
    );
    let capacity = Asks::Capacity {
        role: probe.to_owned(),
    };
    let numbers = Statement::new(numbers, capacity);
    let rows = ask(&session, act, "preflight", numbers).await?;
    let number = |column: usize| -> Option<i64> { rows.first()?.get(column)?.parse().ok() };
    let as_count = |column| u32::try_from(number(column).unwrap_or(0)).unwrap_or(0);
    let limit = number(3).unwrap_or(-1);
    if limit >= 0 && limit < i64::from(sessions) {
        return Err(TableError::RoleLimit {
            role: probe.to_owned(),
            limit,
            needed: sessions,
        });
    }
    let room = Room {
        max_connections: as_count(0),
        used: as_count(2),
    };
    let max = room.max_connections.saturating_sub(as_count(1));
    if room.used + sessions > max {
        return Err(TableError::ServerLimit {
            max,
            used: room.used,
            needed: sessions,
        });
    }
    Ok(room)
}

/// Whether `probe` (whom `address` logs in as) could write the ledger here.
const IS_THERE: &str = "select to_regprocedure('firedrill.tick(text, integer, bigint, bigint)') is not null \
     and to_regprocedure('firedrill.newest(text)') is not null \
     and to_regclass('firedrill.ledger') is not null";

fn is_there() -> Statement<'static> {
    Statement::new(IS_THERE, Asks::LedgerIsThere)
}

/// Makes schema, roles, table and functions on the primary where they are missing, and lets the role
/// `probe` in.
///
/// # Errors
/// When they are missing and the role may not create them; the text says what to ask a DBA for.
pub async fn prepare(act: &Address, probe: &str) -> Result<Prepared, TableError> {
    let session = open(act, "prepare the ledger").await?;
    let there = ask(&session, act, "look for the ledger", is_there()).await?;
    if there
        .first()
        .and_then(|row| row.first())
        .map(String::as_str)
        == Some("t")
    {
        return Ok(Prepared::Found);
    }
    let may_not = |cause| TableError::MayNotCreate {
        server: act.to_string(),
        user: act.user.clone(),
        probe: probe.to_owned(),
        cause,
    };
    // One simple query is one transaction: all of it or nothing.
    let make = Statement::new(SQL, Asks::MakeLedger);
    session.query(make, ASK).await.map_err(may_not)?;
    let grant = format!("grant firedrill_probe to {}", quoted_name(probe));
    let let_in = Asks::LetIn {
        role: probe.to_owned(),
    };
    let grant = Statement::new(grant, let_in);
    session.query(grant, ASK).await.map_err(may_not)?;
    Ok(Prepared::Made)
}

/// Whether another role than the probe's, by which an endpoint is used, may hold that many sessions. A role
/// that only a pooler knows may.
///
/// # Errors
/// When it may not, or the server does not answer.
pub async fn role_may_hold(act: &Address, role: &str, sessions: u32) -> Result<(), TableError> {
    let session = open(act, "preflight").await?;
    let sql = format!(
        "select rolconnlimit from pg_roles where rolname = {}",
        quoted(role)
    );
    let rows = ask(&session, act, "preflight", &sql).await?;
    let limit = rows
        .first()
        .and_then(|row| row.first()?.parse::<i64>().ok());
    match limit {
        Some(limit) if limit >= 0 && limit < i64::from(sessions) => Err(TableError::RoleLimit {
            role: role.to_owned(),
            limit,
            needed: sessions,
        }),
        _ => Ok(()),
    }
}

/// Whether the ledger can be used through an address by whom it logs in.
///
/// # Errors
/// When it is not there, the role may not use it, or the server does not answer.
pub async fn is_usable(address: &Address) -> Result<(), TableError> {
    let session = open(address, "look for the ledger").await?;
    let there = "select exists (select from pg_catalog.pg_proc p \
                 join pg_catalog.pg_namespace s on s.oid = p.pronamespace \
                 where s.nspname = 'firedrill' and p.proname = 'tick'), \
                 pg_catalog.has_schema_privilege(s.oid, 'usage') \
                 from (select 1) one left join pg_catalog.pg_namespace s on s.nspname = 'firedrill'";
    let rows = ask(&session, address, "look for the ledger", there).await?;
    let said = |column: usize| {
        rows.first()
            .and_then(|row| row.get(column))
            .map(String::as_str)
    };
    match (said(0), said(1)) {
        (Some("t"), Some("t")) => Ok(()),
        (Some("t"), _) => Err(TableError::MayNotUse {
            role: address.user.clone(),
        }),
        _ => Err(TableError::Elsewhere {
            server: address.to_string(),
        }),
    }
}

/// Waits until every node has replayed the ledger's table and functions.
///
/// # Errors
/// The first node that has not by the deadline, or that does not answer.
pub async fn wait_everywhere(
    nodes: &[(String, Address)],
    deadline: Duration,
) -> Result<(), TableError> {
    let until = tokio::time::Instant::now() + deadline;
    for (name, address) in nodes {
        let session = open(address, "wait for the ledger").await?;
        loop {
            let rows = ask(&session, address, "wait for the ledger", is_there()).await?;
            if rows.first().and_then(|row| row.first()).map(String::as_str) == Some("t") {
                break;
            }
            if tokio::time::Instant::now() >= until {
                return Err(TableError::NotReplayed {
                    node: name.clone(),
                    waited_s: deadline.as_secs(),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}

/// Removes what [`prepare`] made. Call it only where it answered [`Prepared::Made`].
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn remove(act: &Address) -> Result<(), TableError> {
    let session = open(act, "remove the ledger").await?;
    ask(
        &session,
        act,
        "remove the ledger",
        Statement::new(
            "drop schema if exists firedrill cascade; \
             drop role if exists firedrill_probe; drop role if exists firedrill_owner",
            Asks::RemoveLedger,
        ),
    )
    .await
    .map(drop)
}

/// Deletes the rows of one run; returns how many.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn purge(address: &Address, run: &str) -> Result<u64, TableError> {
    let session = open(address, "purge the ledger").await?;
    let sql = format!("select firedrill.purge({})", quoted(run));
    let purge = Asks::Purge {
        run: run.to_owned(),
    };
    let purge = Statement::new(sql, purge);
    let rows = ask(&session, address, "purge the ledger", purge).await?;
    let removed = rows.first().and_then(|row| row.first()?.parse().ok());
    Ok(removed.unwrap_or(0))
}

/// Ends the sessions of this run that a node still holds (application_name `application`): statements that
/// were queued while it was frozen may commit until then. Waits until they are gone; returns how many
/// there were on all nodes. The caller's own `application_name` must be another one.
///
/// # Errors
/// A node that does not answer, or sessions that do not end by the deadline.
pub async fn terminate_leftovers(
    nodes: &[(String, Address)],
    application: &str,
    deadline: Duration,
) -> Result<usize, TableError> {
    let until = tokio::time::Instant::now() + deadline;
    let sql = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where application_name = {} and pid <> pg_backend_pid()",
        quoted(application)
    );
    let end = Asks::EndSessions {
        application: application.to_owned(),
    };
    let sql = Statement::new(sql, end);
    let mut ended = 0;
    let mut trouble = None;
    for (name, address) in nodes {
        // A node that does not answer keeps nothing on the others alive.
        match terminate_on(name, address, &sql, until).await {
            Ok(count) => ended += count,
            Err(error) => trouble = Some(error),
        }
    }
    match trouble {
        None => Ok(ended),
        Some(error) => Err(error),
    }
}

async fn terminate_on(
    name: &str,
    address: &Address,
    sql: &Statement<'_>,
    until: tokio::time::Instant,
) -> Result<usize, TableError> {
    let what = "end left-over sessions";
    let session = open(address, what).await?;
    let ended = ask(&session, address, what, sql.again()).await?.len();
    let mut left = ended;
    while left > 0 {
        if tokio::time::Instant::now() >= until {
            return Err(TableError::StillThere {
                node: name.to_owned(),
                count: left,
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        left = ask(&session, address, what, sql.again()).await?.len();
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::test_server::TestServer;

    #[test]
    fn text_cannot_leave_its_quotes() {
        assert_eq!(quoted(r"a'b\"), r"E'a''b\\'");
        assert_eq!(quoted_name(r#"a"b"#), r#""a""b""#);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn made_once_found_afterwards_and_usable_by_the_probe_alone() {
        let Some(server) = TestServer::primary(&[]).await else {
            return;
        };
        let act = server.address();
        server.ask("create role probe login").await;
        assert_eq!(prepare(&act, "probe").await.unwrap(), Prepared::Made);
        assert_eq!(prepare(&act, "probe").await.unwrap(), Prepared::Found);
        server
            .session()
            .await
            .query(SQL, ASK)
            .await
            .expect("it may be run again");

        let probe = Address {
            user: "probe".into(),
            ..act.clone()
        };
        let session = Session::connect(&probe, ASK).await.unwrap();
        let tick = "select * from firedrill.tick('r', 3, 7, 55)";
        let row = session.query(tick, ASK).await.unwrap().rows.remove(0);
        assert_eq!(row[0].as_deref(), Some("t"));
        assert_eq!(row[1].as_deref(), Some("127.0.0.1"));
        assert_eq!(row[2], Some(server.port.to_string()));
        assert!(row[4].as_deref().unwrap().starts_with("00000001"));
        assert_eq!(row[6], Some(session.backend().to_string()));
        let row = session
            .query("select * from firedrill.newest('r')", ASK)
            .await;
        let row = row.unwrap().rows.remove(0);
        assert_eq!(row[0].as_deref(), Some("55"));
        assert_eq!(row[5].as_deref(), Some("1"));
        let direct = "insert into firedrill.ledger values ('r', 1, 1, 1)";
        let refused = session.query(direct, ASK).await.unwrap_err();
        assert_eq!(refused.state.as_deref(), Some("42501"));
        assert_eq!(purge(&probe, "r").await.unwrap(), 1);

        let may_not = Address {
            database: "template1".into(),
            ..probe.clone()
        };
        let error = prepare(&may_not, "probe").await.unwrap_err().to_string();
        assert!(error.contains("firedrill schema ledger"), "{error}");
        remove(&act).await.unwrap();
        assert_eq!(
            server.ask("select to_regclass('firedrill.ledger')").await,
            ""
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_standby_answers_not_primary_and_gets_the_table() {
        let Some(server) = TestServer::primary(&[]).await else {
            return;
        };
        let standby = server.standby("node-2").await;
        prepare(&server.address(), "postgres").await.unwrap();
        let nodes = [(String::from("node-2"), standby.address())];
        wait_everywhere(&nodes, 5 * ASK).await.unwrap();
        server.ask("select firedrill.tick('r', 1, 1, 99)").await;
        let said = standby
            .ask("select (t).is_primary::text || (t).wal_file is null from (select firedrill.tick('r', 1, 2, 3) t) x")
            .await;
        assert_eq!(said, "t", "no write, no error, no WAL file");
        for _ in 0..100 {
            if standby
                .ask("select sent_us from firedrill.newest('r')")
                .await
                == "99"
            {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let seen = "select sent_us::text || in_recovery || timeline from firedrill.newest('r')";
        assert_eq!(standby.ask(seen).await, "99true1");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn preflight_names_what_is_in_the_way() {
        let Some(server) = TestServer::primary(&["max_connections=15"]).await else {
            return;
        };
        let act = server.address();
        let room = preflight(&act, "postgres", 5).await.unwrap();
        assert_eq!(room.max_connections, 15);
        assert!(matches!(
            preflight(&act, "postgres", 20).await,
            Err(TableError::ServerLimit { .. })
        ));
        server.ask("create role few login connection limit 3").await;
        let error = preflight(&act, "few", 5).await.unwrap_err();
        role_may_hold(&act, "few", 3).await.unwrap();
        role_may_hold(&act, "known to a pooler only", 3)
            .await
            .unwrap();
        let same = role_may_hold(&act, "few", 5).await.unwrap_err();
        assert_eq!(same.to_string(), error.to_string());
        insta::assert_snapshot!(error, @"role few may hold 3 connections and the probes need 5; raise it: alter role few connection limit 5");
        server
            .ask("create publication everything for all tables")
            .await;
        assert!(matches!(
            preflight(&act, "postgres", 5).await,
            Err(TableError::Published(carrier)) if carrier.name == "everything"
        ));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn left_over_sessions_are_ended() {
        let Some(server) = TestServer::primary(&[]).await else {
            return;
        };
        let ours = server.address().named("firedrill-x");
        let session = Session::connect(&ours, ASK).await.unwrap();
        let _ = session.query("select pg_sleep(60)", LOOK_AGAIN).await;
        drop(session);
        let watching = server.address().named("firedrill");
        let watching = Session::connect(&watching, ASK).await.unwrap();
        // Nobody answers there: the other node is cleared all the same.
        let gone = Address {
            port: 1,
            ..server.address()
        };
        let both = [("node-0".into(), gone), ("node-1".into(), server.address())];
        assert!(
            terminate_leftovers(&both, "firedrill-x", ASK)
                .await
                .is_err()
        );
        watching
            .query("select 1", ASK)
            .await
            .expect("only that name is ended");

        let session = Session::connect(&ours, ASK).await.unwrap();
        let _ = session.query("select pg_sleep(60)", LOOK_AGAIN).await;
        drop(session);
        let nodes = [(String::from("node-1"), server.address())];
        assert_eq!(
            terminate_leftovers(&nodes, "firedrill-x", ASK)
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            terminate_leftovers(&nodes, "firedrill-x", ASK)
                .await
                .unwrap(),
            0
        );
    }
}
