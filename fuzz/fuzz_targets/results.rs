//! Bytes of anything, read as `readers::results` reads them.

#![no_main]

#[path = "../readers.rs"]
#[allow(dead_code)] // Each target uses one.
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    readers::results(bytes);
});
