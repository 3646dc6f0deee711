//! Lists, details and reports, where there is nothing to show.

use crate::support::Firedrill;

#[test]
fn no_run_yet_is_an_answer_of_list() {
    let run = Firedrill::new().run(&["list"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("firedrill demo"), "{}", run.stdout);
}

#[test]
fn no_run_yet_is_a_wrong_argument_of_show_and_report() {
    for arguments in [vec!["show"], vec!["show", "2026"], vec!["report", "latest"]] {
        let run = Firedrill::new().run(&arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(
            run.stderr.contains("next: firedrill demo"),
            "{}",
            run.stderr
        );
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_else() {
    let run = Firedrill::new().run(&["report", "latest", "-o", "json=missing/result.json"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("missing/result.json"), "{}", run.stderr);
    let run = Firedrill::new().run(&["report", "latest", "-o", "jsn=-"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("json"), "{}", run.stderr);
}

#[test]
fn run_without_a_terminal_needs_yes() {
    let sandbox = Firedrill::new();
    let run = sandbox.run(&["run", "primary-crash", "--seed", "7"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    assert!(
        run.stderr.contains("primary-crash: "),
        "the plan comes first: {}",
        run.stderr
    );
    assert!(run.stdout.is_empty(), "{}", run.stdout);
}

#[test]
fn the_same_seed_plans_the_same() {
    let sandbox = Firedrill::new();
    let plan = |seed| sandbox.run(&["plan", "primary-crash", "--seed", seed]);
    let first = plan("7");
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(first.stdout, plan("7").stdout);
    assert_ne!(first.stdout, plan("8").stdout);
}

#[test]
fn a_target_that_may_not_be_drilled_is_refused_with_the_line_to_change() {
    let sandbox = Firedrill::new();
    let target = sandbox.file(
        "ours.target.yaml",
        "version: 1\nlocal: { drillable: false }\n",
    );
    let report = sandbox.home().join("drill.xml");
    let junit = format!("junit={}", report.display());
    let run = sandbox.run(&[
        "run",
        "primary-crash",
        "--yes",
        "--target",
        &target,
        "-o",
        &junit,
    ]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("drillable"), "{}", run.stderr);
    let xml = std::fs::read_to_string(&report).expect("a report of the refusal");
    assert!(xml.contains("<skipped"), "{xml}");
}
