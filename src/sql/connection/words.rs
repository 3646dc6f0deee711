//! Which words there are, and what each may say. Reads no file.

use super::{pairs, url};
use std::collections::BTreeMap;

/// What firedrill does with a word of libpq.
enum Treatment {
    /// It is followed.
    Followed,
    /// It may stand there and changes nothing, for this reason.
    NoEffect(&'static str),
    /// It cannot be followed, for this reason.
    Refused(&'static str),
}

use Treatment::{Followed, NoEffect, Refused};

const BOUNDED: &str = "each attempt has a deadline of its own";
const REVOKED: &str =
    "revocation lists are not read, and a list that is passed over would be no protection";
const SECOND_PASSWORD: &str =
    "encrypted keys are not opened; give a key without a password that only you can read";

/// Every word of libpq 18 (PostgreSQL documentation, "Parameter Key Words").
const WORDS: [(&str, Treatment); 50] = [
    ("host", Followed),
    ("hostaddr", Followed),
    ("port", Followed),
    ("user", Followed),
    ("dbname", Followed),
    ("service", Followed),
    ("servicefile", Followed),
    ("passfile", Followed),
    ("sslmode", Followed),
    ("sslnegotiation", Followed),
    ("sslrootcert", Followed),
    ("sslcert", Followed),
    ("sslkey", Followed),
    ("sslcertmode", Followed),
    ("sslsni", Followed),
    ("ssl_min_protocol_version", Followed),
    ("ssl_max_protocol_version", Followed),
    ("channel_binding", Followed),
    ("connect_timeout", Followed),
    ("target_session_attrs", Followed),
    ("load_balance_hosts", Followed),
    ("gssencmode", Followed),
    ("password", Followed),
    ("keepalives", NoEffect(BOUNDED)),
    ("keepalives_idle", NoEffect(BOUNDED)),
    ("keepalives_interval", NoEffect(BOUNDED)),
    ("keepalives_count", NoEffect(BOUNDED)),
    ("tcp_user_timeout", NoEffect(BOUNDED)),
    ("client_encoding", NoEffect("the probes speak UTF-8")),
    (
        "fallback_application_name",
        NoEffect("sessions carry the run's id"),
    ),
    ("sslcompression", NoEffect("there is no compression")),
    ("krbsrvname", NoEffect("Kerberos is not spoken")),
    ("gsslib", NoEffect("Kerberos is not spoken")),
    ("gssdelegation", NoEffect("Kerberos is not spoken")),
    (
        "application_name",
        Refused("sessions carry the run's id, by which those that are left over are found"),
    ),
    (
        "options",
        Refused(
            "PgBouncer refuses start-up options, and the probes must work through it: `alter role … set` says the same",
        ),
    ),
    ("replication", Refused("the probes write rows")),
    (
        "requirepeer",
        Refused("the owner of a socket is not looked at"),
    ),
    (
        "require_auth",
        Refused("the way of authentication is not limited"),
    ),
    ("sslpassword", Refused(SECOND_PASSWORD)),
    ("sslcrl", Refused(REVOKED)),
    ("sslcrldir", Refused(REVOKED)),
    (
        "sslkeylogfile",
        Refused("the keys of a session are written nowhere"),
    ),
    ("min_protocol_version", Refused("protocol 3.0 is spoken")),
    ("max_protocol_version", Refused("protocol 3.0 is spoken")),
    ("scram_client_key", Refused("use a password")),
    ("scram_server_key", Refused("use a password")),
    ("oauth_issuer", Refused("OAuth is not spoken")),
    ("oauth_client_id", Refused("OAuth is not spoken")),
    ("oauth_client_secret", Refused("OAuth is not spoken")),
];

/// What a word may say, where that is a list.
const CHOICES: [(&str, &[&str]); 9] = [
    (
        "sslmode",
        &[
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ],
    ),
    ("sslnegotiation", &["postgres", "direct"]),
    ("sslcertmode", &["disable", "allow"]),
    ("sslsni", &["0", "1"]),
    ("ssl_min_protocol_version", &["TLSv1.2", "TLSv1.3"]),
    ("ssl_max_protocol_version", &["TLSv1.2", "TLSv1.3"]),
    ("channel_binding", &["disable", "prefer", "require"]),
    (
        "target_session_attrs",
        &[
            "any",
            "read-write",
            "read-only",
            "primary",
            "standby",
            "prefer-standby",
        ],
    ),
    ("gssencmode", &["disable", "prefer"]),
];

/// What is wrong with a connection string. No text of it holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// A word that libpq does not have either.
    #[error("{0} is no word of a connection string")]
    Unknown(String),
    /// A word that firedrill cannot follow.
    #[error("{word} cannot be said here: {why}")]
    Refused {
        /// The word.
        word: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// A word that stands there more than once.
    #[error("{0} is said twice")]
    Twice(&'static str),
    /// A password in the string.
    #[error(
        "a password stands in the connection string, where everybody who reads the file sees it"
    )]
    Password,
    /// A value that the word cannot have.
    #[error("{word} cannot be {value:?}: {expected}")]
    Value {
        /// The word.
        word: &'static str,
        /// What was written.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// A form that is neither a URL nor `key=value`.
    #[error("{0}")]
    Form(String),
    /// Words that contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// A file that is named and cannot be used.
    #[error("{word} {path}: {why}")]
    File {
        /// The word that names it.
        word: &'static str,
        /// The file.
        path: String,
        /// Why it cannot be used.
        why: String,
    },
}

impl WordError {
    /// What can be done about it, where that is one thing.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Password => Some(
                "take it out and give it by `identities: { probe: { password: { env: NAME } } }`, a password file or a service file",
            ),
            Self::Form(_) => {
                Some("write postgresql://USER@HOST:PORT/DATABASE, or host=… port=… dbname=… user=…")
            }
            _ => None,
        }
    }
}

/// The words of one connection string: each known, said once, and with a value that it may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(BTreeMap<&'static str, String>);

impl Words {
    /// The names of all words that may be written.
    pub fn known() -> impl Iterator<Item = &'static str> {
        let known = WORDS.iter();
        known
            .filter(|(word, treatment)| *word != "password" && !matches!(treatment, Refused(_)))
            .map(|(word, _)| *word)
    }

    /// Reads a URL or `key=value` text.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        let text = text.trim();
        let said = match text
            .strip_prefix("postgresql://")
            .or_else(|| text.strip_prefix("postgres://"))
        {
            Some(rest) => url::split(rest)?,
            None => pairs::split(text)?,
        };
        let mut words = Self::default();
        for (word, value) in said {
            if word == "password" {
                return Err(WordError::Password);
            }
            // JDBC's way, which libpq takes in a URL.
            match (word.as_str(), value.as_str()) {
                ("ssl", "true") => words.add("sslmode", "require")?,
                _ => words.add(&word, &value)?,
            }
        }
        words.fit_together()?;
        Ok(words)
    }

    /// Adds one word, as a service file says it: there a password may stand too.
    pub(super) fn add(&mut self, word: &str, value: &str) -> Result<(), WordError> {
        let Some((word, treatment)) = WORDS.iter().find(|(known, _)| *known == word) else {
            return Err(WordError::Unknown(word.to_owned()));
        };
        if let Refused(why) = treatment {
            return Err(WordError::Refused { word, why });
        }
        check(word, value)?;
        match self.0.insert(word, value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(WordError::Twice(word)),
        }
    }

    /// What no single word can know.
    pub(super) fn fit_together(&self) -> Result<(), WordError> {
        let contradiction = |text: &str| Err(WordError::Contradiction(text.to_owned()));
        let mode = self.get("sslmode");
        if self.get("sslrootcert") == Some("system") && mode.is_some_and(|m| m != "verify-full") {
            // libpq refuses it too: anybody gets a certificate of the system's authorities for a name
            // of their own.
            return contradiction("sslrootcert=system needs sslmode=verify-full");
        }
        let strict = ["require", "verify-ca", "verify-full"];
        let encrypted = self.get("sslrootcert") == Some("system")
            || mode.is_some_and(|mode| strict.contains(&mode));
        if self.get("sslnegotiation") == Some("direct") && !encrypted {
            return contradiction("sslnegotiation=direct needs sslmode=require or stricter");
        }
        if self.get("ssl_min_protocol_version") == Some("TLSv1.3")
            && self.get("ssl_max_protocol_version") == Some("TLSv1.2")
        {
            return contradiction("ssl_min_protocol_version is above ssl_max_protocol_version");
        }
        let count = |word| self.get(word).map(|list| list.split(',').count());
        let hosts = count("host").or_else(|| count("hostaddr"));
        if let (Some(hosts), Some(addresses)) = (count("host"), count("hostaddr"))
            && hosts != addresses
        {
            return contradiction("host and hostaddr list different numbers of servers");
        }
        if let (Some(hosts), Some(ports)) = (hosts, count("port"))
            && ports != 1
            && ports != hosts
        {
            return contradiction("port lists neither one number nor one for each host");
        }
        Ok(())
    }

    /// Whether a text may hold a password, so that it must not be shown. Rather too often than not.
    #[must_use]
    pub fn may_hold_password(text: &str) -> bool {
        let login = text
            .split_once("://")
            .and_then(|(_, rest)| rest.rsplit_once('@'));
        text.contains("password") || login.is_some_and(|(login, _)| login.contains(':'))
    }

    /// What a word says. An empty value is the same as none, as in libpq.
    #[must_use]
    pub fn get(&self, word: &str) -> Option<&str> {
        self.0
            .get(word)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Words that change nothing here, with why.
    pub fn without_effect(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        WORDS
            .iter()
            .filter_map(|(word, treatment)| match treatment {
                NoEffect(why) if self.0.contains_key(word) => Some((*word, *why)),
                _ => None,
            })
    }

    /// Words of another source stand where these say nothing, as a service file's do.
    pub(super) fn or(mut self, other: Self) -> Self {
        for (word, value) in other.0 {
            self.0.entry(word).or_insert(value);
        }
        self
    }

    /// The same words with the address that is connected to set apart from the name that is verified.
    ///
    /// # Errors
    /// When the words name an address already, or one that does not fit the hosts.
    pub fn at(mut self, hostaddr: &str) -> Result<Self, WordError> {
        self.add("hostaddr", hostaddr)?;
        self.fit_together()?;
        Ok(self)
    }
}

/// A value that can be judged by itself.
fn check(word: &'static str, value: &str) -> Result<(), WordError> {
    let wrong = |expected: String| {
        Err(WordError::Value {
            word,
            value: value.to_owned(),
            expected,
        })
    };
    if value.is_empty() {
        return Ok(());
    }
    if let Some((_, choices)) = CHOICES.iter().find(|(known, _)| *known == word)
        && !choices.contains(&value)
    {
        return wrong(format!("expected {}", choices.join(", ")));
    }
    match word {
        "port" => {
            let each = value.split(',').filter(|port| !port.is_empty());
            for port in each {
                if !port.trim().parse::<u16>().is_ok_and(|port| port > 0) {
                    return wrong("expected a number from 1 to 65535".to_owned());
                }
            }
        }
        "hostaddr" => {
            for address in value.split(',').filter(|address| !address.is_empty()) {
                if address.parse::<std::net::IpAddr>().is_err() {
                    return wrong("expected an IP address; a name belongs into host".to_owned());
                }
            }
        }
        "connect_timeout" if value.trim().parse::<i32>().is_err() => {
            return wrong("expected whole seconds".to_owned());
        }
        "load_balance_hosts" if value != "disable" => {
            return wrong("only disable: a random order could not be repeated".to_owned());
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match Words::parse(text) {
            Ok(words) => words
                .0
                .iter()
                .map(|(word, value)| format!("{word}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let pairs = "host = db.test port=5433 dbname='or ders' user=probe sslmode=verify-full sslrootcert=ca\\'s.pem";
        let url =
            "postgresql://probe@db.test:5433/or%20ders?sslmode=verify-full&sslrootcert=ca%27s.pem";
        assert_eq!(said(url), said(pairs));
        insta::assert_snapshot!(said(url), @"dbname=or ders host=db.test port=5433 sslmode=verify-full sslrootcert=ca's.pem user=probe");
    }

    #[test]
    fn urls_of_every_shape() {
        let shapes = [
            "postgresql://",
            "postgresql:///orders",
            "postgres://db.test",
            "postgresql://a.test:1,b.test,[::1]:3/orders?target_session_attrs=read-write",
            "postgresql://%2Fvar%2Frun%2Fpostgresql/orders",
            "postgresql:///orders?host=/tmp&port=5433",
            "postgresql://us%40er@h/d?ssl=true",
        ];
        insta::assert_snapshot!(shapes.map(said).join("\n"), @r"

        dbname=orders
        host=db.test
        dbname=orders host=a.test,b.test,::1 port=1,,3 target_session_attrs=read-write
        dbname=orders host=/var/run/postgresql
        dbname=orders host=/tmp port=5433
        dbname=d host=h sslmode=require user=us@er
        ");
    }

    #[test]
    fn each_mistake_is_named_and_no_password_is_repeated() {
        let mistakes = [
            "hots=db.test",
            "postgresql://probe:s3cret@db.test/d",
            "host=db.test password=s3cret",
            "host=a host=b",
            "postgresql://a/d?host=b",
            "host=db.test sslmode=verify_full",
            "host=db.test options=-csearch_path=x",
            "host=db.test application_name=mine",
            "host=db.test sslcrl=x",
            "host=db.test port=70000",
            "host=a,b port=1,2,3",
            "hostaddr=db.test",
            "host=a,b hostaddr=127.0.0.1",
            "sslrootcert=system sslmode=require",
            "sslnegotiation=direct",
            "load_balance_hosts=random",
            "connect_timeout=soon",
            "db.test",
            "host='db",
            "postgresql://[::1/d",
            "postgresql://h/d?sslmode",
            "postgresql://h/d%zz",
        ];
        let text = mistakes.map(said).join("\n");
        assert!(!text.contains("s3cret"), "{text}");
        insta::assert_snapshot!(text, @r#"
        ! hots is no word of a connection string
        ! a password stands in the connection string, where everybody who reads the file sees it
        ! a password stands in the connection string, where everybody who reads the file sees it
        ! host is said twice
        ! host is said twice
        ! sslmode cannot be "verify_full": expected disable, allow, prefer, require, verify-ca, verify-full
        ! options cannot be said here: PgBouncer refuses start-up options, and the probes must work through it: `alter role … set` says the same
        ! application_name cannot be said here: sessions carry the run's id, by which those that are left over are found
        ! sslcrl cannot be said here: revocation lists are not read, and a list that is passed over would be no protection
        ! port cannot be "70000": expected a number from 1 to 65535
        ! port lists neither one number nor one for each host
        ! hostaddr cannot be "db.test": expected an IP address; a name belongs into host
        ! host and hostaddr list different numbers of servers
        ! sslrootcert=system needs sslmode=verify-full
        ! sslnegotiation=direct needs sslmode=require or stricter
        ! load_balance_hosts cannot be "random": only disable: a random order could not be repeated
        ! connect_timeout cannot be "soon": expected whole seconds
        ! the text is no URL, and a word in it has no = and no value
        ! a quote is never closed
        ! an IPv6 address in the URL has no closing bracket
        ! a word after the ? of the URL has no = and no value
        ! a % in the URL is not followed by two hex digits
        "#);
    }

    #[test]
    fn words_that_change_nothing_are_told() {
        let words = Words::parse("host=h keepalives_idle=5 client_encoding=utf8").unwrap();
        let told: Vec<_> = words.without_effect().map(|(word, _)| word).collect();
        assert_eq!(told, ["keepalives_idle", "client_encoding"]);
        assert_eq!(words.get("keepalives"), None);
    }
}
