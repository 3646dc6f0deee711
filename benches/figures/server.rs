//! A throw-away PostgreSQL for a measurement, with the ledger's table in it.

use firedrill::load::ledger_table;
use firedrill::sql::{Address, Answer, Session};
use firedrill::target::local::{Account, Search, search};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longer than any statement here.
const PATIENCE: Duration = Duration::from_secs(1800);

/// A server on loopback; ended and removed when dropped.
pub struct Server {
    postmaster: Child,
    port: u16,
    bin: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one with these extra settings, or says why it cannot.
    pub async fn start(settings: &[&str]) -> Result<Self, String> {
        let account = Account::choose().map_err(|error| error.to_string())?;
        let env = |name: &str| std::env::var_os(name);
        let bin = match search(None, &env, &account).map_err(|error| error.to_string())? {
            Search::Found(installation) => installation.bin,
            Search::Nothing(_) => return Err("no PostgreSQL on this machine".to_owned()),
        };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        account
            .own(folder.path())
            .map_err(|error| error.to_string())?;
        let data = folder.path().join("data");
        let mut command = Command::new(bin.join("initdb"));
        account.apply(&mut command);
        let made = silent(&mut command)
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return Err("initdb failed".to_owned());
        }
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("a port").port();
        drop(socket);
        let mut command = Command::new(bin.join("postgres"));
        account.apply(&mut command);
        silent(&mut command)
            .arg("-D")
            .arg(&data)
            .current_dir(folder.path());
        let own = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
        ];
        for setting in own
            .iter()
            .map(String::as_str)
            .chain(settings.iter().copied())
        {
            command.args(["-c", setting]);
        }
        let server = Self {
            postmaster: command.spawn().map_err(|error| error.to_string())?,
            port,
            bin,
            _folder: folder,
        };
        let address = server.address();
        for _ in 0..600 {
            if Session::connect(&address, Duration::from_secs(1))
                .await
                .is_ok()
            {
                let prepared = ledger_table::prepare(&address, "postgres").await;
                prepared.map_err(|error| error.to_string())?;
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the server did not start".to_owned())
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        Address {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: "postgres".to_owned(),
            password: None,
            database: "postgres".to_owned(),
            application: "firedrill-bench".to_owned(),
            simulated: None,
            way: None,
        }
    }

    /// Asks it.
    pub async fn ask(&self, sql: &str) -> Answer {
        let session = Session::connect(&self.address(), PATIENCE).await;
        let session = session.expect("a session");
        session.query(sql, PATIENCE).await.expect(sql)
    }

    /// A client program of its installation, pointed at it.
    pub fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        silent(&mut command)
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p"])
            .arg(self.port.to_string());
        command
    }
}

fn silent(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.postmaster.id() as i32), Signal::SIGQUIT);
        let _ = self.postmaster.wait();
    }
}
