//! Starts the built program in a home of its own and collects what it says.

use firedrill::clock::Clock;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The program, with home, state, cache and temporary folders that are removed afterwards.
pub struct Firedrill {
    home: tempfile::TempDir,
    limit: Duration,
    environment: Vec<(String, String)>,
}

/// A run of the program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output as it was.
    pub stdout: String,
    /// Standard error as it was.
    pub stderr: String,
    home: PathBuf,
}

impl Firedrill {
    /// A program that has never run before, with a minute to finish.
    pub fn new() -> Self {
        let home = super::fresh_folder();
        // A test may run as root, whose PostgreSQL runs as another user: it must be able to pass.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(home.path(), open).expect("own folder");
        for folder in ["state", "cache", "config", "tmp"] {
            std::fs::create_dir(home.path().join(folder)).expect("a fresh folder");
        }
        if let Some(fetched) = fetched() {
            std::os::unix::fs::symlink(fetched, home.path().join("cache/firedrill"))
                .expect("a fresh folder");
        }
        Self {
            home,
            limit: Duration::from_secs(60),
            environment: Vec::new(),
        }
    }

    /// The same with another limit for each run.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same with one more environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its home, in which a test may put files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into its home and gives the path as text.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home().join(name);
        std::fs::write(&path, text).expect("a file in an own folder");
        path.to_str().expect("a plain path").to_owned()
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Finished {
        self.run_into(arguments, Stdio::piped())
    }

    /// The same with standard output going elsewhere.
    pub fn run_into<S: AsRef<OsStr>>(&self, arguments: &[S], stdout: Stdio) -> Finished {
        let mut command = self.command(env!("CARGO_BIN_EXE_firedrill"));
        command.args(arguments).stdout(stdout);
        self.finish(command)
    }

    /// Runs a bash script, in which `$FIREDRILL` is the program.
    pub fn bash(&self, script: &str) -> Finished {
        let mut command = self.command("bash");
        command.args(["-c", script]).stdout(Stdio::piped());
        self.finish(command)
    }

    /// Starts it and lets it run; the caller ends it.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Child {
        // A test run under nohup ignores SIGHUP, and so would what it starts; env becomes the program itself.
        let mut command = self.command("env");
        command
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_firedrill")])
            .args(arguments)
            .stdout(Stdio::piped());
        command.spawn().expect("the built program starts")
    }

    /// Waits for the end of one that was started.
    pub fn wait(&self, child: Child) -> Finished {
        collect(child, self.limit, self.home())
    }

    /// A command in its environment: nothing of the caller's but PATH and what finds PostgreSQL.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in ["PATH", "LANG", "FIREDRILL_PG_BIN", "FIREDRILL_PG_SOURCE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.home())
            .env("XDG_STATE_HOME", self.home().join("state"))
            .env("XDG_CACHE_HOME", self.home().join("cache"))
            .env("XDG_CONFIG_HOME", self.home().join("config"))
            .env("TMPDIR", self.home().join("tmp"))
            .env("FIREDRILL", env!("CARGO_BIN_EXE_firedrill"))
            .envs(self.environment.iter().cloned())
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn finish(&self, mut command: Command) -> Finished {
        self.wait(command.spawn().expect("the program starts"))
    }
}

/// Where a machine without PostgreSQL keeps the one that was fetched: by the library's tests, which run before
/// these, so that it is not fetched again for each home.
fn fetched() -> Option<PathBuf> {
    let own = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let caches = [
        own("XDG_CACHE_HOME"),
        own("HOME").map(|home| home.join(".cache")),
        Some("/var/cache".into()),
    ];
    // Root's own home is closed to the account that runs the servers; the way there tells.
    let open = |folder: &PathBuf| {
        let ours = !nix::unistd::Uid::effective().is_root();
        ours || folder.ancestors().all(|part| {
            use std::os::unix::fs::PermissionsExt as _;
            let found = part.metadata();
            found.is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
        })
    };
    let mut kept = caches
        .into_iter()
        .flatten()
        .map(|cache| cache.join("firedrill"));
    kept.find(|folder| folder.is_dir() && open(folder))
}

/// Reads both streams to their ends while waiting: a child that fills a pipe would never finish.
fn collect(mut child: Child, limit: Duration, home: &Path) -> Finished {
    let stdout = child.stdout.take().map(reader);
    let stderr = child.stderr.take().map(reader);
    let clock = Clock::start();
    let begin = clock.now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("an own child") {
            break status;
        }
        if clock.now().since(begin) > limit {
            let _ = child.kill();
            let _ = child.wait();
            let said = stderr.map(|thread| thread.join().unwrap_or_default());
            panic!(
                "not finished after {limit:?}; standard error:\n{}",
                said.unwrap_or_default()
            );
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = |thread: Option<thread::JoinHandle<String>>| {
        thread
            .map(|thread| thread.join().expect("a reader"))
            .unwrap_or_default()
    };
    Finished {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
        home: home.to_owned(),
    }
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Finished {
    /// Standard output without what differs from run to run: `[HOME]` for the home, `[RUN]` for run ids.
    pub fn plain_stdout(&self) -> String {
        self.plain(&self.stdout)
    }

    /// Standard error likewise.
    pub fn plain_stderr(&self) -> String {
        self.plain(&self.stderr)
    }

    fn plain(&self, text: &str) -> String {
        let text = text.replace(&*self.home.to_string_lossy(), "[HOME]");
        super::text::without_run_ids(&text)
    }
}
