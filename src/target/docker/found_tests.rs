//! Which containers are refused, and in which words; by what name a node goes.

use super::*;
use crate::drill::docker_file::NodesFile;
use crate::sql::Address;
use crate::sql::connection::Files;
use crate::target::docker::client::{Attachment, Policy};
use crate::target::docker::fake_engine::FakeEngine;
use crate::target::docker::{As, PatroniAt};
use serde_json::json;
use std::collections::BTreeMap;

fn container(name: &str, labels: &[(&str, &str)]) -> Container {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let attached = Attachment {
        address: "10.0.0.2".to_owned(),
        ..Attachment::default()
    };
    Container {
        id: "1f".repeat(32),
        name: name.to_owned(),
        running: true,
        policy: Policy::none(),
        labels: labels.iter().map(owned).collect(),
        networks: BTreeMap::from([("demo_front".to_owned(), attached)]),
        ..Container::default()
    }
}

#[test]
fn each_container_that_must_not_or_cannot_be_drilled_is_refused_with_what_to_do() {
    let good = || container("pg", &[(DRILLABLE, "true")]);
    assert_eq!(unfit(&good()), None);
    let refused = [
        container("pg", &[]),
        container("pg", &[(DRILLABLE, "false")]),
        Container {
            paused: true,
            ..good()
        },
        Container {
            restarting: true,
            ..good()
        },
        Container {
            running: false,
            ..good()
        },
        Container {
            auto_remove: true,
            ..good()
        },
        Container {
            networks: BTreeMap::new(),
            ..good()
        },
    ];
    let said = refused.map(|each| unfit(&each).expect("a refusal"));
    insta::assert_snapshot!(said.join("\n"), @r#"
    pg does not say that it may be broken: add the label `firedrill/drillable: "true"` to it (under `labels:` in the Compose file)
    pg does not say that it may be broken: add the label `firedrill/drillable: "true"` to it (under `labels:` in the Compose file)
    pg is paused: docker unpause pg
    pg is restarted again and again: docker logs pg
    pg does not run: docker start pg
    pg is removed when it stops (--rm), so that it could not be started again: make it without
    pg has no address of its own (the host's network, or none): attach it to a bridge network
    "#);
}

#[test]
fn nodes_are_called_as_people_call_them() {
    let compose = |name: &str, service: &str, number: &str| {
        container(name, &[(SERVICE, service), (NUMBER, number)])
    };
    let apart = [
        compose("demo-pg-a-1", "pg-a", "1"),
        compose("demo-pg-b-1", "pg-b", "1"),
    ];
    assert_eq!(names(&apart, false), ["pg-a", "pg-b"]);
    assert_eq!(names(&apart, true), ["demo-pg-a-1", "demo-pg-b-1"]);
    let scaled = [
        compose("demo-pg-1", "pg", "1"),
        compose("demo-pg-2", "pg", "2"),
    ];
    assert_eq!(names(&scaled, false), ["pg-1", "pg-2"]);
    let plain = [container("one", &[]), container("two", &[])];
    assert_eq!(names(&plain, false), ["one", "two"]);
    let mut many = ["pg-10", "pg-9", "pg-1"];
    many.sort_by_key(|name| natural(name));
    assert_eq!(many, ["pg-1", "pg-9", "pg-10"]);
}

#[test]
fn a_network_is_found_with_and_without_its_project() {
    let nodes = [
        container("a", &[(PROJECT, "demo")]),
        container("b", &[(PROJECT, "demo")]),
    ];
    assert_eq!(network("front", &nodes).unwrap(), "demo_front");
    assert_eq!(network("demo_front", &nodes).unwrap(), "demo_front");
    let refused = network("back", &nodes).unwrap_err();
    assert_eq!(refused, "a is not on the network back; it is on demo_front");
}

/// What is said of a target file on an engine like this.
async fn refusal(engine: &FakeEngine, nodes: NodesFile) -> String {
    let settings = DockerSettings {
        engine: Some(engine.place()),
        nodes,
        parts: Vec::new(),
        haproxy: None,
        networks: None,
        patroni: Some(PatroniAt {
            port: 8008,
            login: None,
            compare: false,
        }),
        port: 5432,
        writer: anywhere(),
        reader: None,
        probe: nobody(),
        observe: nobody(),
        act: None,
        files: Files::of_user(std::path::Path::new("/")),
    };
    let found = match Candidates::find(&settings).await {
        Ok(candidates) => Found::look(candidates, &settings).await,
        Err(error) => Err(error),
    };
    let said = found.expect_err("a refusal").to_string();
    said.replace(&engine.place(), "unix://SOCKET")
}

fn anywhere() -> Address {
    Address {
        host: "127.0.0.1".to_owned(),
        port: 1,
        user: "firedrill".to_owned(),
        password: None,
        database: "firedrill".to_owned(),
        application: String::new(),
        simulated: None,
        way: None,
    }
}

fn nobody() -> As {
    As {
        user: "firedrill".to_owned(),
        password: None,
        passfile: None,
    }
}

fn by_label(count: u32) -> NodesFile {
    NodesFile {
        label: Some("role=node".to_owned()),
        count: Some(count),
        ..NodesFile::default()
    }
}

fn inspected(
    id: &str,
    name: &str,
    drillable: &str,
    state: serde_json::Value,
) -> (String, serde_json::Value) {
    let said = json!({
        "Id": id, "Name": format!("/{name}"), "Image": "sha256:1", "State": state,
        "Config": { "Labels": { DRILLABLE: drillable } },
        "HostConfig": { "RestartPolicy": { "Name": "unless-stopped" } },
        "NetworkSettings": { "Networks": { "front": { "IPAddress": "127.0.0.9" } } }
    });
    (id.to_owned(), said)
}

fn two(drillable: &str, state: serde_json::Value) -> FakeEngine {
    let a = inspected("1f", "pg-a", drillable, state.clone());
    let b = inspected("2e", "pg-b", drillable, state);
    FakeEngine::of("1.41", &[], &[(&a.0, a.1), (&b.0, b.1)])
}

#[tokio::test]
async fn what_an_engine_cannot_be_drilled_for_is_refused_with_what_to_do() {
    let runs = || json!({ "Running": true });
    let mut said = Vec::new();
    said.push(refusal(&FakeEngine::of("1.40", &[], &[]), by_label(2)).await);
    said.push(
        refusal(
            &FakeEngine::of("1.41", &["name=rootless"], &[]),
            by_label(2),
        )
        .await,
    );
    said.push(refusal(&FakeEngine::of("1.41", &[], &[]), by_label(2)).await);
    said.push(refusal(&two("true", runs()), by_label(3)).await);
    let named = NodesFile {
        names: vec!["pg-a".to_owned(), "pg-c".to_owned()],
        ..NodesFile::default()
    };
    said.push(refusal(&two("true", runs()), named).await);
    said.push(refusal(&two("", runs()), by_label(2)).await);
    said.push(refusal(&two("true", json!({ "Running": false })), by_label(2)).await);
    // Nobody listens at that address.
    said.push(refusal(&two("true", runs()), by_label(2)).await);
    insta::assert_snapshot!(said.join("\n"), @r#"
    reach the container engine at unix://SOCKET: it speaks API 1.40; firedrill needs 1.41 (Docker Engine 20.10) or newer: update the engine
    find the nodes: Docker Engine 20.10.24 runs rootless, so that no container's address can be reached from outside; a drill could neither ask a node nor prove a cut: use an engine that runs as root
    find the nodes: the label role=node matches no container and the target file declares 2 under nodes; see what they carry: docker ps --all --format '{{.Names}} {{.Labels}}'
    find the nodes: the label role=node matches 2 containers (pg-a, pg-b) and the target file declares 3 under nodes; start the one that is missing, or count only those that there are
    find the nodes: there is no container pg-a: docker ps --all lists them
    find the nodes: pg-a does not say that it may be broken: add the label `firedrill/drillable: "true"` to it (under `labels:` in the Compose file); pg-b does not say that it may be broken: add the label `firedrill/drillable: "true"` to it (under `labels:` in the Compose file)
    find the nodes: pg-a does not run: docker start pg-a; pg-b does not run: docker start pg-b
    find the nodes: pg-a does not say who it is at Patroni's port 8008: Patroni's port is refused; see that Patroni runs in the container and that `patroni: { port: … }` is right
    "#);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let engine = two("true", json!({ "Running": true }));
    refusal(&engine, by_label(2)).await;
    let asked = engine.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|line| line.starts_with("GET ")),
        "{asked:?}"
    );
    let labelled = asked.iter().find(|line| line.contains("/containers/json"));
    let labelled = labelled.expect("a look for the label");
    assert!(
        labelled.contains("all=true") && labelled.contains("role%3Dnode"),
        "{labelled}"
    );
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_before_anything_else() {
    let engine = FakeEngine::of("1.41", &[], &[]);
    let place = engine.place();
    let path = std::path::PathBuf::from(place.trim_start_matches("unix://"));
    std::fs::remove_file(&path).unwrap();
    let said = refusal(&engine, by_label(2)).await;
    assert!(
        said.contains("there is no socket") && said.contains("DOCKER_HOST"),
        "{said}"
    );
}
