//! Measures of reconstructions, maps, samples and latents. Each is a function of arrays with its source in its documentation, and
//! agrees with scikit-learn, scikit-image or the paper on golden values.

pub mod distributions;
pub mod latents;
pub mod maps;
pub mod reconstruction;
