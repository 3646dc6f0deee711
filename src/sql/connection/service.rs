//! The connection service file (PostgreSQL documentation, "The Connection Service File"): `[name]` and then
//! one `word=value` a line.

use super::files::{self, Files};
use super::words::{WordError, Words};

/// The words of a service; a password may be one of them, since the file is the user's own.
pub(super) fn look_up(name: &str, named: Option<&str>, files: &Files) -> Result<Words, WordError> {
    let path = named
        .map(|written| files.path(written))
        .or_else(|| files.service_file.clone())
        .or_else(|| files.in_home(".pg_service.conf"));
    let Some(path) = path else {
        return Err(WordError::Contradiction(format!(
            "service {name} is named, and there is no service file: neither PGSERVICEFILE nor ~/.pg_service.conf"
        )));
    };
    let text = files::read("servicefile", &path)?;
    let failed = |why: String| WordError::File {
        word: "servicefile",
        path: path.display().to_string(),
        why,
    };
    let heading = format!("[{name}]");
    let mut words = Words::default();
    let mut inside = false;
    let mut found = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') {
            inside = line == heading;
            found |= inside;
            continue;
        }
        if !inside {
            continue;
        }
        let at = |why: String| failed(format!("line {}: {why}", number + 1));
        let Some((word, value)) = line.split_once('=') else {
            return Err(at("no word and value".to_owned()));
        };
        if word.trim() == "service" {
            return Err(at("a service cannot name another".to_owned()));
        }
        words
            .add(word.trim(), value.trim())
            .map_err(|error| at(error.to_string()))?;
    }
    if !found {
        return Err(failed(format!("holds no service {name}")));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# ours\n[other]\nhost=o\n\n[orders]\nhost=db.test\nport=5433\npassword = x y \n";

    fn look(name: &str, text: &str) -> Result<Words, WordError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("svc.conf"), text).unwrap();
        let files = Files {
            base: folder.path().into(),
            ..Files::default()
        };
        look_up(name, Some("svc.conf"), &files)
    }

    #[test]
    fn only_the_named_service_speaks() {
        let words = look("orders", TEXT).unwrap();
        assert_eq!(words.get("host"), Some("db.test"));
        assert_eq!(words.get("port"), Some("5433"));
        assert_eq!(words.get("password"), Some("x y"));
    }

    #[test]
    fn what_is_wrong_with_it_is_said_with_its_line() {
        let why = |name: &str, text: &str| match look(name, text) {
            Err(WordError::File { why, .. }) => why,
            other => format!("{other:?}"),
        };
        assert_eq!(why("missing", TEXT), "holds no service missing");
        assert_eq!(
            why("a", "[a]\nhots=x"),
            "line 2: hots is no word of a connection string"
        );
        assert_eq!(why("a", "[a]\nhost"), "line 2: no word and value");
        let nowhere = look_up("a", None, &Files::default()).unwrap_err();
        assert!(nowhere.to_string().contains("no service file"), "{nowhere}");
    }
}
