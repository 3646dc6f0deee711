//! The PostgreSQL on which this library's tests run: the one that a drill would take, fetched if need be.

use super::account::Account;
use super::binaries::Installation;
use super::installation;
use std::sync::OnceLock;

/// The installation and as whom it runs, found once. Where there is none, and none can be fetched, says so
/// and returns `None`, so that a test is skipped; FIREDRILL_TEST_REQUIRE=local makes that a failure.
pub(crate) fn test_installation() -> Option<&'static (Installation, Account)> {
    static FOUND: OnceLock<Option<(Installation, Account)>> = OnceLock::new();
    FOUND.get_or_init(look).as_ref()
}

fn look() -> Option<(Installation, Account)> {
    let account = Account::choose().unwrap();
    let its = account.clone();
    // On a thread of its own, for a test that asks is inside a runtime already.
    let found = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(installation::find(None, &its, &mut |_| {}))
    });
    match found.join().unwrap() {
        Ok(installation) => Some((installation, account)),
        Err(error) => {
            let required = std::env::var("FIREDRILL_TEST_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|kind| kind == "local"), "{error}");
            #[expect(clippy::print_stderr, reason = "a skipped test says why")]
            {
                eprintln!("skipped: {error}");
            }
            None
        }
    }
}
