//! What a busy machine does to a run, in contrast to what firedrill does.

/// Whether this reason of a verdict is the machine's: a baseline that was too slow, or an observer that had
/// to wait for a processor. Such a run says nothing of the drill, and is drawn again.
pub fn by_machine(reason: &str) -> bool {
    [
        "baseline unfit",
        "observer stalled",
        "the observer itself was late",
        "the machine slept",
    ]
    .iter()
    .any(|begin| reason.starts_with(begin))
        || reason.contains("before the first fault")
}
