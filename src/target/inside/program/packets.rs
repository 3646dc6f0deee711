//! Loses packets of this network on purpose, and finds out whether they pass: one line of input is a request, one
//! line of output its answer (`yes`, `no`, `port N`, …, or `error: …`).
//!
//! | request | what |
//! |---|---|
//! | `may` | whether entries may be set here |
//! | `look ADDRESS` | `direct`, `lost` (by an entry of ours), `held` (by somebody else's), `behind GATEWAY`, `own` |
//! | `lose ADDRESS` | packets to it are lost from now on |
//! | `pass ADDRESS` | they pass again; harmless where they do |
//! | `lost` | `lost`, and the addresses to which packets are lost by an entry of ours |
//! | `six` | whether this network has addresses of IPv6 beyond its own links |
//! | `listen` | `port N`, at which `say` of another network is heard |
//! | `say ADDRESS PORT WORD` | sends a word there |
//! | `heard WORD` | whether it came |
//!
//! Others are told in `slowing.rs` and `timing.rs`.
//!
//! Packets are lost by a permanent entry for the address, with a hardware address that nobody has: they are sent, and no
//! machine on the network takes them. Nothing is refused or reset, what was open stays open, and packets that come
//! from there are received as before. Entries outlive this program: they are the kernel's, and who set them drops them
//! by another such program, because a cut that ends by itself may leave two primaries.

use super::lines::{self, wrong};
use super::netlink::{self, Entry, Route, Said};
use super::socket;
use super::timing::Answering;
use std::collections::HashSet;
use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, UdpSocket};

/// The first line that it says.
const HELLO: &str = "firedrill-packets/1";
/// More than the kernel puts into one answer.
const ANSWER: usize = 64 * 1024;
/// Words are short.
const WORD: usize = 256;

/// What one session keeps.
#[derive(Default)]
pub struct Session {
    number: u32,
    socket: Option<File>,
    ear: Option<UdpSocket>,
    heard: HashSet<String>,
    /// Where `time` and `flood` of another network are answered.
    pub(super) answering: Option<Answering>,
}

/// Answers until its input ends.
pub fn serve() {
    let mut session = Session::default();
    lines::serve(HELLO, |line| session.answer(line));
}

impl Session {
    fn answer(&mut self, line: &str) -> std::io::Result<String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ok = || "ok".to_owned();
        Ok(match words[..] {
            ["may"] => match self.may()? {
                0 => "yes".to_owned(),
                error => format!("no: {}", Error::from_raw_os_error(error)),
            },
            ["look", address] => self.look(parse(address)?)?.0,
            ["lose", address] => {
                self.lose(parse(address)?)?;
                ok()
            }
            ["pass", address] => {
                self.pass(parse(address)?)?;
                ok()
            }
            ["lost"] => {
                let entries = self.entries()?;
                let ours = entries.iter().filter(|entry| entry.permanent && entry.nobody);
                ours.fold("lost".to_owned(), |said, entry| format!("{said} {}", entry.address))
            }
            ["six"] => yes(has_six()),
            ["listen"] => format!("port {}", self.listen()?),
            ["say", address, port, word] => {
                let port: u16 = port.parse().map_err(|_| wrong("this is no port"))?;
                let mouth = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                mouth.send_to(word.as_bytes(), (parse(address)?, port))?;
                ok()
            }
            ["heard", word] => {
                self.hear()?;
                yes(self.heard.contains(word))
            }
            _ => match self.slowing(&words)? {
                Some(answer) => answer,
                None => self.timing(&words)?,
            },
        })
    }

    /// 0, or why no entry may be set. What is asked for changes nothing: there is no such entry.
    fn may(&mut self) -> std::io::Result<i32> {
        // Loopback is always the first interface, and the address is set aside for documents.
        let drop = |number| netlink::drop_entry(number, 1, Ipv4Addr::new(192, 0, 2, 1));
        let said = self.ask(drop)?;
        let refused = said.iter().find_map(|said| match said {
            Said::Done(error) if Error::from_raw_os_error(*error).kind() == ErrorKind::PermissionDenied => {
                Some(*error)
            }
            _ => None,
        });
        Ok(refused.unwrap_or_default())
    }

    /// How packets to an address go, in a word, and by which interface.
    fn look(&mut self, address: Ipv4Addr) -> std::io::Result<(String, i32)> {
        let said = self.ask(|number| netlink::ask_route(number, address))?;
        let route = said.iter().find_map(|said| match said {
            Said::Route(route) => Some(*route),
            _ => None,
        });
        let Some(route) = route else {
            done(&said)?;
            return Err(wrong("the kernel names no way there"));
        };
        let word = match route {
            Route { to_one: false, .. } => "own".to_owned(),
            Route {
                gateway: Some(gateway),
                ..
            } => format!("behind {gateway}"),
            Route { interface, .. } => {
                let entries = self.entries()?;
                let of = |entry: &&Entry| entry.address == address && entry.interface == interface;
                match entries.iter().find(of) {
                    Some(entry) if entry.permanent && entry.nobody => "lost".to_owned(),
                    Some(entry) if entry.permanent => "held".to_owned(),
                    _ => "direct".to_owned(),
                }
            }
        };
        Ok((word, route.interface))
    }

    fn lose(&mut self, address: Ipv4Addr) -> std::io::Result<()> {
        let (how, interface) = self.look(address)?;
        match how.as_str() {
            "direct" => {
                let said = self.ask(|number| netlink::set_nobody(number, interface, address))?;
                done(&said)
            }
            "lost" => Ok(()),
            other => Err(wrong(&format!("{address} cannot be cut off here: {other}"))),
        }
    }

    fn pass(&mut self, address: Ipv4Addr) -> std::io::Result<()> {
        for entry in self.entries()? {
            if entry.address == address && entry.permanent && entry.nobody {
                let said = self.ask(|number| netlink::drop_entry(number, entry.interface, address))?;
                done(&said)?;
            }
        }
        Ok(())
    }

    fn entries(&mut self) -> std::io::Result<Vec<Entry>> {
        let said = self.ask(netlink::ask_entries)?;
        done(&said)?;
        let entries = said.iter().filter_map(|said| match said {
            Said::Entry(entry) => Some(*entry),
            _ => None,
        });
        Ok(entries.collect())
    }

    /// Sends a request, and reads until all of its answer is there.
    pub(super) fn ask(
        &mut self,
        request: impl FnOnce(u32) -> Vec<u8>,
    ) -> std::io::Result<Vec<Said>> {
        self.number += 1;
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => socket::open()?,
        };
        let socket = self.socket.insert(socket);
        socket.write_all(&request(self.number))?;
        let mut answer = vec![0; ANSWER];
        let mut all = Vec::new();
        loop {
            let length = socket.read(&mut answer)?;
            let said = netlink::read(answer.get(..length).unwrap_or_default(), self.number);
            let over = said
                .iter()
                .any(|said| matches!(said, Said::Done(_) | Said::End | Said::Route(_)));
            all.extend(said);
            if over {
                return Ok(all);
            }
        }
    }

    fn listen(&mut self) -> std::io::Result<u16> {
        let ear = match self.ear.take() {
            Some(ear) => ear,
            None => {
                let ear = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                ear.set_nonblocking(true)?;
                ear
            }
        };
        let ear = self.ear.insert(ear);
        Ok(ear.local_addr()?.port())
    }

    /// Takes in all words that have come.
    fn hear(&mut self) -> std::io::Result<()> {
        let Some(ear) = &self.ear else {
            return Err(wrong("nobody listens here"));
        };
        let mut word = [0; WORD];
        loop {
            match ear.recv(&mut word) {
                Ok(length) => {
                    let word = word.get(..length).unwrap_or_default();
                    self.heard.insert(String::from_utf8_lossy(word).into_owned());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether any interface has an address of IPv6 that reaches further than its own link.
fn has_six() -> bool {
    // Address, interface, prefix, scope (00: everywhere), flags, name.
    let text = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    text.lines().any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        words.get(3) == Some(&"00") && words.get(5) != Some(&"lo")
    })
}

pub(super) fn parse(address: &str) -> std::io::Result<Ipv4Addr> {
    address
        .parse()
        .map_err(|_| wrong("this is no address of IPv4"))
}

pub(super) fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// The error in an answer, where there is one.
pub(super) fn done(said: &[Said]) -> std::io::Result<()> {
    match said.iter().find_map(|said| match said {
        Said::Done(error) if *error != 0 => Some(*error),
        _ => None,
    }) {
        Some(error) => Err(Error::from_raw_os_error(error)),
        None => Ok(()),
    }
}
