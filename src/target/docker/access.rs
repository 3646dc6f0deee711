//! The ways into single nodes: for each a socket in a folder that only this user may enter, and behind it
//! whichever address the node's container has at that moment.
//!
//! A container may get another address when it is started again, and its old one may become another node's:
//! a fixed address would then tell of the wrong node. A node that is on no network is reached by nobody here;
//! what is not reached is not observed.

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
#[path = "access_tests.rs"]
mod tests;
