//! The program that runs inside a node's network and lets firedrill in: it connects to ports of loopback and
//! passes bytes on, many connections over its standard input and output (`frames.rs`). Called as `packets` it loses
//! packets on purpose and finds out whether they pass (`packets.rs`); called as `disk` it fills the disk that a node's data
//! lie on, and has it back (`disk.rs`).
//!
//! It is built by `build.rs` as a static program of its own that uses the standard library alone, so that it runs
//! in any Linux image, and is no module of firedrill. It knows nothing of PostgreSQL and sees no password that
//! is not already encrypted or hashed by the protocol that it passes on. It ends when its input does: when
//! the runner is gone, so is it.

#![deny(unsafe_code)]

#[path = "../frames.rs"]
mod frames;
mod disk;
mod lines;
#[path = "../mounts.rs"]
mod mounts;
#[path = "../netlink.rs"]
mod netlink;
mod packets;
#[path = "../queues.rs"]
mod queues;
mod slowing;
mod socket;
mod space;
mod timing;

use frames::{HEAD, HELLO, Kind, LONGEST, head, read_head};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

/// What each thread gets: it holds one buffer.
const STACK: usize = 256 * 1024;

/// Standard output, one frame at a time.
#[derive(Clone)]
struct Out(Arc<Mutex<std::io::Stdout>>);

impl Out {
    /// Says a frame; `false` when nobody listens any more.
    fn say(&self, kind: Kind, connection: u32, body: &[u8]) -> bool {
        let mut frame = Vec::with_capacity(HEAD + body.len());
        frame.extend_from_slice(&head(kind, connection, body.len()));
        frame.extend_from_slice(body);
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&frame).and_then(|()| out.flush()).is_ok()
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("packets") => return packets::serve(),
        Some("disk") => return disk::serve(),
        _ => {}
    }
    let out = Out(Arc::new(Mutex::new(std::io::stdout())));
    if !out.say(Kind::Hello, 0, HELLO) {
        return;
    }
    let mut input = std::io::stdin().lock();
    // What goes to each connection; it is closed by dropping its sender.
    let mut connections: HashMap<u32, Sender<Vec<u8>>> = HashMap::new();
    while let Some((kind, connection, body)) = next(&mut input) {
        match kind {
            Kind::Open => {
                let Some(port) = body.first_chunk().map(|port| u16::from_le_bytes(*port)) else {
                    return;
                };
                let (sender, receiver) = channel();
                connections.insert(connection, sender);
                let out = out.clone();
                let name = format!("connection-{connection}");
                let passing = Builder::new().name(name).stack_size(STACK);
                let begun = passing.spawn({
                    let out = out.clone();
                    move || pass(&out, connection, port, &receiver)
                });
                if let Err(error) = begun {
                    out.say(Kind::Refused, connection, error.to_string().as_bytes());
                }
            }
            Kind::Data => {
                if let Some(sender) = connections.get(&connection) {
                    // A connection that has ended says so itself.
                    let _ = sender.send(body);
                }
            }
            Kind::End => {
                connections.remove(&connection);
            }
            Kind::Hello | Kind::Opened | Kind::Refused => return,
        }
    }
}

/// The next frame; `None` at the end of input or where it is no frame.
fn next(input: &mut impl Read) -> Option<(Kind, u32, Vec<u8>)> {
    let mut start = [0; HEAD];
    input.read_exact(&mut start).ok()?;
    let (kind, connection, length) = read_head(&start)?;
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some((kind, connection, body))
}

/// One connection from its beginning to its end: this thread writes, a second one reads.
fn pass(out: &Out, connection: u32, port: u16, from_runner: &Receiver<Vec<u8>>) {
    let stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        Ok(stream) => stream,
        Err(error) => {
            out.say(Kind::Refused, connection, error.to_string().as_bytes());
            return;
        }
    };
    // Without it the kernel may hold a statement back for 40 ms.
    let _ = stream.set_nodelay(true);
    let reading = stream.try_clone().and_then(|reading| {
        let out = out.clone();
        let thread = Builder::new().stack_size(STACK);
        thread.spawn(move || read(&out, connection, reading))
    });
    if let Err(error) = reading {
        out.say(Kind::Refused, connection, error.to_string().as_bytes());
        return;
    }
    let mut writing = &stream;
    while let Ok(bytes) = from_runner.recv() {
        if writing.write_all(&bytes).is_err() {
            break;
        }
    }
    // The client is gone, which a server must see as it would see a client of its own go.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Passes on what the server says until it closes.
fn read(out: &Out, connection: u32, mut stream: TcpStream) {
    if !out.say(Kind::Opened, connection, &[]) {
        return;
    }
    let mut buffer = vec![0; LONGEST];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) if out.say(Kind::Data, connection, &buffer[..length]) => {}
            Ok(_) => return,
        }
    }
    out.say(Kind::End, connection, &[]);
}
