//! What the axes of a latent space are used for, how even the ways through it are, and which rows are unlike the others.

use crate::error::Error;
use crate::linear::{eigen, mean, scatter};
use crate::neighbours::nearest_others;
use crate::rows::Rows;
use rayon::prelude::*;

/// Variance of each axis `[d]` over the rows.
#[must_use]
pub fn variances(latents: Rows<'_>) -> Vec<f64> {
    let mean = mean(latents, None);
    let mut sums = vec![0.0; latents.dim()];
    for row in latents.iter() {
        for ((sum, &v), m) in sums.iter_mut().zip(row).zip(&mean) {
            *sum += (f64::from(v) - m) * (f64::from(v) - m);
        }
    }
    sums.iter().map(|s| s / latents.len().max(1) as f64).collect()
}

/// Axes that are in use: those along which posterior means vary by more than 0.01 (Burda et al., "Importance weighted autoencoders",
/// 2016).
#[must_use]
pub fn active_units(means: Rows<'_>) -> usize {
    variances(means).iter().filter(|&&v| v > 0.01).count()
}

/// Mean KL divergence of each axis's posterior from N(0, 1) `[d]`, in nats, for means and log-variances `[n, d]`.
///
/// # Errors
/// Where the two differ in size.
pub fn kl_per_axis(means: Rows<'_>, log_variances: Rows<'_>) -> Result<Vec<f64>, Error> {
    means.like(log_variances)?;
    if means.len() != log_variances.len() {
        let (expected, got) = (means.len(), log_variances.len());
        return Err(Error::Size { what: "the list of log-variances", expected, got });
    }
    let mut sums = vec![0.0; means.dim()];
    for (means, logs) in means.iter().zip(log_variances.iter()) {
        for ((sum, &m), &l) in sums.iter_mut().zip(means).zip(logs) {
            let (m, l) = (f64::from(m), f64::from(l));
            *sum += 0.5 * (m * m + libm::exp(l) - 1.0 - l);
        }
    }
    Ok(sums.iter().map(|s| s / means.len().max(1) as f64).collect())
}

/// How uneven a way is: the largest Euclidean step between neighbouring images over the mean step, for the decoded images of equal
/// steps in the latent space.
///
/// It is 1 where the images change at an even pace, and as large as there are steps where all of the change is in one of them. That is what
/// the eye calls abrupt. It does not depend on how unlike the two ends are, nor on the scale of the pixels, so ways and models can be
/// compared; it does depend on the number of steps, which must be the same for all. 1 where nothing changes at all. It says nothing of
/// whether the images between look like anything: a cross-fade of the pixels has 1.
///
/// # Errors
/// Where there are fewer than two images.
pub fn unevenness(images: Rows<'_>) -> Result<f64, Error> {
    images.at_least(2, "a way through the latent space")?;
    let step = |i: usize| {
        let pairs = images.row(i).iter().zip(images.row(i + 1));
        let sum: f64 = pairs.map(|(&a, &b)| (f64::from(b) - f64::from(a)).powi(2)).sum();
        sum.sqrt()
    };
    let steps: Vec<f64> = (0..images.len() - 1).map(step).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    let largest = steps.iter().copied().fold(0.0, f64::max);
    Ok(if mean > 0.0 { largest / mean } else { 1.0 })
}

/// Mahalanobis distance of each row `[n]` from the mean of `reference`, in deviations along its principal axes (Mahalanobis, 1936).
/// Axes without variance are left out.
///
/// # Errors
/// Where the two differ in length of rows, or there are fewer than two of reference.
pub fn mahalanobis(rows: Rows<'_>, reference: Rows<'_>) -> Result<Vec<f64>, Error> {
    rows.like(reference)?;
    reference.at_least(2, "a covariance")?;
    let d = rows.dim();
    let centre = mean(reference, None);
    let scale = 1.0 / (reference.len() - 1) as f64;
    let covariance: Vec<f64> =
        scatter(reference, &centre, None).iter().map(|v| v * scale).collect();
    let axes = eigen(&covariance, d);
    let least = axes.values.first().copied().unwrap_or(0.0) * 1e-9;
    let distance = |row: &[f32]| {
        let centred: Vec<f64> = row.iter().zip(&centre).map(|(&v, m)| f64::from(v) - m).collect();
        let each = axes.values.iter().zip(axes.vectors.chunks_exact(d));
        let squares = each.filter(|(value, _)| **value > least).map(|(value, vector)| {
            let along: f64 = vector.iter().zip(&centred).map(|(a, b)| a * b).sum();
            along * along / value
        });
        squares.sum::<f64>().sqrt()
    };
    Ok(rows.values().par_chunks(d).map(distance).collect())
}

/// The places of the `k` largest values, largest first; of equals, the first.
#[must_use]
pub fn largest(values: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(k);
    order
}

/// Two images that are nearly the same.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Pair {
    /// The two, the lower number first.
    pub images: [usize; 2],
    /// Root of their mean squared difference.
    pub difference: f64,
}

/// Pairs of rows whose root mean squared difference is at most `most`, each with its nearest, least difference first.
///
/// # Errors
/// Where there are fewer than two rows, or `most` is less than 0.
pub fn near_duplicates(images: Rows<'_>, most: f64) -> Result<Vec<Pair>, Error> {
    if most.is_nan() || most < 0.0 {
        let what = "largest difference of two images that are the same";
        return Err(Error::Range { what, range: "at least 0", got: most });
    }
    let near = nearest_others(images, 1)?;
    let pair = |i: usize| {
        let j = near.index[i] as usize;
        let difference = (f64::from(near.squared[i]) / images.dim() as f64).sqrt();
        Pair { images: [i.min(j), i.max(j)], difference }
    };
    let mut pairs: Vec<Pair> =
        (0..images.len()).map(pair).filter(|p| p.difference <= most).collect();
    pairs.sort_by(|a, b| a.difference.total_cmp(&b.difference).then(a.images.cmp(&b.images)));
    pairs.dedup_by_key(|p| p.images);
    Ok(pairs)
}
