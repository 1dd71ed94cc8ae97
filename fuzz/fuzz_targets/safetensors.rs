//! Feeds arbitrary bytes to `latents_fuzz_readers::safetensors`, mutated by `latents_fuzz::safetensors`.

#![no_main]

use latents_fuzz::safetensors;
use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = readers::safetensors(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    latents_fuzz::mutate(data, size, max_size, seed, safetensors::change)
});
