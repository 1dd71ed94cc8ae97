//! Feeds arbitrary bytes to `latents_fuzz_readers::npy`, mutated by `latents_fuzz::npy`.

#![no_main]

use latents_fuzz::npy;
use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = readers::npy(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    latents_fuzz::mutate(data, size, max_size, seed, npy::change)
});
