//! Reading the package's own files, and making texts comparable.

use std::path::{Path, PathBuf};

/// The package's folder.
pub fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the package, by its path from the package's folder.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = package().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a Markdown text under a heading of the second level, up to the next one.
pub fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let mark = format!("\n## {heading}\n");
    let begin = text
        .find(&mark)
        .unwrap_or_else(|| panic!("there is no section {heading:?}"));
    let rest = &text[begin + mark.len()..];
    rest.find("\n## ").map_or(rest, |end| &rest[..end])
}

/// Replaces run ids (such as `20261123t101500-1a2b3c`) by `[RUN]`.
pub fn without_run_ids(text: &str) -> String {
    const LENGTH: usize = "20261123t101500-1a2b3c".len();
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.get(..LENGTH).is_some_and(is_run_id) {
            plain.push_str("[RUN]");
            rest = &rest[LENGTH..];
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    plain
}

fn is_run_id(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b't',
        15 => byte == b'-',
        0..15 => byte.is_ascii_digit(),
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    })
}

#[test]
fn run_ids_are_replaced_and_nothing_else() {
    let text = "run 20261123t101500-1a2b3c in 20261123 – 20261123t10";
    assert_eq!(without_run_ids(text), "run [RUN] in 20261123 – 20261123t10");
}
