//! Any text as a target file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firedrill_fuzz::entries::target_file(bytes));
