//! The costs of firedrill, each held against its limit: `cargo bench --bench figures`.
//!
//! Every limit is a ratio to something measured in the same run, or a ceiling on time or memory. What
//! cannot be measured here (no PostgreSQL, no pip) says why and counts as neither pass nor miss. Nothing
//! here is a test: a busy machine may miss a limit.
//!
//! `cargo bench --bench figures -- ledger audit` measures only these.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers: what fails is said by a panic, and the table goes to the terminal"
)]

mod audit;
#[cfg(feature = "docker")]
mod containers;
mod day;
#[cfg(feature = "docker")]
mod fleet;
mod ledger;
mod machine;
mod plan;
mod prober;
mod report;
mod row;
mod server;
mod startup;

use row::Row;
use std::process::{Command, Stdio};

/// A name on the command line, and what it measures.
type Section = (&'static str, fn() -> Vec<Row>);

const SECTIONS: &[Section] = &[
    ("prober", prober::measure),
    ("ledger", ledger::measure),
    ("audit", audit::measure),
    ("startup", startup::measure),
    ("report", report::measure),
    ("plan", plan::measure),
    #[cfg(feature = "docker")]
    ("containers", containers::measure),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    if arguments.iter().any(|argument| argument == "--section") {
        let only = SECTIONS.iter().filter(|(name, _)| named.contains(name));
        for row in only.flat_map(|(_, measure)| measure()) {
            println!("{}", row.to_line());
        }
        return;
    }
    let mut rows = Vec::new();
    for (name, _) in SECTIONS {
        if !named.is_empty() && !named.contains(name) {
            continue;
        }
        eprintln!("measuring {name} …");
        rows.extend(alone(name));
    }
    println!("{}", row::table(&rows));
}

/// Measures one section in a process of its own: memory and processor time of one must not count for the
/// next.
fn alone(section: &str) -> Vec<Row> {
    let program = std::env::current_exe().expect("this program's own path");
    let output = Command::new(program)
        .args(["--section", section])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program runs again");
    let mut rows: Vec<Row> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(Row::from_line)
        .collect();
    if !output.status.success() {
        rows.push(Row::skipped(section, "", &output.status.to_string()));
    }
    rows
}
