//! One set of checks that every target passes: what CONTRIBUTING.md calls the conformance suite.
//!
//! A target takes part by an `impl Fixture` and one `conforms!` below. The checks know nothing of a kind:
//! they ask over SQL, strike faults through the guard with a real journal, and look at what is there
//! afterwards.
//!
//! | file | what |
//! |---|---|
//! | bench.rs | a cluster of some kind, with a guard and a journal |
//! | description.rs | roles, endpoints, capabilities, the lock, what is left over |
//! | faults.rs | each fault's effect, its undo, undo twice, undo after a repair by hand |
//! | failovers.rs | an old primary comes back behind the new one |
//! | fixtures.rs | the kinds |

mod bench;
mod description;
mod failovers;
mod faults;
mod fixtures;

use super::{Failover, Target};
use crate::clock::Clock;
use crate::plan::TargetFacts;
use async_trait::async_trait;
use std::sync::Arc;

/// What a check wants of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Who fails over.
    failover: Failover,
    /// Standbys beside the primary, asynchronous ones.
    standbys: u32,
}

/// A kind of target that takes part.
#[async_trait]
pub(super) trait Fixture: Sync {
    /// The kind, as the target's record and its journal name it.
    fn kind(&self) -> &'static str;
    /// What a plan knows of such a target from its file alone.
    fn facts(&self, wanted: Wanted) -> TargetFacts;
    /// What a check gets that wants two nodes of which nobody else promotes one: where a stack always fails over,
    /// a cluster that it fails over.
    fn by_hand(&self) -> Wanted {
        bench::BY_HAND
    }
    /// The clock of a run on it.
    fn clock(&self) -> Clock;
    /// A whole cluster for a run of this id; `None` where none can run here, which it has said.
    async fn start(&self, run: &str, wanted: Wanted, clock: Clock) -> Option<Arc<dyn Target>>;
    /// What another process needs to undo the run.
    fn journal_facts(&self, run: &str) -> serde_json::Value;
    /// What is there of a run after its target was closed, in words.
    fn left_over(&self, run: &str) -> Vec<String>;
}

/// All checks on one kind, each as a test of its own.
macro_rules! conforms {
    ($kind:ident, $fixture:expr, $($runtime:tt)*) => {
        mod $kind {
            use super::*;

            #[tokio::test($($runtime)*)]
            async fn roles_and_endpoints_are_what_they_say() {
                description::roles_and_endpoints(&$fixture).await;
            }
            #[tokio::test($($runtime)*)]
            async fn what_it_can_is_what_its_file_promised_and_the_rest_is_refused() {
                description::capabilities(&$fixture).await;
            }
            #[tokio::test($($runtime)*)]
            async fn one_run_at_a_time_may_undo_and_nothing_is_left_over() {
                description::lock_and_leftovers(&$fixture).await;
            }
            #[tokio::test($($runtime)*)]
            async fn each_fault_is_seen_undone_and_undone_again() {
                faults::seen_undone_and_undone_again(&$fixture).await;
            }
            #[tokio::test($($runtime)*)]
            async fn what_was_repaired_by_hand_is_credited() {
                faults::repaired_by_hand(&$fixture).await;
            }
            #[tokio::test($($runtime)*)]
            async fn an_old_primary_comes_back_behind_the_new_one() {
                failovers::behind_the_new_one(&$fixture).await;
            }
            #[tokio::test($($runtime)*)]
            async fn the_stack_fails_over_where_it_owns_that() {
                failovers::by_the_stack(&$fixture).await;
            }
        }
    };
}

conforms!(
    local,
    fixtures::Local,
    flavor = "multi_thread",
    worker_threads = 2
);
conforms!(simulated, fixtures::Simulated, start_paused = true);
#[cfg(feature = "docker")]
conforms!(
    docker,
    fixtures::Containers::Patroni,
    flavor = "multi_thread",
    worker_threads = 2
);
#[cfg(feature = "docker")]
conforms!(
    docker_plain,
    fixtures::Containers::Plain,
    flavor = "multi_thread",
    worker_threads = 2
);
