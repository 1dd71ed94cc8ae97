//! Which class was taken for which, and the scores that follow. Definitions are scikit-learn's, with 0 where a score has no
//! meaning (a class that was never predicted has precision 0).

use serde::{Deserialize, Serialize};

use super::check;
use crate::Error;

/// How many samples of each class were taken for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    /// `[truth][predicted]`.
    counts: Vec<Vec<u64>>,
}

/// Scores of one class against all others, each in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Of those that were taken for the class, the part that is of it.
    pub precision: f64,
    /// Of those that are of the class, the part that was found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Samples that are of the class.
    pub support: u64,
}

/// One class taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The class that it is.
    pub truth: usize,
    /// The class that it was taken for.
    pub predicted: usize,
    /// How often.
    pub count: u64,
}

impl Confusion {
    /// Counts labels `[n]` against predictions `[n]`.
    ///
    /// # Errors
    /// Where the lists differ in length, or a label is none of the classes.
    pub fn new(truth: &[u8], predicted: &[u8], classes: usize) -> Result<Self, Error> {
        check(truth, predicted, classes)?;
        let mut counts = vec![vec![0; classes]; classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            counts[usize::from(t)][usize::from(p)] += 1;
        }
        Ok(Confusion { counts })
    }

    /// The counts, `[truth][predicted]`.
    #[must_use]
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// The number of samples.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The part of all samples that was taken for what it is; 0 where there is no sample.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.counts.len()).map(|class| self.counts[class][class]).sum();
        ratio(right, self.samples())
    }

    /// The scores of each class.
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

    /// The plain mean of the F1 of all classes that are there: that a sample is of or was taken for (as scikit-learn's).
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        let scores = self.scores();
        let there: Vec<f64> = (0..scores.len())
            .filter(|&class| self.has(class))
            .map(|class| scores[class].f1)
            .collect();
        there.iter().sum::<f64>() / there.len().max(1) as f64
    }

    /// Whether a sample is of a class, or was taken for it. Otherwise its scores say nothing.
    pub(crate) fn has(&self, class: usize) -> bool {
        self.counts[class].iter().chain(self.counts.iter().map(|row| &row[class])).any(|&n| n > 0)
    }

    /// All mistakes that were made, the most frequent first; of equals, in the order of the classes.
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

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
