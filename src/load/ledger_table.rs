//! The ledger's table and functions in the database (`firedrill schema ledger`): making them, waiting
//! until they are everywhere, and removing what firedrill made. It reads and judges no rows: that is the
//! audit's.

use super::ledger_error::LedgerError;
use crate::sql::{Address, Asks, Session, SqlError, Statement};
use std::time::Duration;

/// SQL that a DBA can read and run.
pub const SQL: &str = include_str!("ledger.sql");

/// How long one question of the preparation may take.
pub(super) const ASK: Duration = Duration::from_secs(5);
/// Between two looks at what is not there yet, or not gone yet.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What [`prepare`] found or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// firedrill made schema and roles, and removes them again.
    Made,
    /// They were there; what a DBA made is never dropped.
    Found,
}

pub(super) async fn open(address: &Address, what: &'static str) -> Result<Session, LedgerError> {
    Session::connect(address, ASK)
        .await
        .map_err(|cause| failed(address, what, cause))
}

pub(super) fn failed(address: &Address, what: &'static str, cause: SqlError) -> LedgerError {
    LedgerError::Sql {
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
) -> Result<Vec<Vec<String>>, LedgerError> {
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
pub async fn prepare(act: &Address, probe: &str) -> Result<Prepared, LedgerError> {
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
    let may_not = |cause| LedgerError::MayNotCreate {
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

/// Whether the ledger can be used through an address by whom it logs in.
///
/// # Errors
/// When it is not there, the role may not use it, or the server does not answer.
pub async fn is_usable(address: &Address) -> Result<(), LedgerError> {
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
        (Some("t"), _) => Err(LedgerError::MayNotUse {
            role: address.user.clone(),
        }),
        _ => Err(LedgerError::Elsewhere {
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
) -> Result<(), LedgerError> {
    let until = tokio::time::Instant::now() + deadline;
    for (name, address) in nodes {
        let session = open(address, "wait for the ledger").await?;
        loop {
            let asked = ask(&session, address, "wait for the ledger", is_there()).await;
            let rows = match asked {
                // It replayed the schema, and not yet that the role was let in.
                Err(LedgerError::Sql { cause, .. })
                    if cause.state.as_deref() == Some("42501")
                        && tokio::time::Instant::now() < until =>
                {
                    Vec::new()
                }
                asked => asked?,
            };
            if rows.first().and_then(|row| row.first()).map(String::as_str) == Some("t") {
                break;
            }
            if tokio::time::Instant::now() >= until {
                return Err(LedgerError::NotReplayed {
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
pub async fn remove(act: &Address) -> Result<(), LedgerError> {
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
pub async fn purge(address: &Address, run: &str) -> Result<u64, LedgerError> {
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
}
