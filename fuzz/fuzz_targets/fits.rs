//! Feeds arbitrary bytes to `latents_fuzz_readers::fits`.

#![no_main]

use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(init: latents_fuzz::allow_caught_panics(), |bytes: &[u8]| {
    let _ = readers::fits(bytes);
});
