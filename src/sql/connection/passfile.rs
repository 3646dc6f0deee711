//! The password file (PostgreSQL documentation, "The Password File"): lines of
//! `host:port:database:user:password`, where the first four may be `*`, and a backslash takes `:` and itself
//! as they are. The first line that fits counts.

use crate::sql::Secret;

/// Whom a password is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whom<'a> {
    /// The name, or the address where there is no name; `localhost` for a socket in its usual folder.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password for whom, if the file holds one.
pub(super) fn find(text: &str, whom: Whom<'_>) -> Option<Secret> {
    let port = whom.port.to_string();
    let wanted = [whom.host, &port, whom.database, whom.user];
    text.lines().find_map(|line| {
        if line.starts_with('#') {
            return None;
        }
        let mut rest = line;
        for each in wanted {
            let (field, more) = field(rest)?;
            if field != "*" && unescaped(field) != each {
                return None;
            }
            rest = more;
        }
        let password = field(rest).map_or(rest, |(password, _)| password);
        Some(Secret::new(unescaped(password)))
    })
}

/// The text up to the next `:` that no backslash stands before, and what follows it.
fn field(line: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, letter) in line.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            ':' if !escaped => return Some((&line[..at], &line[at + 1..])),
            _ => escaped = false,
        }
    }
    None
}

fn unescaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# comment:*:*:*:no\n\
                        db.test:5432:orders:probe:first\n\
                        db.test:*:orders:*:second\n\
                        \\:\\:1:5432:*:probe:a\\:b\\\\c\n\
                        *:*:*:last:end\n";

    fn of(host: &str, port: u16, database: &str, user: &str) -> Option<String> {
        let whom = Whom {
            host,
            port,
            database,
            user,
        };
        find(TEXT, whom).map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        assert_eq!(of("db.test", 5432, "orders", "probe").unwrap(), "first");
        assert_eq!(of("db.test", 5433, "orders", "probe").unwrap(), "second");
        assert_eq!(of("::1", 5432, "x", "probe").unwrap(), r"a:b\c");
        assert_eq!(of("any", 1, "x", "last").unwrap(), "end");
        assert_eq!(of("any", 1, "x", "nobody"), None);
    }
}
