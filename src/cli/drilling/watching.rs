//! Lets a live view read along with the dispatcher.

use crate::cli::terminal::Terminal;
use crate::event::{Entry, Observer, Signal};
use crate::live::{self, LiveView};
use std::sync::{Arc, Mutex, PoisonError};

/// A live view that the dispatcher feeds and that lines before the run go through as well.
#[derive(Clone)]
pub struct SharedView(Arc<Mutex<Box<dyn LiveView>>>);

impl SharedView {
    /// The view that fits the terminal.
    pub fn new(terminal: &Terminal) -> Self {
        let view = live::choose(terminal.error_is_terminal, terminal.dumb, terminal.no_color);
        Self(Arc::new(Mutex::new(view)))
    }

    fn with(&self, act: impl FnOnce(&mut dyn LiveView)) {
        act(self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut());
    }

    /// Shows a line that is no event.
    pub fn say(&self, text: &str) {
        self.with(|view| view.say(text));
    }

    /// Shows how far a download is, in bytes.
    pub fn download(&self, what: &str, done: u64, total: u64) {
        self.with(|view| view.download(what, done, total));
    }

    /// Takes down what moves.
    pub fn finish(&self) {
        self.with(|view| view.finish());
    }
}

/// A view concludes nothing.
impl Observer for SharedView {
    fn observe(&mut self, entry: &Entry) -> Vec<Signal> {
        self.with(|view| view.see(entry));
        Vec::new()
    }
}
