//! How sure scores are, for a test set of this size: percentile intervals over test sets that are drawn from it with replacement
//! (Efron, 1979). Draws are by counter, so they do not depend on the order of work. What another training seed would give is
//! another matter.

use latents_random::{Purpose, stream};
use serde::{Deserialize, Serialize};

use super::{Confusion, check};
use crate::Error;

/// Lower and upper end.
pub type Interval = [f64; 2];

/// Intervals of the scores of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// The part of test sets that has its score within, such as 0.95.
    pub level: f64,
    /// Test sets that were drawn.
    pub replicates: usize,
    /// Of the accuracy.
    pub accuracy: Interval,
    /// Of the mean of the classes' F1.
    pub macro_f1: Interval,
    /// Of each class's F1, over the test sets that the class is in; 0 to 0 where it is in none.
    pub f1: Vec<Interval>,
}

/// Intervals for predictions `[n]` of labels `[n]`.
///
/// # Errors
/// Where there is no sample, the lists differ in length, a label is none of the classes, or the level is not between 0 and 1.
pub fn bootstrap(
    truth: &[u8],
    predicted: &[u8],
    classes: usize,
    level: f64,
    replicates: usize,
    seed: u64,
) -> Result<Intervals, Error> {
    check(truth, predicted, classes)?;
    if truth.is_empty() || replicates == 0 || !(level > 0.0 && level < 1.0) {
        return Err(Error::Invalid(format!(
            "a bootstrap needs a sample, a replicate and a level between 0 and 1 (not {level})"
        )));
    }
    let n = u32::try_from(truth.len());
    let n = n.map_err(|_| Error::Invalid(format!("{} samples are too many", truth.len())))?;
    // Accuracy, mean F1, then the F1 of each class.
    let mut scores = vec![Vec::with_capacity(replicates); 2 + classes];
    let (mut t, mut p) = (vec![0; truth.len()], vec![0; truth.len()]);
    for replicate in 0..replicates {
        let mut draws = stream(seed, Purpose::Bootstrap, replicate as u64, 0);
        for i in 0..truth.len() {
            let drawn = draws.below(n) as usize;
            (t[i], p[i]) = (truth[drawn], predicted[drawn]);
        }
        let confusion = Confusion::new(&t, &p, classes)?;
        scores[0].push(confusion.accuracy());
        scores[1].push(confusion.macro_f1());
        for (class, of_class) in confusion.scores().iter().enumerate() {
            if confusion.has(class) {
                scores[2 + class].push(of_class.f1);
            }
        }
    }
    let mut intervals = scores.into_iter().map(|scores| interval(scores, level));
    let mut next = || intervals.next().unwrap_or_default();
    let (accuracy, macro_f1) = (next(), next());
    Ok(Intervals { level, replicates, accuracy, macro_f1, f1: intervals.collect() })
}

/// The middle part of some numbers, between percentiles as `numpy.percentile` has them.
fn interval(mut numbers: Vec<f64>, level: f64) -> Interval {
    numbers.sort_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else { return Interval::default() };
    let at = |quantile: f64| {
        let place = quantile * last as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        numbers[below] + part * (numbers[(below + 1).min(last)] - numbers[below])
    };
    [at((1.0 - level) / 2.0), at(f64::midpoint(1.0, level))]
}
