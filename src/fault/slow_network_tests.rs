//! What is asked for, what proves it, and what a journal gives back.

use super::*;
use crate::fault::undo_from_journal;
use crate::target::End;

fn fault(text: &str) -> SlowNetwork {
    serde_json::from_str(text).unwrap()
}

fn pace(answered: u64, round_trip_us: u64, bytes_per_second: Option<u64>) -> Pace {
    Pace {
        said: 50,
        answered,
        round_trip_us,
        bytes_per_second,
    }
}

#[test]
fn it_is_told_in_words_and_needs_what_its_kernel_must_have() {
    let slow = fault(r#"{"node":"primary","to":"peers","rate":"1mbit"}"#);
    insta::assert_snapshot!(slow.describe("pg-1"), @"slow down what pg-1 sends to the other nodes and whoever decides about failover: at most 1mbit a second; nothing is refused");
    assert_eq!(
        slow.needs(),
        [Capability::SlowRate, Capability::SlowOneSide]
    );
    let late =
        fault(r#"{"node":"primary","delay":"100ms","jitter":"20ms","loss":"5%","rate":"1mbit"}"#);
    insta::assert_snapshot!(late.describe("pg-1"), @"slow down what pg-1 sends to everybody: 100ms late give or take 20ms, 5% of it lost, at most 1mbit a second; nothing is refused; the kernel is asked for netem before anything is touched");
    assert_eq!(late.needs(), [Capability::SlowDelay]);
}

#[test]
fn a_rate_is_proven_by_what_passes() {
    let how = fault(r#"{"node":"primary","rate":"1mbit"}"#).how();
    let before = pace(50, 100, Some(50_000_000));
    assert_eq!(can_show(&how, &before), Ok(()));
    assert!(can_show(&how, &pace(50, 100, Some(180_000))).is_err());
    assert!(can_show(&how, &pace(50, 100, None)).is_err());
    assert!(can_show(&how, &pace(49, 100, Some(50_000_000))).is_err());
    insta::assert_snapshot!(shows(&how, &before, &pace(50, 5000, Some(121_361))).unwrap(), @"970.88 kbit pass a second and 400.00 Mbit did");
    assert_eq!(shows(&how, &before, &pace(50, 100, Some(50_000_000))), None);
    assert_eq!(shows(&how, &before, &pace(50, 100, None)), None);
}

#[test]
fn a_delay_is_proven_by_how_long_answers_take_and_a_loss_by_those_that_do_not_come() {
    let before = pace(50, 100, None);
    let late = fault(r#"{"node":"primary","delay":"100ms","jitter":"20ms"}"#).how();
    insta::assert_snapshot!(shows(&late, &before, &pace(50, 101_559, None)).unwrap(), @"an answer takes 101.5 ms and took 0.1 ms");
    assert_eq!(shows(&late, &before, &pace(50, 60_000, None)), None);
    assert_eq!(can_show(&late, &before), Ok(()));
    assert!(can_show(&late, &pace(50, 60_000, None)).is_err());
    assert_eq!(shows(&late, &before, &pace(0, 0, None)), None);
    let lossy = fault(r#"{"node":"primary","loss":"5%"}"#).how();
    insta::assert_snapshot!(shows(&lossy, &before, &pace(47, 100, None)).unwrap(), @"3 of 50 packets are lost and none was");
    assert_eq!(shows(&lossy, &before, &before), None);
    // Each of them must show.
    let both = fault(r#"{"node":"primary","loss":"5%","delay":"50ms"}"#).how();
    assert_eq!(shows(&both, &before, &pace(47, 100, None)), None);
    assert_eq!(shows(&both, &before, &pace(50, 51_000, None)), None);
}

#[test]
fn a_journal_gives_back_what_was_slowed_down() {
    let end = |name: &str, address: &str| End {
        name: name.to_owned(),
        place: format!("id of {name}"),
        address: address.to_owned(),
    };
    let undo = Slowed {
        hit: Hit {
            node: "pg-1".to_owned(),
            role: "primary".to_owned(),
            timeline: 3,
        },
        how: fault(r#"{"node":"primary","rate":"1mbit"}"#).how(),
        outlets: vec![Outlet {
            way: Way {
                from: end("pg-1", "10.0.1.1"),
                to: end("pg-2", "10.0.1.2"),
            },
            before: pace(50, 100, Some(50_000_000)),
        }],
    };
    let again = undo_from_journal("slow_network", &undo.facts()).unwrap();
    assert_eq!(again.facts(), undo.facts());
    assert!(!again.holds_node());
    assert_eq!(undo.addresses(), ["10.0.1.1"]);
}
