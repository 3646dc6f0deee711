//! Watching a service of the user's own, as its clients see it: by HTTP or by a command. Open loop like all
//! probes. It writes nothing into the ledger; whether an answer is good is all that counts.

use super::http::{self, Page};
use super::probes::{Channel, Probes};
use super::schedule::{Schedule, Ticks};
use crate::event::slots::{ErrorClass, Outcome};
use std::cell::Cell;
use std::fmt;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;
use tokio::process::Command;
use tokio::task::spawn_local;

/// Requests or commands under way at the same time: a service that hangs must not be buried.
const MOST: usize = 16;

/// A service that is watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its name in the target file.
    pub name: String,
    /// How.
    pub by: WatchedBy,
    /// Period in milliseconds.
    pub every_ms: u64,
    /// Deadline in milliseconds.
    pub deadline_ms: u64,
}

/// How a service is watched.
#[derive(Clone, Debug)]
pub enum WatchedBy {
    /// GET; a status from 200 to 299 is good.
    Http(Page),
    /// A command with its arguments; exit status 0 is good.
    Run(Vec<String>),
}

impl fmt::Display for WatchedBy {
    /// What is asked, without the query of a URL and without arguments: a token may stand there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(page) => write!(f, "GET {page}"),
            Self::Run(command) => {
                let program = command.first().map_or("", String::as_str);
                write!(f, "command {program}")
            }
        }
    }
}

/// Runs the channel until the probes stop.
pub(super) async fn run(probes: Rc<Probes>, channel: Channel, watch: Watch, schedule: Schedule) {
    let watch = Rc::new(watch);
    let flying = Rc::new(Cell::new(0usize));
    let period = Duration::from_millis(watch.every_ms);
    let mut ticks = Ticks::new(probes.clock, schedule, period);
    while let Some(k) = ticks.next(|| probes.is_stopping()).await {
        if flying.get() >= MOST {
            probes.not_sent(channel, k);
            continue;
        }
        flying.set(flying.get() + 1);
        let (probes, watch, flying) = (Rc::clone(&probes), Rc::clone(&watch), Rc::clone(&flying));
        spawn_local(async move {
            probes.begin(channel, k);
            let deadline = Duration::from_millis(watch.deadline_ms);
            let outcome = match &watch.by {
                WatchedBy::Http(page) => http::get(page, deadline).await,
                WatchedBy::Run(command) => execute(command, deadline).await,
            };
            probes.settle(channel, k, outcome, None);
            flying.set(flying.get() - 1);
        });
    }
}

/// Runs a command; at the deadline it is ended with everything that it started in its process group.
async fn execute(command: &[String], deadline: Duration) -> Outcome {
    let Some((program, arguments)) = command.split_first() else {
        return Outcome::Failed(ErrorClass::BadAnswer);
    };
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = child else {
        return Outcome::Failed(ErrorClass::BadAnswer);
    };
    let group = child.id();
    match tokio::time::timeout(deadline, child.wait()).await {
        Ok(Ok(status)) if status.success() => Outcome::Acknowledged,
        Ok(_) => Outcome::Failed(ErrorClass::BadAnswer),
        Err(_) => {
            if let Some(group) = group.and_then(|id| i32::try_from(id).ok()) {
                let group = nix::unistd::Pid::from_raw(group);
                let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            }
            let _ = child.wait().await;
            Outcome::Failed(ErrorClass::StatementDeadline)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_command_is_good_when_it_ends_with_0_in_time() {
        let long = Duration::from_secs(10);
        assert_eq!(
            execute(&words(&["true"]), long).await,
            Outcome::Acknowledged
        );
        let bad = Outcome::Failed(ErrorClass::BadAnswer);
        assert_eq!(execute(&words(&["false"]), long).await, bad);
        assert_eq!(execute(&words(&["/nowhere/at/all"]), long).await, bad);
        let late = Outcome::Failed(ErrorClass::StatementDeadline);
        let short = Duration::from_millis(50);
        assert_eq!(execute(&words(&["sleep", "60"]), short).await, late);
    }

    #[test]
    fn what_is_asked_is_shown_without_what_may_be_secret() {
        let page = http::page("http://app.test/health?token=s3cret").unwrap();
        assert_eq!(
            WatchedBy::Http(page).to_string(),
            "GET http://app.test/health"
        );
        let run = WatchedBy::Run(words(&["./check.sh", "--token", "s3cret"]));
        assert_eq!(run.to_string(), "command ./check.sh");
    }
}
