//! One local server: made, started, stopped, killed.
//!
//! It knows nothing of the other nodes and decides nothing: whether a start would make a second primary
//! is the caller's question.

use super::configuration::{ACT, Configuration};
use super::process_tree::{self, Process};
use super::tools::{Tools, log_tail};
use crate::target::TargetError;
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a server may take until it accepts connections, crash recovery included.
pub const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a fast shutdown may take: it waits for a checkpoint and for standbys.
pub const STOP_LIMIT: Duration = Duration::from_secs(60);
const INITDB_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// One local server.
#[derive(Debug)]
pub struct Server {
    name: String,
    tools: Tools,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    /// Tells how our postmaster ended, once it has; `None` before the first start.
    exit: Mutex<Option<watch::Receiver<Option<String>>>>,
}

/// PostgreSQL's ways to shut down (`pg_ctl` documentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SIGINT: sessions are ended, a checkpoint is written, standbys get everything.
    Fast,
    /// SIGQUIT: everything is dropped; the next start recovers.
    Immediate,
}

impl Server {
    /// A server with its data in `data`, which may not exist yet.
    #[must_use]
    pub fn new(name: &str, tools: Tools, data: PathBuf, port: u16) -> Self {
        let log = tools.folder.join(format!("{name}.log"));
        Self {
            name: name.to_owned(),
            tools,
            data,
            log,
            port,
            exit: Mutex::new(None),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty cluster. `password` is a file with the superuser's; the caller removes it.
    ///
    /// # Errors
    /// When initdb fails; the cause carries its last lines.
    pub async fn initdb(&self, password: &Path) -> Result<(), TargetError> {
        let mut pwfile = std::ffi::OsString::from("--pwfile=");
        pwfile.push(password);
        let args = [
            "--auth=scram-sha-256".as_ref(),
            "--encoding=UTF8".as_ref(),
            "--locale=C".as_ref(),
            "--username".as_ref(),
            ACT.as_ref(),
            pwfile.as_os_str(),
            // The files are a minute old at most when they are thrown away; what is written later is synced.
            "--no-sync".as_ref(),
            "--no-instructions".as_ref(),
            "-D".as_ref(),
            self.data.as_os_str(),
        ];
        let what = format!("make the database cluster of {}", self.name);
        self.tools.run(&what, "initdb", &args, INITDB_LIMIT).await?;
        Ok(())
    }

    /// Lets the server note its configuration in its control file, which a standby compares with its own
    /// before it starts: one that allows fewer connections than its primary refuses to (PostgreSQL
    /// documentation, "Hot Standby", "Administrator's Overview").
    ///
    /// # Errors
    /// When the single-user server that does it fails.
    pub async fn take_on_configuration(&self) -> Result<(), TargetError> {
        let what = format!("configure {}", self.name);
        let args = [
            "--single".as_ref(),
            "-D".as_ref(),
            self.data.as_os_str(),
            "postgres".as_ref(),
        ];
        self.tools
            .run(&what, "postgres", &args, START_LIMIT)
            .await?;
        Ok(())
    }

    /// Writes both configuration files, and the mark of a standby if it is to be one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn configure(
        &self,
        configuration: &Configuration<'_>,
        standby: bool,
    ) -> Result<(), TargetError> {
        let write = || -> io::Result<()> {
            self.write("postgresql.conf", &configuration.text())?;
            self.write("postgresql.auto.conf", "")?;
            self.write("pg_hba.conf", Configuration::hba())?;
            if standby {
                self.write("standby.signal", "")
            } else {
                match fs::remove_file(self.data.join("standby.signal")) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                }
            }
        };
        write().map_err(|error| TargetError::new(format!("configure {}", self.name), error))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.data.join(name);
        fs::write(&path, text)?;
        self.tools.account.own(&path)
    }

    /// Starts it and waits until it accepts connections. Harmless where it already does. What is left of an
    /// earlier start without its postmaster is killed first, or the new one would refuse the shared memory.
    ///
    /// # Errors
    /// When it ends early or does not accept connections in time; the cause carries the end of its log.
    pub async fn start(&self) -> Result<(), TargetError> {
        let what = format!("start {}", self.name);
        if self.postmaster()?.is_none() {
            self.kill().await?;
            self.spawn()
                .map_err(|error| TargetError::new(&what, error))?;
        }
        let ready = async {
            loop {
                if self.accepts_connections() {
                    return Ok(());
                }
                if let Some(end) = self.ended() {
                    return Err(format!("it {end}; its log: {}", log_tail(&self.log, 5)));
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(START_LIMIT, ready).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(TargetError::new(what, why)),
            Err(_) => Err(TargetError::new(
                what,
                format!(
                    "no connection accepted within {} s; its log: {}",
                    START_LIMIT.as_secs(),
                    log_tail(&self.log, 5)
                ),
            )),
        }
    }

    fn spawn(&self) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        // A crashed server leaves its file behind, and its status line must not be taken for the new one's.
        match fs::remove_file(self.data.join("postmaster.pid")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut command = self.tools.command("postgres");
        command
            .arg("-D")
            .arg(&self.data)
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            // Ctrl-C in the terminal must reach firedrill only.
            .process_group(0);
        let mut child = command.spawn()?;
        let (tell, exit) = watch::channel(None);
        // The child must be collected whenever it ends, or a zombie stays that looks like a process; a
        // thread does it without depending on a runtime that may be gone by then.
        std::thread::Builder::new()
            .name(format!("wait-{}", self.name))
            .spawn(move || {
                let end = match child.wait() {
                    Ok(status) => match status.signal() {
                        Some(signal) => format!("was ended by signal {signal}"),
                        None => format!("ended with {status}"),
                    },
                    Err(error) => format!("cannot be waited for: {error}"),
                };
                let _ = tell.send(Some(end));
            })?;
        *self.exit.lock().unwrap_or_else(PoisonError::into_inner) = Some(exit);
        Ok(())
    }

    /// How our postmaster ended, if it has.
    fn ended(&self) -> Option<String> {
        let exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        exit.as_ref().and_then(|exit| exit.borrow().clone())
    }

    /// The eighth line of `postmaster.pid` says "ready" once connections are accepted, also on a hot standby
    /// ("standby" would mean that it takes none; `src/include/utils/pidfile.h`).
    fn accepts_connections(&self) -> bool {
        let Ok(text) = fs::read_to_string(self.data.join("postmaster.pid")) else {
            return false;
        };
        text.lines()
            .nth(7)
            .is_some_and(|line| line.trim() == "ready")
    }

    /// The number of the postmaster, as it wrote it down itself.
    fn postmaster_number(&self) -> Option<i32> {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// All its living processes, the postmaster first.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn processes(&self) -> Result<Vec<Process>, TargetError> {
        process_tree::processes_in(&self.data, &self.tools.account)
    }

    /// Its postmaster, if that lives.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn postmaster(&self) -> Result<Option<Process>, TargetError> {
        let number = self.postmaster_number();
        Ok(self
            .processes()?
            .into_iter()
            .find(|process| Some(process.id.pid) == number))
    }

    /// Stops it in PostgreSQL's own way and waits until nothing of it is left.
    ///
    /// # Errors
    /// When it does not end within `limit`; it is left as it is then.
    pub async fn stop(&self, how: Shutdown, limit: Duration) -> Result<(), TargetError> {
        if let Some(postmaster) = self.postmaster()? {
            process_tree::send(
                postmaster.id,
                match how {
                    Shutdown::Fast => Signal::SIGINT,
                    Shutdown::Immediate => Signal::SIGQUIT,
                },
            )?;
        }
        let gone = async {
            while !self.processes()?.is_empty() {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        match tokio::time::timeout(limit, gone).await {
            Ok(done) => done,
            Err(_) => Err(TargetError::new(
                format!("stop {}", self.name),
                format!(
                    "it still runs after {} s; its log: {}",
                    limit.as_secs(),
                    log_tail(&self.log, 3)
                ),
            )),
        }
    }

    /// Kills all its processes at once and returns when they are gone.
    ///
    /// # Errors
    /// When something survives.
    pub async fn kill(&self) -> Result<usize, TargetError> {
        let data = self.data.clone();
        let account = self.tools.account.clone();
        tokio::task::spawn_blocking(move || process_tree::kill_all(&data, &account))
            .await
            .map_err(|error| TargetError::new(format!("kill {}", self.name), error))?
    }
}

/// A port on 127.0.0.1 that is free now. It lies below the range from which Linux draws ports for outgoing
/// connections (32768 and up, ip(7)), so that nobody takes it by accident while its server is down.
///
/// # Errors
/// When none of many is free.
pub fn free_port() -> io::Result<u16> {
    const LOWEST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    for _ in 0..200 {
        let drawn = u16::from_le_bytes(random_bytes::<2>()?);
        let port = LOWEST + drawn % COUNT;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other(
        "no free port between 20000 and 32000 on 127.0.0.1",
    ))
}

/// Random bytes from the system, for passwords and ports.
///
/// # Errors
/// When the system has none.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

/// A password of 128 random bits.
///
/// # Errors
/// When the system has no random bytes.
pub fn random_password() -> io::Result<crate::sql::Secret> {
    let bytes = random_bytes::<16>()?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(crate::sql::Secret::new(text))
}
