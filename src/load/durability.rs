//! Committing as durably as another role: `durability_of` of a target. A probe that waits for a standby
//! where the application does not would find no loss where the application has some.

use super::ledger_error::LedgerError;
use super::ledger_table::{ask, open, quoted};
use crate::sql::{Address, Session};

const WHAT: &str = "look at synchronous_commit";
const VALUES: [&str; 5] = ["on", "off", "local", "remote_write", "remote_apply"];

/// How the probes come to commit as durably as the role that the target names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Its synchronous_commit is known.
    Known {
        /// The value.
        value: String,
        /// It must be set: some of the probes would commit with another one.
        set: bool,
    },
    /// Why it cannot be told. The probes commit with their own, and what they do not lose the role may.
    Unknown(String),
}

/// Compares the role with the roles that the probes log in as.
///
/// # Errors
/// When there is no such role, or the server does not answer.
pub async fn as_role(
    act: &Address,
    role: &str,
    probes: &[&str],
) -> Result<Durability, LedgerError> {
    let session = open(act, WHAT).await?;
    let value = match of_role(&session, act, role).await? {
        Setting::Is(value) => value,
        Setting::Hidden(why) => return Ok(Durability::Unknown(why)),
        Setting::NoRole => {
            return Err(LedgerError::NoSuchRole {
                role: role.to_owned(),
            });
        }
    };
    let mut set = false;
    for probe in probes {
        // A role that only a pooler knows, or whose setting is hidden, is told what to commit with.
        set |= of_role(&session, act, probe).await? != Setting::Is(value.clone());
    }
    Ok(Durability::Known { value, set })
}

/// What is known of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Setting {
    Is(String),
    /// Why it cannot be told.
    Hidden(String),
    NoRole,
}

/// The synchronous_commit with which a session of `role` begins in this database: its own setting for the
/// database, its own, the database's, the server's (PostgreSQL documentation, `ALTER ROLE`). What the
/// application sets in its sessions cannot be seen here.
async fn of_role(session: &Session, act: &Address, role: &str) -> Result<Setting, LedgerError> {
    let role_sql = quoted(role);
    let exists = format!("select from pg_catalog.pg_roles where rolname = {role_sql}");
    if ask(session, act, WHAT, &exists).await?.is_empty() {
        return Ok(Setting::NoRole);
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
    let rows = ask(session, act, WHAT, &own).await?;
    let set = rows.first().and_then(|row| row.first()).cloned();
    let value = match set {
        Some(value) => value,
        None => {
            let server = "select setting from pg_catalog.pg_settings \
                          where name = 'synchronous_commit' \
                          and source not in ('user', 'database user', 'database', 'client', 'session')";
            let rows = ask(session, act, WHAT, server).await?;
            let Some(value) = rows.first().and_then(|row| row.first()).cloned() else {
                let why = format!(
                    "{} has a setting of its own, which hides the server's",
                    act.user
                );
                return Ok(Setting::Hidden(why));
            };
            value
        }
    };
    // It becomes a part of statements.
    let folded = value.to_lowercase();
    let known = VALUES.iter().find(|known| **known == folded);
    Ok(match known {
        Some(known) => Setting::Is((*known).to_owned()),
        None => Setting::Hidden(format!("it is {value:?}")),
    })
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
        let of = async |role: &'static str, probe: &str| as_role(&act, role, &[probe]).await;
        let known = |value: &str, set| Durability::Known {
            value: value.to_owned(),
            set,
        };
        let app = "App's";
        let found = of(app, "postgres").await.unwrap();
        assert_eq!(found, known("local", false), "the server's");
        let found = of(app, "known to a pooler only").await.unwrap();
        assert_eq!(found, known("local", true));
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
            let found = of(app, app).await.unwrap();
            assert_eq!(found, known(value, false), "{set}");
        }
        assert_eq!(
            of(app, "postgres").await.unwrap(),
            known("remote_apply", true)
        );
        let error = of("nobody", app).await.unwrap_err();
        insta::assert_snapshot!(error, @"durability_of names the role nobody, and there is no such role");
        for role in [
            "\"App's\"",
            "\"App's\" in database postgres",
            "\"App's\" in database template1",
        ] {
            server.ask(&format!("alter role {role} reset all")).await;
        }
        server.ask("alter database postgres reset all").await;
        let hidden = of(app, "postgres").await.unwrap();
        let why = "postgres has a setting of its own, which hides the server's";
        assert_eq!(hidden, Durability::Unknown(why.to_owned()));
    }
}
