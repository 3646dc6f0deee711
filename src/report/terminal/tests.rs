//! The last screen of each kind of run.

use super::*;
use crate::event::result::Outage;
use crate::report::sample;

fn screen(result: &RunResult) -> String {
    let mut out = Vec::new();
    Terminal::default().write(result, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The answer: what stands above the first empty line.
fn top(result: &RunResult) -> String {
    let screen = screen(result);
    let (top, _) = screen.split_once("\n\n").unwrap();
    top.to_owned()
}

#[test]
fn a_pass() {
    insta::assert_snapshot!(screen(&sample::pass()), @"
    PASS  primary-crash on local (run 20261123t012233-1a2b3c)
          downtime 0.40–0.45 s, 0 of 2,143 acknowledged commits lost, everything undone
          all 6 demands met: downtime at most 30 s, lost commits at most 0, redundancy within 2 min, and
            the 3 that always hold
          not observed: latency back to normal (measuring ended less than 30 s after the outage);
            archiving (not in this version); the instrument's own proof (never run here)

      Hit         kill of node-1 (primary) at +10.420 s; proven: 7 of 7 processes gone
      Primary     node-1 → node-2, promoted by firedrill's failover agent
      Measured    clients over loopback through firedrill's router; not measured: DNS, TLS, a pooler
                  firedrill's own stand-ins, not your stack: the failover agent, the router in the
                    manner of HAProxy
                  no load beside the probes: times are a lower estimate

      Downtime    writer_fresh   0.40–0.45 s  a new connection for each write
                  writer_pinned  0.40–0.44 s  writes on open sessions
                  reader         none         reads
      Recovery    0.40–0.45 s from the fault to service
                  detect     0.24–0.29 s  the loss noticed; largest: agent detection 300 ms + loop 50 ms
                  elect      0–24 ms      a successor chosen
                  promote    41–81 ms     the successor writable
                  route      0.07–0.12 s  clients sent there
                  stabilise  0–22 ms      service steady
                  all standbys back after 1.21–1.29 s

      Commits     0 of 2,143 acknowledged commits lost, 37 at risk
                  0 isolated: acknowledged only inside the node that was hit
                  8 in doubt: 5 found, 3 not, and both are allowed
      State left  everything undone; node-2 led on timeline 2, 1 of 1 standbys streaming; the throw-away
                    cluster was removed

      Versions    PostgreSQL 18.6, firedrill 0.1.0
      Timers      agent detection 300 ms + loop 50 ms
                  router check interval 50 ms × fall 3 / rise 2
                  wal_receiver_timeout 5 s, wal_sender_timeout 5 s
      Durability  fsync on, synchronous_commit on, synchronous_standby_names empty
      Before      no earlier run of this drill on this target
      Repeats     1 run: where in the stack's cycle the fault fell decides; another run will differ
      Next        firedrill show 20261123t012233-1a2b3c
    ");
}

#[test]
fn a_pass_with_a_run_before() {
    let terminal = Terminal {
        style: Style::Plain,
        previous: Some(PreviousFigure {
            run: "20261122t090000-0a0b0c".to_owned(),
            started_at: "2026-11-22T09:00:00Z".to_owned(),
            verdict: Verdict::Pass,
            downtime: Some(Bounds {
                lower_ms: 380.0,
                upper_ms: Some(421.0),
            }),
            lost: Some(0),
            drill_changed: true,
        }),
    };
    let mut out = Vec::new();
    terminal.write(&sample::pass(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let from = text.find("  Before").unwrap();
    let to = text.find("  Repeats").unwrap();
    insta::assert_snapshot!(&text[from..to], @"
    Before      pass: downtime 0.38–0.43 s, 0 lost (2026-11-22, run 20261122t090000-0a0b0c; the drill
                  file changed since)
    ");
}

#[test]
fn a_loss() {
    insta::assert_snapshot!(screen(&sample::loss()), @"
    FAIL  primary-crash on local (run 20261123t012233-1a2b3c)
          downtime 0.40–0.45 s, 3 of 2,143 acknowledged commits lost, everything undone
          why: lost_commits: 3 lost, at most 0 demanded
          5 of 6 demands met: downtime at most 30 s, redundancy within 2 min, and the 3 that always hold
          not observed: latency back to normal (measuring ended less than 30 s after the outage);
            archiving (not in this version); the instrument's own proof (never run here)

      Hit         kill of node-1 (primary) at +10.420 s; proven: 7 of 7 processes gone
      Primary     node-1 → node-2, promoted by firedrill's failover agent
      Measured    clients over loopback through firedrill's router; not measured: DNS, TLS, a pooler
                  firedrill's own stand-ins, not your stack: the failover agent, the router in the
                    manner of HAProxy
                  no load beside the probes: times are a lower estimate

      Downtime    writer_fresh   0.40–0.45 s  a new connection for each write
                  writer_pinned  0.40–0.44 s  writes on open sessions
                  reader         none         reads
      Recovery    0.40–0.45 s from the fault to service
                  detect     0.24–0.29 s  the loss noticed; largest: agent detection 300 ms + loop 50 ms
                  elect      0–24 ms      a successor chosen
                  promote    41–81 ms     the successor writable
                  route      0.07–0.12 s  clients sent there
                  stabilise  0–22 ms      service steady
                  all standbys back after 1.21–1.29 s

      Commits     3 of 2,143 acknowledged commits lost, 37 at risk
                  the oldest was acknowledged 41–63 ms before the fault; 1.8 KiB of log
                  they are the newest ones, as a plain failover loses them
                  3 of them found in the old primary's own data
                  0 isolated: acknowledged only inside the node that was hit
                  8 in doubt: 5 found, 3 not, and both are allowed
      State left  everything undone; node-2 led on timeline 2, 1 of 1 standbys streaming; the throw-away
                    cluster was removed

      Versions    PostgreSQL 18.6, firedrill 0.1.0
      Timers      agent detection 300 ms + loop 50 ms
                  router check interval 50 ms × fall 3 / rise 2
                  wal_receiver_timeout 5 s, wal_sender_timeout 5 s
      Durability  fsync on, synchronous_commit on, synchronous_standby_names empty
      Before      no earlier run of this drill on this target
      Repeats     1 run: where in the stack's cycle the fault fell decides; another run will differ
      Next        firedrill show 20261123t012233-1a2b3c
    ");
}

#[test]
fn a_run_that_could_not_be_judged() {
    insta::assert_snapshot!(top(&sample::unknown()), @"
    UNKNOWN  primary-crash on local (run 20261123t012233-1a2b3c)
          downtime 0.40–0.45 s, 0 of 2,143 acknowledged commits lost, everything undone
          why: downtime: 0.40–0.45 s lies on both sides of the limit 420 ms
          why: isolated_commits unknown: node-1 was not probed
          5 of 7 demands met: lost commits at most 0, redundancy within 2 min, and 3 of the 4 that
            always hold
          not observed: latency back to normal (measuring ended less than 30 s after the outage); two
            writers (node-1 was not probed); archiving (not in this version); the instrument's own proof
            (never run here)
    ");
}

#[test]
fn an_invalid_run() {
    insta::assert_snapshot!(top(&sample::invalid()), @"
    INVALID  primary-crash on local (run 20261123t012233-1a2b3c)
          the times below do not count; what was proven lost stays proven
          downtime 0.40–0.45 s, 0 of 2,143 acknowledged commits lost, everything undone
          why: observer stalled: 2.01 s late while the outage began
          not observed: latency back to normal (measuring ended less than 30 s after the outage);
            archiving (not in this version); the instrument's own proof (never run here)
    ");
}

#[test]
fn a_run_that_was_stopped() {
    insta::assert_snapshot!(top(&sample::interrupted()), @"
    STOPPED  primary-crash on local (run 20261123t012233-1a2b3c)
          the times below do not count; what was proven lost stays proven
          downtime 0.40–0.45 s, lost commits not known, everything undone
          why: stopped by SIGINT
          not observed: lost commits, isolated commits (stopped by SIGINT before the ledger was
            audited); latency back to normal (measuring ended less than 30 s after the outage);
            archiving (not in this version); the instrument's own proof (never run here)
    ");
}

#[test]
fn a_run_that_left_something_undone() {
    insta::assert_snapshot!(top(&sample::not_undone()), @"
    NOT UNDONE  primary-crash on local (run 20261123t012233-1a2b3c)
          NOT UNDONE: node-1 still frozen: its processes did not continue in 10 s
          DANGER: 2 nodes take writes at the same time
          put it back with: firedrill undo 20261123t012233-1a2b3c
          the drill itself: invalid
          the times below do not count; what was proven lost stays proven
          downtime 0.40–0.45 s, lost commits not known, 1 NOT UNDONE
          why: stopped by SIGINT
          not observed: lost commits, isolated commits (stopped by SIGINT before the ledger was
            audited); latency back to normal (measuring ended less than 30 s after the outage);
            archiving (not in this version); the instrument's own proof (never run here)
    ");
}

#[test]
fn an_outage_that_did_not_end() {
    insta::assert_snapshot!(screen(&sample::unended()), @"
    FAIL  primary-crash on local (run 20261123t012233-1a2b3c)
          downtime > 60.00 s, open until the undo, 0 of 2,143 acknowledged commits lost, everything
            undone
          why: downtime: > 60.00 s, at most 30 s demanded
          5 of 6 demands met: lost commits at most 0, redundancy within 2 min, and the 3 that always
            hold
          not observed: promote (no node of a newer timeline took writes); latency back to normal
            (measuring ended less than 30 s after the outage); archiving (not in this version); the
            instrument's own proof (never run here)

      Hit         kill of node-1 (primary) at +10.420 s; proven: 7 of 7 processes gone
      Primary     was node-1; node-2 led at the end
      Measured    clients over loopback through firedrill's router; not measured: DNS, TLS, a pooler
                  firedrill's own stand-ins, not your stack: the failover agent, the router in the
                    manner of HAProxy
                  no load beside the probes: times are a lower estimate

      Downtime    writer_fresh   > 60.00 s, open until the undo  a new connection for each write
                  writer_pinned  > 60.00 s, open until the undo  writes on open sessions
                  reader         none                            reads
      Recovery    > 60.00 s from the fault to service
                  detect   0.24–0.29 s   the loss noticed; largest: detection period 250 ms
                  promote  not observed  the successor writable
                  all standbys back after 1.21–1.29 s

      Commits     0 of 2,143 acknowledged commits lost, 37 at risk
                  0 isolated: acknowledged only inside the node that was hit
                  8 in doubt: 5 found, 3 not, and both are allowed
      State left  everything undone; node-2 led on timeline 2, 1 of 1 standbys streaming; the throw-away
                    cluster was removed

      Versions    PostgreSQL 18.6, firedrill 0.1.0
      Timers      agent detection 300 ms + loop 50 ms
                  router check interval 50 ms × fall 3 / rise 2
                  wal_receiver_timeout 5 s, wal_sender_timeout 5 s
      Durability  fsync on, synchronous_commit on, synchronous_standby_names empty
      Before      no earlier run of this drill on this target
      Repeats     1 run: where in the stack's cycle the fault fell decides; another run will differ
      Next        firedrill show 20261123t012233-1a2b3c
    ");
}

#[test]
fn stalls_stand_apart_from_downtime() {
    let mut result = sample::pass();
    let stall = |start_ms: f64, lower_ms: f64, upper_ms: f64| Outage {
        start_ms,
        lower_ms,
        upper_ms: Some(upper_ms),
        ended: true,
        censored_by_undo: false,
        widened_ms: 0.0,
    };
    let all = vec![stall(13_000.0, 0.0, 157.2), stall(14_000.0, 12.0, 98.0)];
    result.channels.get_mut("writer_pinned").unwrap().stalls = all;
    result.channels.get_mut("reader").unwrap().stalls = vec![stall(13_000.0, 1_011.0, 1_362.0)];
    let text = screen(&result);
    let from = text.find("  Downtime").unwrap();
    let to = text.find("  Recovery").unwrap();
    insta::assert_snapshot!(&text[from..to], @"
    Downtime    writer_fresh   0.40–0.45 s  a new connection for each write
                writer_pinned  0.40–0.44 s  writes on open sessions
                reader         none         reads
    Stalls      writer_pinned 2, longest 0–0.16 s; reader 1 of 1.01–1.37 s: slow, none failed
    ");
}

#[test]
fn a_calibration_that_was_met() {
    insta::assert_snapshot!(top(&sample::calibration_met()), @"
    AS EXPECTED  lagging-promotion on local (run 20261123t012233-1a2b3c)
          downtime 0.40–0.45 s, 3 of 2,143 acknowledged commits lost, everything undone
          why: as expected, lost_commits alone failed
          why: lost_commits: 3 lost, at most 0 demanded
          5 of 6 demands met: downtime at most 30 s, redundancy within 2 min, and the 3 that always hold
          not observed: latency back to normal (measuring ended less than 30 s after the outage);
            archiving (not in this version); the instrument's own proof (never run here)
    ");
}

#[test]
fn nothing_observed() {
    insta::assert_snapshot!(screen(&sample::nothing_observed()), @"
    INVALID  primary-crash on local (run 20261123t012233-1a2b3c)
          put it back with: firedrill undo 20261123t012233-1a2b3c
          the drill itself: invalid
          the times below do not count; what was proven lost stays proven
          downtime not observed, lost commits not known, NOT KNOWN WHETHER UNDONE
          why: the log ends before the run did
          the log of this run ends early: everything below goes only as far as it does
          not observed: downtime, lost commits, redundancy, two writers, phantom, divergence, recovery,
            latency back to normal, open sessions served again, commits at risk, isolated commits,
            archiving (the log ends before measuring began); the instrument's own proof (never run here)

      Hit         nothing, as far as the log goes
      Measured    clients over loopback through firedrill's router; not measured: DNS, TLS, a pooler
                  firedrill's own stand-ins, not your stack: the failover agent, the router in the
                    manner of HAProxy
                  no load beside the probes: times are a lower estimate

      Downtime    not observed

      Commits     lost commits not known: the log ends before measuring began
                  isolated: not observed: the log ends before measuring began
      State left  NOT KNOWN WHETHER UNDONE; who led is not known; unknown: the log ends before the run
                    did

      Versions    PostgreSQL 18.6, firedrill 0.1.0
      Timers      agent detection 300 ms + loop 50 ms
                  router check interval 50 ms × fall 3 / rise 2
                  wal_receiver_timeout 5 s, wal_sender_timeout 5 s
      Durability  fsync on, synchronous_commit on, synchronous_standby_names empty
      Before      no earlier run of this drill on this target
      Next        firedrill undo 20261123t012233-1a2b3c
    ");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for mut result in sample::all() {
        let long = "a rather long sentence about something that went wrong ".repeat(5);
        result.reasons.push(long.clone());
        result.environment.path = long.clone();
        result.undo.left.push(long);
        for line in screen(&result).lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    for result in sample::all() {
        let terminal = Terminal {
            style: Style::Color,
            previous: None,
        };
        let mut out = Vec::new();
        terminal.write(&result, &mut out).unwrap();
        let coloured = String::from_utf8(out).unwrap();
        assert!(coloured.contains("\u{1b}["));
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, screen(&result));
    }
}

#[test]
fn what_is_not_known_is_never_a_zero() {
    let text = screen(&sample::nothing_observed());
    assert!(!text.contains("0 of 0"), "{text}");
    assert!(!text.contains("everything undone"), "{text}");
}
