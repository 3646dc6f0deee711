//! Lines that somebody types while a run goes on. They are read on a thread of their own, and only while
//! somebody waits for them: nothing here may hold up a run.

use super::terminal::Terminal;
use crate::executor::answers::Lines;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::BufRead as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Between two looks whether a line is there, in milliseconds; by so much a line may be noticed late.
const LOOK_MS: u16 = 50;

/// How to read lines from the terminal; `None` where nobody sits at one.
pub fn lines(terminal: &Terminal) -> Option<Lines> {
    terminal.input_is_terminal.then(|| -> Lines {
        Arc::new(|| {
            let (sender, receiver) = unbounded_channel();
            let thread = std::thread::Builder::new().name("terminal".to_owned());
            // Without the thread nobody can type; the other ways to answer remain.
            let _ = thread.spawn(move || read(&sender));
            receiver
        })
    })
}

/// Reads until nobody waits for lines any more, or no more can come.
fn read(sender: &UnboundedSender<String>) {
    // What was typed before the question is no answer to it.
    let _ = tcflush(std::io::stdin(), FlushArg::TCIFLUSH);
    while !sender.is_closed() {
        if !is_ready() {
            continue;
        }
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(1..) if sender.send(line).is_ok() => {}
            _ => return,
        }
    }
}

/// Whether a whole line can be read now (a terminal hands out whole lines). A job in the background must not
/// read: the system would stop the whole run, in the middle of its fault (termios(3), SIGTTIN).
fn is_ready() -> bool {
    let stdin = std::io::stdin();
    let mut asked = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut asked, PollTimeout::from(LOOK_MS));
    if !ready.is_ok_and(|ready| ready > 0) {
        return false;
    }
    if tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp()) {
        return true;
    }
    // Ready and not ours to read: do not ask the system again and again.
    std::thread::sleep(std::time::Duration::from_millis(u64::from(LOOK_MS)));
    // A terminal that is gone can be read to its end by anybody.
    tcgetpgrp(&stdin).is_err()
}
