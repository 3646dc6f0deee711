//! Sessions that a run left behind on a node: ended, and waited for until they are gone.

use super::ledger_error::LedgerError;
use super::ledger_table::{LOOK_AGAIN, ask, open, quoted};
use crate::sql::{Address, Asks, Statement};
use std::time::Duration;

/// Ends the sessions of this run that a node still holds (application_name `application`): statements that
/// were queued while it was frozen may commit until then. Waits until they are gone; returns how many
/// there were on all nodes. The caller's own `application_name` must be another one.
///
/// # Errors
/// A node that does not answer, or sessions that do not end by the deadline.
pub async fn terminate(
    nodes: &[(String, Address)],
    application: &str,
    deadline: Duration,
) -> Result<usize, LedgerError> {
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
) -> Result<usize, LedgerError> {
    let what = "end left-over sessions";
    let session = open(address, what).await?;
    let ended = ask(&session, address, what, sql.again()).await?.len();
    let mut left = ended;
    while left > 0 {
        if tokio::time::Instant::now() >= until {
            return Err(LedgerError::StillThere {
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
    use crate::load::ledger_table::ASK;
    use crate::sql::Session;
    use crate::sql::test_server::TestServer;

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
        assert!(terminate(&both, "firedrill-x", ASK).await.is_err());
        watching
            .query("select 1", ASK)
            .await
            .expect("only that name is ended");

        let session = Session::connect(&ours, ASK).await.unwrap();
        let _ = session.query("select pg_sleep(60)", LOOK_AGAIN).await;
        drop(session);
        let nodes = [(String::from("node-1"), server.address())];
        assert_eq!(terminate(&nodes, "firedrill-x", ASK).await.unwrap(), 1);
        assert_eq!(terminate(&nodes, "firedrill-x", ASK).await.unwrap(), 0);
    }
}
