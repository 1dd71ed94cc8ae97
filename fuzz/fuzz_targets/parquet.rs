//! Feeds arbitrary bytes to `latents_fuzz_readers::parquet`, mutated by `latents_fuzz::parquet`.

#![no_main]

use latents_fuzz::parquet;
use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(init: latents_fuzz::allow_caught_panics(), |bytes: &[u8]| {
    let _ = readers::parquet(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    latents_fuzz::mutate(data, size, max_size, seed, parquet::change)
});
