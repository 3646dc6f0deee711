//! Moving lines on a terminal: the step, the nodes, the channels; the story scrolls away above them.
//!
//! Everything that is written to the terminal while a run goes on comes through here, because a line that
//! is written past the moving ones tears them.

use super::LiveView;
use super::picture::Picture;
use super::service::{Service, word};
use super::story::Story;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::event::slots::Outcome;
use crate::event::{ChannelKind, Entry, Stamp};
use crate::figures;
use crate::report::{Paint, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// Redraws a second, at most: probes and drawing may share two cores.
const HZ: u8 = 10;

/// Draws the state of a run.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    screen: MultiProgress,
    bars: Vec<ProgressBar>,
    download: Option<ProgressBar>,
    story: Story,
    drawn: Option<Stamp>,
    finished: bool,
}

impl Progress {
    /// A view on standard error.
    #[must_use]
    pub fn on_stderr(style: Style) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(HZ), style)
    }

    fn on(target: ProgressDrawTarget, style: Style) -> Self {
        Self {
            style,
            screen: MultiProgress::with_draw_target(target),
            bars: Vec::new(),
            download: None,
            story: Story::default(),
            drawn: None,
            finished: false,
        }
    }

    fn end_download(&mut self) {
        if let Some(bar) = self.download.take() {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    fn draw(&mut self) {
        // What moves would tear the word that somebody is typing.
        let rows = match self.story.picture.asking {
            true => Vec::new(),
            false => rows(&self.story.picture, self.style),
        };
        while self.bars.len() > rows.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.screen.remove(&bar);
            }
        }
        for (place, row) in rows.into_iter().enumerate() {
            if place == self.bars.len() {
                let bar = self.screen.add(ProgressBar::new_spinner());
                // The template is a constant that parses; were it refused, the default one would show.
                if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                    bar.set_style(style);
                }
                self.bars.push(bar);
            }
            if let Some(bar) = self.bars.get(place) {
                bar.set_message(row);
            }
        }
    }
}

impl LiveView for Progress {
    fn see(&mut self, entry: &Entry) {
        let lines = self.story.take(entry);
        for line in &lines {
            let text = line.written();
            let text = match line.paint {
                Some(paint) => self.style.paint(paint, &text),
                None => text,
            };
            let _ = self.screen.println(text);
        }
        let now = self.story.picture.now;
        let pause = Duration::from_millis(1000 / u64::from(HZ));
        let due = self.drawn.is_none_or(|drawn| now.since(drawn) >= pause);
        if !self.finished && (due || !lines.is_empty()) {
            self.drawn = Some(now);
            self.draw();
        }
    }

    fn say(&mut self, text: &str) {
        self.end_download();
        let _ = self.screen.println(text);
    }

    fn download(&mut self, what: &str, done: u64, total: u64) {
        let bar = self.download.get_or_insert_with(|| {
            let bar = self.screen.add(ProgressBar::new(total));
            let template = "{msg}  {bar:30}  {bytes} of {total_bytes}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        bar.set_length(total.max(done));
        bar.set_message(what.to_owned());
        bar.set_position(done);
        if total > 0 && done >= total {
            self.end_download();
        }
    }

    fn finish(&mut self) {
        self.finished = true;
        self.end_download();
        for bar in self.bars.drain(..) {
            bar.finish_and_clear();
        }
        let _ = self.screen.clear();
    }
}

/// The moving lines: the step, a line per node, a line per channel of clients.
fn rows(picture: &Picture, style: Style) -> Vec<String> {
    let mut rows = vec![step_row(picture)];
    if let Some(seen) = &picture.cluster {
        let width = seen
            .nodes
            .iter()
            .map(|node| node.name.chars().count())
            .max()
            .unwrap_or(0);
        for node in &seen.nodes {
            let (text, paint) = standing(seen, &node.standing);
            let probe = picture.channels.get(&format!("node/{}/pinned", node.name));
            let probe = probe.and_then(|service| service.last);
            let label = format!("{:<width$}", node.name);
            let text = style.paint(paint, &text);
            rows.push(format!(
                "  {label}  {text}{}",
                still_writes(seen, &node.name, probe, style)
            ));
        }
    }
    let clients: Vec<&Service> = picture
        .channels
        .values()
        .filter(|it| it.is_clients())
        .collect();
    let width = clients
        .iter()
        .map(|it| it.channel.name.chars().count())
        .max()
        .unwrap_or(0);
    for service in clients {
        let label = format!("{:<width$}", service.channel.name);
        rows.push(format!(
            "  {label}  {}",
            service_text(service, picture.now, style)
        ));
    }
    rows
}

fn step_row(picture: &Picture) -> String {
    let Some((index, began)) = picture.step else {
        return picture.doing.unwrap_or("preparing").to_owned();
    };
    let Some(step) = picture.steps.get(index) else {
        return format!("step {}", index + 1);
    };
    let elapsed = picture.now.since(began).as_secs_f64();
    format!(
        "step {}/{}  {}  {elapsed:.1} s of at most {}",
        index + 1,
        picture.steps.len(),
        step.what,
        figures::limit(step.longest_ms)
    )
}

fn standing(seen: &ClusterSeen, standing: &Standing) -> (String, Paint) {
    match standing {
        Standing::Primary { timeline, .. } => {
            let newest = seen.leader().is_none_or(|(_, newest)| *timeline == newest);
            let paint = if newest { Paint::Good } else { Paint::Bad };
            (format!("primary  timeline {timeline}"), paint)
        }
        Standing::Standby {
            timeline,
            replayed,
            streaming,
            paused,
            ..
        } => {
            let timeline = timeline.map_or("?".to_owned(), |timeline| timeline.to_string());
            let mut text = format!("standby  timeline {timeline}");
            text.push_str(if *streaming {
                ", streaming"
            } else {
                ", not streaming"
            });
            if let (Some(lsn), Some(replayed)) = (leader_lsn(seen), replayed) {
                let behind = lsn.saturating_sub(*replayed);
                text.push_str(&format!(", {} behind", figures::bytes(behind)));
            }
            if *paused {
                text.push_str(", replay paused");
            }
            let well = *streaming && !paused;
            (text, if well { Paint::Good } else { Paint::Doubt })
        }
        Standing::Silent { why } => (format!("silent   {why}"), Paint::Bad),
    }
}

fn leader_lsn(seen: &ClusterSeen) -> Option<u64> {
    let (leader, _) = seen.leader()?;
    match seen.node(leader)? {
        Standing::Primary { lsn, .. } => Some(*lsn),
        _ => None,
    }
}

/// What a node's own probe adds: a node that does not lead and yet acknowledges is the thing to see.
fn still_writes(seen: &ClusterSeen, node: &str, probe: Option<Outcome>, style: Style) -> String {
    let leads = seen.leader().is_some_and(|(leader, _)| leader == node);
    match probe {
        Some(Outcome::Acknowledged) if !leads => {
            format!("  {}", style.paint(Paint::Bad, "acknowledges writes"))
        }
        _ => String::new(),
    }
}

fn service_text(service: &Service, now: Stamp, style: Style) -> String {
    let last = service.last.map_or("waiting".to_owned(), word);
    match service.lost_since {
        // Whether it lasts is only known a little later.
        Some(_) if service.last == Some(Outcome::Acknowledged) => {
            style.paint(Paint::Doubt, "ok again, so far")
        }
        Some(since) => {
            let what = match service.channel.kind {
                ChannelKind::Reader | ChannelKind::EndpointReader => "no reads",
                ChannelKind::Watch => "no answer",
                _ => "no writes",
            };
            let ms = now.since(since).as_secs_f64() * 1000.0;
            let text = format!("{what} for about {}: {last}", figures::duration(ms));
            style.paint(Paint::Bad, &text)
        }
        None => style.paint(Paint::Good, &last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::sample;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// What the moving lines show after the first `count` entries.
    fn rows_after(count: usize) -> String {
        let mut story = Story::default();
        for entry in &sample::run()[..count] {
            let _ = story.take(entry);
        }
        rows(&story.picture, Style::Plain).join("\n")
    }

    /// A terminal that keeps what is written to it, or refuses everything.
    #[derive(Clone, Debug, Default)]
    struct Fake {
        text: Arc<Mutex<String>>,
        closed: bool,
    }

    impl Fake {
        fn answer(&self, text: &str) -> io::Result<()> {
            if self.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.text.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl TermLike for Fake {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            self.answer("")
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            self.answer("")
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            self.answer("")
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            self.answer("")
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.answer(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.answer(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.answer("")
        }
        fn flush(&self) -> io::Result<()> {
            self.answer("")
        }
    }

    fn watched(fake: &Fake) {
        let target = ProgressDrawTarget::term_like(Box::new(fake.clone()));
        let mut view = Progress::on(target, Style::Plain);
        view.download("fetching PostgreSQL", 5_242_880, 52_428_800);
        view.say("starting two servers");
        for entry in sample::run() {
            view.see(&entry);
        }
        view.finish();
        view.say("after the end");
    }

    #[test]
    fn a_healthy_cluster() {
        insta::assert_snapshot!(rows_after(6), @"
        step 1/4  watch the healthy cluster  1.0 s of at most 5 s
          node-1  primary  timeline 1
          node-2  standby  timeline 1, streaming, 1.3 KiB behind
          reader         ok
          writer_pinned  ok
        ");
    }

    #[test]
    fn an_outage() {
        insta::assert_snapshot!(rows_after(16), @"
        step 3/4  wait until another node serves writes  0.3 s of at most 60 s
          node-1  silent   refused
          node-2  primary  timeline 2
          reader         ok
          writer_pinned  no writes for about 0.32 s: refused
        ");
    }

    #[test]
    fn after_measuring_no_channel_is_shown() {
        insta::assert_snapshot!(rows_after(26), @"
        putting everything back, then comparing the ledger
          node-1  silent   refused
          node-2  primary  timeline 2
        ");
    }

    #[test]
    fn the_story_and_the_state_reach_the_terminal() {
        let fake = Fake::default();
        watched(&fake);
        let text = fake.text.lock().unwrap();
        assert!(text.contains("5.00 MiB of 50.00 MiB"), "{text}");
        assert!(text.contains("starting two servers"), "{text}");
        assert!(
            text.contains("+1.008 s  kill of node-1 (primary) is proven"),
            "{text}"
        );
        assert!(
            text.contains("step 3/4  wait until another node serves writes"),
            "{text}"
        );
        assert!(text.contains("after the end"), "{text}");
    }

    #[test]
    fn a_terminal_that_was_closed_is_no_panic() {
        watched(&Fake {
            closed: true,
            ..Fake::default()
        });
    }
}
