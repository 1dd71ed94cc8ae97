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
    Ok(Moments::of(a, &mean(a, None), None).frechet(&Moments::of(b, &mean(b, None), None)))
}

/// Parts of two clouds that are left out in turn.
const PARTS: usize = 10;

/// [`frechet_distance`] with its standard error by the jackknife (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 11)
/// over ten parts of both clouds, every tenth row each: rows should come at random. A bootstrap would draw rows twice, which by itself
/// moves clouds apart.
///
/// # Errors
/// As of [`frechet_distance`], and where there are fewer than 20 rows.
pub fn frechet_estimate(a: Rows<'_>, b: Rows<'_>) -> Result<Estimate, Error> {
    a.at_least(2 * PARTS, "the error of a Fréchet distance")?;
    b.at_least(2 * PARTS, "the error of a Fréchet distance")?;
    let value = frechet_distance(a, b)?;
    let parts = |rows: Rows<'_>| -> Vec<Moments> {
        let centre = mean(rows, None);
        let part = |p: usize| {
            let inside = |i: usize| if i % PARTS == p { 1.0 } else { 0.0 };
            let weights: Vec<f64> = (0..rows.len()).map(inside).collect();
            Moments::of(rows, &centre, Some(&weights))
        };
        (0..PARTS).map(part).collect()
    };
    let without = |parts: &[Moments], p: usize| {
        let mut sum = Moments { number: 0.0, ..parts[p].clone() };
        sum.sums.fill(0.0);
        sum.squares.fill(0.0);
        for (_, part) in parts.iter().enumerate().filter(|(i, _)| *i != p) {
            sum.add(part);
        }
        sum
    };
    let (a, b) = (parts(a), parts(b));
    let left: Vec<f64> = (0..PARTS).map(|p| without(&a, p).frechet(&without(&b, p))).collect();
    // The error of the mean of values that share all but one part is this many times too small.
    let error = Estimate::of(&left).error * (PARTS - 1) as f64;
    Ok(Estimate { value, error })
}

/// Sums over rows, from which their mean and covariance follow, and those of rows together.
#[derive(Clone)]
struct Moments {
    number: f64,
    /// What the sums are taken about `[d]`.
    centre: Vec<f64>,
    /// Of the rows less the centre `[d]`.
    sums: Vec<f64>,
    /// Of their products `[d, d]`.
    squares: Vec<f64>,
}

impl Moments {
    /// Of the rows whose weight is 1 rather than 0; without weights of all.
    fn of(rows: Rows<'_>, centre: &[f64], weights: Option<&[f64]>) -> Self {
        let number = weights.map_or(rows.len() as f64, |w| w.iter().sum());
        let sums = mean(rows, weights).iter().zip(centre).map(|(m, c)| number * (m - c)).collect();
        Moments { number, centre: centre.to_vec(), sums, squares: scatter(rows, centre, weights) }
    }

    /// Of those about the same centre.
    fn add(&mut self, other: &Self) {
        self.number += other.number;
        crate::linear::axpy(1.0, &other.sums, &mut self.sums);
        crate::linear::axpy(1.0, &other.squares, &mut self.squares);
    }

    fn mean(&self) -> Vec<f64> {
        self.sums.iter().zip(&self.centre).map(|(s, c)| c + s / self.number).collect()
    }

    /// The unbiased covariance `[d, d]`.
    fn covariance(&self) -> Vec<f64> {
        let (n, d) = (self.number, self.sums.len());
        let product = |i: usize| self.sums[i / d] * self.sums[i % d] / n;
        self.squares.iter().enumerate().map(|(i, s)| (s - product(i)) / (n - 1.0)).collect()
    }

    fn frechet(&self, other: &Self) -> f64 {
        let d = self.sums.len();
        let (ca, cb) = (self.covariance(), other.covariance());
        let pairs = self.mean().into_iter().zip(other.mean());
        let between: f64 = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
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
        (between + trace(&ca) + trace(&cb) - 2.0 * shared).max(0.0)
    }
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

/// Rows that the kernel distance takes at a time, at most.
const SUBSET: usize = 1000;

/// Kernel distance: the unbiased squared maximum mean discrepancy under `(x y / d + 1)^3` (Bińkowski et al., "Demystifying MMD GANs",
/// 2018), as the mean over disjoint subsets of a tenth of the rows each, and of at most 1,000, in the order in which they come: rows
/// should come at random.
///
/// # Errors
/// Where the two differ in length of rows, or have fewer than two.
pub fn kernel_distance(a: Rows<'_>, b: Rows<'_>) -> Result<Estimate, Error> {
    a.like(b)?;
    a.at_least(2, "the kernel distance")?;
    b.at_least(2, "the kernel distance")?;
    let n = a.len().min(b.len());
    let size = (n / PARTS).clamp(2, SUBSET).min(n);
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
