//! The weights of several draws of the latents of a sample, and the bound that they give.

use crate::simd::LANES;

/// How many samples a micro-batch has, if it has all `draws` draws of each; none if this would leave too many of its lanes without a draw, so
/// that it is faster to run the draws once more to weigh them.
pub(crate) fn whole_samples(draws: usize) -> Option<usize> {
    // The second forward pass takes about a third of a pass forward and backward.
    let samples = LANES / draws;
    (4 * samples * draws > 3 * LANES).then_some(samples)
}

/// The draws in a micro-batch of an importance-weighted step.
pub(crate) fn draws_at_once(draws: usize) -> usize {
    whole_samples(draws).map_or(LANES, |samples| samples * draws)
}

/// The bound of each sample `[n]`, in nats, and the weight of each draw `[n * draws]`, of mean 1 for each sample. The importance weight of a
/// draw is `exp(-loss - penalty)`.
pub(crate) fn weigh(loss: &[f64], penalty: &[f64], draws: usize) -> (Vec<f64>, Vec<f64>) {
    let logs = loss.iter().zip(penalty).map(|(loss, penalty)| -loss - penalty);
    let mut weights: Vec<f64> = logs.collect();
    let count = draws as f64;
    let bound = |logs: &mut [f64]| {
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for log in &mut *logs {
            *log = libm::exp(*log - largest);
        }
        let mean = logs.iter().sum::<f64>() / count;
        for weight in logs {
            *weight /= mean;
        }
        -largest - libm::log(mean)
    };
    (weights.chunks_exact_mut(draws).map(bound).collect(), weights)
}
