//! The link between a client and a server that are both plain sockets of the test.

use super::*;
use std::io::ErrorKind;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(5);
/// Long enough for loopback to deliver anything that would be delivered.
const QUIET: Duration = Duration::from_millis(150);

/// A server, a link to it, and one connection through the link: (link, server, client, server's end).
async fn connected() -> (Link, TcpListener, TcpStream, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Link::open(&Handle::current(), server.local_addr().unwrap()).unwrap();
    let mut client = TcpStream::connect(link.address()).await.unwrap();
    let (mut inside, _) = server.accept().await.unwrap();
    client.write_all(b"hello").await.unwrap();
    expect(&mut inside, b"hello").await;
    (link, server, client, inside)
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    timeout(SOON, stream.read_exact(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got, bytes);
}

/// Nothing arrives: no byte, no end, no reset.
async fn silent(stream: &mut TcpStream) {
    let heard = timeout(QUIET, stream.read(&mut [0; 16])).await;
    assert!(heard.is_err(), "heard {heard:?} through a cut link");
}

async fn reset_seen(stream: &mut TcpStream) {
    let end = timeout(SOON, stream.read(&mut [0; 16])).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn carries_both_ways_and_passes_half_closes_on() {
    let (_link, _server, mut client, mut inside) = connected().await;
    client.shutdown().await.unwrap();
    assert_eq!(
        timeout(SOON, inside.read(&mut [0; 16]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    inside.write_all(b"still here").await.unwrap();
    expect(&mut client, b"still here").await;
    drop(inside);
    assert_eq!(
        timeout(SOON, client.read(&mut [0; 16]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_cut_is_silent_both_ways_and_a_join_delivers_what_was_held() {
    let (link, _server, mut client, mut inside) = connected().await;
    link.cut();
    client.write_all(b"from client").await.unwrap();
    inside.write_all(b"from server").await.unwrap();
    silent(&mut inside).await;
    silent(&mut client).await;
    link.join();
    expect(&mut inside, b"from client").await;
    expect(&mut client, b"from server").await;
    link.cut();
    link.join();
    client.write_all(b"again").await.unwrap();
    expect(&mut inside, b"again").await;
}

#[tokio::test]
async fn a_close_during_a_cut_is_heard_only_after_the_join() {
    let (link, _server, mut client, mut inside) = connected().await;
    link.cut();
    inside.write_all(b"last words").await.unwrap();
    drop(inside);
    silent(&mut client).await;
    link.join();
    expect(&mut client, b"last words").await;
    assert_eq!(
        timeout(SOON, client.read(&mut [0; 16]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_reset_during_a_cut_is_heard_only_after_the_join() {
    let (link, _server, mut client, inside) = connected().await;
    link.cut();
    inside.set_zero_linger().unwrap();
    drop(inside);
    silent(&mut client).await;
    link.join();
    reset_seen(&mut client).await;
}

#[tokio::test]
async fn a_connection_opened_during_a_cut_hangs_and_then_works() {
    let (link, server, _client, _inside) = connected().await;
    link.cut();
    let mut late = TcpStream::connect(link.address()).await.unwrap();
    late.write_all(b"startup").await.unwrap();
    silent(&mut late).await;
    assert!(timeout(QUIET, server.accept()).await.is_err());
    link.join();
    let (mut inside, _) = timeout(SOON, server.accept()).await.unwrap().unwrap();
    expect(&mut inside, b"startup").await;
    inside.write_all(b"ready").await.unwrap();
    expect(&mut late, b"ready").await;
}

#[tokio::test]
async fn the_server_never_hears_of_a_client_that_gave_up_during_the_cut() {
    let (link, server, _client, _inside) = connected().await;
    link.cut();
    let mut late = TcpStream::connect(link.address()).await.unwrap();
    late.write_all(b"startup").await.unwrap();
    sleep(QUIET).await;
    assert_eq!(link.sessions(), 2);
    drop(late);
    sleep(QUIET).await;
    assert_eq!(link.sessions(), 1);
    link.join();
    assert!(timeout(QUIET, server.accept()).await.is_err());
}

#[tokio::test]
async fn sessions_are_reset_at_both_ends_also_while_cut() {
    let (link, _server, mut client, mut inside) = connected().await;
    link.cut();
    link.reset_sessions();
    reset_seen(&mut client).await;
    reset_seen(&mut inside).await;
    link.join();
    let mut held = TcpStream::connect(link.address()).await.unwrap();
    held.write_all(b"after").await.unwrap();
    silent(&mut held).await;
    assert_eq!(link.sessions(), 1, "the link itself goes on");
}

#[tokio::test]
async fn a_reset_of_the_server_reaches_the_client_as_one() {
    let (_link, _server, mut client, inside) = connected().await;
    inside.set_zero_linger().unwrap();
    drop(inside);
    reset_seen(&mut client).await;
}

#[tokio::test]
async fn a_server_that_refuses_is_passed_on_as_a_reset_at_once() {
    let (link, server, _client, _inside) = connected().await;
    drop(server);
    let mut late = TcpStream::connect(link.address()).await.unwrap();
    reset_seen(&mut late).await;
}

#[tokio::test]
async fn retarget_moves_only_what_is_opened_afterwards() {
    let (link, _server, mut client, mut inside) = connected().await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    link.retarget(other.local_addr().unwrap());
    let mut second = TcpStream::connect(link.address()).await.unwrap();
    let (mut beside, _) = timeout(SOON, other.accept()).await.unwrap().unwrap();
    second.write_all(b"second").await.unwrap();
    expect(&mut beside, b"second").await;
    client.write_all(b"first").await.unwrap();
    expect(&mut inside, b"first").await;
}

#[tokio::test]
async fn a_reader_that_stops_reading_stops_the_writer() {
    let (link, _server, mut client, mut inside) = connected().await;
    let block = vec![7; 1 << 20];
    let mut sent = 0;
    while let Ok(written) = timeout(QUIET, client.write(&block)).await {
        sent += written.unwrap();
        assert!(sent < 1 << 28, "the link swallows without end");
    }
    link.cut();
    link.join();
    drop(client);
    let mut got = Vec::new();
    timeout(SOON, inside.read_to_end(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got.len(), sent, "nothing is lost and nothing comes twice");
}

#[tokio::test]
async fn dropping_the_link_frees_its_port_and_ends_its_connections() {
    let (link, _server, mut client, _inside) = connected().await;
    let address = link.address();
    drop(link);
    let end = timeout(SOON, client.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn adds_little_to_a_round_trip() {
    let (_link, _server, mut client, mut inside) = connected().await;
    client.set_nodelay(true).unwrap();
    tokio::spawn(async move {
        let mut byte = [0];
        while inside.read_exact(&mut byte).await.is_ok() {
            inside.write_all(&byte).await.unwrap();
        }
    });
    let clock = crate::clock::Clock::start();
    let mut fastest = Duration::MAX;
    for _ in 0..200 {
        let sent = clock.now();
        client.write_all(b"x").await.unwrap();
        expect(&mut client, b"x").await;
        fastest = fastest.min(clock.now().since(sent));
    }
    // Two hops each way on one thread, unoptimised. A missing TCP_NODELAY would cost 40 ms.
    assert!(fastest < Duration::from_millis(5), "{fastest:?}");
}
