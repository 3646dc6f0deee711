//! Waiting for asynchronous work in a command that is otherwise plain.

use super::failure::Failure;
use std::future::Future;

/// Carries a future out on this thread.
///
/// # Errors
/// When the system gives no means to wait (no file descriptors left).
pub fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::target(format!("the runtime could not be started: {error}")))?;
    Ok(runtime.block_on(work))
}
