//! Feeds arbitrary bytes to `latents_fuzz_readers::study_log`, mutated by `latents_fuzz::study_log`.

#![no_main]

use latents_fuzz::study_log;
use latents_fuzz_readers as readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = readers::study_log(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    latents_fuzz::mutate(data, size, max_size, seed, study_log::change)
});
