//! What `plan` and the first screen of `run` say of a cluster that runs already: who is who there now. They only look.

use super::{Containers, TARGET};
use crate::support::Firedrill;

#[test]
fn the_nodes_and_their_roles_are_those_of_now_and_nothing_is_changed() {
    let Some(containers) = Containers::take() else {
        return;
    };
    containers.wait_until_whole();
    let before = containers.as_found();
    let all = || containers.drillable(&["--all"]);
    let drillable = all();
    let target = containers.target.as_str();
    let plan = |words: &[&str]| {
        let head = ["plan", "primary-crash", "--seed", "7", "--target", target];
        let finished = containers.firedrill.run(&[&head, words].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stdout
    };

    let now = plan(&[]);
    let nodes = |role: &str| now.matches(&format!(" ({role})")).count();
    assert_eq!((nodes("primary"), nodes("standby")), (1, 2), "{now}");
    let (leader, _) = now.split_once(" (primary)").expect("just counted");
    let leader = leader.rsplit(' ').next().expect("a name");
    let kill = format!("kill {leader} (primary now)");
    assert!(now.contains(&kill), "{now}");

    let offline = plan(&["--offline"]);
    assert!(offline.contains("asked for their roles when it begins"));
    assert!(offline.contains("kill the primary by then"), "{offline}");

    // The first screen of a run that nobody agrees to.
    let asked = containers
        .firedrill
        .run(&["run", "primary-crash", "--target", target]);
    assert_eq!(asked.code, Some(2), "{}", asked.stderr);
    assert!(asked.stderr.contains(&kill), "{}", asked.stderr);

    assert_eq!(containers.as_found(), before);
    assert_eq!(all(), drillable);
    assert_eq!(containers.of_runs(), "");
}

#[test]
fn a_plan_needs_the_cluster_unless_it_is_told_not_to_look() {
    let firedrill = Firedrill::new()
        .env("FIREDRILL_PASSWORD", "x")
        .env("DOCKER_HOST", "unix:///nowhere/engine.sock");
    let target = firedrill.file("ours.target.yaml", TARGET);
    let arguments = ["plan", "node-loss", "--target", &target];
    let looked = firedrill.run(&arguments);
    assert_eq!(looked.code, Some(5), "{}", looked.stdout);
    assert!(looked.stdout.is_empty(), "{}", looked.stdout);
    assert!(
        looked
            .stderr
            .contains("there is no socket /nowhere/engine.sock"),
        "{}",
        looked.stderr
    );
    let offline = firedrill.run(&[&arguments[..], &["--offline"]].concat());
    assert_eq!(offline.code, Some(0), "{}", offline.stderr);
}
