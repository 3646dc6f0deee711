//! What `--help` says, and that man page and completions come with it.

use crate::support::Firedrill;
use std::time::Duration;

#[test]
fn help_is_short_and_complete() {
    let sandbox = Firedrill::new().limit(Duration::from_secs(10));
    let run = sandbox.run(&["-h"]);
    assert_eq!(run.code, Some(0));
    insta::assert_snapshot!(run.stdout, @r"
    Practise the loss of a database

    Usage: firedrill <COMMAND>

    Commands:
      demo         Lose a primary on a throw-away cluster and read the numbers
      run          Run a drill: break, measure, prove, put back, judge
      plan         Show what a drill would do, and to which nodes now; change nothing
      check        Check drill files and target files for mistakes
      new          Write a drill file or a target file to start from, every field explained
      answer       Answer a question that a running drill asks
      undo         Put back what a run that died left behind
      report       Build a run's reports again, from its folder alone
      list         List the runs, newest first
      show         Show one run in full: steps, faults with their stamps, channels, errors, latency
      doctor       Look at this machine: can a local drill run here?
      schema       Print the schema of a drill file, a target file or a result, or the ledger's SQL
      completions  Print a completion script for your shell
      man          Print the man page, or write one per subcommand into a folder

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Examples:
      firedrill demo                        lose a primary on a throw-away cluster, needs nothing
      firedrill plan primary-freeze         see what a drill would do
      firedrill run primary-freeze --yes    do it
      firedrill show latest                 read the last run again
      firedrill undo                        put back what a killed run left behind

    Exit codes: 0 pass, 1 an objective failed, 2 usage or file, 3 unknown, 4 invalid, 5 target unusable,
    6 an undo is incomplete, 130 interrupted and put back.
    ");
}

#[test]
fn every_subcommand_has_help_of_its_own() {
    let sandbox = Firedrill::new();
    for command in firedrill::cli::description().get_subcommands() {
        let run = sandbox.run(&[command.get_name(), "--help"]);
        assert_eq!(run.code, Some(0), "{}", command.get_name());
        assert!(run.stderr.is_empty(), "{}", run.stderr);
        let wide = run.stdout.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{}: over 100 columns", command.get_name());
        if !command.is_hide_set() {
            let about = command.get_about().expect("help in one line").to_string();
            assert!(about.chars().count() <= 90, "{about:?} is long for a list");
            assert!(!about.ends_with('.'), "{about:?}");
        }
    }
}

#[test]
fn a_wrong_flag_is_exit_2_on_standard_error() {
    let sandbox = Firedrill::new();
    let run = sandbox.run(&["run", "primary-crash", "--sed", "7"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stdout.is_empty());
    assert!(run.stderr.contains("--seed"), "{}", run.stderr);
    let run = sandbox.run::<&str>(&[]);
    assert_eq!(run.code, Some(2), "no command is no answer");
}

#[test]
fn completions_and_man_pages_know_every_subcommand() {
    let sandbox = Firedrill::new();
    let completions = sandbox.run(&["completions", "bash"]).stdout;
    let man = sandbox.run(&["man"]).stdout;
    let folder = sandbox.home().join("man");
    let run = sandbox.run(&["man", "--folder", folder.to_str().expect("plain")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for command in firedrill::cli::description().get_subcommands() {
        if command.is_hide_set() {
            continue;
        }
        let name = command.get_name();
        assert!(completions.contains(name), "{name}");
        assert!(man.contains(name), "{name}");
        assert!(
            folder.join(format!("firedrill-{name}.1")).exists(),
            "{name}"
        );
    }
}
