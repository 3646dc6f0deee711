//! The log of a long run, read on all processors: lines are parsed and slots unpacked on some threads, and
//! handed over in order on the caller's.
//!
//! Nine of ten lines of a long log are slots that the same server answered. Where such a line is, byte for
//! byte, what the writer makes of it, its slots are taken out by its fixed parts and nothing of its text is
//! copied. Every other line goes the long way of [`super::log`], and says the same on either.

use super::log::{FILE_NAME, LogError, Rest, Trouble, first_line, one_line};
use super::slots::{PackedSlot, unpack_into};
use super::{Entry, Stamp};
use std::fs::File;
use std::io::BufRead as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};

/// Bytes of one chunk: a chunk and what is made of it stay in a processor's own cache.
const CHUNK: u64 = 1 << 17;
/// Bytes that are read at once to find the end of a chunk's last line.
const TAIL: usize = 1 << 12;
/// Chunks that a thread may be ahead of the caller.
const AHEAD: usize = 8;
/// More threads than this read faster than anybody takes.
const THREADS: usize = 4;

/// What one line of a log says.
#[derive(Debug)]
pub enum Line<'a> {
    /// Any event, slots that went the long way included.
    Entry(&'a Entry),
    /// Slots of a channel.
    Slots(SlotLine<'a>),
}

/// Slots of a channel, unpacked, throughout which the same server answered as before.
#[derive(Clone, Copy, Debug)]
pub struct SlotLine<'a> {
    /// The entry's stamp.
    pub at: Stamp,
    /// The channel's name.
    pub channel: &'a str,
    /// The slots in the batch's order.
    pub slots: &'a [PackedSlot],
}

/// Hands the lines of a run's log to `each`, one by one and in order, since the log of a long run does not
/// fit into memory. Event kinds of newer versions are counted and skipped; a torn last line is what a
/// crash leaves and is no error. What is appended meanwhile is not read.
///
/// # Errors
/// When the file cannot be read, a line in the middle is broken, or the schema is another one.
pub fn replay(folder: &Path, each: impl FnMut(Line<'_>)) -> Result<Rest, LogError> {
    let path = folder.join(FILE_NAME);
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = opened.map_err(|source| LogError::io(&path, source))?;
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    in_chunks(&path, &file, length, CHUNK, threads.min(THREADS), each)
}

pub(super) fn in_chunks(
    path: &Path,
    file: &File,
    length: u64,
    size: u64,
    threads: usize,
    mut each: impl FnMut(Line<'_>),
) -> Result<Rest, LogError> {
    let count = length.div_ceil(size);
    std::thread::scope(|scope| {
        // Chunk n is read by thread n modulo their number, so that their order needs no keeping.
        let (readers, inboxes): (Vec<_>, Vec<_>) = (0..threads as u64)
            .map(|first| {
                let (outbox, inbox) = mpsc::sync_channel(AHEAD);
                let chunks = (first..count).step_by(threads);
                let read = move || read_chunks(file, length, size, chunks, &outbox);
                (scope.spawn(read), inbox)
            })
            .unzip();
        let rest = in_turn(path, count, &inboxes, &mut each);
        // By this, those that still read learn that nobody wants more.
        drop(inboxes);
        for reader in readers {
            // One that panicked is missed by its chunks, and said by `in_turn`.
            let _ = reader.join();
        }
        rest
    })
}

/// Hands over what the chunks say, chunk after chunk.
fn in_turn(
    path: &Path,
    count: u64,
    inboxes: &[Receiver<std::io::Result<Chunk>>],
    each: &mut impl FnMut(Line<'_>),
) -> Result<Rest, LogError> {
    let mut rest = Rest::default();
    let mut before = 0;
    for (_, inbox) in (0..count).zip(inboxes.iter().cycle()) {
        let gone = || std::io::Error::other("a thread that read it panicked");
        let chunk = inbox.recv().unwrap_or_else(|_| Err(gone()));
        let chunk = chunk.map_err(|source| LogError::io(path, source))?;
        chunk.told(each);
        if let Some((line, trouble)) = chunk.trouble {
            return Err(trouble.of(path, before + line));
        }
        before += chunk.lines;
        rest.skipped += chunk.rest.skipped;
        rest.torn |= chunk.rest.torn;
    }
    Ok(rest)
}

/// Reads chunks until all are read or nobody wants more.
fn read_chunks(
    file: &File,
    length: u64,
    size: u64,
    numbers: impl Iterator<Item = u64>,
    outbox: &SyncSender<std::io::Result<Chunk>>,
) {
    let mut text = Vec::new();
    let mut bytes = Vec::new();
    for number in numbers {
        let read = lines_of(file, length, number * size, size, &mut text);
        let read = read.map(|()| Chunk::of(&text, number == 0, &mut bytes));
        let failed = read.is_err();
        if outbox.send(read).is_err() || failed {
            return;
        }
    }
}

/// The lines that begin within `size` bytes from `start`, each to its end or to the end of the file.
fn lines_of(
    file: &File,
    length: u64,
    start: u64,
    size: u64,
    text: &mut Vec<u8>,
) -> std::io::Result<()> {
    text.clear();
    // The byte before tells whether a line begins at the first.
    let from = start.saturating_sub(1);
    let to = (start + size).min(length);
    append(file, from, (to - from) as usize, text)?;
    let ours = match text.iter().position(|byte| *byte == b'\n') {
        _ if start == 0 => 0,
        Some(end) => end + 1,
        None => text.len(),
    };
    text.drain(..ours);
    let mut at = to;
    while at < length && !text.is_empty() && text.last() != Some(&b'\n') {
        let known = text.len();
        let more = TAIL.min((length - at) as usize);
        append(file, at, more, text)?;
        at += more as u64;
        let end = text[known..].iter().position(|byte| *byte == b'\n');
        if let Some(end) = end {
            text.truncate(known + end + 1);
        }
    }
    Ok(())
}

fn append(file: &File, from: u64, count: usize, text: &mut Vec<u8>) -> std::io::Result<()> {
    let known = text.len();
    text.resize(known + count, 0);
    file.read_exact_at(&mut text[known..], from)
}

/// What the lines of a chunk say.
#[derive(Default)]
struct Chunk {
    lines: usize,
    said: Vec<Said>,
    /// Names of the channels that have slots here, and what they have.
    channels: Vec<String>,
    slots: Vec<PackedSlot>,
    rest: Rest,
    /// A line, from 1 at the chunk's beginning, that cannot be read; nothing after it is.
    trouble: Option<(usize, Trouble)>,
}

enum Said {
    Entry(Box<Entry>),
    Slots {
        at: Stamp,
        channel: usize,
        slots: Range<usize>,
    },
}

impl Chunk {
    fn of(text: &[u8], is_first: bool, bytes: &mut Vec<u8>) -> Self {
        let mut chunk = Self::default();
        let mut after = text;
        // A slice skips without fail.
        while let Ok(length @ 1..) = after.skip_until(b'\n') {
            let from = text.len() - after.len() - length;
            let line = &text[from..from + length];
            if line.last() != Some(&b'\n') {
                chunk.rest.torn = true;
                break;
            }
            chunk.lines += 1;
            let opens = is_first && chunk.lines == 1;
            if let Err(trouble) = chunk.line(line, opens, bytes) {
                chunk.trouble = Some((chunk.lines, trouble));
                break;
            }
        }
        chunk
    }

    fn line(&mut self, line: &[u8], opens: bool, bytes: &mut Vec<u8>) -> Result<(), Trouble> {
        if opens {
            self.said.push(Said::Entry(Box::new(first_line(line)?)));
            return Ok(());
        }
        if let Some(batch) = Batch::of(line)
            && self.slots(batch, bytes)
        {
            return Ok(());
        }
        match one_line(line)? {
            Some(entry) => self.said.push(Said::Entry(Box::new(entry))),
            None => self.rest.skipped += 1,
        }
        Ok(())
    }

    /// Takes the slots of a batch; says whether they decode.
    fn slots(&mut self, batch: Batch<'_>, bytes: &mut Vec<u8>) -> bool {
        let first = self.slots.len();
        if unpack_into(batch.packed, bytes, &mut self.slots).is_err() {
            self.slots.truncate(first);
            return false;
        }
        let known = self.channels.iter().position(|name| name == batch.channel);
        let channel = known.unwrap_or_else(|| {
            self.channels.push(batch.channel.to_owned());
            self.channels.len() - 1
        });
        self.said.push(Said::Slots {
            at: batch.at,
            channel,
            slots: first..self.slots.len(),
        });
        true
    }

    fn told(&self, each: &mut impl FnMut(Line<'_>)) {
        for said in &self.said {
            each(match said {
                Said::Entry(entry) => Line::Entry(entry),
                Said::Slots { at, channel, slots } => Line::Slots(SlotLine {
                    at: *at,
                    channel: &self.channels[*channel],
                    slots: &self.slots[slots.clone()],
                }),
            });
        }
    }
}

/// A line of slots, byte for byte as `serde_json` writes it where nobody else began to serve.
struct Batch<'a> {
    at: Stamp,
    channel: &'a str,
    packed: &'a [u8],
}

impl<'a> Batch<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let (_, rest) = number(line.strip_prefix(br#"{"seq":"#)?)?;
        let (at, rest) = number(rest.strip_prefix(br#","at":"#)?)?;
        let rest = rest.strip_prefix(br#","event":{"slots":{"channel":""#)?;
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\\';
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (channel, rest) = rest.split_at(end);
        let rest = rest.strip_prefix(br#"","packed":""#)?;
        // What lies between is base64 or does not decode, so that it needs no search for its end.
        let packed = rest.strip_suffix(b"\",\"serving\":[]}}}\n")?;
        let channel = channel.iter().copied().all(plain).then_some(channel)?;
        Some(Self {
            at: Stamp(at),
            channel: std::str::from_utf8(channel).ok()?,
            packed,
        })
    }
}

/// The number at the beginning, as JSON has it, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    if digits.is_empty() || (digits.len() > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    Some((number?, rest))
}
