//! A throw-away PostgreSQL for the tests of this library; nothing else may use it.

use super::{Address, Session};
use crate::target::local::{Account, release, test_installation};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server on loopback with its data in a temporary folder; killed and removed when dropped.
pub(crate) struct TestServer {
    postmaster: Child,
    pub(crate) port: u16,
    pub(crate) bin: PathBuf,
    folder: tempfile::TempDir,
    name: String,
}

/// The command as the account that servers run under, and silent.
fn quiet<'a>(command: &'a mut Command, account: &Account) -> &'a mut Command {
    account.apply(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Only called once an installation was found.
fn account() -> &'static Account {
    let (_, account) = test_installation().unwrap();
    account
}

/// A port that refuses as long as the socket is held: bound, so that no other test gets it, and not listening.
pub(crate) fn refusing_port() -> (tokio::net::TcpSocket, u16) {
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind((std::net::Ipv4Addr::LOCALHOST, 0).into())
        .unwrap();
    let port = held.local_addr().unwrap().port();
    (held, port)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

impl TestServer {
    /// A primary with these extra settings; `None`, with the reason on the terminal, where there is
    /// no PostgreSQL.
    pub(crate) async fn primary(settings: &[&str]) -> Option<Self> {
        let (installation, _) = test_installation()?;
        let bin = installation.bin.clone();
        let folder = Self::folder();
        let status = quiet(&mut Command::new(bin.join("initdb")), account())
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"])
            .arg(folder.path().join("data"))
            .status()
            .unwrap();
        assert!(status.success(), "initdb");
        Some(Self::run(bin, folder, "node-1", settings).await)
    }

    /// Whether the PostgreSQL of these tests can encrypt, which the one that is fetched cannot; says so where not.
    pub(crate) fn has_tls() -> bool {
        let Some((installation, _)) = test_installation() else {
            return false;
        };
        let folder = Self::folder();
        std::fs::write(folder.path().join("postgresql.conf"), "").unwrap();
        Self::hand_over(&folder.path().join("postgresql.conf"));
        // A setting that needs no data is printed before there are any.
        let postgres = installation.bin.join("postgres");
        let said = quiet(&mut Command::new(postgres), account())
            .args(["-C", "ssl_library", "-D"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let has = !String::from_utf8_lossy(&said.stdout).trim().is_empty();
        if !has {
            #[expect(clippy::print_stderr, reason = "a skipped test says why")]
            {
                eprintln!("skipped: this PostgreSQL was built without TLS");
            }
        }
        has
    }

    /// A standby that streams from this server under the name `name`.
    pub(crate) async fn standby(&self, name: &str) -> Self {
        let folder = Self::folder();
        let status = quiet(&mut Command::new(self.bin.join("pg_basebackup")), account())
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-R",
                "-c",
                "fast",
                "-p",
            ])
            .arg(self.port.to_string())
            .arg("-d")
            .arg(format!("application_name={name}"))
            .arg("-D")
            .arg(folder.path().join("data"))
            .status()
            .unwrap();
        assert!(status.success(), "pg_basebackup");
        Self::run(self.bin.clone(), folder, name, &[]).await
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        account().own(folder.path()).unwrap();
        folder
    }

    async fn run(bin: PathBuf, folder: tempfile::TempDir, name: &str, settings: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(bin.join("postgres"));
        quiet(&mut command, account())
            .process_group(0)
            .arg("-D")
            .arg(folder.path().join("data"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .arg("-c")
            .arg(format!("port={port}"))
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                folder.path().display()
            ));
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let postmaster = command.spawn().unwrap();
        let server = Self {
            postmaster,
            port,
            bin,
            folder,
            name: name.to_owned(),
        };
        for _ in 0..200 {
            if server.try_session().await.is_some() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not start");
    }

    async fn try_session(&self) -> Option<Session> {
        Session::connect(&self.address(), Duration::from_secs(2))
            .await
            .ok()
    }

    /// As the superuser.
    pub(crate) fn address(&self) -> Address {
        Address {
            host: "127.0.0.1".into(),
            port: self.port,
            user: "postgres".into(),
            password: None,
            database: "postgres".into(),
            application: "test".into(),
            simulated: None,
            way: None,
        }
    }

    /// A superuser's session.
    pub(crate) async fn session(&self) -> Session {
        self.try_session().await.expect("a session")
    }

    /// The first column of the first row.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let answer = self
            .session()
            .await
            .query(sql, Duration::from_secs(10))
            .await;
        let rows = answer.expect(sql).rows;
        rows.first()
            .and_then(|row| row.first().cloned().flatten())
            .unwrap_or_default()
    }

    /// Gives a file to the account that servers run under.
    pub(crate) fn hand_over(path: &Path) {
        account().own(path).unwrap();
    }

    /// Its folder; the Unix socket lies there.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name it was started under.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Stops (SIGSTOP) or continues (SIGCONT) the postmaster and every child of it. Backends call
    /// setsid(), so the process group alone would miss them.
    pub(crate) fn signal_all(&self, signal: nix::sys::signal::Signal) {
        let postmaster = self.postmaster.id();
        let children =
            std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))
                .unwrap_or_default();
        let pids = std::iter::once(postmaster).chain(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok()),
        );
        for pid in pids {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), signal);
        }
    }
}

impl TestServer {
    /// A signal to the postmaster alone.
    pub(crate) fn signal_postmaster(&self, signal: nix::sys::signal::Signal) {
        let postmaster = nix::unistd::Pid::from_raw(self.postmaster.id() as i32);
        let _ = nix::sys::signal::kill(postmaster, signal);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.signal_all(nix::sys::signal::Signal::SIGCONT);
        let pid = nix::unistd::Pid::from_raw(self.postmaster.id() as i32);
        // SIGQUIT is the immediate shutdown: the postmaster takes its children along.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let _ = self.postmaster.wait();
        // A test may have killed it before.
        let _ = release(&self.folder.path().join("data"), account());
    }
}
