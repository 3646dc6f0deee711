//! The details of a run.

use super::*;
use crate::report::sample;

#[test]
fn a_loss_in_detail() {
    insta::assert_snapshot!(show_text(&sample::loss()), @"
    run         20261123t012233-1a2b3c
    verdict     fail
    why         lost_commits: 3 lost, at most 0 demanded
    drill       primary-crash: The primary dies without a word; a standby takes over.
    drill file  SHA-256 abababababababababababababababababababababababababababababababab
    target      local (local)
    started     2026-11-23T01:22:33Z
    seed        7
    firedrill   0.1.0
    variable    downtime_limit = 30s (from drill)
    observer    late by at most 3.4 ms; bounds widened by 0.0 ms

    Objectives
            NAME          DEMANDED      MEASURED     NOTE
      pass  downtime      at most 30 s  0.40–0.45 s
      fail  lost_commits  at most 0     3
      pass  redundancy    within 2 min  1.21–1.29 s
      pass  two_writers   at most 0     0
      pass  phantom       at most 0     0
      pass  divergence    at most 0     0

    Steps
      ID           KIND       BEGAN      TOOK     OUTCOME
      baseline-1   baseline   +0.000 s   10.42 s  done
      crash        kill       +10.420 s  11 ms    done
      fail_over-1  fail_over  +10.431 s  0.42 s   done
      undo-1       undo       +10.850 s  0.75 s   done

    Phases
      NAME      BEGAN      TOOK
      baseline  +0.000 s   10.42 s
      outage    +10.420 s  0.44 s
      recovery  +10.858 s  0.84 s
      after     +11.700 s  10.30 s

    Faults
      FAULT   NODE              ASKED      RETURNED   PROVEN     BY
      kill    node-1 (primary)  +10.420 s  +10.421 s  +10.425 s  7 of 7 processes gone
        undo  node-1            +10.850 s  +11.500 s  +11.600 s  node-1 streams timeline 2 from node-2

    Channels
      CHANNEL             ATTEMPTS  ACKNOWLEDGED  LATE  FAILED  IN DOUBT  NOT SENT  UNAVAILABLE
      node/node-1/pinned  420       400           0     16      4         0         0 ms
      node/node-2/pinned  420       400           0     16      4         0         0 ms
      reader              240       220           0     16      4         0         0 ms
      writer_fresh        234       214           0     16      4         0         0.40 s
      writer_pinned       1,949     1,929         0     16      4         0         0.41 s

    Interruptions
      CHANNEL        KIND    BEGAN      LASTED
      writer_fresh   outage  +10.400 s  0.40–0.45 s
      writer_pinned  outage  +10.419 s  0.40–0.44 s

    Errors
      CHANNEL             PHASE   CLASS    COUNT
      node/node-1/pinned  outage  refused  16
      node/node-1/pinned  outage  reset    4
      node/node-2/pinned  outage  refused  16
      node/node-2/pinned  outage  reset    4
      reader              outage  refused  16
      reader              outage  reset    4
      writer_fresh        outage  refused  16
      writer_fresh        outage  reset    4
      writer_pinned       outage  refused  16
      writer_pinned       outage  reset    4

    Latency, from the moment an attempt was due
      CHANNEL             PHASE     COUNT  P50     P95     P99  MAX
      node/node-1/pinned  baseline  500    1.8 ms  4.2 ms  –    9.0 ms
      node/node-1/pinned  outage    20     0.21 s  0.42 s  –    0.44 s
      node/node-1/pinned  after     700    1.9 ms  4.6 ms  –    14 ms
      node/node-2/pinned  baseline  500    1.8 ms  4.2 ms  –    9.0 ms
      node/node-2/pinned  outage    20     0.21 s  0.42 s  –    0.44 s
      node/node-2/pinned  after     700    1.9 ms  4.6 ms  –    14 ms
      reader              baseline  500    1.8 ms  4.2 ms  –    9.0 ms
      reader              outage    20     0.21 s  0.42 s  –    0.44 s
      reader              after     700    1.9 ms  4.6 ms  –    14 ms
      writer_fresh        baseline  500    1.8 ms  4.2 ms  –    9.0 ms
      writer_fresh        outage    20     0.21 s  0.42 s  –    0.44 s
      writer_fresh        after     700    1.9 ms  4.6 ms  –    14 ms
      writer_pinned       baseline  500    1.8 ms  4.2 ms  –    9.0 ms
      writer_pinned       outage    20     0.21 s  0.42 s  –    0.44 s
      writer_pinned       after     700    1.9 ms  4.6 ms  –    14 ms

    First lost commits
      CHANNEL        WRITER  KEY  ACKNOWLEDGED  BY      TIMELINE
      writer_pinned  2       501  +10.372 s     node-1  1
    ");
}

#[test]
fn nothing_observed() {
    insta::assert_snapshot!(show_text(&sample::nothing_observed()), @"
    run         20261123t012233-1a2b3c
    verdict     invalid
    why         the log ends before the run did
    drill       primary-crash: The primary dies without a word; a standby takes over.
    drill file  SHA-256 abababababababababababababababababababababababababababababababab
    target      local (local)
    started     2026-11-23T01:22:33Z
    seed        7
    firedrill   0.1.0
    variable    downtime_limit = 30s (from drill)
    observer    late by at most 3.4 ms; bounds widened by 0.0 ms

    Objectives
               NAME          DEMANDED      MEASURED                                           NOTE
      unknown  downtime      at most 30 s  not observed: the log ends before measuring began
      unknown  lost_commits  at most 0     not observed: the log ends before measuring began
      unknown  redundancy    within 2 min  not observed: the log ends before measuring began
      unknown  two_writers   at most 0     not observed: the log ends before measuring began
      unknown  phantom       at most 0     not observed: the log ends before measuring began
      unknown  divergence    at most 0     not observed: the log ends before measuring began

    Steps
      ID          KIND      BEGAN     TOOK  OUTCOME
      baseline-1  baseline  +0.000 s  –     unfinished
    ");
}
