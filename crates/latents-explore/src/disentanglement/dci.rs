//! Disentanglement, completeness and informativeness.

use latents_progress::Monitor;

use super::factor::{Factor, check};
use super::forest::{Forest, Samples};
use super::split::{Split, balanced_accuracy};
use crate::error::Error;
use crate::rows::Rows;

/// Disentanglement, completeness and informativeness of latents `[n, d]`, as [`dci`] measures them.
#[derive(Clone, Debug, PartialEq)]
pub struct Dci {
    /// 1 if each latent is important for one factor only, 0 if it is for all alike; a mean over latents, by their importance.
    pub disentanglement: f64,
    /// For each factor `[f]`: 1 if one latent only is important for it, 0 if all are alike.
    pub completeness: Vec<f64>,
    /// For each factor `[f]`: balanced accuracy of the prediction from all latents.
    pub informativeness: Vec<f64>,
    /// The importance of each latent for each factor `[f][d]`, with a sum of 1 for each factor, or all 0.
    pub importances: Vec<Vec<f64>>,
}

/// Disentanglement, completeness and informativeness of latents `[n, d]` (Eastwood and Williams, "A Framework for the Quantitative Evaluation
/// of Disentangled Representations", 2018).
///
/// Each factor is predicted from all latents by a forest of 20 trees, one of the two models of the paper (Breiman, "Random Forests", 2001):
/// trees by Gini impurity of bootstrap samples that weigh all values of the factor alike, may split by every latent, and have in each leaf
/// at least a tenth of the images that a value has on average. The importance of a latent is the part of the decrease of impurity that its
/// splits make. Two thirds of the images, which `seed` chooses, but at most 10,000, are fitted to. Informativeness is the accuracy on
/// the last third, balanced over the values of the factor, so that a guess has `1/values`.
///
/// If the latents predict a factor badly, trees split by noise too: scores of factors with low informativeness say little.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::disentanglement::{Factor, dci};
/// use latents_progress::Monitor;
///
/// let a: Vec<u16> = (0..300).map(|i| i % 2).collect();
/// let b: Vec<u16> = (0..300).map(|i| i / 2 % 3).collect();
/// let latents: Vec<f32> = a.iter().zip(&b).flat_map(|(&a, &b)| [f32::from(a), f32::from(b)]).collect();
/// let factors = [Factor::new("a", &a)?, Factor::new("b", &b)?];
/// let scores = dci(Rows::new(&latents, 2)?, &factors, 1, &Monitor::default())?;
/// assert_eq!(scores.importances, [[1.0, 0.0], [0.0, 1.0]]);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// As [`Disentanglement::measure`](super::Disentanglement::measure).
pub fn dci(
    latents: Rows<'_>,
    factors: &[Factor],
    seed: u64,
    monitor: &Monitor,
) -> Result<Dci, Error> {
    check(latents, factors)?;
    if let [only] = factors {
        return Err(Error::Invalid(format!(
            "disentanglement compares factors, but `{}` is the only one",
            only.name()
        )));
    }
    let split = Split::new(latents.len(), seed);
    let rows =
        |of: &[usize]| of.iter().flat_map(|&i| latents.row(i)).copied().collect::<Vec<f32>>();
    let (train, test) = (rows(&split.train), rows(&split.test));
    let (train, test) = (Rows::new(&train, latents.dim())?, Rows::new(&test, latents.dim())?);
    let (mut importances, mut informativeness) = (vec![], vec![]);
    for factor in factors {
        let samples = Samples::new(train, &factor.at(&split.train), factor.count());
        let forest = Forest::fit(&samples, seed, monitor)?;
        let predicted: Vec<u16> = test.iter().map(|row| forest.predict(row)).collect();
        let truth = factor.at(&split.test);
        informativeness.push(balanced_accuracy(&truth, &predicted, factor.count())?);
        importances.push(forest.importances());
    }
    let (disentanglement, completeness) = of_importances(&importances);
    Ok(Dci { disentanglement, completeness, informativeness, importances })
}

/// The disentanglement of all latents and the completeness of each factor for importances `[f][d]`.
pub(super) fn of_importances(importances: &[Vec<f64>]) -> (f64, Vec<f64>) {
    let (mut weighted, mut total) = (0.0, 0.0);
    for latent in 0..importances[0].len() {
        let of_latent: Vec<f64> = importances.iter().map(|factor| factor[latent]).collect();
        let weight = of_latent.iter().sum::<f64>();
        weighted += weight * concentration(&of_latent);
        total += weight;
    }
    let disentanglement = if total > 0.0 { weighted / total } else { 0.0 };
    (disentanglement, importances.iter().map(|factor| concentration(factor)).collect())
}

/// 1 less the entropy of shares to the base of their number: 1 if one has all, 0 if all are alike or 0.
fn concentration(shares: &[f64]) -> f64 {
    let total = shares.iter().sum::<f64>();
    if total <= 0.0 {
        return 0.0;
    }
    let term =
        |share: &f64| if *share > 0.0 { share / total * libm::log(share / total) } else { 0.0 };
    1.0 + shares.iter().map(term).sum::<f64>() / libm::log(shares.len() as f64)
}
