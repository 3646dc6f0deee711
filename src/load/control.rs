//! The control session of each node, opened before measuring: which of firedrill's backends are still
//! there, and which server the node is. It asks without a deadline: a frozen node is waited for, because
//! opening the next session would only add one more.

use super::connect::WHO;
use super::evidence::Evidence;
use super::probes::Probes;
use super::room::Node;
use crate::event::slots::ErrorClass;
use crate::sql::{Answer, Asks, Session, SqlError, Statement};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// Between two questions.
const PERIOD: Duration = Duration::from_millis(500);
/// The same, while a given-up session keeps its seat.
const PERIOD_WAITING: Duration = Duration::from_millis(100);
/// For opening the session.
const CONNECT: Duration = Duration::from_secs(2);

/// Opens the control session of a node and asks it once.
///
/// # Errors
/// When it cannot be opened or does not answer.
pub(super) async fn open(probes: &Probes, node: Node) -> Result<Session, SqlError> {
    let session = connect(probes, node).await?;
    let asked = probes.clock.now();
    let answer = session.query(question(probes), CONNECT).await?;
    heard(probes, node, asked, &answer);
    Ok(session)
}

/// Asks until the task is dropped.
pub(super) async fn run(probes: Rc<Probes>, node: Node, session: Session) {
    let mut held = Some(session);
    loop {
        let waiting = probes.room.borrow().waits();
        tokio::time::sleep(if waiting { PERIOD_WAITING } else { PERIOD }).await;
        let asked = probes.clock.now();
        probes.room.borrow_mut().asks(node, asked);
        let session = match held.take() {
            Some(session) => Ok(session),
            None => connect(&probes, node).await,
        };
        match session {
            Ok(session) => {
                // A session that was opened just now was not asked at `asked`, but its answer is no older.
                if let Ok(answer) = session.query(question(&probes), Duration::MAX).await {
                    heard(&probes, node, asked, &answer);
                    held = Some(session);
                }
            }
            // No listener, or a postmaster that is starting: what ran there before is gone.
            Err(error) if matches!(error.class, ErrorClass::Refused | ErrorClass::NotAccepting) => {
                probes.room.borrow_mut().is_down(node);
            }
            Err(_) => {}
        }
    }
}

async fn connect(probes: &Probes, node: Node) -> Result<Session, SqlError> {
    let Some(access) = probes.plan.nodes.get(node) else {
        return Err(SqlError {
            class: ErrorClass::Unreachable,
            state: None,
            sent: false,
            text: "no such node".into(),
        });
    };
    let address = access.observe.named(probes.plan.application());
    Session::connect(&address, CONNECT).await
}

fn question(probes: &Probes) -> Statement<'static> {
    let application = probes.plan.application();
    let sql = format!(
        "{WHO}, current_setting('max_connections'), \
         (select string_agg(pid::text, ',') from pg_stat_activity \
           where application_name = {} and pid <> pg_backend_pid())",
        super::ledger_table::quoted(&application)
    );
    Statement::new(sql, Asks::Backends { application })
}

fn heard(probes: &Probes, node: Node, asked: crate::event::Stamp, answer: &Answer) {
    let Some(server) = Evidence::server_of(answer) else {
        return;
    };
    probes.learn(node, server);
    let text = |column: usize| answer.rows.first()?.get(column)?.as_deref();
    let backends: BTreeSet<i32> = text(4)
        .unwrap_or("")
        .split(',')
        .filter_map(|pid| pid.parse().ok())
        .collect();
    let max_connections = text(3).and_then(|max| max.parse().ok());
    let mut room = probes.room.borrow_mut();
    room.sees(node, asked, &backends, max_connections);
}
