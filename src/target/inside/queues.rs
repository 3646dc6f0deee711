//! What the program that runs inside says to the kernel about an interface's queue: messages of rtnetlink, as bytes.
//!
//! Compiled twice, as `netlink.rs` is. Layouts and numbers are those of `linux/pkt_sched.h`, `linux/rtnetlink.h`,
//! `linux/if_addr.h` and `linux/if_link.h`. A queue of firedrill's is told from anybody else's by its handle; the kernel
//! itself refuses to set it where another one with a handle stands, and to drop it under another handle.

use super::netlink::{ALL, ANSWER, REQUEST, attribute, message, u32_at, value};
use std::net::Ipv4Addr;

/// The handle of a queue of firedrill's: major `fd` in letters (6664 in hexadecimal, as `tc` prints it), minor 0. Below
/// 8000, from where on the kernel gives numbers by itself.
pub const OURS: u32 = 0x6664_0000;
/// `TC_H_ROOT`: what stands between an interface and everybody who sends by it.
const ROOT: u32 = 0xffff_ffff;
/// Loopback is always the first interface.
const LOOPBACK: i32 = 1;

/// `RTM_NEWLINK`.
const LINK: u16 = 16;
/// `RTM_GETLINK`.
const GET_LINK: u16 = 18;
/// `RTM_NEWADDR`.
const ADDRESS: u16 = 20;
/// `RTM_GETADDR`.
const GET_ADDRESS: u16 = 22;
/// `RTM_NEWQDISC`.
const QUEUE: u16 = 36;
/// `RTM_DELQDISC`.
const DROP_QUEUE: u16 = 37;
/// `RTM_GETQDISC`.
const GET_QUEUE: u16 = 38;
/// `NLM_F_CREATE | NLM_F_EXCL`: never in the place of another.
const NEW: u16 = 0x600;

/// `TCA_KIND`.
const KIND: u16 = 1;
/// `TCA_OPTIONS`.
const OPTIONS: u16 = 2;
/// `IFA_LOCAL`: the interface's own address.
const LOCAL: u16 = 2;
/// `IFLA_MTU`.
const MTU: u16 = 4;
/// `TCA_TBF_PARMS`, `TCA_TBF_BURST`.
const TBF: (u16, u16) = (1, 6);
/// `TCA_NETEM_RATE`, `TCA_NETEM_LATENCY64`, `TCA_NETEM_JITTER64`.
const NETEM: (u16, u16, u16) = (6, 10, 11);
/// `TC_LINKLAYER_ETHERNET`: the kernel reckons by itself, and wants no table of rates.
const ETHERNET: u8 = 1;
/// The head of a frame, and a tag.
const FRAME: u64 = 18;
/// A tick of packet scheduling (`PSCHED_SHIFT` 6), which /proc/net/psched says too: `000003e8 00000040 …`.
const TICK_NS: u64 = 64;
/// Packets that may wait where no rate says how many will.
const MANY: u64 = 100_000;

/// How what is sent is to be slowed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slowness {
    /// Bytes a second; 0 for no limit.
    pub rate: u64,
    /// Microseconds that each packet waits.
    pub delay: u64,
    /// By how many microseconds that differs, up and down.
    pub jitter: u64,
    /// How many packets of a million are lost.
    pub loss: u64,
}

impl Slowness {
    /// The kind of queue: a rate alone is what `tbf` does, which more kernels have.
    pub fn kind(&self) -> &'static str {
        if self.delay == 0 && self.jitter == 0 && self.loss == 0 {
            "tbf"
        } else {
            "netem"
        }
    }

    /// Bytes that may pass at once: a hundredth of a second's, and a whole packet.
    fn burst(&self, mtu: u64) -> u64 {
        (self.rate / 100).max(mtu + FRAME)
    }

    /// What the queue is told, for an interface whose packets are that long.
    fn options(&self, mtu: u64) -> Vec<u8> {
        // What waits longer than 0.4 s at this rate is lost, as with `tc … latency 400ms`; ten packets always may.
        let waiting = (self.rate * 2 / 5).max(10 * (mtu + FRAME));
        let mut options = Vec::new();
        if self.kind() == "tbf" {
            let burst = self.burst(mtu);
            // struct tc_tbf_qopt: rate, peak rate, limit, buffer (the burst is an attribute of its own), mtu.
            let mut words = rate_of(self.rate);
            words.extend_from_slice(&[0; 12]);
            words.extend_from_slice(&clipped(waiting + burst).to_ne_bytes());
            words.extend_from_slice(&[0; 8]);
            attribute(&mut options, TBF.0, &words);
            attribute(&mut options, TBF.1, &clipped(burst).to_ne_bytes());
            return options;
        }
        let (delay, jitter) = (self.delay * 1000, self.jitter * 1000);
        let packets = match self.rate {
            0 => MANY,
            rate => (waiting + rate * (self.delay + self.jitter) / 1_000_000) / mtu.max(1) + 1,
        };
        // struct tc_netem_qopt: latency in ticks, limit, loss (of 2^32 - 1), gap, duplicate, jitter in ticks.
        let loss = self.loss * u64::from(u32::MAX) / 1_000_000;
        for word in [delay / TICK_NS, packets, loss, 0, 0, jitter / TICK_NS] {
            options.extend_from_slice(&clipped(word).to_ne_bytes());
        }
        if self.rate > 0 {
            // struct tc_netem_rate: bytes a second, and nothing about cells.
            let mut words = clipped(self.rate).to_ne_bytes().to_vec();
            words.extend_from_slice(&[0; 12]);
            attribute(&mut options, NETEM.0, &words);
        }
        // In nanoseconds, for kernels that know these.
        attribute(&mut options, NETEM.1, &delay.to_ne_bytes());
        attribute(&mut options, NETEM.2, &jitter.to_ne_bytes());
        options
    }
}

/// `struct tc_ratespec`.
fn rate_of(rate: u64) -> Vec<u8> {
    let mut words = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
    words.extend_from_slice(&clipped(rate).to_ne_bytes());
    words
}

fn clipped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Sets a queue of firedrill's before an interface.
pub fn set_queue(number: u32, (interface, mtu): (i32, u64), how: &Slowness) -> Vec<u8> {
    let mut body = queue(interface);
    attribute(&mut body, KIND, &terminated(how.kind()));
    attribute(&mut body, OPTIONS, &how.options(mtu));
    message(QUEUE, REQUEST | ANSWER | NEW, number, &body)
}

/// Asks for a queue of a kind before loopback and says nothing of how it is to be, which both kinds refuse as invalid
/// (`tbf_init` and `netem_init` of `net/sched/`) once the kernel has found out whether it knows them. Nothing is set.
pub fn try_queue(number: u32, kind: &str) -> Vec<u8> {
    let mut body = queue(LOOPBACK);
    attribute(&mut body, KIND, &terminated(kind));
    message(QUEUE, REQUEST | ANSWER | NEW, number, &body)
}

/// Drops the queue of firedrill's before an interface: the kernel compares the handle.
pub fn drop_queue(number: u32, interface: i32) -> Vec<u8> {
    message(DROP_QUEUE, REQUEST | ANSWER, number, &queue(interface))
}

/// Asks for all queues.
pub fn ask_queues(number: u32) -> Vec<u8> {
    message(GET_QUEUE, REQUEST | ALL, number, &[0; 20])
}

/// Asks for all addresses of IPv4.
pub fn ask_addresses(number: u32) -> Vec<u8> {
    // struct ifaddrmsg: the family, and nothing else that a question needs.
    message(
        GET_ADDRESS,
        REQUEST | ALL,
        number,
        &[2, 0, 0, 0, 0, 0, 0, 0],
    )
}

/// Asks for all interfaces.
pub fn ask_links(number: u32) -> Vec<u8> {
    message(GET_LINK, REQUEST | ALL, number, &[0; 16])
}

/// `struct tcmsg` of a queue of firedrill's.
fn queue(interface: i32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend_from_slice(&interface.to_ne_bytes());
    body.extend_from_slice(&OURS.to_ne_bytes());
    body.extend_from_slice(&ROOT.to_ne_bytes());
    body.extend_from_slice(&[0; 4]);
    body
}

fn terminated(word: &str) -> Vec<u8> {
    let mut bytes = word.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// What the kernel tells of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An address of its own.
    Address {
        /// The interface.
        interface: i32,
        /// Its own address.
        address: Ipv4Addr,
    },
    /// How long its packets may be.
    Length {
        /// The interface.
        interface: i32,
        /// In bytes.
        mtu: u64,
    },
    /// The queue before it.
    Queue {
        /// The interface.
        interface: i32,
        /// 0 is the kernel's own choice.
        handle: u32,
        /// Such as `noqueue`.
        kind: String,
    },
}

/// What a message tells; `None` where it is about something else, such as a queue within a queue.
pub fn read_told(kind: u16, body: &[u8]) -> Option<Told> {
    let interface = u32_at(body, 4)? as i32;
    match kind {
        LINK => Some(Told::Length {
            interface,
            mtu: u64::from(u32_at(value(body.get(16..)?, MTU)?, 0)?),
        }),
        ADDRESS => {
            let octets: [u8; 4] = value(body.get(8..)?, LOCAL)?.try_into().ok()?;
            Some(Told::Address {
                interface,
                address: Ipv4Addr::from(octets),
            })
        }
        QUEUE if u32_at(body, 12)? == ROOT => {
            let kind = value(body.get(20..)?, KIND)?;
            let kind = kind.split(|byte| *byte == 0).next().unwrap_or_default();
            Some(Told::Queue {
                interface,
                handle: u32_at(body, 8)?,
                kind: String::from_utf8_lossy(kind).into_owned(),
            })
        }
        _ => None,
    }
}
