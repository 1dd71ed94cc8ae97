//! Which images the predictions of factors are fitted to and tested on, and their accuracy.

use latents_random::{Purpose, stream};

use super::mean;
use crate::classification::Confusion;
use crate::error::Error;

/// Images that predictions are fitted to, at most; Locatello et al. (2019) have as many.
const MOST: usize = 10_000;

/// Indices of images.
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

impl Split {
    /// Two thirds of `n` images at random to fit to, but at most [`MOST`], and the last third to test on.
    pub(super) fn new(n: usize, seed: u64) -> Self {
        let mut train: Vec<usize> = (0..n).collect();
        stream(seed, Purpose::Resample, 0, 2).shuffle(&mut train);
        let test = train.split_off(2 * n / 3);
        train.truncate(MOST);
        Split { train, test }
    }
}

/// The mean over the values that occur of the part of their images that are predicted.
pub(super) fn balanced_accuracy(
    truth: &[u16],
    predicted: &[u16],
    count: usize,
) -> Result<f64, Error> {
    let scores = Confusion::new(truth, predicted, count)?.scores();
    let recalls: Vec<f64> = scores.iter().filter(|s| s.support > 0).map(|s| s.recall).collect();
    Ok(mean(&recalls))
}
