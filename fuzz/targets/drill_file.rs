//! Any text as a drill file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firedrill_fuzz::entries::drill_file(bytes));
