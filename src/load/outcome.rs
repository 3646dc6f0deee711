//! What an answer means for the ledger.

use super::evidence::Evidence;
use crate::event::slots::{ErrorClass, Outcome};
use crate::sql::{Answer, SqlError};
use std::time::Duration;

/// SQLSTATEs of the notices that come with a commit that stopped waiting for its standby: a warning
/// without a state of its own when the wait was cancelled, 57P01 when the backend was told to end
/// (PostgreSQL source, syncrep.c, SyncRepWaitForLSN).
const NOT_REPLICATED: [&str; 2] = ["01000", "57P01"];

/// The outcome of a `tick()` that was sent and took `took` under the deadline, with what it said of its
/// server.
pub(super) fn of_tick(
    answer: &Result<Answer, SqlError>,
    took: Duration,
    deadline: Duration,
) -> (Outcome, Option<Evidence>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return (of_error(error), None),
    };
    let Some(evidence) = Evidence::of_tick(answer) else {
        // Something between us and the server answered in its own words.
        return (Outcome::InDoubt(ErrorClass::sql("XX000")), None);
    };
    let warned = answer
        .notices
        .iter()
        .any(|state| NOT_REPLICATED.contains(&state.as_str()));
    let outcome = if !evidence.is_primary {
        Outcome::Failed(ErrorClass::ReadOnly)
    } else if warned {
        Outcome::InDoubt(ErrorClass::ReplicationWarning)
    } else if took > deadline {
        Outcome::AcknowledgedLate
    } else {
        Outcome::Acknowledged
    };
    (outcome, Some(evidence))
}

/// The outcome of an attempt that ended in an error.
pub(super) fn of_error(error: &SqlError) -> Outcome {
    if error.leaves_doubt() {
        Outcome::InDoubt(error.class)
    } else {
        Outcome::Failed(error.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(is_primary: &str, notices: &[&str]) -> Result<Answer, SqlError> {
        let text = |t: &str| Some(t.to_owned());
        Ok(Answer {
            rows: vec![vec![
                text(is_primary),
                text("127.0.0.1"),
                text("5001"),
                text("1"),
                text("000000010000000000000001"),
                text("0/10"),
                text("4"),
            ]],
            notices: notices.iter().map(|state| (*state).to_owned()).collect(),
        })
    }

    fn error(class: ErrorClass, state: Option<&str>, sent: bool) -> Result<Answer, SqlError> {
        Err(SqlError {
            class,
            state: state.map(str::to_owned),
            sent,
            text: String::new(),
        })
    }

    #[test]
    fn each_answer_has_its_outcome() {
        let limit = Duration::from_millis(500);
        let quick = |answer| of_tick(&answer, limit, limit).0;
        let slow = |answer| of_tick(&answer, limit + Duration::from_micros(1), limit).0;
        let warning = Outcome::InDoubt(ErrorClass::ReplicationWarning);
        assert_eq!(quick(row("t", &[])), Outcome::Acknowledged);
        assert_eq!(quick(row("t", &["00000"])), Outcome::Acknowledged);
        assert_eq!(slow(row("t", &[])), Outcome::AcknowledgedLate);
        assert_eq!(quick(row("t", &["01000"])), warning);
        assert_eq!(slow(row("t", &["01000"])), warning);
        assert_eq!(quick(row("t", &["57P01"])), warning);
        assert_eq!(quick(row("f", &[])), Outcome::Failed(ErrorClass::ReadOnly));
        assert_eq!(
            quick(Ok(Answer::default())),
            Outcome::InDoubt(ErrorClass::sql("XX000")),
            "success without evidence is none"
        );

        let reset = ErrorClass::Reset;
        assert_eq!(quick(error(reset, None, true)), Outcome::InDoubt(reset));
        assert_eq!(quick(error(reset, None, false)), Outcome::Failed(reset));
        let refused = ErrorClass::Refused;
        assert_eq!(quick(error(refused, None, false)), Outcome::Failed(refused));
        let deadline = ErrorClass::StatementDeadline;
        assert_eq!(
            quick(error(deadline, None, true)),
            Outcome::InDoubt(deadline)
        );
        let ended = ErrorClass::Terminated;
        assert_eq!(
            quick(error(ended, Some("57P01"), true)),
            Outcome::InDoubt(ended)
        );
        let duplicate = ErrorClass::sql("23505");
        assert_eq!(
            quick(error(duplicate, Some("23505"), true)),
            Outcome::Failed(duplicate)
        );
    }
}
