//! Everything that is left to chance in a run, by its seed.
//!
//! Each step has a stream of its own, so that a step added to a drill does not change what the others
//! draw, and so that a plan and its run draw the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The source of chance of one step.
#[must_use]
pub fn of_step(seed: u64, index: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    rng
}

/// The seed of one run of a series, from 1: the first has the series' own, the others have six digits each,
/// drawn from it by their number, so that any of them can be run again alone.
#[must_use]
pub fn of_run(seed: u64, number: u32) -> u64 {
    if number <= 1 {
        return seed;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Streams counted from the end: those from the beginning belong to the steps.
    rng.set_stream(u64::MAX - u64::from(number));
    below(&mut rng, 1_000_000)
}

/// A number that nobody can foresee, for what is drawn anew in each run.
#[must_use]
pub fn unforeseen() -> u64 {
    // The standard library seeds its hashers from the system's random numbers. Nothing drawn so is a secret.
    RandomState::new().build_hasher().finish()
}

/// A time from nothing up to `most`, in whole microseconds, all equally likely.
pub fn time_up_to(rng: &mut impl RngCore, most: Duration) -> Duration {
    let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(below(rng, most.saturating_add(1)))
}

/// One of the candidates; `None` where there is none.
pub fn one_of<T>(rng: &mut impl RngCore, candidates: Vec<T>) -> Option<T> {
    let count = u64::try_from(candidates.len()).ok().filter(|n| *n > 0)?;
    let index = usize::try_from(below(rng, count)).ok()?;
    candidates.into_iter().nth(index)
}

/// A number below `end` (at least 1). The high half of a 128-bit product is even to within 2^-64 times
/// `end`, which for microseconds and nodes is nothing.
fn below(rng: &mut impl RngCore, end: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(end)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_seed_draws_the_same_and_steps_differ() {
        let draw = |seed, step| time_up_to(&mut of_step(seed, step), Duration::from_secs(10));
        assert_eq!(draw(7, 0), draw(7, 0));
        assert_ne!(draw(7, 0), draw(7, 1));
        assert_ne!(draw(7, 0), draw(8, 0));
    }

    #[test]
    fn each_run_of_a_series_has_a_seed_of_its_own() {
        let seeds = |seed| (1..=59).map(move |number| of_run(seed, number));
        assert_eq!(of_run(7, 1), 7);
        assert!(seeds(7).eq(seeds(7)));
        let different: std::collections::BTreeSet<u64> = seeds(7).chain(seeds(8)).collect();
        assert!(different.len() > 110, "{} of 118", different.len());
    }

    #[test]
    fn draws_reach_the_whole_range() {
        let mut rng = of_step(1, 0);
        let draws: Vec<u64> = (0..400)
            .map(|_| time_up_to(&mut rng, Duration::from_micros(3)).as_micros() as u64)
            .collect();
        for value in 0..=3 {
            let count = draws.iter().filter(|drawn| **drawn == value).count();
            assert!(
                (60..140).contains(&count),
                "{value} was drawn {count} times"
            );
        }
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        assert_eq!(one_of(&mut of_step(1, 0), Vec::<u8>::new()), None);
        assert_eq!(one_of(&mut of_step(1, 0), vec![5]), Some(5));
    }

    proptest! {
        #[test]
        fn never_more_than_asked_for(seed: u64, us in 0u64..10_000_000) {
            let most = Duration::from_micros(us);
            prop_assert!(time_up_to(&mut of_step(seed, 0), most) <= most);
        }
    }
}
