//! Scores of disentanglement: whether each latent follows one factor of variation, of images whose factors are known. Without known
//! factors there is no such score. Each score has a file: the mutual information gap (`mig.rs`), separated attribute predictability
//! (`sap.rs`), and disentanglement, completeness and informativeness (`dci.rs`). The trees that the last two are fitted with are in
//! `forest.rs`.
//!
//! Scores depend on which factors are given, on how many images there are, and on which models predict the factors, so only scores of
//! the same images by the same code can be compared. A model that is trained without factors has no reason to separate them (Locatello
//! et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations", 2019).

mod dci;
mod factor;
mod forest;
mod mig;
mod sap;
mod split;

use latents_progress::Monitor;
use serde::{Deserialize, Serialize};

pub use dci::{Dci, dci};
pub use factor::{Factor, IMAGES_OF_A_VALUE, LEAST_FACTOR_IMAGES};
pub use mig::mutual_information_gaps;
pub use sap::attribute_predictability;

use crate::error::Error;
use crate::metrics::latents::largest;
use crate::rows::Rows;

/// All scores of disentanglement of some images. Stored as JSON in a card.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::disentanglement::{Disentanglement, Factor};
/// use latents_progress::Monitor;
///
/// // 240 images of two factors, of 3 and 4 values, and a latent for each factor.
/// let size: Vec<u16> = (0..240).map(|i| i % 3).collect();
/// let angle: Vec<u16> = (0..240).map(|i| i / 3 % 4).collect();
/// let latents: Vec<f32> =
///     size.iter().zip(&angle).flat_map(|(&s, &a)| [f32::from(s), f32::from(a)]).collect();
/// let factors = [Factor::new("size", &size)?, Factor::new("angle", &angle)?];
///
/// let rows = Rows::new(&latents, 2)?; // [240, 2]
/// let scores = Disentanglement::measure(rows, &factors, 1, &Monitor::default())?;
/// assert_eq!((scores.disentanglement, scores.completeness, scores.informativeness), (1.0, 1.0, 1.0));
/// assert!((scores.mig - 1.0).abs() < 1e-9);
/// assert_eq!(scores.factors[1].values, 4);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disentanglement {
    /// Number of images.
    pub images: usize,
    /// Mean mutual information gap of the factors, from 0 to 1.
    pub mig: f64,
    /// Mean separated attribute predictability of the factors, from 0 to less than 1.
    pub sap: f64,
    /// Whether each latent follows one factor only, from 0 to 1: a mean over latents by their importance.
    pub disentanglement: f64,
    /// Whether each factor is in one latent only, from 0 to 1: the mean over factors.
    pub completeness: f64,
    /// How well all latents together predict the factors: the mean balanced accuracy.
    pub informativeness: f64,
    /// The scores of each factor.
    pub factors: Vec<FactorScores>,
}

/// The scores of one factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorScores {
    /// Its name.
    pub name: String,
    /// Number of different values. A guess has a balanced accuracy of one by this number.
    pub values: usize,
    /// Mutual information gap.
    pub mig: f64,
    /// Separated attribute predictability.
    pub sap: f64,
    /// Completeness.
    pub completeness: f64,
    /// Balanced accuracy of the prediction from all latents.
    pub informativeness: f64,
    /// Importance of each latent for the prediction `[d]`: 0 or more, with a sum of 1, or all 0 if the latents say nothing.
    pub importances: Vec<f64>,
}

impl Disentanglement {
    /// Measures all scores of latents `[n, d]`. `seed` chooses the images that predictions are tested on, and the samples of the trees.
    ///
    /// # Errors
    /// If there are fewer than two factors or latents, fewer than [`LEAST_FACTOR_IMAGES`] images or, on average, [`IMAGES_OF_A_VALUE`] of each
    /// value of a factor, if a factor has another number of images, or `monitor` is cancelled.
    pub fn measure(
        latents: Rows<'_>,
        factors: &[Factor],
        seed: u64,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let mig = mutual_information_gaps(latents, factors)?;
        let sap = attribute_predictability(latents, factors, seed, monitor)?;
        let dci = dci(latents, factors, seed, monitor)?;
        let scores = factors.iter().enumerate().map(|(k, factor)| FactorScores {
            name: factor.name().to_owned(),
            values: factor.count(),
            mig: mig[k],
            sap: sap[k],
            completeness: dci.completeness[k],
            informativeness: dci.informativeness[k],
            importances: dci.importances[k].clone(),
        });
        Ok(Self {
            images: latents.len(),
            mig: mean(&mig),
            sap: mean(&sap),
            disentanglement: dci.disentanglement,
            completeness: mean(&dci.completeness),
            informativeness: mean(&dci.informativeness),
            factors: scores.collect(),
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The largest value less the second largest.
fn gap(values: &[f64]) -> f64 {
    let first = largest(values, 2);
    values[first[0]] - values[first[1]]
}

#[cfg(test)]
mod tests;
