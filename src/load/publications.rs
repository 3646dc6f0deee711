//! Publications that would carry the ledger to subscribers. A subscriber without the table stops and stays
//! stopped, and its slot holds WAL until the disk is full; so such a publication is refused, always.

use super::ledger_error::LedgerError;
use super::ledger_table::ask;
use crate::sql::{Address, Asks, Session, Statement};

/// A publication that would carry the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// Its name.
    pub name: String,
    /// What it is for, as CREATE PUBLICATION says it.
    pub what: &'static str,
    /// What a DBA can do.
    pub help: String,
}

/// The first publication of this database that would carry the ledger.
pub(super) async fn carrier(
    session: &Session,
    address: &Address,
) -> Result<Option<Carrier>, LedgerError> {
    // Schemas in publications came with version 15; naming their catalog on 14 would be an error.
    let schemas =
        "select from pg_class where oid = to_regclass('pg_catalog.pg_publication_namespace')";
    let schemas = Statement::new(schemas, Asks::KnowsSchemaPublications);
    let has_schemas = !ask(session, address, "preflight", schemas)
        .await?
        .is_empty();
    let mut carriers = String::from(
        "select pubname, 'all' from pg_publication where puballtables \
         union all select p.pubname, 'table' from pg_publication p \
         join pg_publication_rel r on r.prpubid = p.oid \
         join pg_class c on c.oid = r.prrelid join pg_namespace s on s.oid = c.relnamespace \
         where s.nspname = 'firedrill'",
    );
    if has_schemas {
        carriers.push_str(
            " union all select p.pubname, 'schema' from pg_publication p \
             join pg_publication_namespace n on n.pnpubid = p.oid \
             join pg_namespace s on s.oid = n.pnnspid where s.nspname = 'firedrill'",
        );
    }
    let carriers = Statement::new(carriers, Asks::Publications);
    let rows = ask(session, address, "preflight", carriers).await?;
    let Some([name, kind]) = rows.first().map(Vec::as_slice) else {
        return Ok(None);
    };
    let quoted = super::ledger_table::quoted_name(name);
    let (what, help) = match kind.as_str() {
        "table" => (
            "for table",
            format!("alter publication {quoted} drop table firedrill.ledger"),
        ),
        "schema" => (
            "for tables in schema",
            format!("alter publication {quoted} drop tables in schema firedrill"),
        ),
        // It cannot be narrowed, only made anew.
        _ => (
            "for all tables",
            "create database firedrill, and name it in the addresses of the target".to_owned(),
        ),
    };
    Ok(Some(Carrier {
        name: name.clone(),
        what,
        help,
    }))
}

#[cfg(test)]
mod tests {
    use crate::load::capacity::preflight;
    use crate::load::ledger_table::prepare;
    use crate::sql::test_server::TestServer;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_kind_that_would_carry_the_ledger_is_refused_with_the_sql_that_helps() {
        let Some(server) = TestServer::primary(&["wal_level=logical"]).await else {
            return;
        };
        let act = server.address();
        prepare(&act, "postgres").await.unwrap();
        server.ask("create table orders (id int primary key)").await;
        server
            .ask("create publication \"Orders\" for table orders")
            .await;
        preflight(&act, "postgres", 5)
            .await
            .expect("it carries only its own table");
        let mut said = Vec::new();
        for what in [
            "for table firedrill.ledger",
            "for tables in schema firedrill",
            "for all tables",
        ] {
            // Version 14 knows no schemas in publications.
            let made = server.session().await;
            let create = format!("create publication \"Every thing\" {what}");
            let deadline = std::time::Duration::from_secs(5);
            if made.query(&create, deadline).await.is_err() {
                continue;
            }
            let refused = preflight(&act, "postgres", 5).await.unwrap_err();
            said.push(refused.to_string());
            server.ask("drop publication \"Every thing\"").await;
        }
        if said.len() == 3 {
            insta::assert_snapshot!(said.join("\n"), @r#"
            publication Every thing (for table) would carry the ledger: a subscriber without the table stops, and its slot holds WAL; alter publication "Every thing" drop table firedrill.ledger
            publication Every thing (for tables in schema) would carry the ledger: a subscriber without the table stops, and its slot holds WAL; alter publication "Every thing" drop tables in schema firedrill
            publication Every thing (for all tables) would carry the ledger: a subscriber without the table stops, and its slot holds WAL; create database firedrill, and name it in the addresses of the target
            "#);
        }
    }
}
