//! What README promises: its commands, its list of commands, its drills.

use crate::support::{package, read, section};
use clap::Parser;
use firedrill::cli::{Cli, description};

/// The command lines of all `sh` blocks.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => found.push(line.to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn commands_are_understood() {
    for document in ["README.md", "CONTRIBUTING.md"] {
        for line in commands(&read(document)) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let arguments = match words.as_slice() {
                ["firedrill", rest @ ..] | ["cargo", "run", "--", rest @ ..] => rest,
                _ => continue,
            };
            let parsed = Cli::try_parse_from([&["firedrill"], arguments].concat());
            assert!(
                parsed.is_ok(),
                "{document}: {line}: {}",
                parsed.expect_err("wrong")
            );
        }
    }
}

#[test]
fn the_two_first_commands_are_there_and_ci_runs_the_same_tests() {
    let lines = commands(&read("README.md"));
    assert_eq!(lines[..2], ["cargo run -- demo", "cargo test"]);
    let script = read(".ci/run");
    assert!(script.lines().any(|line| line == "step tests cargo test"));
}

#[test]
fn every_subcommand_is_listed_with_its_help() {
    let readme = read("README.md");
    let rows: Vec<&str> = section(&readme, "Commands")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let description = description();
    let subcommands: Vec<&clap::Command> = description
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .collect();
    assert_eq!(rows.len(), subcommands.len());
    for (row, command) in rows.iter().zip(subcommands) {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let name = format!("`{}`", command.get_name());
        assert_eq!(cells.next(), Some(name.as_str()));
        let said = cells.next().unwrap_or_default();
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            !said.is_empty() && about.starts_with(said),
            "{name}: README says {said:?}, its help {about:?}"
        );
    }
}

#[test]
fn the_drill_tables_list_every_drill() {
    let mut files: Vec<String> = std::fs::read_dir(package().join("drills"))
        .expect("the folder of the drills")
        .filter_map(|entry| {
            let name = entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("plain");
            name.strip_suffix(".yaml").map(str::to_owned)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no drills are shipped");
    let readme = read("README.md");
    let ours = read("drills/README.md");
    for (document, table) in [
        ("README.md", section(&readme, "Drills")),
        ("drills/README.md", &ours),
    ] {
        let mut listed: Vec<String> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            // A row may be about several.
            .filter_map(|row| row.split('|').next())
            .flat_map(|cell| cell.split(['`', ',', ' ']))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        listed.sort();
        listed.dedup();
        assert_eq!(listed, files, "{document}");
    }
}

#[test]
fn links_lead_somewhere() {
    for document in [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "drills/README.md",
    ] {
        let text = read(document);
        let folder = package().join(document);
        let folder = folder.parent().expect("a folder");
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap_or_default();
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || link.contains("://") {
                continue;
            }
            assert!(folder.join(path).exists(), "{document} links to {link}");
        }
    }
}

#[test]
fn readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 160, "README.md has {lines} lines");
}

#[test]
fn the_drill_in_readme_is_right() {
    let readme = read("README.md");
    let drill = readme
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("README shows a drill");
    let sandbox = crate::support::Firedrill::new();
    let file = sandbox.file("our-primary-crash.yaml", drill);
    let run = sandbox.run(&["check", &file]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}
