//! Probes: classifiers that are fitted to frozen vectors `[n, d]` (latents, pixels, principal components), and choices of a few labels.

mod curvature;
mod few;
mod lbfgs;
mod logistic;
mod samples;

pub use few::few_labels;
pub use logistic::{Logistic, LogisticConfig};

#[cfg(test)]
mod tests;
