//! Answers of engines that have more words for a container's state than Docker.
//!
//! Podman tells of a container that has ended and was not cleared away yet as "stopped": up to five minutes long where
//! it was made by this API ([podman 28359](https://github.com/containers/podman/issues/28359), in lists mended in 2026).
//! Bollard takes Docker's words only, and one such container among the answers makes it refuse all of them. Nothing
//! here goes by that word: whether a container runs, is paused or starts again is told beside it.

use bollard::errors::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What was answered; where the client could not read it, without the containers' words of state.
pub(super) fn read<T: DeserializeOwned>(answered: Result<T, Error>) -> Result<T, Error> {
    let Err(Error::JsonDataError { contents, .. }) = &answered else {
        return answered;
    };
    match without_words(contents) {
        Some(read) => Ok(read),
        None => answered,
    }
}

fn without_words<T: DeserializeOwned>(contents: &str) -> Option<T> {
    let mut said: Value = serde_json::from_str(contents).ok()?;
    match &mut said {
        Value::Array(listed) => listed.iter_mut().for_each(forget_word),
        one => forget_word(one),
    }
    serde_json::from_value(said).ok()
}

/// In a list a container's state is the word itself, of one container it is a record with the word in it.
fn forget_word(container: &mut Value) {
    let word = match container.get_mut("State") {
        Some(Value::Object(state)) => state.get_mut("Status"),
        state => state,
    };
    if let Some(word) = word {
        *word = Value::String(String::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerInspectResponse, ContainerSummary};

    /// As the client does it.
    fn answered<T: DeserializeOwned>(contents: &str) -> Result<T, Error> {
        serde_json::from_str(contents).map_err(|error| Error::JsonDataError {
            message: error.to_string(),
            column: error.column(),
            contents: contents.to_owned(),
        })
    }

    #[test]
    fn a_list_with_a_word_of_podmans_is_read() {
        let contents = r#"[{"Id":"a","State":"running"},{"Id":"b","State":"stopped"}]"#;
        assert!(answered::<Vec<ContainerSummary>>(contents).is_err());
        let listed: Vec<ContainerSummary> = read(answered(contents)).unwrap();
        let ids: Vec<_> = listed.into_iter().filter_map(|each| each.id).collect();
        assert_eq!(ids, ["a", "b"]);
    }

    #[test]
    fn one_that_has_ended_is_read_and_does_not_run() {
        let contents = r#"{"Id":"a","State":{"Status":"stopped","Running":false,"ExitCode":137}}"#;
        assert!(answered::<ContainerInspectResponse>(contents).is_err());
        let read: ContainerInspectResponse = read(answered(contents)).unwrap();
        let state = read.state.unwrap();
        assert_eq!((state.running, state.exit_code), (Some(false), Some(137)));
    }

    #[test]
    fn what_is_wrong_beside_the_word_stays_an_error() {
        let refused: Result<Vec<ContainerSummary>, _> = read(answered(r#"[{"Id":7}]"#));
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("expected a string"), "{text}");
    }
}
