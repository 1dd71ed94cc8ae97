//! Feeds arbitrary bytes to `latents_fuzz_readers::npz`, mutated by `latents_fuzz::npz`.

#![no_main]

use latents_fuzz::npz;
use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = readers::npz(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    latents_fuzz::mutate(data, size, max_size, seed, npz::change)
});
