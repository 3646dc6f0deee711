//! The report as Markdown.

use super::*;
use crate::report::sample;

fn written(result: &RunResult) -> String {
    let mut out = Vec::new();
    Markdown.write(result, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_loss() {
    insta::assert_snapshot!(written(&sample::loss()), @"
    # FAIL: primary-crash on local

    **downtime 0.40–0.45 s, 3 of 2,143 acknowledged commits lost, everything undone.**

    The primary dies without a word; a standby takes over.

    - why: lost_commits: 3 lost, at most 0 demanded
    - not observed: latency back to normal (measuring ended less than 30 s after the outage)
    - not observed: archiving (not in this version)
    - not observed: the instrument's own proof (never run here)
    - run `20261123t012233-1a2b3c`, started 2026-11-23T01:22:33Z, seed 7, drill file SHA-256 `abababababababababababababababababababababababababababababababab`

    ## Objectives

    | objective | demanded | measured | verdict | note |
    |---|---|---|---|---|
    | downtime | at most 30 s | 0.40–0.45 s | pass |  |
    | lost_commits | at most 0 | 3 | fail |  |
    | redundancy | within 2 min | 1.21–1.29 s | pass |  |
    | two_writers | at most 0 | 0 | pass |  |
    | phantom | at most 0 | 0 | pass |  |
    | divergence | at most 0 | 0 | pass |  |

    `downtime_limit` is 30s (from drill)

    ## What was hit

    | fault | node | at | effect | undo |
    |---|---|---|---|---|
    | kill | node-1 (primary) | +10.420 s | +10.425 s 7 of 7 processes gone | node-1 streams timeline 2 from node-2 |

    Primary: node-1 → node-2, promoted by firedrill's failover agent.

    ## Service

    Measured: clients over loopback through firedrill's router; not measured: DNS, TLS, a pooler.

    | channel | longest outage | outages | stalls | acknowledged | failed | in doubt | not sent |
    |---|---|---|---|---|---|---|---|
    | node/node-1/pinned | – | 0 | 0 | 400 | 16 | 4 | 0 |
    | node/node-2/pinned | – | 0 | 0 | 400 | 16 | 4 | 0 |
    | reader | none | 0 | 0 | 220 | 16 | 4 | 0 |
    | writer_fresh | 0.40–0.45 s | 1 | 0 | 214 | 16 | 4 | 0 |
    | writer_pinned | 0.40–0.44 s | 1 | 0 | 1,929 | 16 | 4 | 0 |

    ## Recovery

    From the fault to service: 0.40–0.45 s

    | part | took | contains | set by |
    |---|---|---|---|
    | detect | 0.24–0.29 s |  | agent detection 300 ms + loop 50 ms |
    | elect | 0–24 ms |  |  |
    | promote | 41–81 ms |  |  |
    | route | 0.07–0.12 s |  | router check interval 50 ms × fall 3 / rise 2 |
    | stabilise | 0–22 ms |  |  |

    - all standbys back after: 1.21–1.29 s
    - open sessions served again after: 0.40–0.44 s
    - latency back to normal after: not observed: measuring ended less than 30 s after the outage

    ## Commits

    3 of 2,143 acknowledged commits lost

    - at risk: 37
    - isolated (acknowledged only inside the node that was hit): 0
    - in doubt: 8: 5 found, 3 not
    - refused and yet there: 0
    - never sent and yet there: 0
    - there more than once: 0
    - time between the oldest lost commit and the fault: 41–63 ms

    The first lost commits:

    | channel | writer | key | acknowledged at | by | timeline |
    |---|---|---|---|---|---|
    | writer_pinned | 2 | 501 | +10.372 s | node-1 | 1 |

    ## State left

    - everything undone
    - node-2 led; 1 of 1 standbys stream
    - the throw-away cluster was removed

    ## What took part

    - PostgreSQL: 18.6
    - firedrill: 0.1.0
    - agent detection 300 ms + loop 50 ms
    - router check interval 50 ms × fall 3 / rise 2
    - wal_receiver_timeout 5 s, wal_sender_timeout 5 s
    - fsync: on
    - synchronous_commit: on
    - synchronous_standby_names: empty
    - stand-ins of firedrill, not your stack: the failover agent, the router in the manner of HAProxy
    - no load beside the probes: times are a lower estimate
    - the observer was late by at most 3.4 ms; its lateness widened the bounds by 0.0 ms in all
    - 1 run: where in the stack's cycle the fault fell decides; another run will differ
    ");
}

#[test]
fn what_was_not_observed_shows_no_zero() {
    let text = written(&sample::nothing_observed());
    assert!(!text.contains(": 0\n"), "{text}");
    assert!(
        text.contains("- at risk: not observed: the log ends before measuring began"),
        "{text}"
    );
}

#[test]
fn an_incomplete_undo_comes_first() {
    let text = written(&sample::not_undone());
    let undo = text.find("firedrill undo").unwrap();
    assert!(undo < text.find("downtime").unwrap(), "{text}");
}

#[test]
fn foreign_text_is_no_markup() {
    let mut result = sample::loss();
    result.objectives[1].note = Some("a | b\n# <script> [x](y)".to_owned());
    let text = written(&result);
    assert!(text.contains(r"a \| b \# \<script> \[x\](y)"), "{text}");
}
