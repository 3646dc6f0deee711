//! The one loop that puts everything into one order: it numbers, logs and passes on each event, and logs
//! what the observer concludes from it before it takes the next.

use super::conclusions::Conclusions;
use super::signals::Stops;
use crate::clock::Clock;
use crate::event::log::LogWriter;
use crate::event::{Entry, Event, Observer, Signal, Stamp};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Everything the dispatcher needs.
pub struct Dispatcher {
    /// Where entries are kept.
    pub log: LogWriter,
    /// Who reads along: the measures first, then live views, which conclude nothing.
    pub observers: Vec<Box<dyn Observer>>,
    /// Where conclusions go.
    pub conclusions: Conclusions,
    /// Requests to stop, which are logged, and which a broken log makes.
    pub stops: Stops,
    /// The run's clock.
    pub clock: Clock,
}

/// How the dispatcher ended.
#[derive(Debug)]
pub struct Dispatched {
    /// Why the log could not be written to its end, where it could not.
    pub log_broken: Option<String>,
}

impl Dispatcher {
    /// Runs until it has taken [`Event::RunEnded`], or every [`crate::event::Emitter`] is dropped.
    pub async fn run(mut self, mut events: mpsc::UnboundedReceiver<(Stamp, Event)>) -> Dispatched {
        let mut stop = self.stops.watch();
        let mut seq = 0;
        let mut log_broken = None;
        let mut queue = VecDeque::new();
        let mut ended = false;
        while !ended {
            tokio::select! {
                biased;
                changed = stop.changed() => {
                    let asked = stop.borrow_and_update().asked().map(|(by, count)| (by.to_owned(), count));
                    if let (Ok(()), Some((by, count))) = (changed, asked) {
                        queue.push_back((self.clock.now(), Event::StopAsked { by, count }));
                    }
                }
                event = events.recv() => match event {
                    Some(event) => queue.push_back(event),
                    None => break,
                }
            }
            // A conclusion becomes the very next entry, so that a reader meets it where it was drawn.
            while let Some((at, event)) = queue.pop_front() {
                ended |= matches!(event, Event::RunEnded(_));
                let entry = Entry { seq, at, event };
                seq += 1;
                if log_broken.is_none()
                    && let Err(error) = self.log.append(&entry)
                {
                    log_broken = Some(error.to_string());
                    self.stops.ask("event log cannot be written");
                }
                for signal in self.pass_on(&entry) {
                    self.conclusions.take(&signal);
                    queue.push_front((self.clock.now(), Event::Signal(signal)));
                }
            }
        }
        Dispatched { log_broken }
    }

    fn pass_on(&mut self, entry: &Entry) -> Vec<Signal> {
        self.observers
            .iter_mut()
            .flat_map(|observer| observer.observe(entry))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::observer::Conclusion;
    use crate::event::{Emitter, log};

    /// Concludes from every note that the step of that name is met.
    struct Believer;

    impl Observer for Believer {
        fn observe(&mut self, entry: &Entry) -> Vec<Signal> {
            match &entry.event {
                Event::Noted { text } => vec![Signal {
                    what: Conclusion::StepMet {
                        step: text.clone(),
                        at: entry.at,
                        how: "noted".into(),
                    },
                    rests_on: vec![entry.seq],
                }],
                _ => Vec::new(),
            }
        }
    }

    #[tokio::test]
    async fn a_conclusion_follows_the_entry_it_rests_on() {
        let folder = tempfile::tempdir().unwrap();
        let (emitter, events) = Emitter::channel();
        let (conclusions, mut awaiting) = Conclusions::channel();
        let stops = Stops::by_hand();
        let dispatcher = Dispatcher {
            log: LogWriter::create(folder.path()).unwrap(),
            observers: vec![Box::new(Believer)],
            conclusions,
            stops: stops.clone(),
            clock: Clock::start(),
        };
        let running = tokio::spawn(dispatcher.run(events));
        for (at, text) in [(5, "one"), (6, "two")] {
            let text = text.to_owned();
            emitter.emit(Stamp(at), Event::Noted { text });
        }
        assert_eq!(awaiting.step_met("two").await, (Stamp(6), "noted".into()));
        drop(emitter);
        assert!(running.await.unwrap().log_broken.is_none());

        let text = std::fs::read_to_string(folder.path().join(log::FILE_NAME)).unwrap();
        let kinds: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Entry>(line).unwrap())
            .map(|entry| (entry.seq, matches!(entry.event, Event::Signal(_))))
            .collect();
        assert_eq!(kinds, [(0, false), (1, true), (2, false), (3, true)]);
    }

    #[tokio::test]
    async fn a_full_disk_asks_the_run_to_stop_once() {
        // /dev/full takes every write with "no space left on device".
        let folder = tempfile::tempdir().unwrap();
        let (emitter, events) = Emitter::channel();
        let (conclusions, _awaiting) = Conclusions::channel();
        let stops = Stops::by_hand();
        let dispatcher = Dispatcher {
            log: LogWriter::to(std::path::Path::new("/dev/full")).unwrap(),
            observers: Vec::new(),
            conclusions,
            stops: stops.clone(),
            clock: Clock::start(),
        };
        let running = tokio::spawn(dispatcher.run(events));
        for _ in 0..3 {
            let text = "x".to_owned();
            emitter.emit(Stamp(1), Event::Noted { text });
        }
        stops.reached(1).await;
        drop(emitter);
        let broken = running.await.unwrap().log_broken.unwrap();
        assert!(broken.contains("No space left"), "{broken}");
        assert_eq!(
            stops.level().asked(),
            Some(("event log cannot be written", 1))
        );
        drop(folder);
    }
}
