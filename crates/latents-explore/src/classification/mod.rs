//! How good a classifier is: its confusions, the scores that follow from them, how far its probabilities can be trusted, and how
//! sure each number is. Labels `[n]` and probabilities `[n, k]` go in; where they came from does not matter.

mod bootstrap;
mod calibration;
mod confusion;

pub use bootstrap::{Interval, Intervals, bootstrap};
pub use calibration::{Bin, Calibration};
pub use confusion::{Confusion, Mistake, Scores};

use crate::Error;

/// The likeliest class of each sample, of probabilities or logits `[n, classes]`; of equals, the first.
///
/// # Panics
/// Where `classes` is 0, or more than 256.
#[must_use]
pub fn argmax(probabilities: &[f32], classes: usize) -> Vec<u8> {
    assert!((1..=256).contains(&classes), "{classes} classes");
    let best = |row: &[f32]| {
        (1..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best }) as u8
    };
    probabilities.chunks_exact(classes).map(best).collect()
}

/// Softmax of each row of logits `[n, classes]`, with `libm`'s exponential, so that it is the same on every system.
///
/// # Panics
/// Where `classes` is 0.
#[must_use]
pub fn softmax(logits: &[f32], classes: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(classes) {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers = row.iter().map(|&x| libm::exp(f64::from(x - top)));
        let powers: Vec<f64> = powers.collect();
        let sum: f64 = powers.iter().sum();
        all.extend(powers.iter().map(|power| (power / sum) as f32));
    }
    all
}

/// Whether two lists of labels belong together and name only classes that there are.
fn check(truth: &[u8], predicted: &[u8], classes: usize) -> Result<(), Error> {
    if predicted.len() != truth.len() {
        let (expected, got) = (truth.len(), predicted.len());
        return Err(Error::Size { what: "the list of predicted labels", expected, got });
    }
    for labels in [truth, predicted] {
        if let Some(place) = labels.iter().position(|&label| usize::from(label) >= classes) {
            return Err(Error::Label { place, label: labels[place], classes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
