//! How long it takes to say the version, and to check each shipped drill, beside Chaos Toolkit.

use crate::machine::{firedrill, median, ms, project, timed};
use crate::row::Row;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TIMES: usize = 21;
const LIMIT_MS: f64 = 10.0;
/// Of the time that `chaos --version` takes.
const PART: f64 = 20.0;

fn median_of(mut command: impl FnMut() -> Command) -> Duration {
    let once = |_| {
        let mut command = command();
        let (took, status) = timed(|| command.status().expect("it starts"));
        assert!(status.success(), "{command:?}");
        took
    };
    median((0..TIMES).map(once).collect())
}

pub fn measure() -> Vec<Row> {
    let version = median_of(|| {
        let mut command = firedrill();
        command.arg("--version");
        command
    });
    let mut slowest = (Duration::ZERO, String::new());
    for name in firedrill::drill::shipped::names() {
        let took = median_of(|| {
            let mut command = firedrill();
            command.args(["check", name]).stderr(Stdio::null());
            command
        });
        slowest = slowest.max((took, name.to_owned()));
    }
    let (check, name) = slowest;
    let checks = format!("`firedrill check` of the slowest shipped drill ({name})");
    let mut rows = Vec::new();
    for (what, took) in [("`firedrill --version`", version), (&checks, check)] {
        let shown = format!("{:.1} ms", ms(took));
        rows.push(Row::at_most(what, ms(took), LIMIT_MS, &shown, "10 ms"));
    }
    let limit = "1/20 of `chaos --version`";
    match chaos() {
        Err(why) => {
            for what in ["`firedrill --version`", &checks] {
                rows.push(Row::skipped(what, limit, &why));
            }
        }
        Ok(chaos) => {
            let theirs = median_of(|| {
                let mut command = Command::new(&chaos);
                command.arg("--version").stdout(Stdio::null());
                command.stderr(Stdio::null());
                command
            });
            for (what, took) in [("`firedrill --version`", version), (&checks, check)] {
                let times = ms(theirs) / ms(took);
                let shown = format!("1/{times:.0} ({:.1} of {:.0} ms)", ms(took), ms(theirs));
                rows.push(Row::at_most(what, 1.0 / times, 1.0 / PART, &shown, limit));
            }
        }
    }
    rows
}

/// Chaos Toolkit's program, installed beside the build the first time.
fn chaos() -> Result<PathBuf, String> {
    let folder = project("target/chaostoolkit");
    let program = folder.join("bin/chaos");
    if program.exists() {
        return Ok(program);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "chaostoolkit"]))?;
    if Path::exists(&program) {
        Ok(program)
    } else {
        Err("pip installed no program named chaos".to_owned())
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or("no reason given").to_owned();
    Err(format!("Chaos Toolkit cannot be installed here: {last}"))
}
