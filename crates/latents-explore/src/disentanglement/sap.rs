//! Separated attribute predictability.

use latents_progress::Monitor;
use rayon::prelude::*;

use super::factor::{Factor, check};
use super::forest::{Samples, Tree};
use super::gap;
use super::split::{Split, balanced_accuracy};
use crate::error::Error;
use crate::rows::Rows;

/// The separated attribute predictability of each factor `[f]` for latents `[n, d]`: the accuracy of predicting the factor from the one latent
/// that predicts it best, less that from the second best (Kumar, Sattigeri and Balakrishnan, "Variational Inference of Disentangled Latent
/// Concepts from Unlabeled Observations", 2018). It is at most `1 - 1/values`, since the second best latent does not predict worse than
/// a guess.
///
/// As in the paper, the classifier of a factor is one or more thresholds on a latent and the accuracy is balanced: the mean over the
/// values of the factor. The thresholds are those of a decision tree by Gini impurity (Breiman et al., "Classification and Regression
/// Trees", 1984) that weighs all values alike and has in each leaf at least a tenth of the images that a value has on average. Two thirds
/// of the images, which `seed` chooses, but at most 10,000, are fitted to, and accuracies are of the last third.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::disentanglement::{Factor, attribute_predictability};
/// use latents_progress::Monitor;
///
/// let values: Vec<u16> = (0..300).map(|i| i % 2).collect();
/// let latents: Vec<f32> = values.iter().flat_map(|&v| [f32::from(v), 0.0]).collect(); // [300, 2]
/// let factors = [Factor::new("side", &values)?];
/// let scores =
///     attribute_predictability(Rows::new(&latents, 2)?, &factors, 1, &Monitor::default())?;
/// assert_eq!(scores, [0.5]); // One latent is always right, the other half of the time.
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// As [`Disentanglement::measure`](super::Disentanglement::measure), but one factor suffices.
pub fn attribute_predictability(
    latents: Rows<'_>,
    factors: &[Factor],
    seed: u64,
    monitor: &Monitor,
) -> Result<Vec<f64>, Error> {
    check(latents, factors)?;
    let split = Split::new(latents.len(), seed);
    let of = |factor| Ok(gap(&accuracies(latents, factor, &split, monitor)?));
    factors.iter().map(of).collect()
}

/// The balanced accuracy of predicting a factor from each latent `[d]`.
pub(super) fn accuracies(
    latents: Rows<'_>,
    factor: &Factor,
    split: &Split,
    monitor: &Monitor,
) -> Result<Vec<f64>, Error> {
    let (fitted, truth) = (factor.at(&split.train), factor.at(&split.test));
    let one = |column: usize| {
        monitor.check()?;
        let of = |i: &usize| latents.row(*i)[column];
        let train: Vec<f32> = split.train.iter().map(of).collect();
        let test: Vec<f32> = split.test.iter().map(of).collect();
        let samples = Samples::new(Rows::new(&train, 1)?, &fitted, factor.count());
        let tree = Tree::grow(&samples, None);
        let predicted: Vec<u16> = test.iter().map(|&x| tree.predict(&[x])).collect();
        balanced_accuracy(&truth, &predicted, factor.count())
    };
    (0..latents.dim()).into_par_iter().map(one).collect()
}
