//! What a shell in a container answers.

use super::client::EngineError;
use crate::target::TargetError;

/// What it said, where it ended well.
///
/// # Errors
/// That it ended otherwise, in words, or the engine's.
pub(super) fn said(
    what: impl Into<String>,
    answer: Result<(String, i64), EngineError>,
) -> Result<String, TargetError> {
    match answer {
        Ok((text, 0)) => Ok(text),
        Ok((text, code)) => {
            let text = text.trim();
            let why = format!("the shell in its container ended with {code}: {text}");
            Err(TargetError::new(what, why))
        }
        Err(error) => Err(TargetError::new(what, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ended_well_has_said_something() {
        let answer = |code| Ok(("no such file\n".to_owned(), code));
        assert_eq!(said("look", answer(0)).unwrap(), "no such file\n");
        let refused = said("look", answer(2)).unwrap_err();
        assert_eq!(
            refused.cause,
            "the shell in its container ended with 2: no such file"
        );
    }
}
