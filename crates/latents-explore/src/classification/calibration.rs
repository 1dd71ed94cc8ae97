//! Calibration of a classifier: whether its confidence equals its accuracy (Guo, Pleiss, Sun and Weinberger, "On calibration of modern
//! neural networks", 2017). Confidence is the probability of the predicted class.

use serde::{Deserialize, Serialize};

use super::labels::check;
use super::probabilities::argmax;
use crate::error::Error;

/// The samples whose confidence is in `(lower, upper]`; the first bin includes 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end of the bin.
    pub lower: f64,
    /// Upper end of the bin.
    pub upper: f64,
    /// Number of samples in the bin.
    pub count: u64,
    /// Mean confidence of the samples; 0 if there are none.
    pub confidence: f64,
    /// Accuracy of the samples; 0 if there are none.
    pub accuracy: f64,
}

/// Calibration scores and the bins of a reliability diagram.
///
/// ```
/// use latents_explore::classification::Calibration;
///
/// // Two samples, predicted as class 0 with probability 0.9 and 0.7; the second is of class 1.
/// let found = Calibration::new(&[0, 1], &[0.9, 0.1, 0.7, 0.3], 2, Calibration::BINS)?;
/// assert!((found.ece - (0.1 + 0.7) / 2.0).abs() < 1e-6);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error: mean absolute difference between confidence and accuracy over the bins, weighted by their samples.
    pub ece: f64,
    /// Maximum calibration error: the largest such difference.
    pub mce: f64,
    /// Mean negative log-likelihood of the true class, in nats.
    pub nll: f64,
    /// Brier score (1950): mean over the samples of the squared difference between probabilities and truth, summed over the classes.
    pub brier: f64,
    /// Bins of equal width from 0 to 1, as a reliability diagram shows them.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// The number of bins that Guo et al. use.
    pub const BINS: usize = 15;

    /// Computes calibration from labels `[n]` and probabilities `[n, classes]`.
    ///
    /// # Errors
    /// If there is no sample, class or bin, the sizes do not fit, or a label is not less than `classes`.
    pub fn new(
        truth: &[u16],
        probabilities: &[f32],
        classes: usize,
        bins: usize,
    ) -> Result<Self, Error> {
        if truth.is_empty() || bins == 0 || classes == 0 {
            return Err(Error::Invalid(
                "calibration needs at least a sample, a class and a bin".into(),
            ));
        }
        if probabilities.len() != truth.len() * classes {
            let (expected, got) = (truth.len() * classes, probabilities.len());
            return Err(Error::Size { what: "the array of probabilities", expected, got });
        }
        let predicted = argmax(probabilities, classes);
        check(truth, &predicted, classes)?;
        // For each bin: samples, sum of confidences, correct predictions.
        let mut sums = vec![(0u64, 0.0f64, 0u64); bins];
        let (mut nll, mut brier) = (0.0, 0.0);
        for (i, row) in probabilities.chunks_exact(classes).enumerate() {
            let confidence = f64::from(row[usize::from(predicted[i])]);
            let bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
            sums[bin].0 += 1;
            sums[bin].1 += confidence;
            sums[bin].2 += u64::from(predicted[i] == truth[i]);
            nll -= libm::log(f64::from(row[usize::from(truth[i])]).max(f64::MIN_POSITIVE));
            for (class, &p) in row.iter().enumerate() {
                let difference = f64::from(p) - f64::from(u8::from(class == usize::from(truth[i])));
                brier += difference * difference;
            }
        }
        let n = truth.len() as f64;
        let (mut ece, mut mce) = (0.0, 0.0f64);
        let bin = |(i, (count, confidence, correct)): (usize, (u64, f64, u64))| {
            let each = count.max(1) as f64;
            let (confidence, accuracy) = (confidence / each, correct as f64 / each);
            let gap = (confidence - accuracy).abs();
            ece += gap * count as f64 / n;
            mce = mce.max(gap);
            let edge = |i: usize| i as f64 / bins as f64;
            Bin { lower: edge(i), upper: edge(i + 1), count, confidence, accuracy }
        };
        let bins = sums.into_iter().enumerate().map(bin).collect();
        Ok(Calibration { ece, mce, nll: nll / n, brier: brier / n, bins })
    }
}
