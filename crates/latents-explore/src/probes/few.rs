//! Chooses the labelled samples of an experiment with few labels.

use latents_random::{Purpose, stream};

/// Indices of `n` random samples, ascending, with as equal numbers of each class as possible: if a class has too few, the others
/// supply the rest. All indices if there are at most `n` labels. `draw` numbers the repetitions.
///
/// ```
/// use latents_explore::probes::few_labels;
///
/// let labels = [0, 0, 0, 0, 1, 1];
/// let chosen = few_labels(&labels, 4, 1, 0);
/// assert_eq!(chosen.iter().filter(|&&i| labels[i as usize] == 1).count(), 2);
/// ```
#[must_use]
pub fn few_labels(labels: &[u16], n: usize, seed: u64, draw: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    stream(seed, Purpose::FewLabels, n as u64, draw).shuffle(&mut order);
    // In random order: the first of every class, then the second of every class, and so on.
    let classes = labels.iter().max().map_or(0, |&last| usize::from(last) + 1);
    let mut seen = vec![0u32; classes];
    let mut ranked: Vec<(u32, u32, u32)> = order
        .iter()
        .enumerate()
        .map(|(position, &sample)| {
            let rank = &mut seen[usize::from(labels[sample as usize])];
            *rank += 1;
            (*rank, position as u32, sample)
        })
        .collect();
    ranked.sort_unstable();
    let mut chosen: Vec<u32> = ranked.into_iter().take(n).map(|(_, _, sample)| sample).collect();
    chosen.sort_unstable();
    chosen
}
