//! Few labels: which samples keep theirs when only some are to be used.

use latents_random::{Purpose, stream};

/// Places of `n` of the labelled samples, ascending: as many of each class as can be, drawn at random. Where a class has too few,
/// the others make up for it. All are given where there are no more than `n`. `draw` numbers repetitions.
#[must_use]
pub fn few_labels(labels: &[u8], n: usize, seed: u64, draw: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    stream(seed, Purpose::FewLabels, n as u64, draw).shuffle(&mut order);
    // The first of every class in the random order, then the second of every class, and so on.
    let mut seen = [0u32; 256];
    let mut ranked: Vec<(u32, u32, u32)> = order
        .iter()
        .enumerate()
        .map(|(place, &sample)| {
            let rank = &mut seen[usize::from(labels[sample as usize])];
            *rank += 1;
            (*rank, place as u32, sample)
        })
        .collect();
    ranked.sort_unstable();
    let mut chosen: Vec<u32> = ranked.into_iter().take(n).map(|(_, _, sample)| sample).collect();
    chosen.sort_unstable();
    chosen
}
