//! Finds out how slowly packets pass from here to another network, and how many of them do not: by UDP, with words of
//! its own that are answered there.
//!
//! | request | what |
//! |---|---|
//! | `answer` | `port N`, at which `time` and `flood` of another network are answered |
//! | `time ADDRESS PORT COUNT WAIT` | `COUNT` words, a millisecond apart; their answers are waited for `WAIT` milliseconds: `heard N MICROSECONDS`, the median of those that came |
//! | `flood ADDRESS PORT BYTES` | sends as fast as it can, for two seconds at most: `sent BYTES` |
//! | `counted SKIP` | what came of floods since the last question, once so many bytes had: `counted BYTES MICROSECONDS` |

use super::lines::wrong;
use super::packets::{Session, parse};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The first byte of a word that is to be answered.
const TIME: u8 = b't';
/// The first byte of one that is only counted.
const FLOOD: u8 = b'f';
/// Fits into a packet of any network.
const LONG: usize = 1400;
const APART: Duration = Duration::from_millis(1);
const FLOODING: Duration = Duration::from_secs(2);

/// What came of floods: when, and how long it was.
type Counted = Arc<Mutex<Vec<(Instant, usize)>>>;

/// A thread that answers.
pub struct Answering {
    port: u16,
    counted: Counted,
}

impl Session {
    pub(super) fn timing(&mut self, words: &[&str]) -> std::io::Result<String> {
        let number = |word: &str| word.parse::<u64>().map_err(|_| wrong("this is no number"));
        Ok(match *words {
            ["answer"] => format!("port {}", self.answering()?.port),
            ["time", address, port, count, wait] => {
                let socket = connected(address, port)?;
                let wait = Duration::from_millis(number(wait)?);
                let (heard, median) = time(&socket, number(count)?, wait)?;
                format!("heard {heard} {}", median.as_micros())
            }
            ["flood", address, port, bytes] => {
                let sent = flood(&connected(address, port)?, number(bytes)?)?;
                format!("sent {sent}")
            }
            ["counted", skip] => {
                let skip = number(skip)?;
                let counted = Arc::clone(&self.answering()?.counted);
                let mut all = counted.lock().unwrap_or_else(PoisonError::into_inner);
                let (bytes, took) = after(&all, skip);
                all.clear();
                format!("counted {bytes} {}", took.as_micros())
            }
            _ => return Err(wrong("this is no request")),
        })
    }

    fn answering(&mut self) -> std::io::Result<&Answering> {
        let answering = match self.answering.take() {
            Some(answering) => answering,
            None => begin()?,
        };
        Ok(self.answering.insert(answering))
    }
}

fn begin() -> std::io::Result<Answering> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = socket.local_addr()?.port();
    let counted = Counted::default();
    let counting = Arc::clone(&counted);
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    thread.spawn(move || {
        let mut word = [0; LONG];
        while let Ok((length, from)) = socket.recv_from(&mut word) {
            match word.first() {
                Some(&TIME) => {
                    // Whoever asked counts what is missing.
                    let _ = socket.send_to(word.get(..length).unwrap_or_default(), from);
                }
                Some(&FLOOD) => {
                    let mut all = counting.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push((Instant::now(), length));
                }
                _ => {}
            }
        }
    })?;
    Ok(Answering { port, counted })
}

fn connected(address: &str, port: &str) -> std::io::Result<UdpSocket> {
    let port: u16 = port.parse().map_err(|_| wrong("this is no port"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((parse(address)?, port))?;
    Ok(socket)
}

/// How many words were answered, and how long that took for half of them.
fn time(socket: &UdpSocket, count: u64, wait: Duration) -> std::io::Result<(usize, Duration)> {
    let begun = Instant::now();
    let mut sent: Vec<Instant> = Vec::new();
    let mut took: Vec<Duration> = Vec::new();
    let mut word = [0; 16];
    loop {
        let now = Instant::now();
        let number = sent.len() as u64;
        // After a pause of the whole machine no burst follows, of which a full buffer would lose some.
        let due = sent.last().map_or(begun, |last| *last + APART);
        let until = match (number < count, sent.last()) {
            (true, _) => due,
            (false, Some(last)) => *last + wait,
            (false, None) => now,
        };
        if number < count && now >= due {
            let mut word = [TIME; 16];
            word[8..].copy_from_slice(&number.to_le_bytes());
            sent.push(now);
            passed(socket.send(&word))?;
            continue;
        }
        if took.len() as u64 >= count || now >= until {
            break;
        }
        socket.set_read_timeout(Some((until - now).max(Duration::from_micros(50))))?;
        match socket.recv(&mut word) {
            Ok(16) => {
                let number = word.last_chunk().map(|number| u64::from_le_bytes(*number));
                let at = number.and_then(|number| sent.get(usize::try_from(number).ok()?));
                took.extend(at.map(Instant::elapsed));
            }
            Ok(_) => {}
            Err(error) if is_nothing(error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    Ok((took.len(), median))
}

fn flood(socket: &UdpSocket, bytes: u64) -> std::io::Result<u64> {
    let begun = Instant::now();
    socket.set_write_timeout(Some(Duration::from_millis(100)))?;
    let word = [FLOOD; LONG];
    let mut sent = 0;
    while sent < bytes && begun.elapsed() < FLOODING {
        sent += passed(socket.send(&word))? as u64;
    }
    Ok(sent)
}

/// A queue that is full, or nobody who listens any more, is no error: what did not come is not counted.
fn passed(sent: std::io::Result<usize>) -> std::io::Result<usize> {
    match sent {
        Err(error) if is_nothing(error.kind()) || error.raw_os_error() == Some(NO_BUFFER) => {
            std::thread::sleep(APART);
            Ok(0)
        }
        sent => sent,
    }
}

/// `ENOBUFS`.
const NO_BUFFER: i32 = 105;

fn is_nothing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused | ErrorKind::Interrupted
    )
}

/// What came after the first bytes, and in how long.
fn after(all: &[(Instant, usize)], skip: u64) -> (u64, Duration) {
    let mut passed = 0;
    let mut counted = 0;
    let mut first = None;
    let mut last = None;
    for (at, length) in all {
        match first {
            None if passed >= skip => first = Some(*at),
            None => passed += *length as u64,
            Some(_) => {
                counted += *length as u64;
                last = Some(*at);
            }
        }
    }
    match (first, last) {
        (Some(first), Some(last)) => (counted, last - first),
        _ => (0, Duration::ZERO),
    }
}
