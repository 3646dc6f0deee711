//! README's table of exit codes is the program's.

use crate::support::{read, section};
use firedrill::cli::exit_code::Exit;

#[test]
fn readme_and_program_agree() {
    let readme = read("README.md");
    let rows: Vec<&str> = section(&readme, "Exit codes")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| code"))
        .collect();
    let expected: Vec<String> = Exit::ALL
        .iter()
        .map(|exit| format!("| {} | {} |", exit.number(), exit.meaning()))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn help_names_each_code() {
    let help = firedrill::cli::description().render_help().to_string();
    let codes = help
        .split("Exit codes:")
        .nth(1)
        .expect("help ends with the exit codes");
    for exit in Exit::ALL {
        let number = exit.number().to_string();
        let named = codes
            .split(|letter: char| !letter.is_ascii_digit())
            .any(|word| word == number);
        assert!(named, "help does not name exit code {number}");
    }
}
