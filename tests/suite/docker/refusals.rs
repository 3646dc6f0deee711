//! What cannot be drilled in containers is refused with its cause and a next step, before anything is touched.

use super::{Containers, TARGET};
use crate::support::Firedrill;

const DRILL: &str = include_str!("../../../drills/primary-crash.yaml");

/// The end of what a run on such a target says, and its exit code. No engine is needed.
fn refused(target: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut firedrill = Firedrill::new();
    for (name, value) in environment {
        firedrill = firedrill.env(name, value);
    }
    let drill = firedrill.file("drill.yaml", DRILL);
    let target = firedrill.file("ours.target.yaml", target);
    let finished = firedrill.run(&["run", &drill, "--yes", "--target", &target]);
    let runs = firedrill.home().join("state/firedrill/runs");
    let runs = std::fs::read_dir(runs).into_iter().flatten().count();
    assert_eq!(runs, 0, "a run that never began left its folder");
    (finished.code, finished.stderr)
}

#[test]
fn no_engine_no_password_and_no_leave_are_said_each_in_its_words() {
    let nowhere = [
        ("FIREDRILL_PASSWORD", "x"),
        ("DOCKER_HOST", "unix:///nowhere/engine.sock"),
    ];
    let (code, said) = refused(TARGET, &nowhere);
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains("there is no socket /nowhere/engine.sock"),
        "{said}"
    );

    let (code, said) = refused(TARGET, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("FIREDRILL_PASSWORD, which is not set"),
        "{said}"
    );

    let forbidden = TARGET.replace("drillable: true", "drillable: false");
    assert_ne!(forbidden, TARGET);
    let (code, said) = refused(&forbidden, &nowhere);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("add `drillable: true` below `docker`"),
        "{said}"
    );

    let promoting = TARGET.replace("failover: automatic", "failover: promote");
    assert_ne!(promoting, TARGET);
    let (code, said) = refused(&promoting, &nowhere);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("a second primary"), "{said}");
}

#[test]
fn a_label_that_matches_nothing_or_too_much_is_refused_and_nothing_is_touched() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let text = std::fs::read_to_string(&containers.target).unwrap();
    let before = containers.as_found();
    let with = |label: &str| {
        let nodes = format!("  nodes: {{ label: \"{label}\", count: 3 }}");
        let lines = text
            .lines()
            .map(|line| match line.trim_start().starts_with("nodes:") {
                true => nodes.as_str(),
                false => line,
            });
        let changed = lines.collect::<Vec<_>>().join("\n");
        let target = containers.firedrill.file("other.target.yaml", &changed);
        let drill = containers.firedrill.file("drill.yaml", DRILL);
        let finished = containers
            .firedrill
            .run(&["run", &drill, "--yes", "--target", &target]);
        assert_eq!(finished.code, Some(5), "{}", finished.stderr);
        finished.stderr
    };
    assert!(with("no.such=label").contains("matches no container"));
    assert!(with("com.docker.compose.project").contains("name a label that only they carry"));
    assert_eq!(containers.as_found(), before);
}

#[test]
fn what_the_cluster_is_not_set_up_for_is_said_as_the_plan_says_it_and_is_a_skipped_case() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let firedrill = &containers.firedrill;
    let asked = ["sync-standby-crash", "--target", &containers.target];
    let plan = firedrill.run(&[&["plan"], &asked[..]].concat());
    if plan.code == Some(0) {
        eprintln!("not run: a standby of this cluster is synchronous");
        return;
    }
    let before = containers.as_found();
    let report = firedrill.home().join("drill.xml");
    let junit = format!("junit={}", report.display());
    let run = firedrill.run(&[&["run", "--yes", "-o", &junit], &asked[..]].concat());
    assert_eq!((run.code, plan.code), (Some(5), Some(5)), "{}", run.stderr);
    assert_eq!(run.stderr, plan.stderr);
    let xml = std::fs::read_to_string(&report).expect("a report of the refusal");
    assert!(
        xml.contains("<skipped") && xml.contains("synchronous"),
        "{xml}"
    );
    assert_eq!(containers.as_found(), before);
}
