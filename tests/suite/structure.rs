//! The source keeps the shape that CONTRIBUTING.md promises.

use crate::support::package;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// They write events.
const LEFT: [&str; 10] = [
    "drill",
    "plan",
    "target",
    "role",
    "fault",
    "recovery_action",
    "undo",
    "executor",
    "load",
    "sql",
];
/// They read events.
const RIGHT: [&str; 5] = ["measure", "verdict", "report", "live", "history"];

struct Source {
    /// Path from the package's folder.
    path: PathBuf,
    text: String,
}

impl Source {
    fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// The module's path from the crate's root: `["load", "audit"]`.
    fn module(&self) -> Vec<String> {
        let mut parts: Vec<String> = self
            .path
            .with_extension("")
            .iter()
            .skip(1)
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if parts
            .last()
            .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
        {
            parts.pop();
        }
        parts
    }

    /// Its text without comments, so that a word in a sentence is no import.
    fn code(&self) -> String {
        self.text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// All Rust files under a folder of the package, in the order of their paths.
fn sources(folder: &str) -> Vec<Source> {
    fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder of the package") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                gather(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    gather(&package().join(folder), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| Source {
            text: std::fs::read_to_string(&path).expect("a source file"),
            path: path
                .strip_prefix(package())
                .expect("in the package")
                .to_owned(),
        })
        .collect()
}

/// The crate's top-level modules that a piece of code names: `crate::x`, `crate::{x, y::z}`, and `super::x`
/// where that reaches the root.
fn named_stations(module: &[String], code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code[at + "crate::".len()..].trim_start();
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut word = String::new();
            let mut first_in_path = true;
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                        first_in_path = true;
                    }
                    ':' if depth == 0 => first_in_path = false,
                    letter if depth == 0 && first_in_path && is_name(letter) => word.push(letter),
                    _ => {}
                }
            }
            found.extend((!word.is_empty()).then_some(word));
        } else {
            found.insert(rest.chars().take_while(|letter| is_name(*letter)).collect());
        }
    }
    // `super::` once per level up; only a chain that is as long as the module is deep reaches the root.
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let chain = &code[at..];
        let up = chain.matches_from_start("super::");
        if up == module.len() {
            let rest = &chain[up * "super::".len()..];
            found.insert(rest.chars().take_while(|letter| is_name(*letter)).collect());
        }
    }
    found
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

trait FromStart {
    /// How often the text begins with `word`, back to back.
    fn matches_from_start(&self, word: &str) -> usize;
}

impl FromStart for str {
    fn matches_from_start(&self, word: &str) -> usize {
        let mut rest = self;
        let mut times = 0;
        while let Some(after) = rest.strip_prefix(word) {
            rest = after;
            times += 1;
        }
        times
    }
}

#[test]
fn imports_are_recognised() {
    let module = [String::from("load"), String::from("audit")];
    let names = |code| {
        named_stations(&module, code)
            .into_iter()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names("use crate::measure::X;"), "measure");
    assert_eq!(names("let x = crate::verdict::judge();"), "verdict");
    assert_eq!(
        names("use crate::{clock::Clock, report::{a, b}, live};"),
        "clock live report"
    );
    assert_eq!(names("use super::ledger;"), "");
    assert_eq!(names("use super::super::history;"), "history");
}

#[test]
fn neither_half_imports_the_other() {
    let mut arrows = Vec::new();
    for source in sources("src") {
        let module = source.module();
        let Some(station) = module.first().map(String::as_str) else {
            continue;
        };
        let forbidden: Vec<&str> = match station {
            "event" | "clock" | "condition" | "figures" | "screen" => {
                LEFT.into_iter().chain(RIGHT).chain(["cli"]).collect()
            }
            left if LEFT.contains(&left) => RIGHT.into_iter().chain(["cli"]).collect(),
            right if RIGHT.contains(&right) => LEFT.into_iter().chain(["cli"]).collect(),
            "cli" => continue,
            other => panic!("src/{other} is on neither side: name it in tests/suite/structure.rs"),
        };
        for name in named_stations(&module, &source.code()) {
            if forbidden.contains(&name.as_str()) {
                arrows.push(format!("{} imports crate::{name}", source.path.display()));
            }
        }
    }
    assert!(
        arrows.is_empty(),
        "forbidden arrows:\n{}",
        arrows.join("\n")
    );
}

#[test]
fn files_are_short() {
    let sources = sources("src");
    let long: Vec<String> = sources
        .iter()
        .filter(|source| source.lines() > 600)
        .map(|source| format!("{} has {} lines", source.path.display(), source.lines()))
        .collect();
    assert!(long.is_empty(), "over 600 lines:\n{}", long.join("\n"));
    let mut lengths: Vec<usize> = sources.iter().map(Source::lines).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 150, "the median file has {median} lines");
}

#[test]
fn names_say_something() {
    const EMPTY: [&str; 10] = [
        "util", "utils", "helper", "helpers", "common", "misc", "manager", "core", "imp", "shared",
    ];
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            for part in source.path.with_extension("").iter() {
                let part = part.to_string_lossy();
                let said = part.split('_').all(|word| !EMPTY.contains(&word));
                assert!(said, "{}: {part:?} says nothing", source.path.display());
            }
        }
    }
}

#[test]
fn each_module_says_what_it_does() {
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            assert!(
                source.text.starts_with("//! "),
                "{} does not open with a module comment",
                source.path.display()
            );
        }
    }
}

#[test]
fn every_file_is_in_the_module_tree() {
    for folder in ["src", "tests/suite"] {
        let all = sources(folder);
        for source in &all {
            let name = source
                .path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let here = source.path.parent().expect("a folder");
            let (name, parents) = match name.as_str() {
                "main" | "lib" => continue,
                "mod" => {
                    let folder = here
                        .file_name()
                        .expect("a folder")
                        .to_string_lossy()
                        .into_owned();
                    (folder, parents_of(here.parent().expect("a folder above")))
                }
                _ => (name, parents_of(here)),
            };
            // A long test module may lie beside its file under a name of its own.
            let by_path = format!("#[path = \"{name}.rs\"]");
            let declared = all.iter().any(|parent| {
                let beside = parent.path.parent() == Some(here) && parent.code().contains(&by_path);
                beside || (parents.contains(&parent.path) && declares(parent, &name))
            });
            assert!(
                declared,
                "{} is declared by no module",
                source.path.display()
            );
        }
    }
}

fn declares(parent: &Source, name: &str) -> bool {
    parent.code().lines().any(|line| {
        let line = line.trim().trim_start_matches("pub").trim_start();
        let line = line
            .trim_start_matches("(crate)")
            .trim_start_matches("(super)");
        line.trim_start() == format!("mod {name};")
    })
}

/// The files that may declare the modules of a folder.
fn parents_of(folder: &Path) -> [PathBuf; 4] {
    [
        folder.join("mod.rs"),
        folder.join("lib.rs"),
        folder.join("main.rs"),
        folder.with_extension("rs"),
    ]
}

#[test]
fn each_foreign_client_is_known_to_one_file() {
    for (client, known_to) in [
        ("tokio_postgres", "src/sql/wire.rs"),
        ("miette", "src/drill/diagnostic.rs"),
        ("cel::", "src/condition.rs"),
        ("bollard::", "src/target/docker/client.rs"),
        ("hyper::", "src/load/http.rs"),
    ] {
        for source in sources("src") {
            let knows = source.code().match_indices(client).any(|(at, _)| {
                let before = source.code()[..at].chars().next_back();
                !before.is_some_and(|letter| is_name(letter) || letter == '"')
            });
            // A client that is too long for one file has parts of its own below it.
            let may = source.path == Path::new(known_to)
                || source
                    .path
                    .starts_with(Path::new(known_to).with_extension(""));
            assert!(
                !knows || may,
                "{} knows {client}; only {known_to} may",
                source.path.display()
            );
        }
    }
}

#[test]
fn only_the_clock_reads_time() {
    // clippy.toml bans the calls; this catches an expectation that would lift the ban elsewhere.
    for source in sources("src") {
        let lifted = source.code().contains("clippy::disallowed_");
        assert!(
            !lifted || source.path == Path::new("src/clock.rs"),
            "{} lifts a ban of clippy.toml",
            source.path.display()
        );
    }
}

/// A wall clock that is stepped during a run must change nothing that is measured: whoever asks for it
/// writes names and dates for people with it, and no number of a result rests on one.
#[test]
fn the_wall_clock_is_for_people() {
    let readers: Vec<String> = sources("src")
        .iter()
        .filter(|source| source.path != Path::new("src/clock.rs"))
        .filter(|source| {
            let code = source.code();
            code.contains("clock::wall") || code.contains(".wall_before(")
        })
        .map(|source| source.path.display().to_string())
        .collect();
    let known = [
        // The age of runs, whose ids begin with a date.
        "src/executor/preflight.rs",
        // The run's id, and when it began, for people.
        "src/executor/run_folder.rs",
        // How far a node's time of day is from this machine's, which is what a stepped clock is proven by.
        "src/target/docker/clock.rs",
        // The date of each line, for people.
        "src/undo/journal.rs",
        "src/undo/watchdog.rs",
    ];
    assert_eq!(readers, known);
}
