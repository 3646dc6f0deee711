//! One session as its server sees it: what it was asked and has not answered.

use crate::event::Stamp;
use crate::event::slots::ErrorClass;
use crate::sql::{Answer, Asks, SqlError};
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// An answer: rows as text, or pairs of numbers.
#[derive(Debug)]
pub(super) enum Said {
    Rows(Answer),
    Pairs(Vec<(i32, i64)>),
}

/// Where an answer goes. A sender that is dropped is a connection that was reset.
pub(super) type Reply = oneshot::Sender<Result<Said, SqlError>>;

/// A commit that waits for a standby.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The standby must have this position.
    pub(super) end: u64,
    pub(super) answer: Answer,
    pub(super) reply: Reply,
}

/// One backend.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) application: String,
    pub(super) queue: VecDeque<(Asks, Reply)>,
    pub(super) waiting: Option<Waiting>,
    /// A statement that takes until this moment.
    pub(super) sleeping: Option<(Stamp, Reply)>,
    /// Nobody listens any more; it goes when it has done what it was asked.
    pub(super) client_gone: bool,
}

impl Backend {
    pub(super) fn new(application: &str) -> Self {
        Self {
            application: application.to_owned(),
            queue: VecDeque::new(),
            waiting: None,
            sleeping: None,
            client_gone: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.is_free()
    }

    /// It can carry out its next statement.
    pub(super) fn is_free(&self) -> bool {
        self.waiting.is_none() && self.sleeping.is_none()
    }

    /// Ends it by a signal, with PostgreSQL's words: a commit that waits for its standby stays and says so.
    pub(super) fn end(self, state: &str, words: &str) {
        if let Some(Waiting {
            mut answer, reply, ..
        }) = self.waiting
        {
            answer.notices.push("57P01".to_owned());
            let _ = reply.send(Ok(Said::Rows(answer)));
        }
        let asleep = self.sleeping.map(|(_, reply)| reply);
        for reply in asleep
            .into_iter()
            .chain(self.queue.into_iter().map(|(_, reply)| reply))
        {
            let error = SqlError::of_state(state, true, format!("FATAL: {words}"));
            let _ = reply.send(Err(error));
        }
    }
}

/// A connection that ended without a word.
pub(super) fn reset(sent: bool) -> SqlError {
    SqlError::new(ErrorClass::Reset, sent, "connection closed")
}
