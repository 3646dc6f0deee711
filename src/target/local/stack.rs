//! The thread on which links, router and failover agent live.
//!
//! They run apart from the probes and from the executor, so that a slow step never delays a byte or a
//! health check, and a stalled check never delays a probe's tick.

use std::io;
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A thread with a runtime of its own; it ends when this is dropped.
#[derive(Debug)]
pub struct Stack {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stack {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread or no event queue.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("firedrill-stack".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(stopped);
                // Tasks are dropped where they stand: a link has nothing to say goodbye to.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where its tasks are spawned.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends all its tasks and waits for the thread.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was already printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_until_it_is_stopped() {
        let mut stack = Stack::start().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        stack.handle().spawn(async move {
            let _ = tell.send(7);
            std::future::pending::<()>().await;
            drop(tell);
        });
        assert_eq!(told.recv(), Ok(7));
        stack.stop();
        assert!(told.recv().is_err(), "the pending task is dropped");
    }
}
