//! What the program that runs inside says to the kernel about a network's neighbours: messages of rtnetlink, as
//! bytes.
//!
//! What it says about queues is in `queues.rs`.
//!
//! This file is compiled twice, into the program (`program/main.rs`), which sends what is made here, and into
//! firedrill's tests, so it uses nothing but the standard library. Numbers are those of `linux/netlink.h`,
//! `linux/rtnetlink.h` and `linux/neighbour.h`; fields are in the machine's own byte order, addresses in the network's.

use super::queues::{self, Told};
use std::net::Ipv4Addr;

/// The hardware address that no machine has, by which an entry of firedrill's is told from anybody else's: set by hand
/// (`02`), and `fd`.
pub const NOBODY: [u8; 6] = [0x02, 0x66, 0x64, 0, 0, 1];

/// Bytes of the head of a message.
const HEAD: usize = 16;
/// Bytes of the head of an attribute.
const ATTRIBUTE: usize = 4;
/// `AF_INET`.
const INTERNET: u8 = 2;

/// `NLMSG_ERROR`: an answer to a request, or that it failed.
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a list.
const DONE: u16 = 3;
/// `RTM_NEWROUTE`, with which a question for a route is answered.
const ROUTE: u16 = 24;
/// `RTM_GETROUTE`.
const GET_ROUTE: u16 = 26;
/// `RTM_NEWNEIGH`.
const NEIGHBOUR: u16 = 28;
/// `RTM_DELNEIGH`.
const DROP_NEIGHBOUR: u16 = 29;
/// `RTM_GETNEIGH`.
const GET_NEIGHBOUR: u16 = 30;

/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 0x01;
/// `NLM_F_ACK`: answer, also when all went well.
pub const ANSWER: u16 = 0x04;
/// `NLM_F_DUMP`: all of them.
pub const ALL: u16 = 0x300;
/// `NLM_F_CREATE | NLM_F_REPLACE`.
const SET: u16 = 0x500;

/// `NUD_PERMANENT`: the kernel neither asks for it nor forgets it.
const PERMANENT: u16 = 0x80;
/// `NDA_DST`.
const NEIGHBOUR_ADDRESS: u16 = 1;
/// `NDA_LLADDR`.
const NEIGHBOUR_HARDWARE: u16 = 2;
/// `RTA_DST`.
const ROUTE_TO: u16 = 1;
/// `RTA_OIF`.
const ROUTE_BY: u16 = 4;
/// `RTA_GATEWAY`.
const ROUTE_GATEWAY: u16 = 5;
/// `RTN_UNICAST`: a way to one machine that is not this one.
const TO_ONE: u8 = 1;

/// Asks by which interface an address is reached.
pub fn ask_route(number: u32, to: Ipv4Addr) -> Vec<u8> {
    // struct rtmsg: the family, the length of the prefix, and nothing else that a question needs.
    let mut body = vec![0; 12];
    body[0] = INTERNET;
    body[1] = 32;
    attribute(&mut body, ROUTE_TO, &to.octets());
    message(GET_ROUTE, REQUEST, number, &body)
}

/// Makes packets for an address on an interface go to nobody, until the entry is dropped.
pub fn set_nobody(number: u32, interface: i32, address: Ipv4Addr) -> Vec<u8> {
    let mut body = neighbour(interface, PERMANENT);
    attribute(&mut body, NEIGHBOUR_ADDRESS, &address.octets());
    attribute(&mut body, NEIGHBOUR_HARDWARE, &NOBODY);
    message(NEIGHBOUR, REQUEST | ANSWER | SET, number, &body)
}

/// Drops an entry, so that the kernel asks anew who has the address.
pub fn drop_entry(number: u32, interface: i32, address: Ipv4Addr) -> Vec<u8> {
    let mut body = neighbour(interface, 0);
    attribute(&mut body, NEIGHBOUR_ADDRESS, &address.octets());
    message(DROP_NEIGHBOUR, REQUEST | ANSWER, number, &body)
}

/// Asks for all entries.
pub fn ask_entries(number: u32) -> Vec<u8> {
    message(GET_NEIGHBOUR, REQUEST | ALL, number, &neighbour(0, 0))
}

/// `struct ndmsg`.
fn neighbour(interface: i32, state: u16) -> Vec<u8> {
    let mut body = vec![INTERNET, 0, 0, 0];
    body.extend_from_slice(&interface.to_ne_bytes());
    body.extend_from_slice(&state.to_ne_bytes());
    body.extend_from_slice(&[0, 0]);
    body
}

/// Adds an attribute: its length with its head, its kind, its value, and what fills it up to four bytes.
pub fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = (ATTRIBUTE + value.len()) as u16;
    body.extend_from_slice(&length.to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A whole message.
pub fn message(kind: u16, flags: u16, number: u32, body: &[u8]) -> Vec<u8> {
    let length = (HEAD + body.len()) as u32;
    let mut message = Vec::with_capacity(HEAD + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&number.to_ne_bytes());
    // Port 0: the kernel fills in who asks.
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(body);
    message
}

/// What the kernel answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is done (0), or why not, as a number of the system's.
    Done(i32),
    /// All entries were told.
    End,
    /// How an address is reached.
    Route(Route),
    /// An entry.
    Entry(Entry),
    /// What an interface is like.
    Told(Told),
    /// Something that nobody here asked for.
    Other,
}

/// How an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// It is another machine's, and not all machines'.
    pub to_one: bool,
    /// The interface.
    pub interface: i32,
    /// The machine in between, where there is one.
    pub gateway: Option<Ipv4Addr>,
}

/// Who has an address, as far as the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The interface.
    pub interface: i32,
    /// It was set by hand.
    pub permanent: bool,
    /// The address.
    pub address: Ipv4Addr,
    /// It is [`NOBODY`].
    pub nobody: bool,
}

/// What the kernel answered to the request of a number; messages that are broken end the list.
pub fn read(mut bytes: &[u8], number: u32) -> Vec<Said> {
    let mut said = Vec::new();
    while let Some(length) = u32_at(bytes, 0) {
        let length = length as usize;
        let (Some(message), true) = (bytes.get(..length), length >= HEAD) else {
            break;
        };
        if u32_at(message, 8) == Some(number) {
            said.push(read_one(message));
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    said
}

fn read_one(message: &[u8]) -> Said {
    let body = message.get(HEAD..).unwrap_or_default();
    match u16_at(message, 4) {
        Some(ERROR) => match u32_at(body, 0) {
            // Negative, as the kernel returns errors.
            Some(error) => Said::Done((error as i32).wrapping_neg()),
            None => Said::Other,
        },
        Some(DONE) => Said::End,
        Some(ROUTE) => {
            let attributes = body.get(12..).unwrap_or_default();
            let interface = value(attributes, ROUTE_BY).and_then(|value| u32_at(value, 0));
            Said::Route(Route {
                to_one: body.get(7) == Some(&TO_ONE),
                interface: interface.unwrap_or_default() as i32,
                gateway: value(attributes, ROUTE_GATEWAY).and_then(address),
            })
        }
        Some(NEIGHBOUR) => {
            let attributes = body.get(12..).unwrap_or_default();
            let of = value(attributes, NEIGHBOUR_ADDRESS).and_then(address);
            match (of, u32_at(body, 4), u16_at(body, 8)) {
                (Some(address), Some(interface), Some(state)) => Said::Entry(Entry {
                    interface: interface as i32,
                    permanent: state & PERMANENT != 0,
                    address,
                    nobody: value(attributes, NEIGHBOUR_HARDWARE) == Some(&NOBODY),
                }),
                _ => Said::Other,
            }
        }
        Some(kind) => queues::read_told(kind, body).map_or(Said::Other, Said::Told),
        None => Said::Other,
    }
}

/// The value of an attribute.
pub fn value(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let kind = u16_at(attributes, 2)?;
        if length < ATTRIBUTE {
            return None;
        }
        if kind == wanted {
            return attributes.get(ATTRIBUTE..length);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = value.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

/// A number at a place.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(bytes))
}
