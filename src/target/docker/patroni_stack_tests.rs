//! What follows where Patroni and PostgreSQL say different things of a node.

use super::*;

fn primary(timeline: u32, streaming: &[&str]) -> Standing {
    let row = |name: &&str| StandbySeen {
        name: (*name).to_owned(),
        state: "streaming".to_owned(),
        sync: "async".to_owned(),
        flushed: None,
        replayed: None,
    };
    Standing::Primary {
        timeline,
        lsn: 0,
        standbys: streaming.iter().map(row).collect(),
    }
}

fn standby(streaming: bool) -> Standing {
    Standing::Standby {
        timeline: None,
        received: None,
        replayed: None,
        streaming,
        paused: false,
    }
}

fn filled_in(standings: [Standing; 2]) -> Option<u32> {
    let nodes = standings.into_iter().zip(["a", "b"]);
    let mut nodes: Vec<NodeSeen> = nodes
        .map(|(standing, name)| NodeSeen {
            name: name.to_owned(),
            standing,
        })
        .collect();
    fill_in_timelines(&mut nodes);
    match nodes[1].standing {
        Standing::Standby { timeline, .. } => timeline,
        _ => None,
    }
}

#[test]
fn whoever_says_that_a_node_takes_writes_is_believed() {
    let silent = || Standing::Silent {
        why: "no answer".to_owned(),
    };
    assert_eq!(together(silent(), standby(true)), standby(true));
    assert_eq!(together(standby(true), silent()), standby(true));
    assert_eq!(together(silent(), silent()), silent());
    assert_eq!(together(primary(1, &[]), standby(true)), primary(1, &[]));
    assert_eq!(together(standby(true), primary(1, &[])), primary(1, &[]));
    assert_eq!(
        together(primary(1, &[]), primary(2, &["b"])),
        primary(2, &["b"])
    );
}

#[test]
fn a_timeline_is_known_only_where_both_sides_say_that_they_stream() {
    assert_eq!(filled_in([primary(3, &["b"]), standby(true)]), Some(3));
    assert_eq!(filled_in([primary(3, &[]), standby(true)]), None);
    assert_eq!(filled_in([primary(3, &["b"]), standby(false)]), None);
    assert_eq!(filled_in([standby(true), standby(true)]), None);
}
