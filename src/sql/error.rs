//! Why SQL did not work, sorted into the classes of the reports.

use crate::event::slots::ErrorClass;
use std::error::Error;
use std::io;

/// An attempt at a server that was not answered with success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SqlError {
    /// The class that reports count.
    pub class: ErrorClass,
    /// The SQLSTATE, where the server gave one.
    pub state: Option<String>,
    /// The statement had been sent when it went wrong: what it wanted may have happened.
    pub sent: bool,
    /// The server's or the system's words, sources included.
    pub text: String,
}

impl SqlError {
    /// An error without a SQLSTATE.
    #[must_use]
    pub fn new(class: ErrorClass, sent: bool, text: impl Into<String>) -> Self {
        Self {
            class,
            state: None,
            sent,
            text: text.into(),
        }
    }

    /// An error that the server reported.
    #[must_use]
    pub fn of_state(state: &str, sent: bool, text: String) -> Self {
        Self {
            class: class_of_state(state),
            state: Some(state.to_owned()),
            sent,
            text,
        }
    }

    /// An error of the operating system; `unanswered` is the class of its own time-out.
    pub(super) fn of_io(error: &io::Error, unanswered: ErrorClass, sent: bool) -> Self {
        Self::new(class_of_io(error, unanswered), sent, with_sources(error))
    }

    /// The server may have committed all the same: the statement had been sent, and the answer does not
    /// rule a commit out. A reset, a deadline, a terminated backend, class 08 (connection exception) and
    /// 40003 (statement completion unknown) leave it open; any other SQLSTATE is said before the commit.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        if !self.sent {
            return false;
        }
        match &self.state {
            Some(state) => {
                self.class == ErrorClass::Terminated || state.starts_with("08") || state == "40003"
            }
            None => true,
        }
    }
}

/// The class of a SQLSTATE (PostgreSQL documentation, appendix "PostgreSQL Error Codes").
fn class_of_state(state: &str) -> ErrorClass {
    match state {
        "25006" => ErrorClass::ReadOnly,
        "57P01" | "57P02" => ErrorClass::Terminated,
        "57P03" => ErrorClass::NotAccepting,
        "53300" => ErrorClass::TooManyConnections,
        auth if auth.starts_with("28") => ErrorClass::Auth,
        other => ErrorClass::sql(other),
    }
}

/// The class of an error of the operating system.
fn class_of_io(error: &io::Error, unanswered: ErrorClass) -> ErrorClass {
    match error.kind() {
        // A missing socket file is what a server that is down leaves of a Unix-domain address.
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ErrorClass::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => ErrorClass::Unreachable,
        io::ErrorKind::TimedOut => unanswered,
        _ => ErrorClass::Reset,
    }
}

/// An error's text followed by its causes: tokio-postgres says only "error communicating with the server"
/// and keeps the reason in the source.
pub(super) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_ruled_out_only_by_an_error_before_it() {
        let of = |state: &str| SqlError::of_state(state, true, String::new()).leaves_doubt();
        for definite in ["25006", "57P03", "53300", "23505", "40001", "57014"] {
            assert!(!of(definite), "{definite}");
        }
        for open in ["57P01", "57P02", "08006", "08P01", "40003"] {
            assert!(of(open), "{open}");
        }
        assert!(!SqlError::of_state("57P01", false, String::new()).leaves_doubt());
        assert!(SqlError::new(ErrorClass::Reset, true, "").leaves_doubt());
        assert!(!SqlError::new(ErrorClass::Refused, false, "").leaves_doubt());
    }

    #[test]
    fn errors_of_the_system_find_their_class() {
        let class = |kind| class_of_io(&io::Error::from(kind), ErrorClass::ConnectDeadline);
        assert_eq!(class(io::ErrorKind::ConnectionRefused), ErrorClass::Refused);
        assert_eq!(
            class(io::ErrorKind::HostUnreachable),
            ErrorClass::Unreachable
        );
        assert_eq!(class(io::ErrorKind::TimedOut), ErrorClass::ConnectDeadline);
        assert_eq!(class(io::ErrorKind::UnexpectedEof), ErrorClass::Reset);
    }
}
