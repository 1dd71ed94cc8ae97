//! Bootstrap percentile intervals of scores (Efron, 1979): the uncertainty due to the size of the test set, but not that due to the
//! training seed. Draws are by counter, so they do not depend on the order of work.

use latents_progress::Monitor;
use latents_random::{Purpose, stream};
use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use super::labels::check;
use crate::error::Error;

/// Lower and upper end of an interval.
pub type Interval = [f64; 2];

/// Intervals of the scores of a classifier, computed by [`bootstrap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Fraction of the replicates whose score lies in the interval, such as 0.95.
    pub level: f64,
    /// Number of resampled test sets.
    pub replicates: usize,
    /// Interval of the accuracy.
    pub accuracy: Interval,
    /// Interval of the macro F1.
    pub macro_f1: Interval,
    /// Interval of the F1 of each class, over the replicates in which the class occurs; `[0, 0]` if it occurs in none.
    pub f1: Vec<Interval>,
}

/// Bootstrap intervals of the scores of predictions `[n]` for labels `[n]`: `replicates` test sets of `n` samples are drawn with
/// replacement.
///
/// ```
/// use latents_explore::classification::bootstrap;
/// use latents_progress::Monitor;
///
/// let truth = [0, 1].repeat(50);
/// let mut predicted = truth.clone();
/// predicted[..10].fill(0); // 5 of 100 are wrong
/// let intervals = bootstrap(&truth, &predicted, 2, 0.95, 500, 1, &Monitor::default())?;
/// let [low, high] = intervals.accuracy;
/// assert!(low < 0.95 && 0.95 < high);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If there is no sample or replicate, the two lists differ in length, a label is not less than `classes`, `level` is not between 0
/// and 1, or `monitor` is cancelled.
pub fn bootstrap(
    truth: &[u16],
    predicted: &[u16],
    classes: usize,
    level: f64,
    replicates: usize,
    seed: u64,
    monitor: &Monitor,
) -> Result<Intervals, Error> {
    check(truth, predicted, classes)?;
    if truth.is_empty() || replicates == 0 || !(level > 0.0 && level < 1.0) {
        return Err(Error::Invalid(format!(
            "a bootstrap needs at least one sample, one replicate, and a level between 0 and 1 (not {level})"
        )));
    }
    let n = u32::try_from(truth.len());
    let n = n.map_err(|_| Error::Invalid(format!("{} samples are too many", truth.len())))?;
    // Accuracy, macro F1, then the F1 of each class.
    let mut scores = vec![Vec::with_capacity(replicates); 2 + classes];
    let (mut t, mut p) = (vec![0; truth.len()], vec![0; truth.len()]);
    for replicate in 0..replicates {
        monitor.check()?;
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

/// The interval between two percentiles, interpolated as by `numpy.percentile`, that holds the fraction `level` of the numbers.
fn interval(mut numbers: Vec<f64>, level: f64) -> Interval {
    numbers.sort_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else { return Interval::default() };
    let at = |quantile: f64| {
        let position = quantile * last as f64;
        let (below, part) = (position.floor() as usize, position.fract());
        numbers[below] + part * (numbers[(below + 1).min(last)] - numbers[below])
    };
    [at((1.0 - level) / 2.0), at(f64::midpoint(1.0, level))]
}
