//! Feeds arbitrary bytes to `latents_fuzz_readers::study`, mutated by `latents_fuzz::study`.

#![no_main]

use latents_fuzz::study;
use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = readers::study(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    latents_fuzz::mutate(data, size, max_size, seed, study::change)
});
