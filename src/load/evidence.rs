//! Who answered: what a server says of itself in each acknowledgement, and which node that is.
//!
//! An address alone is no identity (every local node is 127.0.0.1, and it changes when a container
//! restarts): port and start time are matched to what each node said through its own session.

use crate::sql::{Answer, parse_lsn};
use std::collections::BTreeMap;

/// One postmaster's life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Server {
    /// `inet_server_addr()`, empty over a Unix socket.
    pub(super) address: String,
    /// `inet_server_port()`, 0 over a Unix socket.
    pub(super) port: u32,
    /// `pg_postmaster_start_time()` in microseconds of the server's own epoch.
    pub(super) started_us: u64,
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{} started {}",
            self.address, self.port, self.started_us
        )
    }
}

/// What came with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) is_primary: bool,
    pub(super) server: Server,
    /// 0 where it said none.
    pub(super) timeline: u32,
    /// 0 where it said none.
    pub(super) lsn: u64,
}

fn server(row: &[Option<String>]) -> Option<Server> {
    Some(Server {
        address: row.first()?.clone().unwrap_or_default(),
        port: row.get(1)?.as_deref().unwrap_or("0").parse().ok()?,
        started_us: row.get(2)?.as_deref()?.parse().ok()?,
    })
}

impl Evidence {
    /// From the row of `tick()`: is_primary, server, port, started_us, wal_file, lsn, backend.
    pub(super) fn of_tick(answer: &Answer) -> Option<Self> {
        let row = answer.rows.first()?;
        let text = |column: usize| row.get(column)?.as_deref();
        // The first 8 hex digits of a WAL file's name are its timeline.
        let timeline = text(4).and_then(|name| u32::from_str_radix(name.get(..8)?, 16).ok());
        Some(Self {
            is_primary: text(0)? == "t",
            server: server(row.get(1..4)?)?,
            timeline: timeline.unwrap_or(0),
            lsn: text(5).and_then(parse_lsn).unwrap_or(0),
        })
    }

    /// From the row of `newest()`: sent_us, in_recovery, server, port, started_us, timeline; with the
    /// sending time of the newest visible row, 0 where there is none.
    pub(super) fn of_newest(answer: &Answer) -> Option<(u64, Self)> {
        let row = answer.rows.first()?;
        let text = |column: usize| row.get(column)?.as_deref();
        let evidence = Self {
            is_primary: text(1)? == "f",
            server: server(row.get(2..5)?)?,
            timeline: text(5).and_then(|t| t.parse().ok()).unwrap_or(0),
            lsn: 0,
        };
        Some((
            text(0).and_then(|us| us.parse().ok()).unwrap_or(0),
            evidence,
        ))
    }

    /// From a row whose first three columns are address, port and start time.
    pub(super) fn server_of(answer: &Answer) -> Option<Server> {
        server(answer.rows.first()?.get(..3)?)
    }
}

/// Servers that answered, and the nodes they are.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// What each node said through its own session: (server, index of the node).
    own: Vec<(Server, usize)>,
    /// Numbers of servers in the ledger file, from 1, and the node once it is known.
    numbers: BTreeMap<Server, (u32, Option<usize>)>,
}

impl Servers {
    /// A node said through its own session which server it is. Returns the numbers of servers that are
    /// explained by it.
    pub(super) fn learn(&mut self, node: usize, server: Server) -> Vec<u32> {
        if !self
            .own
            .iter()
            .any(|(known, of)| *known == server && *of == node)
        {
            self.own.push((server, node));
        }
        let own = &self.own;
        let explained = self
            .numbers
            .iter_mut()
            .filter_map(|(server, (number, node))| {
                if node.is_some() {
                    return None;
                }
                *node = find(own, server);
                node.is_some().then_some(*number)
            });
        explained.collect()
    }

    /// The number of a server, its node where it is known, and whether it was met for the first time.
    pub(super) fn number(&mut self, server: &Server) -> (u32, Option<usize>, bool) {
        if let Some((number, node)) = self.numbers.get(server) {
            return (*number, *node, false);
        }
        let number = self.numbers.len() as u32 + 1;
        let node = find(&self.own, server);
        self.numbers.insert(server.clone(), (number, node));
        (number, node, true)
    }

    /// The node of a server by number.
    pub(super) fn node(&self, number: u32) -> Option<usize> {
        let mut all = self.numbers.values();
        all.find(|(known, _)| *known == number)?.1
    }
}

/// The same port and start time is the same postmaster; the address decides where two nodes share both
/// (containers that were started in the same microsecond).
fn find(own: &[(Server, usize)], server: &Server) -> Option<usize> {
    let mut same = own
        .iter()
        .filter(|(known, _)| known.port == server.port && known.started_us == server.started_us);
    let first = same.next()?;
    match same.next() {
        None => Some(first.1),
        Some(_) => own
            .iter()
            .find(|(known, _)| known == server)
            .map(|(_, node)| *node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_server(port: u32, started_us: u64) -> Server {
        Server {
            address: "127.0.0.1".into(),
            port,
            started_us,
        }
    }

    #[test]
    fn a_restarted_server_is_unknown_until_its_node_says_so() {
        let mut servers = Servers::default();
        servers.learn(0, a_server(5001, 10));
        assert_eq!(servers.number(&a_server(5001, 10)), (1, Some(0), true));
        assert_eq!(servers.number(&a_server(5001, 99)), (2, None, true));
        assert_eq!(servers.node(2), None);
        assert_eq!(servers.learn(0, a_server(5001, 99)), [2]);
        assert_eq!(servers.number(&a_server(5001, 99)), (2, Some(0), false));
    }

    #[test]
    fn a_tick_row_is_read() {
        let text = |t: &str| Some(t.to_owned());
        let answer = Answer {
            rows: vec![vec![
                text("t"),
                text("127.0.0.1"),
                text("5001"),
                text("123"),
                text("0000000A0000000000000001"),
                text("0/10"),
                text("42"),
            ]],
            notices: Vec::new(),
        };
        let evidence = Evidence::of_tick(&answer).unwrap();
        assert_eq!((evidence.timeline, evidence.lsn), (10, 16));
        assert_eq!(evidence.server, a_server(5001, 123));
        assert!(Evidence::of_tick(&Answer::default()).is_none());
    }
}
