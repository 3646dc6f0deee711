//! Calls to the outside world, each with a limit and a net: none hangs for ever, and a panic is an error.

use super::Standing;
use crate::target::TargetError;
use futures_util::FutureExt as _;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Between two looks at an effect or a standing.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Asks until the answer is Back, at least once; the error says what was missing last.
pub(super) async fn poll<F, A>(limit: Duration, ask: F) -> Result<String, String>
where
    F: Fn() -> A,
    A: Future<Output = Result<Standing, TargetError>>,
{
    let begun = Instant::now();
    loop {
        // One answer may take longer than is left: a look waits for silent nodes.
        let one = limit.max(Duration::from_secs(5));
        let missing = match within(one, "ask how it stands", ask()).await {
            Ok(Standing::Back(proof)) => return Ok(proof),
            Ok(Standing::Missing(what)) => what,
            Err(error) => error.to_string(),
        };
        if begun.elapsed() >= limit {
            return Err(missing);
        }
        sleep(PAUSE).await;
    }
}

/// A limit and a net: a call that hangs or panics is an error like any other.
pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    call: impl Future<Output = Result<T, TargetError>>,
) -> Result<T, TargetError> {
    match timeout(limit, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(TargetError::new(what, format!("it panicked: {text}")))
        }
        Err(_) => Err(TargetError::new(
            what,
            format!("not done within {} s", limit.as_secs_f64()),
        )),
    }
}
