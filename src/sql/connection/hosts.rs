//! The servers that a connection string lists, in the order in which they are tried.

use super::words::{WordError, Words};
use crate::sql::Secret;

/// PostgreSQL's port.
const PORT: u16 = 5432;

/// One server of a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name that is verified; `None` where only an address was given. Begins with `/` for the folder
    /// of a Unix socket.
    pub name: Option<String>,
    /// The address that is connected to instead of looking the name up.
    pub address: Option<String>,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// The password that a password file holds for it.
    pub password: Option<Secret>,
}

impl Host {
    /// What is connected to.
    #[must_use]
    pub fn reached_at(&self) -> &str {
        let at = self.address.as_deref().or(self.name.as_deref());
        at.unwrap_or_default()
    }

    /// It is a Unix socket, on which nothing is encrypted.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.reached_at().starts_with('/')
    }
}

/// The servers of the words.
///
/// # Errors
/// When none is named: firedrill does not guess which one it shall break.
pub(super) fn hosts(words: &Words) -> Result<Vec<Host>, WordError> {
    let list = |word| -> Vec<Option<String>> {
        let Some(text) = words.get(word) else {
            return Vec::new();
        };
        text.split(',')
            .map(|each| Some(each.trim().to_owned()).filter(|each| !each.is_empty()))
            .collect()
    };
    let names = list("host");
    let addresses = list("hostaddr");
    let ports = list("port");
    let port = |at: usize| -> u16 {
        let one = if ports.len() == 1 { 0 } else { at };
        let said = ports.get(one).cloned().flatten();
        said.and_then(|port| port.parse().ok()).unwrap_or(PORT)
    };
    let hosts: Vec<Host> = (0..names.len().max(addresses.len()))
        .map(|at| Host {
            name: names.get(at).cloned().flatten(),
            address: addresses.get(at).cloned().flatten(),
            port: port(at),
            password: None,
        })
        .collect();
    if hosts.is_empty() || hosts.iter().any(|host| host.reached_at().is_empty()) {
        return Err(WordError::Contradiction(
            "no host is named, and firedrill does not guess which server it shall write to"
                .to_owned(),
        ));
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match Words::parse(text).and_then(|words| hosts(&words)) {
            Ok(hosts) => hosts
                .iter()
                .map(|host| {
                    let name = host.name.as_deref().unwrap_or("-");
                    let socket = if host.is_socket() { " socket" } else { "" };
                    format!("{name} at {}:{}{socket}", host.reached_at(), host.port)
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn names_addresses_and_ports_are_put_together() {
        assert_eq!(said("host=a"), "a at a:5432");
        assert_eq!(said("host=a,b port=7"), "a at a:7, b at b:7");
        assert_eq!(said("postgresql://a:1,b/x"), "a at a:1, b at b:5432");
        assert_eq!(said("host=a hostaddr=::1"), "a at ::1:5432");
        assert_eq!(said("hostaddr=127.0.0.1"), "- at 127.0.0.1:5432");
        assert_eq!(said("host=/tmp"), "/tmp at /tmp:5432 socket");
        assert!(said("port=5432").starts_with("! no host"));
        assert!(said("host=a,").starts_with("! no host"));
    }
}
