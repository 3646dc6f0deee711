//! Whether a server lets the probes in: what it and their roles allow. Asked before anything is broken; how
//! many sessions there are while it is, `room.rs` counts.

use super::ledger_error::LedgerError;
use super::ledger_table::{ask, open, quoted};
use super::publications;
use crate::sql::{Address, Asks, Statement};

/// What the server allows, for the plan's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// `max_connections`.
    pub max_connections: u32,
    /// Connections of everybody now.
    pub used: u32,
}

/// Looks, without changing anything, whether the probes may run here: no publication that would carry the
/// ledger, and room for `sessions` sessions of the role `probe`.
///
/// # Errors
/// The first thing that is in the way, with what to do.
pub async fn preflight(act: &Address, probe: &str, sessions: u32) -> Result<Room, LedgerError> {
    let session = open(act, "preflight").await?;
    if let Some(carrier) = publications::carrier(&session, act).await? {
        return Err(LedgerError::Published(carrier));
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
        return Err(LedgerError::RoleLimit {
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
        return Err(LedgerError::ServerLimit {
            max,
            used: room.used,
            needed: sessions,
        });
    }
    Ok(room)
}

/// Whether another role than the probe's, by which an endpoint is used, may hold that many sessions. A role
/// that only a pooler knows may.
///
/// # Errors
/// When it may not, or the server does not answer.
pub async fn role_may_hold(act: &Address, role: &str, sessions: u32) -> Result<(), LedgerError> {
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
        Some(limit) if limit >= 0 && limit < i64::from(sessions) => Err(LedgerError::RoleLimit {
            role: role.to_owned(),
            limit,
            needed: sessions,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::test_server::TestServer;

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
            Err(LedgerError::ServerLimit { .. })
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
            Err(LedgerError::Published(carrier)) if carrier.name == "everything"
        ));
    }
}
