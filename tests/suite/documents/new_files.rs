//! `firedrill new`: what it writes is right as it is, and nobody loses a file by it.

use crate::support::Firedrill;
use firedrill::drill::{draft, shipped};

#[test]
fn every_drill_can_be_begun_from_and_is_right() {
    let sandbox = Firedrill::new();
    let containers = include_str!("../../../examples/docker.target.yaml");
    let containers = sandbox.file("containers.target.yaml", containers);
    for from in shipped::names() {
        let name = format!("our-{from}");
        let run = sandbox.run(&["new", "drill", &name, "--from", from]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let file = format!("{name}.yaml");
        let run = sandbox.run(&["check", &file]);
        assert_eq!((run.code, run.stderr), (Some(0), format!("ok: {file}\n")));
        // What the default target has not, containers have; none need run here.
        let run = match sandbox.run(&["plan", &file]) {
            refused if refused.code == Some(5) => {
                sandbox.run(&["plan", &file, "--offline", "--target", &containers])
            }
            planned => planned,
        };
        assert!(run.stdout.contains(&name), "{}", run.stdout);
    }
}

#[test]
fn every_target_can_be_begun_from_and_is_right() {
    let sandbox = Firedrill::new();
    for from in draft::targets() {
        let run = sandbox.run(&["new", "target", from, "--from", from]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let file = format!("{from}.target.yaml");
        let run = sandbox.run(&["check", &file]);
        assert_eq!(
            (run.code, run.stderr),
            (Some(0), format!("ok: {file} (target)\n"))
        );
    }
}

#[test]
fn the_editor_finds_the_schema_beside_the_file() {
    let sandbox = Firedrill::new();
    let run = sandbox.run(&["new", "drill", "ours"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let text = std::fs::read_to_string(sandbox.home().join("ours.yaml")).expect("written");
    let schema = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="))
        .expect("a first line for editors");
    let schema = std::fs::read_to_string(sandbox.home().join(schema)).expect("beside it");
    assert!(schema == sandbox.run(&["schema", "drill"]).stdout);
}

#[test]
fn nothing_is_overwritten() {
    let sandbox = Firedrill::new();
    let file = sandbox.file("ours.yaml", "mine");
    let run = sandbox.run(&["new", "drill", "ours"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    insta::assert_snapshot!(run.plain_stderr(), @r"
    error: ours.yaml is there already, and nothing was written
     next: give another name, or another file with -o
    ");
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), "mine");
    let run = sandbox.run(&["new", "drill", "ours", "-o", "nowhere/ours.yaml"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("nowhere/ours.yaml cannot be written"),
        "{}",
        run.stderr
    );
    assert!(!sandbox.home().join(".firedrill").exists());
}

#[test]
fn names_are_looked_at() {
    let sandbox = Firedrill::new();
    let run = sandbox.run(&["new", "drill", "Our Primary/crash"]);
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!(run.plain_stderr(), @r#"
    error: "Our Primary/crash" is no name: lower-case letters, digits and hyphens, at most 60
     next: call it our-primary-crash
    "#);
    let run = sandbox.run(&["new", "drill", "--from", "primary-crush"]);
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!(run.plain_stderr(), @r#"
    error: there is no drill called "primary-crush"
     next: did you mean primary-crash?
    "#);
    let run = sandbox.run(&["new", "target", "--from", "zzz"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("there are: local"), "{}", run.stderr);
}

#[test]
fn standard_output_gets_the_file_alone() {
    let sandbox = Firedrill::new();
    let run = sandbox.run(&["new", "target", "-o", "-"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let left = std::fs::read_dir(sandbox.home())
        .expect("own folder")
        .count();
    assert_eq!(left, 4, "only what the sandbox made");
    // What follows changes with each setting that is added.
    let begin = run
        .stdout
        .split("\n# Left to their defaults")
        .next()
        .expect("a part");
    insta::assert_snapshot!(begin, @"
    # yaml-language-server: $schema=.firedrill/target.schema.json
    #
    # ours, begun from local. Look at it, and see what a drill would do there:
    #   firedrill check ours.target.yaml
    #   firedrill plan primary-crash --target ours.target.yaml
    #
    # A throw-away cluster on this machine: a primary, a standby, a router in front of them and an agent that
    # fails over. Router and agent are firedrill's own stand-ins. This is what drills run on without --target;
    # every setting below is the default, written out.

    # Version of this format: 1.
    version: 1
    # What the probes, and the clients of `load` steps, may cost.
    #   sessions: Sessions on one node at the same time.
    #   commits_per_second: Commits a second, in sum.
    #   clients: Clients of `load` steps at the same time, beside those sessions.
    #   requests_per_second: What such clients ask for in a second, in sum.
    limits: { sessions: 20, commits_per_second: 100, clients: 60, requests_per_second: 1000 }
    # A throw-away cluster on this machine.
    local:
      # Standbys beside the primary.
      standbys: 1
      # Who promotes a standby when the primary is lost.
      failover: automatic
      # Commits wait for a standby.
      synchronous: false
      # The stand-in for a failover agent.
      #   loop: How often it asks all nodes.
      #   detection: For how long the primary must not have answered before it is given up.
      agent: { loop: 50ms, detection: 300ms }
      # The stand-in for a router in front of the nodes.
      #   check: How often it checks each node.
      #   fall: Failed checks after which a node is down.
      #   rise: Good checks after which it is up.
      #   timeout: When a check that is not answered has failed.
      router: { check: 50ms, fall: 3, rise: 2, timeout: 100ms }
      # `max_connections` of each node.
      max_connections: 100
    ");
}

#[test]
fn a_drill_is_explained_line_by_line() {
    let run = Firedrill::new().run(&["new", "drill", "ours", "-o", "-"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // What follows changes with each step that is added.
    let begin = run
        .stdout
        .split("\n# Other objectives")
        .next()
        .expect("a part");
    insta::assert_snapshot!(begin, @r##"
    # yaml-language-server: $schema=.firedrill/drill.schema.json
    #
    # ours, begun from primary-crash. Look at it, and see what it would do:
    #   firedrill check ours.yaml
    #   firedrill plan ours.yaml
    #
    # The primary dies without a word: all its processes are gone at once.
    #
    # Why: it is the failure that replication was bought for, and the one that is practised least.
    #
    # Good: writers have service again within the limit, no acknowledged commit is missing, and the declared
    # standbys stream again soon after. With asynchronous replication the last commits before the crash may be
    # lost: the report says how many were at risk, and a synchronous target shows the difference.

    # Version of this format: 1.
    version: 1
    # Lower-case letters, digits and hyphens.
    name: ours
    # One line: what happens.
    summary: The primary dies without a word; a standby takes over.
    # One line: why it is practised.
    why: Nobody knows the recovery time of a failover that was never practised.
    # Words and numbers that `${name}` stands for.
    variables: { downtime_limit: 30s, redundancy_limit: 2m }
    # What is demanded.
    objectives:
      # The longest outage for writers, by its upper bound: the worst of writer_fresh and writer_pinned.
      #   at_most: The longest that is allowed.
      - downtime: { at_most: "${downtime_limit}" }
      # Commits that were acknowledged through the endpoints and are not there afterwards.
      #   at_most: The most that may be lost.
      - lost_commits: { at_most: 0 }
      # Time from the fault until all declared standbys stream again.
      #   within: The longest from the fault until it is back.
      - redundancy: { within: "${redundancy_limit}" }
    # What happens, in order.
    steps:
      # Lets the probes run undisturbed.
      #   for: How long at least.
      #   plus_up_to: Up to how much longer, drawn by the seed
      - baseline: { for: 5s, plus_up_to: control_period }
      # A node loses all its processes at once.
      #   node: The node that is hit.
      #   id: Name of the step, by which others refer to it.
      - kill: { node: primary, id: crash }
      # Waits for service on a newer timeline.
      #   within: Its limit.
      - fail_over: { within: 60s }
      # The safe way back.
      #   of: The id of the step whose fault it was.
      - undo: { of: crash }
      # Waits until all declared standbys stream.
      #   within: Its limit.
      - restore_redundancy: { within: 2m }
      # Waits until service is stable.
      #   within: Its limit.
      - settle: { within: 30s }
    "##);
}
