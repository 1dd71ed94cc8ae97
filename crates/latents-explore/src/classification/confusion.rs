//! Confusion matrix and the scores that follow from it, defined as in scikit-learn. A score that is not defined is 0: a class that was
//! never predicted has precision 0.

use serde::{Deserialize, Serialize};

use super::labels::check;
use crate::error::Error;

/// Confusion matrix: the number of samples for each pair of true and predicted class.
///
/// ```
/// use latents_explore::classification::Confusion;
///
/// let confusion = Confusion::new(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// assert_eq!(confusion.counts(), [[1, 1], [0, 2]]);
/// assert_eq!(confusion.accuracy(), 0.75);
/// assert_eq!(confusion.scores()[0].precision, 1.0);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    /// `[truth][predicted]`
    counts: Vec<Vec<u64>>,
}

/// Scores of one class against all others, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Fraction of the samples predicted as this class that belong to it.
    pub precision: f64,
    /// Fraction of the samples of this class that are predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of samples of this class.
    pub support: u64,
}

/// Samples of one class that are predicted as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The true class.
    pub truth: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The number of samples.
    pub count: u64,
}

impl Confusion {
    /// Counts the pairs of labels `[n]` and predictions `[n]`.
    ///
    /// # Errors
    /// If the two lists differ in length, or a label is not less than `classes`.
    pub fn new(truth: &[u16], predicted: &[u16], classes: usize) -> Result<Self, Error> {
        check(truth, predicted, classes)?;
        let mut counts = vec![vec![0; classes]; classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            counts[usize::from(t)][usize::from(p)] += 1;
        }
        Ok(Confusion { counts })
    }

    /// The counts, indexed `[truth][predicted]`.
    #[must_use]
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// The number of samples.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Fraction of correct predictions; 0 if there are no samples.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.counts.len()).map(|class| self.counts[class][class]).sum();
        ratio(right, self.samples())
    }

    /// Scores of each class `[classes]`.
    #[must_use]
    pub fn scores(&self) -> Vec<Scores> {
        let of = |class: usize| {
            let right = self.counts[class][class];
            let support = self.counts[class].iter().sum();
            let predicted = self.counts.iter().map(|row| row[class]).sum::<u64>();
            Scores {
                precision: ratio(right, predicted),
                recall: ratio(right, support),
                f1: ratio(2 * right, support + predicted),
                support,
            }
        };
        (0..self.counts.len()).map(of).collect()
    }

    /// Unweighted mean F1 over the classes that occur among labels or predictions (as scikit-learn).
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        let scores = self.scores();
        let there: Vec<f64> = (0..scores.len())
            .filter(|&class| self.has(class))
            .map(|class| scores[class].f1)
            .collect();
        there.iter().sum::<f64>() / there.len().max(1) as f64
    }

    /// Whether a class occurs among labels or predictions. Otherwise its scores are not defined.
    pub(crate) fn has(&self, class: usize) -> bool {
        self.counts[class].iter().chain(self.counts.iter().map(|row| &row[class])).any(|&n| n > 0)
    }

    /// All confusions of two classes, the most frequent first; equally frequent ones in the order of the classes.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = vec![];
        for (truth, row) in self.counts.iter().enumerate() {
            for (predicted, &count) in row.iter().enumerate() {
                if predicted != truth && count > 0 {
                    mistakes.push(Mistake { truth, predicted, count });
                }
            }
        }
        mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.count));
        mistakes
    }
}

/// `part / whole`, or 0 if `whole` is 0.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
