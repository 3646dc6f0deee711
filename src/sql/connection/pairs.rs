//! The `key=value` form (PostgreSQL documentation, "Keyword/Value Connection Strings"): spaces around the
//! sign are allowed, a value with spaces stands in single quotes, and a backslash takes the next character
//! as it is. Only takes it apart.

use super::words::WordError;
use std::iter::Peekable;
use std::str::Chars;

/// The words in order.
pub(super) fn split(text: &str) -> Result<Vec<(String, String)>, WordError> {
    let mut said = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        skip_space(&mut rest);
        if rest.peek().is_none() {
            return Ok(said);
        }
        let mut word = String::new();
        while let Some(letter) = rest.next_if(|letter| *letter != '=' && !letter.is_whitespace()) {
            word.push(letter);
        }
        skip_space(&mut rest);
        if rest.next_if_eq(&'=').is_none() {
            // Not repeated: what stands alone may be a part of a password.
            return Err(WordError::Form(
                "the text is no URL, and a word in it has no = and no value".to_owned(),
            ));
        }
        skip_space(&mut rest);
        said.push((word, value(&mut rest)?));
    }
}

fn skip_space(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|letter| letter.is_whitespace()).is_some() {}
}

fn value(rest: &mut Peekable<Chars<'_>>) -> Result<String, WordError> {
    let quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.next_if(|letter| quoted || !letter.is_whitespace()) {
            Some('\\') => value.extend(rest.next()),
            Some('\'') if quoted => return Ok(value),
            Some(letter) => value.push(letter),
            None if quoted => {
                return Err(WordError::Form("a quote is never closed".to_owned()));
            }
            None => return Ok(value),
        }
    }
}
