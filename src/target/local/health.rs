//! When a server counts as up: HAProxy's rule of fall and rise, as a value.
//!
//! It knows no time and no network. `fall` failed checks in a row take an up server down, `rise` passed
//! ones take it up again; one check of the other kind begins the count anew. Unlike HAProxy, whose
//! servers begin as up, the first check alone decides, so that a fresh router never sends a writer to a
//! standby and is ready after one round.

use std::num::NonZeroU32;

/// The health of one server as one endpoint sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    fall: NonZeroU32,
    rise: NonZeroU32,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unchecked,
    /// With so many failed checks in a row.
    Up(u32),
    /// With so many passed checks in a row.
    Down(u32),
}

/// What a check changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The server is up now and was not before.
    MarkedUp,
    /// The server is down now and was not before.
    MarkedDown,
}

impl Health {
    /// A server that was never checked, and is not up.
    #[must_use]
    pub fn new(fall: NonZeroU32, rise: NonZeroU32) -> Self {
        Self {
            fall,
            rise,
            standing: Standing::Unchecked,
        }
    }

    /// Whether sessions are sent to it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.standing, Standing::Up(_))
    }

    /// Takes the outcome of a check.
    pub fn check(&mut self, passed: bool) -> Option<Change> {
        let was_up = self.is_up();
        self.standing = match (self.standing, passed) {
            (Standing::Unchecked, true) | (Standing::Up(_), true) => Standing::Up(0),
            (Standing::Unchecked, false) | (Standing::Down(_), false) => Standing::Down(0),
            (Standing::Up(failed), false) if failed + 1 < self.fall.get() => {
                Standing::Up(failed + 1)
            }
            (Standing::Up(_), false) => Standing::Down(0),
            (Standing::Down(passes), true) if passes + 1 < self.rise.get() => {
                Standing::Down(passes + 1)
            }
            (Standing::Down(_), true) => Standing::Up(0),
        };
        match (was_up, self.is_up()) {
            (false, true) => Some(Change::MarkedUp),
            (true, false) => Some(Change::MarkedDown),
            _ => None,
        }
    }

    /// Takes it down at once, as an operator does; it comes back by passed checks alone.
    pub fn take_down(&mut self) -> Option<Change> {
        let was_up = self.is_up();
        self.standing = Standing::Down(0);
        was_up.then_some(Change::MarkedDown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn health(fall: u32, rise: u32) -> Health {
        Health::new(
            NonZeroU32::new(fall).unwrap(),
            NonZeroU32::new(rise).unwrap(),
        )
    }

    fn after(mut health: Health, checks: &str) -> String {
        let states = checks.chars().map(|check| {
            health.check(check == '+');
            if health.is_up() { 'U' } else { 'd' }
        });
        states.collect()
    }

    #[test]
    fn three_in_a_row_take_it_down_and_two_take_it_up() {
        assert_eq!(after(health(3, 2), "+--+---++-"), "UUUUUUddUU");
        assert_eq!(after(health(3, 2), "-+-++"), "dddd".to_owned() + "U");
        assert_eq!(after(health(1, 1), "+-+-"), "UdUd");
    }

    #[test]
    fn taken_down_by_hand_it_must_rise() {
        let mut health = health(3, 2);
        assert_eq!(health.check(true), Some(Change::MarkedUp));
        assert_eq!(health.take_down(), Some(Change::MarkedDown));
        assert_eq!(health.take_down(), None);
        assert_eq!(health.check(true), None);
        assert_eq!(health.check(true), Some(Change::MarkedUp));
    }

    proptest! {
        #[test]
        fn changes_only_after_a_full_run_of_one_kind(
            fall in 1u32..6, rise in 1u32..6, checks in prop::collection::vec(any::<bool>(), 1..60)
        ) {
            let mut health = health(fall, rise);
            for (n, &passed) in checks.iter().enumerate() {
                let change = health.check(passed);
                let in_a_row = checks[..=n].iter().rev().take_while(|&&c| c == passed).count() as u32;
                match change {
                    Some(Change::MarkedUp) => prop_assert!(passed && (n == 0 || in_a_row >= rise)),
                    Some(Change::MarkedDown) => prop_assert!(!passed && in_a_row >= fall),
                    None if passed => prop_assert!(health.is_up() || in_a_row < rise),
                    None => prop_assert!(!health.is_up() || in_a_row < fall),
                }
            }
        }
    }
}
