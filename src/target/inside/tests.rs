//! The program itself, as a process of this machine, with a server on loopback behind it.

use super::tunnel::Tunnel;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::{Child, Command};

const SOON: Duration = Duration::from_secs(5);

/// The program runs as long as its standard input is open.
struct Inside {
    _folder: tempfile::TempDir,
    child: Child,
}

impl Inside {
    /// `None` where it was not built, unless that is required.
    fn start() -> Option<Self> {
        let Some(program) = super::program() else {
            let required = std::env::var("FIREDRILL_TEST_REQUIRE").unwrap_or_default();
            assert!(
                !required
                    .split(',')
                    .any(|kind| kind == "docker" || kind == "kubernetes"),
                "{}",
                super::MISSING
            );
            #[expect(clippy::print_stderr, reason = "a skipped test says why")]
            {
                eprintln!("skipped: {}", super::MISSING);
            }
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inside");
        std::fs::write(&path, program).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Some(Self {
            _folder: folder,
            child,
        })
    }

    async fn tunnel(&mut self) -> Arc<Tunnel> {
        let from = self.child.stdout.take().unwrap();
        let to = self.child.stdin.take().unwrap();
        Arc::new(Tunnel::open(from, to).await.unwrap())
    }
}

/// A client that is carried to a port inside.
fn connect(tunnel: &Arc<Tunnel>, port: u16) -> UnixStream {
    let (client, carried) = UnixStream::pair().unwrap();
    let tunnel = Arc::downgrade(tunnel);
    tokio::spawn(async move {
        if let Some(tunnel) = tunnel.upgrade() {
            let gone = tunnel.clone();
            tokio::select! {
                () = tunnel.carry(carried, port) => {}
                () = gone.gone() => {}
            }
        }
    });
    client
}

/// Repeats what it hears, in capitals, and closes after a full stop.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; 100_000];
                while let Ok(length @ 1..) = client.read(&mut buffer).await {
                    let said = buffer[..length].to_ascii_uppercase();
                    client.write_all(&said).await.unwrap();
                    if said.ends_with(b".") {
                        return;
                    }
                }
            });
        }
    });
    port
}

async fn says(client: &mut UnixStream, words: &[u8]) -> Vec<u8> {
    client.write_all(words).await.unwrap();
    let mut heard = vec![0; words.len()];
    let reading = client.read_exact(&mut heard);
    tokio::time::timeout(SOON, reading).await.unwrap().unwrap();
    heard
}

/// What is left to read until the other side closes.
async fn rest(client: &mut UnixStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let reading = client.read_to_end(&mut rest);
    // A reset is an end as well.
    let _ = tokio::time::timeout(SOON, reading).await.expect("it ends");
    rest
}

#[tokio::test]
async fn connections_do_not_mix_and_end_one_by_one() {
    let Some(mut inside) = Inside::start() else {
        return;
    };
    let port = server().await;
    let tunnel = inside.tunnel().await;
    let mut one = connect(&tunnel, port);
    let mut other = connect(&tunnel, port);
    assert_eq!(says(&mut one, b"first").await, b"FIRST");
    assert_eq!(says(&mut other, b"second").await, b"SECOND");
    // Longer than a frame.
    let long = vec![b'x'; 300_000];
    assert_eq!(says(&mut one, &long).await, long.to_ascii_uppercase());
    one.write_all(b"the end.").await.unwrap();
    assert_eq!(rest(&mut one).await, b"THE END.");
    assert_eq!(says(&mut other, b"third").await, b"THIRD");
    assert!(!tunnel.is_gone());
}

#[tokio::test]
async fn where_nobody_listens_the_connection_ends_at_once() {
    let Some(mut inside) = Inside::start() else {
        return;
    };
    let (_held, port) = crate::sql::test_server::refusing_port();
    let tunnel = inside.tunnel().await;
    let mut client = connect(&tunnel, port);
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn when_the_program_dies_everybody_learns_it() {
    let Some(mut inside) = Inside::start() else {
        return;
    };
    let port = server().await;
    let tunnel = inside.tunnel().await;
    let mut client = connect(&tunnel, port);
    assert_eq!(says(&mut client, b"first").await, b"FIRST");
    inside.child.kill().await.unwrap();
    tokio::time::timeout(SOON, tunnel.gone()).await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn the_program_ends_with_its_runner() {
    let Some(mut inside) = Inside::start() else {
        return;
    };
    let port = server().await;
    let tunnel = inside.tunnel().await;
    let mut client = connect(&tunnel, port);
    assert_eq!(says(&mut client, b"first").await, b"FIRST");
    drop(client);
    // The last of its users ends soon after its client.
    while Arc::strong_count(&tunnel) > 1 {
        tokio::task::yield_now().await;
    }
    drop(tunnel);
    let ended = tokio::time::timeout(SOON, inside.child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
}

#[tokio::test]
async fn something_else_is_no_way_in() {
    let from: &[u8] = b"sh: exec: not found\n";
    let refused = Tunnel::open(from, tokio::io::sink()).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.starts_with("open a way into the node: "),
        "{refused}"
    );
    let silent = Tunnel::open(tokio::io::empty(), tokio::io::sink()).await;
    assert!(silent.is_err());
}
