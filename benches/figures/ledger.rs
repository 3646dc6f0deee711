//! What a hundred million acknowledgements take in memory.

use crate::machine::{forget_peak, memory_mib, scratch, timed};
use crate::row::Row;
use firedrill::event::Stamp;
use firedrill::event::slots::{ErrorClass, Outcome};
use firedrill::load::ledger::{KeyRecord, Ledger, Told};
use firedrill::load::ledger_file::{self, Writing};

const KEYS: u64 = 100_000_000;
const WRITERS: u64 = 6;
/// As if so many were acknowledged in the 250 ms between two flushes.
const FLUSH_EVERY: u64 = 50_000;
/// Every so many keys one failed and one stays in doubt.
const ODD_EVERY: u64 = 10_007;
const LIMIT_MIB: f64 = 64.0;

pub fn measure() -> Vec<Row> {
    let folder = scratch();
    let (before, _) = memory_mib();
    forget_peak();
    let (took, ledger) = timed(|| fill(folder.path()));
    let (after, peak) = memory_mib();
    let acknowledged: u64 = ledger
        .writers()
        .values()
        .map(|keys| keys.acknowledged.len())
        .sum();
    assert!(acknowledged > KEYS - 3 * KEYS / ODD_EVERY);
    let file = folder.path().join(ledger_file::FILE_NAME);
    let bytes = file.metadata().expect("a ledger file").len();
    vec![
        Row::at_most(
            "ledger of 100 million acknowledgements, memory at the most",
            peak - before,
            LIMIT_MIB,
            &format!(
                "{:.0} MiB ({:.0} MiB when done)",
                peak - before,
                after - before
            ),
            "64 MiB",
        ),
        Row::told(
            "its file, and the time to keep one acknowledgement",
            &format!(
                "{:.1} bytes, {:.0} ns",
                bytes as f64 / KEYS as f64,
                took.as_nanos() as f64 / KEYS as f64
            ),
        ),
    ]
}

fn fill(folder: &std::path::Path) -> Ledger {
    let mut ledger = Ledger::create(folder, "bench", Writing::Behind).expect("a ledger");
    let writers: Vec<u32> = (0..WRITERS)
        .map(|_| ledger.add_writer("writer_pinned"))
        .collect();
    ledger.add_server(1, "127.0.0.1:5432 started 1".to_owned());
    for number in 0..KEYS {
        let writer = writers[(number % WRITERS) as usize];
        let seq = loop {
            if let Some(seq) = ledger.take_key(writer) {
                break seq;
            }
            // The disk is behind; a probe would not send.
            std::thread::yield_now();
        };
        let outcome = match number % ODD_EVERY {
            0 => Outcome::Failed(ErrorClass::Refused),
            1 => Outcome::InDoubt(ErrorClass::Reset),
            _ => Outcome::Acknowledged,
        };
        let sent = Stamp(number * 5);
        ledger.settle(KeyRecord {
            writer,
            seq,
            sent,
            settled: Stamp(sent.0 + 900 + number % 700),
            outcome,
            told: Told {
                server: 1,
                timeline: 1,
                lsn: (1 << 40) + number * 180,
            },
        });
        if number.is_multiple_of(FLUSH_EVERY) {
            ledger.flush();
        }
    }
    ledger.finish().expect("the disk takes it");
    ledger
}
