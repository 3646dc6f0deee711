//! What examples/ repeats from the program is what the program says.

use crate::support::{Firedrill, read};

#[test]
fn the_example_clusters_make_the_ledger_that_the_program_prints() {
    let printed = Firedrill::new().run(&["schema", "ledger"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(read("examples/patroni/ledger.sql"), printed.stdout);
}
