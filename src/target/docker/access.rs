//! A socket for each node, in a folder that only this user may enter, and behind it whichever way into the node's
//! network there is at that moment.
//!
//! A client names a node by its socket, as it would any server on this machine. While there is no way in, because the
//! node's network is new and nobody has entered it yet, a client's connection ends at once.

use super::inside::Way;
use crate::target::TargetError;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// The sockets. Dropping it closes and removes them.
#[derive(Debug)]
pub(super) struct Access {
    folder: PathBuf,
    port: u16,
    _listening: JoinSet<()>,
}

impl Access {
    /// Opens a socket for each node, by its number, at which those ways begin.
    ///
    /// # Errors
    /// When the folder or a socket cannot be made.
    pub(super) fn open(run: &str, port: u16, ways: &[Arc<Way>]) -> Result<Self, TargetError> {
        let folder = folder(run);
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
        for (number, way) in ways.iter().enumerate() {
            let host = access.host(number);
            made(Path::new(&host))?;
            let path = Path::new(&host).join(format!(".s.PGSQL.{port}"));
            let listener = UnixListener::bind(&path).map_err(|error| {
                TargetError::new(format!("listen at {}", path.display()), error)
            })?;
            let way = Arc::clone(way);
            access._listening.spawn(async move {
                let mut open = JoinSet::new();
                loop {
                    tokio::select! {
                        taken = listener.accept() => {
                            let Ok((client, _)) = taken else { return };
                            let way = Arc::clone(&way);
                            open.spawn(async move { carry(client, &way, port).await });
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

/// Removes what a runner that was killed could not: the sockets of its run.
///
/// # Errors
/// When they are there and cannot be removed.
pub(super) fn sweep(run: &str) -> Result<(), TargetError> {
    let folder = folder(run);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(TargetError::new(
            format!("remove the folder {}", folder.display()),
            error,
        )),
        _ => Ok(()),
    }
}

/// Where the sockets of a run are. Not in the run's folder: a socket's path has at most 107 bytes.
fn folder(run: &str) -> PathBuf {
    std::env::temp_dir().join(format!("firedrill-{run}-nodes"))
}

/// Carries a client into the node, for as long as there is a way.
async fn carry(client: UnixStream, way: &Way, port: u16) {
    let Some(tunnel) = way.tunnel() else { return };
    tokio::select! {
        () = tunnel.carry(client, port) => {}
        () = tunnel.gone() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn without_a_way_a_client_learns_at_once_that_nobody_is_there() {
        let run = format!("test-{}", std::process::id());
        let access = Access::open(&run, 5432, &[Arc::default()]).unwrap();
        let path = Path::new(&access.host(0)).join(".s.PGSQL.5432");
        let mut client = UnixStream::connect(&path).await.unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"");
        drop(access);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_killed_runner_left_is_swept_by_the_name_of_its_run() {
        let run = format!("test-killed-{}", std::process::id());
        let access = Access::open(&run, 5432, &[Arc::default()]).unwrap();
        let left = folder(&run);
        // As SIGKILL would: nobody tidies up.
        std::mem::forget(access);
        assert!(left.exists());
        sweep(&run).unwrap();
        assert!(!left.exists());
        sweep(&run).unwrap();
    }
}
