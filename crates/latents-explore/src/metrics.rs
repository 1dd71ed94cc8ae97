//! Metrics of reconstructions, latents, maps and samples. Each is a function of arrays that names its source, and is tested on golden
//! values from scikit-learn, scikit-image or the definition in the paper.

pub mod copies;
pub mod distributions;
pub mod latents;
pub mod maps;
pub mod reconstruction;
mod statistics;

pub use statistics::{Estimate, MeanStd};
