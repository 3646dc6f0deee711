//! Plain lines, for logs, pipes and terminals that cannot move the cursor.

use super::LiveView;
use super::story::Story;
use crate::event::Entry;
use crate::figures;
use std::io::Write;

/// Writes one line per thing worth telling.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    story: Story,
    /// The tenth of a download that was told last.
    tenth: u64,
}

impl<W: Write + Send> Plain<W> {
    /// A view that writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            story: Story::default(),
            tenth: 0,
        }
    }
}

impl<W: Write + Send> LiveView for Plain<W> {
    fn see(&mut self, entry: &Entry) {
        for line in self.story.take(entry) {
            let _ = writeln!(self.out, "{}", line.written());
        }
    }

    fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    fn download(&mut self, what: &str, done: u64, total: u64) {
        // A line per tenth is enough for people and does not fill a log.
        let tenth = done.saturating_mul(10) / total.max(done).max(1);
        if total > 0 && tenth > self.tenth {
            self.tenth = tenth;
            let (done, total) = (figures::bytes(done), figures::bytes(total));
            let _ = writeln!(self.out, "{what}: {done} of {total}");
        }
        if done >= total {
            self.tenth = 0;
        }
    }

    fn finish(&mut self) {
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::observer::{Conclusion, Signal};
    use crate::event::{Event, ObserverLate, RunEnded, Stamp, StepEnded, StepOutcome};
    use crate::live::sample;
    use std::io;

    fn told(entries: &[Entry]) -> String {
        let mut out = Vec::new();
        let mut view = Plain::new(&mut out);
        for entry in entries {
            view.see(entry);
        }
        view.finish();
        String::from_utf8(out).unwrap()
    }

    fn entry(event: Event) -> Entry {
        Entry {
            seq: 0,
            at: Stamp(12_345_000),
            event,
        }
    }

    #[test]
    fn a_run_is_told() {
        insta::assert_snapshot!(told(&sample::run()), @"
        +0.000 s  run 20261123t012233-1a2b3c: primary-crash on local, 4 steps, at most 2 min 10 s
        +0.020 s  node-1 on timeline 1 takes writes
        +0.020 s  step 1/4  watch the healthy cluster
        +1.001 s  step 2/4  kill node-1 (primary now)
        +1.008 s  kill of node-1 (primary) is proven: 7 of 7 processes gone
        +1.008 s  step 3/4  wait until another node serves writes
        +1.250 s  writer_pinned: no service since +0.980 s
        +1.260 s  node-2 on timeline 2 takes writes
        +1.300 s  local agent: node-2 is named leader
        +1.800 s  writer_pinned: served again at +1.402 s, after about 0.42 s
        +1.800 s  node-2 serves timeline 2
        +1.801 s  step 4/4  put node-1 back
        +2.400 s  undo of kill on node-1 is verified: node-1 streams timeline 2
        +2.500 s  measuring is over; putting back what is left, then comparing the ledger
        +4.000 s  the nodes are one again: 1 of 1 standbys stream from node-2
        +4.100 s  the ledger was compared: 0 of 2,143 acknowledged commits lost
        +4.200 s  the run is over, everything is undone
        ");
    }

    #[test]
    fn what_went_wrong_is_told_and_what_does_not_matter_is_not() {
        let step = "crash".to_owned();
        let why = "no failover within 60 s".to_owned();
        let failed = StepEnded {
            step,
            outcome: StepOutcome::Failed { why },
        };
        let late = |us| {
            entry(Event::ObserverLate(ObserverLate {
                due: Stamp(0),
                woke: Stamp(us),
            }))
        };
        let entries = [
            entry(Event::StepEnded(failed)),
            late(20_000),
            late(2_000_000),
            entry(Event::StopAsked {
                by: "SIGINT".to_owned(),
                count: 1,
            }),
            entry(Event::Said {
                step: "say-1".to_owned(),
                text: "pull the\u{1b}[2J plug".to_owned(),
            }),
        ];
        insta::assert_snapshot!(told(&entries), @"
        +12.345 s  step ?  crash failed: no failover within 60 s
        +12.345 s  the observer was late by 2.00 s
        +12.345 s  SIGINT: stopping; everything is put back first (once more to skip the rest)
        +12.345 s  » pull the [2J plug
        ");
    }

    #[test]
    fn a_baseline_that_is_unfit_is_told_once() {
        let why = "reader: too slow".to_owned();
        let refused = format!("refused before the fault: {why}");
        let skipped = |step: &str| {
            entry(Event::StepEnded(StepEnded {
                step: step.to_owned(),
                outcome: StepOutcome::Skipped {
                    why: refused.clone(),
                },
            }))
        };
        let judged = Conclusion::BaselineJudged {
            unfit: Some(why),
            noise: false,
        };
        let entries = [
            entry(Event::Signal(Signal {
                what: judged,
                rests_on: Vec::new(),
            })),
            skipped("crash"),
            skipped("fail_over-1"),
            entry(Event::RunEnded(RunEnded {
                interrupted: None,
                not_undone: Vec::new(),
                undone: 0,
                writable_nodes: Some(1),
                cut_short: Some(refused.clone()),
                called_off: None,
            })),
        ];
        insta::assert_snapshot!(told(&entries), @"
        +12.345 s  the baseline is unfit: reader: too slow
        +12.345 s  the run is over, everything is undone
        ");
    }

    #[test]
    fn a_download_is_a_line_per_tenth() {
        let mut out = Vec::new();
        let mut view = Plain::new(&mut out);
        for done in 0..=50 {
            view.download("fetching PostgreSQL", done * 1_048_576, 52_428_800);
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 10, "{text}");
        let last = text.lines().last();
        assert_eq!(last, Some("fetching PostgreSQL: 50.0 MiB of 50.0 MiB"));
    }

    #[test]
    fn a_terminal_that_was_closed_is_no_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut view = Plain::new(Closed);
        for entry in sample::run() {
            view.see(&entry);
        }
        view.say("still here");
        view.finish();
    }
}
