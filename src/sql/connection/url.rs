//! The URL form: `postgresql://[user@][host[:port]][,…][/dbname][?word=value&…]` (PostgreSQL documentation,
//! "Connection URIs"). Only takes it apart; what the words may say is `words.rs`'s.

use super::words::WordError;

/// The words of what follows the scheme, in order.
pub(super) fn split(rest: &str) -> Result<Vec<(String, String)>, WordError> {
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let (authority, database) = match place.split_once('/') {
        Some((authority, database)) => (authority, Some(database)),
        None => (place, None),
    };
    let mut said = Vec::new();
    // A host cannot hold "@", and a password may: the last one parts them.
    let (login, servers) = match authority.rsplit_once('@') {
        Some((login, servers)) => (Some(login), servers),
        None => (None, authority),
    };
    if let Some(login) = login {
        if login.contains(':') {
            return Err(WordError::Password);
        }
        add(&mut said, "user", login)?;
    }
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for server in servers.split(',') {
        let (host, port) = host_and_port(server)?;
        hosts.push(decoded(host)?);
        ports.push(decoded(port)?);
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        said.push(("host".to_owned(), hosts.join(",")));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        said.push(("port".to_owned(), ports.join(",")));
    }
    if let Some(database) = database.filter(|name| !name.is_empty()) {
        add(&mut said, "dbname", database)?;
    }
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        if pair.is_empty() {
            continue;
        }
        let Some((word, value)) = pair.split_once('=') else {
            return Err(WordError::Form(
                "a word after the ? of the URL has no = and no value".to_owned(),
            ));
        };
        said.push((decoded(word)?, decoded(value)?));
    }
    Ok(said)
}

fn add(said: &mut Vec<(String, String)>, word: &str, value: &str) -> Result<(), WordError> {
    said.push((word.to_owned(), decoded(value)?));
    Ok(())
}

/// A server of the list; an IPv6 address stands in brackets.
fn host_and_port(server: &str) -> Result<(&str, &str), WordError> {
    if let Some(inside) = server.strip_prefix('[') {
        let open = || WordError::Form("an IPv6 address in the URL has no closing bracket".into());
        let (host, rest) = inside.split_once(']').ok_or_else(open)?;
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok((host, "")),
            (_, Some(port)) => Ok((host, port)),
            _ => Err(WordError::Form(format!(
                "after ] in the URL comes {rest:?}, and only : and a port can"
            ))),
        };
    }
    Ok(server.split_once(':').unwrap_or((server, "")))
}

/// With every `%XX` as its byte.
fn decoded(text: &str) -> Result<String, WordError> {
    let wrong = || WordError::Form("a % in the URL is not followed by two hex digits".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, more @ ..] = rest else {
            return Err(wrong());
        };
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(wrong);
        let byte = digit(*high)? * 16 + digit(*low)?;
        bytes.push(u8::try_from(byte).map_err(|_| wrong())?);
        rest = more;
    }
    if bytes.contains(&0) {
        return Err(WordError::Form("the URL holds %00".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| WordError::Form("the URL is no UTF-8 text".to_owned()))
}
