//! Metrics of latents: use of each axis, evenness of traversals, outliers and near-duplicates.

use latents_progress::Monitor;
use rayon::prelude::*;

use crate::error::Error;
use crate::linear::{eigen, mean, scatter};
use crate::neighbours::search;
use crate::rows::Rows;

/// Variance of each axis `[d]` of latents `[n, d]`, divided by `n`.
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

/// Number of active units: axes along which the variance of the posterior means `[n, d]` is more than 0.01 (Burda et al., "Importance
/// weighted autoencoders", 2016).
#[must_use]
pub fn active_units(means: Rows<'_>) -> usize {
    variances(means).iter().filter(|&&v| v > 0.01).count()
}

/// Effective number of dimensions of latents `[n, d]`: the participation ratio `(sum l)^2 / sum l^2` of the eigenvalues of their covariance.
/// It is `d` if all directions have the same variance, and 1 if a single one has all of it; 0 if all latents are equal.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::latents::effective_dimension;
/// use latents_progress::Monitor;
///
/// let square = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]; // [4, 2]
/// let dimension = effective_dimension(Rows::new(&square, 2)?, &Monitor::default())?;
/// assert!((dimension - 2.0).abs() < 1e-12);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If `monitor` is cancelled.
pub fn effective_dimension(latents: Rows<'_>, monitor: &Monitor) -> Result<f64, Error> {
    let d = latents.dim();
    let covariance = scatter(latents, &mean(latents, None), None, monitor)?;
    // The sum of the eigenvalues and of their squares, without the eigenvalues.
    let trace: f64 = (0..d).map(|i| covariance[i * d + i]).sum();
    let squares: f64 = covariance.iter().map(|c| c * c).sum();
    Ok(if squares > 0.0 { trace * trace / squares } else { 0.0 })
}

/// Mean KL divergence of the posterior from N(0, 1) for each axis `[d]`, in nats, for means and log-variances `[n, d]`.
///
/// # Errors
/// If the two arrays differ in size.
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

/// Unevenness of a traversal: the largest Euclidean distance between consecutive images `[steps, c h w]` divided by the mean distance.
/// The images are decoded from equally spaced latents.
///
/// It is 1 if the images change at an even pace (or not at all), and equals the number of distances if all change happens at once, which
/// looks abrupt. It depends neither on how different the two ends are nor on the scale of the pixels, so traversals and models can be
/// compared, as long as the number of steps is the same. It does not measure whether intermediate images look real: a cross-fade of the
/// pixels has 1.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::latents::unevenness;
///
/// assert_eq!(unevenness(Rows::new(&[0.0, 0.5, 1.0], 1)?)?, 1.0);
/// assert_eq!(unevenness(Rows::new(&[0.0, 0.0, 1.0], 1)?)?, 2.0);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 images.
pub fn unevenness(images: Rows<'_>) -> Result<f64, Error> {
    images.at_least(2, "a traversal")?;
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

/// Mahalanobis distance of each row `[n]` from the distribution of `reference` `[m, d]`, in standard deviations (Mahalanobis, 1936).
/// Principal axes without variance are left out.
///
/// # Errors
/// If the two arrays have different numbers of columns, `m` is less than 2, or `monitor` is cancelled.
pub fn mahalanobis(
    rows: Rows<'_>,
    reference: Rows<'_>,
    monitor: &Monitor,
) -> Result<Vec<f64>, Error> {
    rows.like(reference)?;
    reference.at_least(2, "a covariance")?;
    let d = rows.dim();
    let centre = mean(reference, None);
    let scale = 1.0 / (reference.len() - 1) as f64;
    let mut covariance = scatter(reference, &centre, None, monitor)?;
    for v in &mut covariance {
        *v *= scale;
    }
    let axes = eigen(&covariance, d, monitor)?;
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

/// Indices of the `k` largest values, in descending order of value; equal values keep their order.
#[must_use]
pub fn largest(values: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(k);
    order
}

/// Two images that are nearly equal.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NearDuplicate {
    /// Indices of the two images, the lower first.
    pub images: [usize; 2],
    /// Root mean squared difference of their pixels.
    pub difference: f64,
}

/// Pairs of an image and its nearest other image whose root mean squared difference is at most `most`, in ascending order of difference.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::latents::near_duplicates;
/// use latents_progress::Monitor;
///
/// let images = [0.0, 0.0, 0.9, 0.8, 0.0, 0.01]; // [3, 2]
/// let pairs = near_duplicates(Rows::new(&images, 2)?, 0.02, &Monitor::default())?;
/// assert_eq!(pairs[0].images, [0, 2]);
/// assert_eq!(pairs.len(), 1);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 images, `most` is negative or NaN, or `monitor` is cancelled.
pub fn near_duplicates(
    images: Rows<'_>,
    most: f64,
    monitor: &Monitor,
) -> Result<Vec<NearDuplicate>, Error> {
    if most.is_nan() || most < 0.0 {
        let what = "largest difference of near-duplicates";
        return Err(Error::Range { what, range: "at least 0", got: most });
    }
    if images.len() < 2 {
        return Ok(vec![]);
    }
    let near = search(images, images, 1, true, monitor)?;
    let pair = |i: usize| {
        let j = near.index[i] as usize;
        let difference = (f64::from(near.squared[i]) / images.dim() as f64).sqrt();
        NearDuplicate { images: [i.min(j), i.max(j)], difference }
    };
    let mut pairs: Vec<NearDuplicate> =
        (0..images.len()).map(pair).filter(|p| p.difference <= most).collect();
    pairs.sort_by(|a, b| a.difference.total_cmp(&b.difference).then(a.images.cmp(&b.images)));
    pairs.dedup_by_key(|p| p.images);
    Ok(pairs)
}
