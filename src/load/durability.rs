//! Committing as durably as another role: `durability_of` of a target. A probe that waits for a standby
//! where the application does not would find no loss where the application has some.

use super::ledger_table::{TableError, ask, open, quoted};
use crate::sql::Address;

const WHAT: &str = "look at synchronous_commit";
const VALUES: [&str; 5] = ["on", "off", "local", "remote_write", "remote_apply"];

/// The synchronous_commit with which a session of `role` begins in this database: its own setting for the
/// database, its own, the database's, the server's (PostgreSQL documentation, `ALTER ROLE`). What the
/// application sets in its sessions cannot be seen here.
///
/// # Errors
/// When the role does not exist, or the server's own value is hidden by a setting of the acting role.
pub async fn of_role(act: &Address, role: &str) -> Result<String, TableError> {
    let session = open(act, WHAT).await?;
    let unknown = |why: &str| TableError::Durability {
        role: role.to_owned(),
        why: why.to_owned(),
    };
    let role_sql = quoted(role);
    let exists = format!("select from pg_catalog.pg_roles where rolname = {role_sql}");
    if ask(&session, act, WHAT, &exists).await?.is_empty() {
        return Err(unknown("there is no such role"));
    }
    let own = format!(
        "select substr(c, length('synchronous_commit=') + 1) \
         from pg_catalog.pg_db_role_setting s, unnest(s.setconfig) c, \
         (select oid from pg_catalog.pg_roles where rolname = {role_sql}) r, \
         (select oid from pg_catalog.pg_database where datname = current_database()) d \
         where c like 'synchronous\\_commit=%' \
         and s.setrole in (r.oid, 0) and s.setdatabase in (d.oid, 0) \
         order by s.setrole <> 0 desc, s.setdatabase <> 0 desc limit 1"
    );
    let rows = ask(&session, act, WHAT, &own).await?;
    let set = rows.first().and_then(|row| row.first()).cloned();
    let value = match set {
        Some(value) => value,
        None => {
            let server = "select setting from pg_catalog.pg_settings \
                          where name = 'synchronous_commit' \
                          and source not in ('user', 'database user', 'database', 'client', 'session')";
            let rows = ask(&session, act, WHAT, server).await?;
            let value = rows.first().and_then(|row| row.first()).cloned();
            value.ok_or_else(|| unknown("the acting role has a setting of its own"))?
        }
    };
    // It becomes a part of statements.
    let folded = value.to_lowercase();
    let known = VALUES.iter().find(|known| **known == folded);
    match known {
        Some(known) => Ok((*known).to_owned()),
        None => Err(unknown(&format!("it is {value:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::test_server::TestServer;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_narrowest_setting_counts() {
        let Some(server) = TestServer::primary(&["synchronous_commit=local"]).await else {
            return;
        };
        let act = server.address();
        server.ask("create role \"App's\" login").await;
        let of = async || of_role(&act, "App's").await.unwrap();
        assert_eq!(of().await, "local", "the server's");
        for (set, value) in [
            (
                "alter database postgres set synchronous_commit = remote_write",
                "remote_write",
            ),
            ("alter role \"App's\" set synchronous_commit = off", "off"),
            (
                "alter role \"App's\" in database postgres set synchronous_commit = remote_apply",
                "remote_apply",
            ),
            // Of another database, and of another role: neither is the role's here.
            (
                "alter role \"App's\" in database template1 set synchronous_commit = on",
                "remote_apply",
            ),
            (
                "alter role postgres set synchronous_commit = on",
                "remote_apply",
            ),
        ] {
            server.ask(set).await;
            assert_eq!(of().await, value, "{set}");
        }
        let error = of_role(&act, "nobody").await.unwrap_err();
        insta::assert_snapshot!(error, @"the synchronous_commit of nobody is not known: there is no such role");
        for role in [
            "\"App's\"",
            "\"App's\" in database postgres",
            "\"App's\" in database template1",
        ] {
            server.ask(&format!("alter role {role} reset all")).await;
        }
        server.ask("alter database postgres reset all").await;
        let error = of_role(&act, "App's").await.unwrap_err();
        insta::assert_snapshot!(error, @"the synchronous_commit of App's is not known: the acting role has a setting of its own");
    }
}
