use super::*;
use crate::target::docker::client::{Attachment, Policy};
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
    insta::assert_snapshot!(said.join("\n"), @"");
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
