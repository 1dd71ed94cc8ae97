//! Feeds arbitrary bytes to `readers::results`.

#![no_main]

#[path = "../readers.rs"]
#[allow(dead_code)] // Each target uses one function.
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    readers::results(bytes);
});
