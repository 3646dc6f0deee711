//! A session that is kept and asked again and again.
//!
//! Whoever watches a cluster holds its sessions, as agents of real stacks do: a connect costs the server
//! a fork and both sides an authentication, and would disturb what it watches. It decides nothing.

use crate::event::slots::ErrorClass;
use crate::sql::{Address, Answer, Session, SqlError, Statement};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// How long one connect may go on over several questions. It is given up in the end, because one whose
/// packets were lost would wait for TCP to send them again long after the way is free.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// One node's address, and the session with it while there is one.
#[derive(Debug)]
pub struct Held {
    address: Address,
    session: Option<Session>,
    /// A connect that was not over when its question was. On a busy machine a password exchange can
    /// take longer than a short deadline, and beginning anew each time it would never be over.
    connecting: Option<Connecting>,
}

/// A connect on a task of its own, which ends with it.
#[derive(Debug)]
struct Connecting(JoinHandle<Result<Session, SqlError>>);

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Held {
    /// Nothing is opened before the first question.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            session: None,
            connecting: None,
        }
    }

    /// Asks one statement within `deadline`, a connect that is needed first included. After an error the
    /// session is dropped (a statement that timed out is still queued at the server, and its answer
    /// would be taken for that of the next one), and the next question connects anew; a connect that
    /// is still under way at the deadline goes on and serves the next question.
    ///
    /// A session that was found closed is replaced within the same question: what closed it may be long
    /// over.
    ///
    /// # Errors
    /// The server's error, a lost connection, or the deadline.
    pub async fn ask(
        &mut self,
        statement: impl Into<Statement<'_>>,
        deadline: Duration,
    ) -> Result<Answer, SqlError> {
        let statement = statement.into();
        let until = Instant::now() + deadline;
        let session = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            _ => self.connect(until, deadline).await?,
        };
        let left = until.saturating_duration_since(Instant::now());
        let answer = session.query(statement, left).await?;
        self.session = Some(session);
        Ok(answer)
    }

    async fn connect(&mut self, until: Instant, deadline: Duration) -> Result<Session, SqlError> {
        let connecting = self.connecting.get_or_insert_with(|| {
            let address = self.address.clone();
            let limit = deadline.max(CONNECT_LIMIT);
            Connecting(tokio::spawn(async move {
                Session::connect(&address, limit).await
            }))
        });
        let failed = |class, text: String| SqlError {
            class,
            state: None,
            sent: false,
            text,
        };
        let Ok(ended) = timeout_at(until, &mut connecting.0).await else {
            let text = format!("connect: no answer in {} ms", deadline.as_millis());
            return Err(failed(ErrorClass::StartupDeadline, text));
        };
        self.connecting = None;
        ended.unwrap_or_else(|stopped| Err(failed(ErrorClass::Reset, stopped.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::test_server::TestServer;
    use nix::sys::signal::Signal;

    const SECOND: Duration = Duration::from_secs(1);
    const WHO: &str = "SELECT pg_backend_pid()";

    async fn backend(held: &mut Held) -> Option<String> {
        let answer = held.ask(WHO, SECOND).await.unwrap();
        answer.rows[0][0].clone()
    }

    #[tokio::test]
    async fn one_session_answers_until_it_is_closed_and_is_replaced_in_the_same_question() {
        let Some(server) = TestServer::primary(&[]).await else {
            return;
        };
        let mut held = Held::new(server.address());
        let first = backend(&mut held).await;
        assert_eq!(backend(&mut held).await, first);
        let end = format!(
            "SELECT pg_terminate_backend({})",
            first.as_deref().unwrap_or("0")
        );
        assert_eq!(server.ask(&end).await, "t");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_ne!(backend(&mut held).await, first);
    }

    #[tokio::test]
    async fn a_connect_slower_than_its_question_serves_a_later_one() {
        let Some(server) = TestServer::primary(&[]).await else {
            return;
        };
        let mut held = Held::new(server.address());
        server.signal_postmaster(Signal::SIGSTOP);
        for _ in 0..3 {
            let error = held.ask(WHO, Duration::from_millis(50)).await.unwrap_err();
            assert_eq!(error.text, "connect: no answer in 50 ms");
        }
        server.signal_postmaster(Signal::SIGCONT);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = held.connecting.as_ref().map(|connecting| connecting.0.id());
        assert!(begun.is_some());
        held.ask(WHO, SECOND).await.unwrap();
        // Three connects given up would have left three more backends behind.
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' \
                     AND pid <> pg_backend_pid()";
        assert_eq!(server.ask(count).await, "1");
    }
}
