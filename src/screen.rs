//! How wide text for people is, and how a long sentence is broken to fit. It lays out and knows no figures.

/// The widest line that is written for people, in characters.
pub const COLUMNS: usize = 100;

/// Foreign text with spaces for its control characters: a line break or a terminal's escape in it must not
/// break the layout or steer the terminal.
#[must_use]
pub fn harmless(text: &str) -> String {
    let letters = text.chars();
    letters
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Breaks text at spaces into lines of at most `first`, then `rest` characters. Runs of spaces inside a
/// line are kept, for tables; a word longer than a line is cut.
#[must_use]
pub fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let clean = harmless(text);
    let mut left: Vec<char> = clean.trim_end().chars().collect();
    loop {
        let width = if lines.is_empty() { first } else { rest }.max(1);
        if left.len() <= width {
            lines.push(left.into_iter().collect());
            return lines;
        }
        let space = left[..=width].iter().rposition(|c| *c == ' ');
        let at = space.filter(|at| *at > 0).unwrap_or(width);
        let line: String = left[..at].iter().collect();
        lines.push(line.trim_end().to_owned());
        left = left[at..]
            .iter()
            .copied()
            .skip_while(|c| *c == ' ')
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_breaks_at_spaces() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(wrap("", 7, 5), [""]);
        assert_eq!(wrap("abcdefgh", 3, 4), ["abc", "defg", "h"]);
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(wrap("a\u{1b}[31m\nb", 20, 20), ["a [31m b"]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_too_long(text in "[a-z –]{0,200}", first in 1usize..60, rest in 1usize..60) {
            let lines = wrap(&text, first, rest);
            for (index, line) in lines.iter().enumerate() {
                let width = if index == 0 { first } else { rest };
                prop_assert!(line.chars().count() <= width);
            }
            let strip = |text: &str| text.replace(' ', "");
            prop_assert_eq!(strip(&lines.concat()), strip(&text));
        }
    }
}
