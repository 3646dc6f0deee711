//! A socket for each node, in a folder that only this user may enter, and behind it whichever way into the node's
//! network there is at that moment.
//!
//! A client names a node by its socket, as it would any server on this machine. While there is no way in, because the
//! node's network is new and nobody has entered it yet, a client's connection ends at once.

use super::inside::Way;
use crate::target::TargetError;
use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::copy;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

/// Where a node's container is now: its address on each network that it is on.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<BTreeMap<String, String>>);

impl Addresses {
    /// Remembers what the engine says of it now.
    pub(super) fn set(&self, now: BTreeMap<String, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Its address on one network.
    pub(super) fn on(&self, network: &str) -> Option<String> {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.get(network).cloned()
    }

    /// All of them, that of `first` before the others.
    pub(super) fn all(&self, first: Option<&str>) -> Vec<String> {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(&String, &String)> = now.iter().collect();
        all.sort_by_key(|(network, _)| Some(network.as_str()) != first);
        all.into_iter()
            .map(|(_, address)| address.clone())
            .collect()
    }
}

/// The sockets. Dropping it closes and removes them.
#[derive(Debug)]
pub(super) struct Access {
    folder: PathBuf,
    port: u16,
    _listening: JoinSet<()>,
}

impl Access {
    /// Opens a socket for each node, by its number; `first` is the network by which it is reached where it is on
    /// several.
    ///
    /// # Errors
    /// When the folder or a socket cannot be made.
    pub(super) fn open(
        run: &str,
        port: u16,
        first: Option<&str>,
        nodes: &[Arc<Addresses>],
    ) -> Result<Self, TargetError> {
        let folder = std::env::temp_dir().join(format!("firedrill-{run}-nodes"));
        let made = |path: &Path| {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(path)
                .map_err(|error| {
                    TargetError::new(format!("make the folder {}", path.display()), error)
                })
        };
        made(&folder)?;
        let mut access = Self {
            folder,
            port,
            _listening: JoinSet::new(),
        };
        for (number, addresses) in nodes.iter().enumerate() {
            let host = access.host(number);
            made(Path::new(&host))?;
            let path = Path::new(&host).join(format!(".s.PGSQL.{port}"));
            let listener = UnixListener::bind(&path).map_err(|error| {
                TargetError::new(format!("listen at {}", path.display()), error)
            })?;
            let (addresses, first) = (Arc::clone(addresses), first.map(str::to_owned));
            access._listening.spawn(async move {
                let mut open = JoinSet::new();
                loop {
                    tokio::select! {
                        taken = listener.accept() => {
                            let Ok((client, _)) = taken else { return };
                            let at = addresses.all(first.as_deref()).into_iter().next();
                            open.spawn(carry(client, at, port));
                        }
                        Some(_) = open.join_next() => {}
                    }
                }
            });
        }
        Ok(access)
    }

    /// The folder of a node's socket, as PostgreSQL's clients take it for a host.
    pub(super) fn host(&self, number: usize) -> String {
        self.folder
            .join(number.to_string())
            .to_string_lossy()
            .into_owned()
    }

    /// The number in the sockets' names.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        // An empty folder in the place for temporary ones is all that could be left.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Carries bytes both ways until either side is done. Where one ends the other is closed too: a client that is
/// gone must not keep its backend.
async fn carry(mut client: UnixStream, at: Option<String>, port: u16) {
    let Some(at) = at else { return };
    let Ok(mut server) = TcpStream::connect((at.as_str(), port)).await else {
        return;
    };
    let _ = server.set_nodelay(true);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}

#[cfg(test)]
mod tests {
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
}
