//! Where the sockets into nodes lead, and that nothing is left of them.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn at(address: &str) -> Arc<Addresses> {
    let addresses = Addresses::default();
    addresses.set(BTreeMap::from([("front".to_owned(), address.to_owned())]));
    Arc::new(addresses)
}

#[tokio::test]
async fn a_socket_leads_to_where_the_node_is_now_and_goes_with_its_run() {
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = one.local_addr().unwrap().port();
    let other = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let node = at("127.0.0.1");
    let run = format!("test-{}", std::process::id());
    let access = Access::open(&run, port, Some("front"), &[Arc::clone(&node)]).unwrap();
    let path = Path::new(&access.host(0)).join(format!(".s.PGSQL.{port}"));

    let said = |server: TcpListener, word: &'static [u8]| async move {
        let (mut stream, _) = server.accept().await.unwrap();
        stream.write_all(word).await.unwrap();
    };
    let answer = || async {
        let mut client = UnixStream::connect(&path).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    };
    let (_, text) = tokio::join!(said(one, b"one"), answer());
    assert_eq!(text, "one");
    node.set(BTreeMap::from([(
        "back".to_owned(),
        "127.0.0.2".to_owned(),
    )]));
    let (_, text) = tokio::join!(said(other, b"other"), answer());
    assert_eq!(text, "other");
    node.set(BTreeMap::new());
    assert_eq!(answer().await, "", "on no network it is reached by nobody");
    drop(access);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_client_that_is_gone_leaves_no_connection_behind() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let (client, relay) = UnixStream::pair().unwrap();
    let carried = tokio::spawn(carry(relay, Some("127.0.0.1".to_owned()), port));
    let (mut accepted, _) = server.accept().await.unwrap();
    drop(client);
    let mut rest = Vec::new();
    accepted.read_to_end(&mut rest).await.unwrap();
    carried.await.unwrap();
}
