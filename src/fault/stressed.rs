//! What `stress_cpu` and `stress_io` have in common: so many processes beside a node's server, which end by themselves,
//! and of which a second look must see more than a first.

use crate::target::{Pressed, Pressure, PressureSeen, TargetError};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between the two looks.
const BETWEEN: Duration = Duration::from_millis(500);

/// The longest that the drill can take, where a plan says.
pub(super) fn known(longest: Duration) -> Option<Duration> {
    Some(longest).filter(|longest| !longest.is_zero())
}

/// How many they are, in words.
pub(super) fn in_words(workers: Option<NonZeroU32>) -> String {
    match workers {
        None => "as many processes as it has CPUs".to_owned(),
        Some(workers) if workers.get() == 1 => "one process".to_owned(),
        Some(workers) => format!("{workers} processes"),
    }
}

/// What they did between two looks, and the seconds from before the first to after the second; `None` where they were not
/// all there both times.
///
/// # Errors
/// When it cannot be looked at.
pub(super) async fn between_two_looks(
    pressure: &dyn Pressure,
    pressed: &Pressed,
    workers: u32,
) -> Result<Option<(PressureSeen, f64)>, TargetError> {
    let begun = Instant::now();
    let first = pressure.pressing(pressed).await?;
    sleep(BETWEEN).await;
    let second = pressure.pressing(pressed).await?;
    let all = first.workers == workers && second.workers == workers;
    let done = PressureSeen {
        cpu: second.cpu.saturating_sub(first.cpu),
        written: second.written.saturating_sub(first.written),
        ..second
    };
    Ok(all.then(|| (done, begun.elapsed().as_secs_f64())))
}
