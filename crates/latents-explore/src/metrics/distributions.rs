//! How far two clouds of feature vectors are from each other: those of real images and those of samples. What is called Fréchet distance
//! here is computed as the FID is, on features of one's own; it compares models under the same features only.

use rayon::prelude::*;

use crate::error::Error;
use crate::lanes::squared_distance;
use crate::linear::{eigen, mean, scatter};
use crate::neighbours::{nearest_others, search};
use crate::rows::Rows;

/// Fréchet distance of the Gaussians with the means and covariances of two clouds (Dowson and Landau, 1982; Heusel et al., "GANs
/// trained by a two time-scale update rule converge to a local Nash equilibrium", 2017).
///
/// # Errors
/// Where the two differ in length of rows, or have fewer than two.
pub fn frechet_distance(a: Rows<'_>, b: Rows<'_>) -> Result<f64, Error> {
    a.like(b)?;
    a.at_least(2, "the Fréchet distance")?;
    b.at_least(2, "the Fréchet distance")?;
    let d = a.dim();
    let gaussian = |rows: Rows<'_>| {
        let mean = mean(rows, None);
        let scale = 1.0 / (rows.len() - 1) as f64;
        let covariance: Vec<f64> = scatter(rows, &mean, None).iter().map(|v| v * scale).collect();
        (mean, covariance)
    };
    let ((ma, ca), (mb, cb)) = (gaussian(a), gaussian(b));
    let between: f64 = ma.iter().zip(&mb).map(|(a, b)| (a - b) * (a - b)).sum();
    let trace = |c: &[f64]| (0..d).map(|i| c[i * d + i]).sum::<f64>();
    // The square root of ca cb has the trace of that of the symmetric ca^1/2 cb ca^1/2.
    let e = eigen(&ca, d);
    let mut root = vec![0.0; d * d];
    for (value, vector) in e.values.iter().zip(e.vectors.chunks_exact(d)) {
        for (i, v) in vector.iter().enumerate() {
            let scaled = value.max(0.0).sqrt() * v;
            crate::linear::axpy(scaled, vector, &mut root[i * d..(i + 1) * d]);
        }
    }
    let product = multiply(&multiply(&root, &cb, d), &root, d);
    let mean_of = |i: usize| f64::midpoint(product[i], product[(i % d) * d + i / d]);
    let symmetric: Vec<f64> = (0..d * d).map(mean_of).collect();
    let shared: f64 = eigen(&symmetric, d).values.iter().map(|v| v.max(0.0).sqrt()).sum();
    Ok((between + trace(&ca) + trace(&cb) - 2.0 * shared).max(0.0))
}

fn multiply(a: &[f64], b: &[f64], d: usize) -> Vec<f64> {
    let mut out = vec![0.0; d * d];
    out.par_chunks_mut(d).zip(a.par_chunks(d)).for_each(|(out, a)| {
        for (a, b) in a.iter().zip(b.chunks_exact(d)) {
            crate::linear::axpy(*a, b, out);
        }
    });
    out
}

/// A number and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Standard error of the mean.
    pub error: f64,
}

impl Estimate {
    /// Mean of independent values, and its standard error; of one value the error is 0, of none all is 0.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - value) * (v - value)).sum();
        let variance = if values.len() > 1 { squares / (n - 1.0) } else { 0.0 };
        Estimate { value, error: (variance / n).sqrt() }
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(3);
        write!(f, "{:.digits$} ± {:.digits$}", self.value, self.error)
    }
}

/// Rows that the kernel distance takes at a time.
const SUBSET: usize = 1000;

/// Kernel distance: the unbiased squared maximum mean discrepancy under `(x y / d + 1)^3` (Bińkowski et al., "Demystifying MMD GANs",
/// 2018), as the mean over disjoint subsets of at most 1,000 rows each, in the order in which they come.
///
/// # Errors
/// Where the two differ in length of rows, or have fewer than two.
pub fn kernel_distance(a: Rows<'_>, b: Rows<'_>) -> Result<Estimate, Error> {
    a.like(b)?;
    a.at_least(2, "the kernel distance")?;
    b.at_least(2, "the kernel distance")?;
    let n = a.len().min(b.len());
    let size = SUBSET.min(n);
    let values: Vec<f64> = (0..n / size)
        .map(|i| {
            let part = i * size..(i + 1) * size;
            discrepancy(a.slice(part.clone()), b.slice(part))
        })
        .collect();
    Ok(Estimate::of(&values))
}

fn discrepancy(a: Rows<'_>, b: Rows<'_>) -> f64 {
    let n = a.len() as f64;
    let off = 1.0 / (n * (n - 1.0));
    (kernel_sum(a, a, true) + kernel_sum(b, b, true)) * off
        - 2.0 * kernel_sum(a, b, false) / (n * n)
}

fn kernel_sum(a: Rows<'_>, b: Rows<'_>, others: bool) -> f64 {
    let d = a.dim() as f64;
    let row = |i: usize| -> f64 {
        let kernel = |j: usize| {
            let dot: f64 =
                a.row(i).iter().zip(b.row(j)).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            let base = dot / d + 1.0;
            base * base * base
        };
        (0..b.len()).filter(|&j| !(others && i == j)).map(kernel).sum()
    };
    let rows: Vec<f64> = (0..a.len()).into_par_iter().map(row).collect();
    rows.iter().sum()
}

/// Improved precision and recall.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PrecisionRecall {
    /// Part of the samples that lie where real images are: whether samples are good.
    pub precision: f64,
    /// Part of the real images that lie where samples are: whether samples are manifold.
    pub recall: f64,
}

/// Precision and recall of `samples` against `real`: a cloud is where its rows have their `k` nearest others (Kynkäänniemi et al.,
/// "Improved precision and recall metric for assessing generative models", 2019, with `k` = 3). Comparable only for the same numbers
/// of rows.
///
/// # Errors
/// Where the two differ in length of rows, or have not more than `k`.
pub fn precision_recall(
    real: Rows<'_>,
    samples: Rows<'_>,
    k: usize,
) -> Result<PrecisionRecall, Error> {
    real.like(samples)?;
    Ok(PrecisionRecall { precision: within(samples, real, k)?, recall: within(real, samples, k)? })
}

/// Part of `points` that are within the reach of a row of `cloud`.
fn within(points: Rows<'_>, cloud: Rows<'_>, k: usize) -> Result<f64, Error> {
    let near = nearest_others(cloud, k)?;
    let reach: Vec<f32> = (0..cloud.len()).map(|j| near.squared_of(j)[k - 1]).collect();
    // Most are decided by their nearest rows; only the others need to be held against all.
    let some = 8.min(cloud.len());
    let first = search(points, cloud, some, false, &mut |_| false)?;
    let inside = |i: usize| {
        let nearest = first.of(i).iter().zip(first.squared_of(i));
        if nearest.clone().any(|(&j, &s)| s <= reach[j as usize]) {
            return true;
        }
        (0..cloud.len()).any(|j| squared_distance(points.row(i), cloud.row(j)) <= reach[j])
    };
    let count = (0..points.len()).into_par_iter().filter(|&i| inside(i)).count();
    Ok(count as f64 / points.len() as f64)
}
