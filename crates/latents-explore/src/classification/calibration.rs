//! Whether a classifier is right as often as it says: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks"
//! (2017). Confidence is the probability of the class that is predicted.

use serde::{Deserialize, Serialize};

use super::{argmax, check};
use crate::Error;

/// The samples whose confidence is in a range `(lower, upper]`; the first range has 0 too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Where the range begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// How many samples are in it.
    pub count: u64,
    /// Their mean confidence; 0 where there is none.
    pub confidence: f64,
    /// The part of them that is predicted rightly; 0 where there is none.
    pub accuracy: f64,
}

/// Confidence against accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Mean distance of confidence and accuracy over bins, weighted by their samples (expected calibration error).
    pub ece: f64,
    /// The largest such distance (maximum calibration error).
    pub mce: f64,
    /// Mean negative logarithm of the true class's probability, in nats.
    pub nll: f64,
    /// Mean squared distance of the probabilities and the truth, summed over classes (Brier, 1950).
    pub brier: f64,
    /// Ranges of equal width, from 0 to 1: what a reliability diagram shows.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Bins of equal width that Guo et al. use.
    pub const BINS: usize = 15;

    /// Of labels `[n]` and probabilities `[n, classes]`.
    ///
    /// # Errors
    /// Where there is no sample, the sizes do not fit, or a label is none of the classes.
    pub fn new(
        truth: &[u8],
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
            return Err(Error::Size { what: "the table of probabilities", expected, got });
        }
        let predicted = argmax(probabilities, classes);
        check(truth, &predicted, classes)?;
        // Samples, sum of confidences, right ones.
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
                let distance = f64::from(p) - f64::from(u8::from(class == usize::from(truth[i])));
                brier += distance * distance;
            }
        }
        let n = truth.len() as f64;
        let (mut ece, mut mce) = (0.0, 0.0f64);
        let bin = |(i, (count, confidence, right)): (usize, (u64, f64, u64))| {
            let each = count.max(1) as f64;
            let (confidence, accuracy) = (confidence / each, right as f64 / each);
            let distance = (confidence - accuracy).abs();
            ece += distance * count as f64 / n;
            mce = mce.max(distance);
            let edge = |i: usize| i as f64 / bins as f64;
            Bin { lower: edge(i), upper: edge(i + 1), count, confidence, accuracy }
        };
        let bins = sums.into_iter().enumerate().map(bin).collect();
        Ok(Calibration { ece, mce, nll: nll / n, brier: brier / n, bins })
    }
}
