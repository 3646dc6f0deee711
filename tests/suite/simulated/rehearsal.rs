//! A rehearsal as a person meets it: the same every time, quick, on record, and never to be taken for a
//! measurement.

use super::run;

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let settings = "{ synchronous: false }";
    for drill in ["primary-crash", "primary-cut-off", "reconnect-storm"] {
        let [one, two, other] = [7, 7, 8].map(|seed| run(drill, settings, seed));
        assert!(
            one.result_text == two.result_text,
            "{drill}: results differ"
        );
        assert!(one.events == two.events, "{drill}: event logs differ");
        assert_ne!(one.events, other.events);
        assert_eq!(one.result["run"]["id"], "20000101t000000-000007");
        assert_eq!(one.result["run"]["started_at"], "2000-01-01T00:00:00Z");
    }
}

#[test]
fn every_report_says_that_nothing_was_measured() {
    let ran = run("no-fault", "{}", 7);
    let runs = ran.sandbox.home().join("runs");
    let runs = runs.to_str().expect("a plain path");
    let words = "simulated: no server, no network, virtual time";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    for format in ["junit", "markdown", "json"] {
        let output = format!("{format}=-");
        let report = ["report", "latest", "--runs-dir", runs, "-o", &output];
        let report = ran.sandbox.run(&report);
        assert!(report.stdout.contains(words), "{format}: {}", report.stdout);
    }
    let list = ran.sandbox.run(&["list", "--runs-dir", runs]);
    let listed = format!("{}{}", list.stdout, list.stderr);
    assert!(listed.contains("simulated"), "{listed}");
}

#[test]
fn a_second_run_of_a_seed_has_a_folder_of_its_own_and_nothing_is_left_to_undo() {
    let ran = run("no-fault", "{}", 7);
    let runs = ran.sandbox.home().join("runs");
    let runs = runs.to_str().expect("a plain path");
    let target = ran.sandbox.home().join("our.target.yaml");
    let target = target.to_str().expect("a plain path");
    let words = [
        "run", "no-fault", "--yes", "--target", target, "--seed", "7",
    ];
    let again = ran
        .sandbox
        .run(&[&words[..], &["--runs-dir", runs]].concat());
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(
        again.stderr.contains("20000101t000001-000007"),
        "{}",
        again.stderr
    );
    let undo = ran.sandbox.run(&["undo", "--runs-dir", runs]);
    assert!(undo.stderr.contains("nothing to undo"), "{}", undo.stderr);
    let open = ran.sandbox.home().join("state/firedrill/open");
    assert_eq!(std::fs::read_dir(open).map_or(0, Iterator::count), 0);
}

#[test]
fn the_shipped_example_is_the_default_written_out() {
    let ran = run("no-fault", "{}", 7);
    let example = crate::support::package().join("examples/simulated.target.yaml");
    let example = example.to_str().expect("a plain path");
    let sandbox = crate::support::Firedrill::new();
    let words = [
        "run", "no-fault", "--yes", "--target", example, "--seed", "7",
    ];
    let finished = sandbox.run(&[&words[..], &["-o", "json=-"]].concat());
    assert!(finished.stdout == ran.result_text, "{}", finished.stderr);
}
