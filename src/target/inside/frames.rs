//! What the two ends of a way into a node's network say to each other: many connections over one pair of pipes.
//!
//! This file is compiled twice, into firedrill and into the program that runs inside (`program/main.rs`), so it uses
//! nothing but the standard library. A frame is its kind (one byte), the number of its connection (four bytes)
//! and the length of its body (four bytes), both little-endian, and the body. The runner numbers connections and
//! never uses a number twice.

/// Bytes before the body.
pub const HEAD: usize = 9;
/// No body is longer; a longer one is no frame of ours.
pub const LONGEST: usize = 64 * 1024;
/// The first thing that the program says, as a frame of connection 0: what lies behind it is of this version.
pub const HELLO: &[u8] = b"firedrill-inside/1";

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the program: it runs, and speaks [`HELLO`].
    Hello = 1,
    /// From the runner: connect to the port of loopback that the body names (two bytes, little-endian).
    Open = 2,
    /// From the program: it is connected.
    Opened = 3,
    /// From the program: it is not, and the body says why.
    Refused = 4,
    /// Bytes of a connection.
    Data = 5,
    /// The connection is closed on the sender's side.
    End = 6,
}

/// The beginning of a frame.
pub fn head(kind: Kind, connection: u32, length: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0] = kind as u8;
    head[1..5].copy_from_slice(&connection.to_le_bytes());
    head[5..9].copy_from_slice(&(length.min(LONGEST) as u32).to_le_bytes());
    head
}

/// Kind, connection and length of the body; `None` where it is no frame of this version.
pub fn read_head(head: &[u8; HEAD]) -> Option<(Kind, u32, usize)> {
    let kind = match head[0] {
        1 => Kind::Hello,
        2 => Kind::Open,
        3 => Kind::Opened,
        4 => Kind::Refused,
        5 => Kind::Data,
        6 => Kind::End,
        _ => return None,
    };
    let connection = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let length = u32::from_le_bytes([head[5], head[6], head[7], head[8]]) as usize;
    (length <= LONGEST).then_some((kind, connection, length))
}
