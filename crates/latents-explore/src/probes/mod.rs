//! Probes: classifiers that are fitted to frozen vectors `[n, d]` (latents, pixels, principal components), and choices of a few labels.

mod few;
mod lbfgs;
mod logistic;

pub use few::few_labels;
pub use logistic::{Logistic, LogisticConfig};

#[cfg(test)]
mod tests;
