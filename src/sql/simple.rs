//! The simple protocol: one statement out, its messages in (PostgreSQL documentation, "Message Formats").
//! It knows no sockets: bytes come in as they are read, and go out as they can be written.

use super::error::SqlError;
use crate::event::slots::ErrorClass;

/// A row as text; `None` is NULL.
pub(super) type Row = Vec<Option<String>>;

/// So much is read at once, where no message needs more.
const ROOM: usize = 8192;
/// What says that it is longer is no message: PostgreSQL's own limit (MaxAllocSize).
const LONGEST: usize = 0x3fff_ffff;

/// What a server says, as far as a statement of the simple protocol goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A row.
    Row(Row),
    /// A notice or warning with this SQLSTATE.
    Notice(String),
    /// An error, by its SQLSTATE and its words.
    Error { state: String, text: String },
    /// ReadyForQuery: everything before it has happened.
    Ready,
    /// What nothing hangs on: shapes of rows, tags, parameters, notifications.
    Else,
}

/// Bytes that were read and not yet understood.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; ROOM],
            from: 0,
            to: 0,
        }
    }

    /// Where to read to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.to == self.bytes.len() {
            self.bytes.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            if self.to == self.bytes.len() {
                self.bytes.resize(2 * self.to, 0);
            }
        }
        self.bytes.get_mut(self.to..).unwrap_or_default()
    }

    /// So many bytes were read.
    pub(super) fn filled(&mut self, count: usize) {
        self.to = (self.to + count).min(self.bytes.len());
    }

    /// The next message, where it is there as a whole.
    pub(super) fn next(&mut self) -> Result<Option<Message>, SqlError> {
        let unread = self.bytes.get(self.from..self.to).unwrap_or_default();
        let [tag, a, b, c, d, rest @ ..] = unread else {
            return Ok(None);
        };
        // The length counts itself and not the tag.
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if !(4..=LONGEST).contains(&length) {
            return Err(not_understood());
        }
        let Some(body) = rest.get(..length - 4) else {
            return Ok(None);
        };
        let message = understand(*tag, body).ok_or_else(not_understood)?;
        self.from += 1 + length;
        Ok(Some(message))
    }
}

/// A statement as a message.
pub(super) fn query(sql: &str, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let length = sql.len() + 5;
    if sql.contains('\0') || length > LONGEST {
        let text = "error encoding message to server: a statement holds no zero byte";
        return Err(SqlError::of_state("22021", false, text.to_owned()));
    }
    out.push(b'Q');
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(sql.as_bytes());
    out.push(0);
    Ok(())
}

fn not_understood() -> SqlError {
    SqlError::new(ErrorClass::Reset, true, "unexpected message from server")
}

fn understand(tag: u8, body: &[u8]) -> Option<Message> {
    Some(match tag {
        b'D' => Message::Row(row(body)?),
        b'N' => Message::Notice(fields(body)?.state),
        b'E' => {
            let Fields { state, text } = fields(body)?;
            Message::Error { state, text }
        }
        b'Z' => Message::Ready,
        // RowDescription, CommandComplete, EmptyQueryResponse, ParameterStatus, NotificationResponse.
        b'T' | b'C' | b'I' | b'S' | b'A' => Message::Else,
        _ => return None,
    })
}

fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk()?;
    let mut row = Row::with_capacity(usize::from(u16::from_be_bytes(*count)));
    for _ in 0..row.capacity() {
        let (length, after) = rest.split_first_chunk()?;
        // A negative length is NULL.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            row.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after.split_at_checked(length)?;
        row.push(std::str::from_utf8(value).ok().map(str::to_owned));
        rest = after;
    }
    rest.is_empty().then_some(row)
}

/// What an error or a notice says.
#[derive(Default)]
struct Fields {
    state: String,
    text: String,
}

fn fields(mut body: &[u8]) -> Option<Fields> {
    let (mut severity, mut message) = (String::new(), String::new());
    let (mut state, mut more) = (String::new(), [String::new(), String::new()]);
    while let Some((kind, rest)) = body.split_first().filter(|(kind, _)| **kind != 0) {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (value, after) = rest.split_at(end);
        let into = match kind {
            b'S' => Some(&mut severity),
            b'C' => Some(&mut state),
            b'M' => Some(&mut message),
            b'D' => Some(&mut more[0]),
            b'H' => Some(&mut more[1]),
            _ => None,
        };
        if let Some(into) = into {
            *into = String::from_utf8_lossy(value).into_owned();
        }
        body = after.get(1..)?;
    }
    if state.is_empty() {
        return None;
    }
    let mut text = format!("{severity}: {message}");
    for more in more.iter().filter(|more| !more.is_empty()) {
        text.push_str("; ");
        text.push_str(more);
    }
    Some(Fields { state, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend(((body.len() + 4) as u32).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn a_row(values: &[Option<&str>]) -> Vec<u8> {
        let mut body = (values.len() as u16).to_be_bytes().to_vec();
        for value in values {
            match value {
                Some(text) => {
                    body.extend((text.len() as u32).to_be_bytes());
                    body.extend(text.as_bytes());
                }
                None => body.extend((-1i32).to_be_bytes()),
            }
        }
        message(b'D', &body)
    }

    fn put(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = inbox.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            inbox.filled(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn an_answer_is_read() {
        let mut bytes = message(b'T', b"\0\0");
        bytes.extend(a_row(&[Some("t"), None, Some("")]));
        bytes.extend(message(b'N', b"SWARNING\0C01000\0Mcanceled\0\0"));
        bytes.extend(message(b'C', b"SELECT 1\0"));
        bytes.extend(message(b'Z', b"I"));
        let mut inbox = Inbox::new();
        put(&mut inbox, &bytes);
        let mut read = || inbox.next().unwrap();
        assert_eq!(read(), Some(Message::Else));
        let row = vec![Some("t".to_owned()), None, Some(String::new())];
        assert_eq!(read(), Some(Message::Row(row)));
        assert_eq!(read(), Some(Message::Notice("01000".to_owned())));
        assert_eq!(read(), Some(Message::Else));
        assert_eq!(read(), Some(Message::Ready));
        assert_eq!(read(), None);
    }

    #[test]
    fn an_error_has_its_state_and_its_words() {
        let mut inbox = Inbox::new();
        let body = b"SFEHLER\0VERROR\0C23505\0Mduplicate\0Dit is there\0Hlook\0Fx.c\0\0";
        put(&mut inbox, &message(b'E', body));
        let said = Message::Error {
            state: "23505".to_owned(),
            text: "FEHLER: duplicate; it is there; look".to_owned(),
        };
        assert_eq!(inbox.next().unwrap(), Some(said));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [
            message(b'?', b""),
            vec![b'Z', 0, 0, 0, 3, 0],
            b"HTTP/1.1 400 Bad Request".to_vec(),
            message(b'D', b"\0\x02\0\0\0\x01x"),
            message(b'D', b"\0\x00more"),
            message(b'E', b"SERROR\0Mno state\0\0"),
            message(b'E', b"SERROR"),
        ] {
            let mut inbox = Inbox::new();
            put(&mut inbox, &bytes);
            let refused = inbox.next().unwrap_err();
            assert_eq!((refused.class, refused.sent), (ErrorClass::Reset, true));
        }
    }

    #[test]
    fn a_zero_byte_would_end_the_statement_early() {
        let mut out = Vec::new();
        let refused = query("select 1\0; select 2", &mut out).unwrap_err();
        assert!(!refused.leaves_doubt());
        assert!(out.is_empty());
        query("select 1", &mut out).unwrap();
        assert_eq!(out, b"Q\0\0\0\x0dselect 1\0");
    }

    proptest! {
        /// However the bytes come, and however long a row is.
        #[test]
        fn a_message_is_read_when_it_is_whole(
            lengths in prop::collection::vec(0usize..20_000, 1..6),
            step in 1usize..9000,
        ) {
            let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let bytes: Vec<u8> = texts.iter().flat_map(|text| a_row(&[Some(text)])).collect();
            let mut inbox = Inbox::new();
            let mut found = Vec::new();
            for piece in bytes.chunks(step) {
                put(&mut inbox, piece);
                while let Some(message) = inbox.next().unwrap() {
                    found.push(message);
                }
            }
            let wanted = texts.into_iter().map(|text| Message::Row(vec![Some(text)]));
            prop_assert_eq!(found, wanted.collect::<Vec<_>>());
        }

        #[test]
        fn nothing_that_a_server_sends_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut inbox = Inbox::new();
            put(&mut inbox, &bytes);
            while let Ok(Some(_)) = inbox.next() {}
        }
    }
}
