//! Evaluation of classifiers: confusion matrices, scores, calibration and bootstrap intervals, from labels `[n]` and probabilities
//! `[n, classes]`.

mod bootstrap;
mod calibration;
mod confusion;
mod labels;
mod probabilities;

pub use bootstrap::{Interval, Intervals, bootstrap};
pub use calibration::{Bin, Calibration};
pub use confusion::{Confusion, Mistake, Scores};
pub use probabilities::{argmax, softmax};

#[cfg(test)]
mod tests;
