//! The clock of a node. A container reads the machine's, as every other and firedrill do: set for one, it is set for all, and
//! firedrill never does that. A container has a clock of its own where libfaketime is preloaded into its processes and reads
//! how far ahead it is from a file (<https://github.com/wolfcw/libfaketime>, FAKETIME_TIMESTAMP_FILE).
//!
//! That file is read and written by the engine, whether or not the container runs, and needs no shell in it.

use super::docker_target::{DockerTarget, Node};
use crate::clock::wall;
use crate::sql::Session;
use crate::target::{Pressed, Target as _, TargetError, Weight};
use std::time::Duration;

/// How long a server may take to say what time it is.
const ASK: Duration = Duration::from_secs(3);
/// So far off, in milliseconds, a clock counts as put back: as long as it may take to be asked, and the millisecond that it is
/// read in.
const AS_GOOD_AS: u64 = 1000;
/// An answer that took longer is off by too much.
const LONGEST_MS: i64 = 500;
/// What time the server has, in milliseconds.
const NOW: &str =
    "select (extract(epoch from pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8::text";

/// Why the clock of nodes cannot be stepped, and what to do.
pub(super) fn is_the_machines(nodes: &str) -> String {
    format!(
        "the clock of {nodes} is that of the engine's machine, which every container there reads: lead the image's \
         processes past it, as examples/patroni/own-clock.compose.yml does, or by a libfaketime newer than 0.9.10 \
         (LD_PRELOAD, FAKETIME_DONT_FAKE_MONOTONIC=1, FAKETIME_TIMESTAMP_FILE with a file that says +0)"
    )
}

/// How far ahead a file sets a clock, in milliseconds; `None` where it says anything but seconds from the machine's clock.
fn set_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, number) = match text.split_at_checked(1)? {
        ("+", number) => (1.0, number),
        ("-", number) => (-1.0, number),
        _ => return None,
    };
    let plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = number.parse().ok().filter(|_| plain)?;
    // A week and more is nothing that firedrill sets, and exact all the same.
    (seconds < 1e9).then(|| (sign * seconds * 1000.0).round() as i64)
}

/// The same as a file says it.
fn as_text(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}\n", ms / 1000, ms % 1000)
}

impl DockerTarget {
    /// What is to be known of a node's clock before it is stepped: what its file says, and the step resolved.
    ///
    /// # Errors
    /// When its clock is the machine's, its file is another's, or its server does not say what time it has.
    pub(super) async fn clock_before(
        &self,
        node: &Node,
        by_ms: i64,
    ) -> Result<(String, Weight), TargetError> {
        let what = || format!("step the clock of {}", node.facts.name);
        let (path, text) = self.read_clock(node).await?;
        let set = set_ms(&text).ok_or_else(|| {
            let why = format!(
                "{path} says {:?}, and firedrill steps a clock only where it is set in seconds from the machine's, such as +0",
                text.trim()
            );
            TargetError::new(what(), why)
        })?;
        let ahead_ms = self.ahead_ms(node).await?;
        let weight = Weight::Clock {
            by_ms,
            set_ms: set,
            ahead_ms,
        };
        Ok((text, weight))
    }

    /// Steps it.
    ///
    /// # Errors
    /// When the engine does not write the file.
    pub(super) async fn step_clock(&self, node: &Node, to_ms: i64) -> Result<(), TargetError> {
        let path = self.clock_path(node).await?;
        self.write_clock(node, &path, &as_text(to_ms)).await
    }

    /// By how much the server's clock is off where it was before a step; `None` where the server does not say.
    pub(super) async fn stepped_ms(&self, node: &Node, ahead_before_ms: i64) -> Option<i64> {
        let ahead = self.ahead_ms(node).await.ok()?;
        Some(ahead.saturating_sub(ahead_before_ms))
    }

    /// Sets a clock as it was. Harmless where it is.
    ///
    /// # Errors
    /// When the engine does not write the file.
    pub(super) async fn set_clock_back(
        &self,
        node: &Node,
        pressed: &Pressed,
    ) -> Result<(), TargetError> {
        let before = pressed.before.as_deref().unwrap_or_default();
        let (path, text) = self.read_clock(node).await?;
        match text == before {
            true => Ok(()),
            false => self.write_clock(node, &path, before).await,
        }
    }

    /// How a node's clock is still off; `None` where it is set as before, and where the server can be asked says so.
    ///
    /// # Errors
    /// When the engine does not read the file.
    pub(super) async fn clock_still(
        &self,
        node: &Node,
        pressed: &Pressed,
        ahead_before_ms: i64,
    ) -> Result<Option<String>, TargetError> {
        let name = &node.facts.name;
        let (path, text) = self.read_clock(node).await?;
        if Some(text.as_str()) != pressed.before.as_deref() {
            let text = text.trim();
            return Ok(Some(format!(
                "the clock of {name} is still set: {path} says {text}"
            )));
        }
        if !self.has_ways() {
            // Whoever puts a dead run back has no password to ask with; the file is all that firedrill changed.
            return Ok(None);
        }
        Ok(match self.stepped_ms(node, ahead_before_ms).await {
            Some(off) if off.unsigned_abs() <= AS_GOOD_AS => None,
            Some(off) => Some(format!("the clock of {name} is still off by {off} ms")),
            None => Some(format!("the server of {name} does not say what time it is")),
        })
    }

    /// How far a node's server is ahead of this machine's clock, to half of what it took to ask.
    async fn ahead_ms(&self, node: &Node) -> Result<i64, TargetError> {
        let failed = |why: String| {
            let what = format!("ask the server of {} for the time", node.facts.name);
            TargetError::new(what, why)
        };
        let address = self.observe_access(&node.facts.name);
        let session = Session::connect(&address, ASK).await;
        let session = session.map_err(|error| failed(error.to_string()))?;
        let asked = wall().as_millisecond();
        let answer = session.query(NOW, ASK).await;
        let answered = wall().as_millisecond();
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        if answered - asked > LONGEST_MS {
            let took = answered - asked;
            return Err(failed(format!(
                "the answer took {took} ms, and says nothing by then"
            )));
        }
        let said = answer
            .rows
            .first()
            .and_then(|row| row.first().cloned())
            .flatten();
        let said: Option<i64> = said.as_deref().and_then(|said| said.parse().ok());
        let said = said.ok_or_else(|| failed("it does not say".to_owned()))?;
        Ok(said - (asked + answered) / 2)
    }

    /// Where a node's clock is set.
    async fn clock_path(&self, node: &Node) -> Result<String, TargetError> {
        let name = &node.facts.name;
        let container = self.look_at(node).await?;
        container.clock.ok_or_else(|| {
            TargetError::new(format!("step the clock of {name}"), is_the_machines(name))
        })
    }

    /// Where a node's clock is set, and what is said there.
    async fn read_clock(&self, node: &Node) -> Result<(String, String), TargetError> {
        let path = self.clock_path(node).await?;
        let read = self.engine.read_file(&node.facts.id, &path).await;
        let read = read.map_err(|error| {
            TargetError::new(format!("read the clock of {}", node.facts.name), error)
        })?;
        Ok((path, String::from_utf8_lossy(&read).into_owned()))
    }

    async fn write_clock(&self, node: &Node, path: &str, text: &str) -> Result<(), TargetError> {
        let id = &node.facts.id;
        let written = self.engine.rewrite_file(id, path, text.as_bytes()).await;
        written.map_err(|error| {
            TargetError::new(format!("set the clock of {}", node.facts.name), error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::docker::container::clock_file;

    #[test]
    fn what_a_file_says_is_read_and_written_alike() {
        for (text, ms) in [
            ("+0\n", 0),
            ("-0", 0),
            ("+120.5", 120_500),
            ("-3.25\n", -3250),
        ] {
            assert_eq!(set_ms(text), Some(ms), "{text:?}");
            assert_eq!(set_ms(&as_text(ms)), Some(ms), "{text:?}");
        }
        for text in [
            "",
            "0",
            "+",
            "+2m",
            "@2026-11-28 04:00:00",
            "2026-11-28 04:00:00",
            "+1e3",
            "+0 x2",
            "+inf",
        ] {
            assert_eq!(set_ms(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_clock_of_its_own_is_told_by_the_environment() {
        let clock = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            clock_file(&lines)
        };
        let (led, file) = (
            "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            "FAKETIME_TIMESTAMP_FILE=/etc/clock",
        );
        let alone = "FAKETIME_DONT_FAKE_MONOTONIC=1";
        assert_eq!(
            clock(&[led, file]),
            None,
            "it steps time that is counted as well"
        );
        let ours = "LD_PRELOAD=/usr/local/lib/faketime.so";
        assert_eq!(clock(&[ours, file]).as_deref(), Some("/etc/clock"));
        assert_eq!(
            clock(&["PATH=/bin", led, file, alone]).as_deref(),
            Some("/etc/clock")
        );
        assert_eq!(clock(&[ours]), None);
        assert_eq!(clock(&[file]), None);
        assert_eq!(clock(&[led, file, alone, "FAKETIME=-2d"]), None);
        assert_eq!(clock(&[ours, "FAKETIME_TIMESTAMP_FILE=clock"]), None);
    }
}
