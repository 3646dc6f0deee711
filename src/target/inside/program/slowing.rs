//! Slows down what this network sends: a queue before an interface, which is found by its own address.
//!
//! | request | what |
//! |---|---|
//! | `may-slow KIND` | `yes`, `unknown`, or `no: …`: whether the kernel knows this kind of queue; nothing is set |
//! | `queue ADDRESS` | what stands before its interface: `free`, `ours`, or `held by KIND HANDLE:` |
//! | `slow ADDRESS RATE DELAY JITTER LOSS` | bytes a second, microseconds twice, lost of a million; 0 for none |
//! | `free ADDRESS` | takes away what is ours; harmless where nothing is |
//! | `slowed` | the addresses of interfaces before which one of ours stands |
//!
//! A queue outlives this program, as entries for neighbours do, and goes with its network.

use super::lines::wrong;
use super::netlink::Said;
use super::packets::{Session, done, parse};
use super::queues::{self, OURS, Slowness, Told};
use std::io::{Error, ErrorKind};
use std::net::Ipv4Addr;

/// `EINVAL`: what a kernel says that knows the kind and is told nothing else.
const INVALID: i32 = 22;

impl Session {
    /// `None` where it is no request of these.
    pub(super) fn slowing(&mut self, words: &[&str]) -> std::io::Result<Option<String>> {
        let ok = || "ok".to_owned();
        Ok(Some(match *words {
            ["may-slow", kind] => self.may_slow(kind)?,
            ["queue", address] => match self.interface(parse(address)?)? {
                Some(interface) => self.before(interface)?,
                None => return Err(wrong("no interface has this address")),
            },
            ["slow", address, rate, delay, jitter, loss] => {
                let number = |word: &str| {
                    let number = word.parse::<u32>().map(u64::from);
                    number.map_err(|_| wrong("this is no number"))
                };
                let how = Slowness {
                    rate: number(rate)?,
                    delay: number(delay)?,
                    jitter: number(jitter)?,
                    loss: number(loss)?,
                };
                self.slow(parse(address)?, &how)?;
                ok()
            }
            ["free", address] => {
                if let Some(interface) = self.interface(parse(address)?)?
                    && self.before(interface)? == "ours"
                {
                    let said = self.ask(|number| queues::drop_queue(number, interface))?;
                    done(&said)?;
                }
                ok()
            }
            ["slowed"] => {
                let mut slowed = vec!["slowed".to_owned()];
                for (interface, address) in self.addresses()? {
                    if self.before(interface)? == "ours" {
                        slowed.push(address.to_string());
                    }
                }
                slowed.join(" ")
            }
            _ => return Ok(None),
        }))
    }

    fn may_slow(&mut self, kind: &str) -> std::io::Result<String> {
        let said = self.ask(|number| queues::try_queue(number, kind))?;
        let error = said.iter().find_map(|said| match said {
            Said::Done(error) => Some(*error),
            _ => None,
        });
        Ok(match error {
            Some(INVALID) => "yes".to_owned(),
            Some(0) | None => return Err(wrong("the kernel took a queue of which nothing was said")),
            Some(error) => {
                let error = Error::from_raw_os_error(error);
                match error.kind() {
                    ErrorKind::NotFound => "unknown".to_owned(),
                    _ => format!("no: {error}"),
                }
            }
        })
    }

    fn slow(&mut self, address: Ipv4Addr, how: &Slowness) -> std::io::Result<()> {
        let Some(interface) = self.interface(address)? else {
            return Err(wrong("no interface has this address"));
        };
        match self.before(interface)?.as_str() {
            "free" => {}
            held => return Err(wrong(&format!("before its interface stands another queue: {held}"))),
        }
        let lengths = self.told(queues::ask_links)?;
        let mtu = lengths.iter().find_map(|told| match told {
            Told::Length { interface: of, mtu } if *of == interface => Some(*mtu),
            _ => None,
        });
        let mtu = mtu.ok_or_else(|| wrong("the kernel does not say how long its packets are"))?;
        let said = self.ask(|number| queues::set_queue(number, (interface, mtu), how))?;
        done(&said)
    }

    /// What stands before an interface, in a word.
    fn before(&mut self, interface: i32) -> std::io::Result<String> {
        let queues = self.told(queues::ask_queues)?;
        let found = queues.iter().find_map(|told| match told {
            Told::Queue {
                interface: of,
                handle,
                kind,
            } if *of == interface => Some((*handle, kind)),
            _ => None,
        });
        Ok(match found {
            None | Some((0, _)) => "free".to_owned(),
            Some((OURS, _)) => "ours".to_owned(),
            Some((handle, kind)) => format!("held by {kind} {:x}:", handle >> 16),
        })
    }

    fn interface(&mut self, wanted: Ipv4Addr) -> std::io::Result<Option<i32>> {
        let mut addresses = self.addresses()?.into_iter();
        let found = addresses.find(|(_, address)| *address == wanted);
        Ok(found.map(|(interface, _)| interface))
    }

    fn addresses(&mut self) -> std::io::Result<Vec<(i32, Ipv4Addr)>> {
        let told = self.told(queues::ask_addresses)?;
        let addresses = told.into_iter().filter_map(|told| match told {
            Told::Address { interface, address } => Some((interface, address)),
            _ => None,
        });
        Ok(addresses.collect())
    }

    fn told(&mut self, request: impl FnOnce(u32) -> Vec<u8>) -> std::io::Result<Vec<Told>> {
        let said = self.ask(request)?;
        done(&said)?;
        let told = said.into_iter().filter_map(|said| match said {
            Said::Told(told) => Some(told),
            _ => None,
        });
        Ok(told.collect())
    }
}
