//! Distances between two distributions of feature vectors, such as those of real images and of samples. The Fréchet distance is computed
//! as the FID is, but on other features, so values are comparable only if the features are the same.

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use crate::error::Error;
use crate::linear::{eigen, mean, scatter};
use crate::metrics::statistics::Estimate;
use crate::neighbours::{Metric, NeighbourIndex};
use crate::panels::TILE;
use crate::products::{Factor, product, square};
use crate::rows::Rows;

/// Fréchet distance, squared as in the FID, of the Gaussians with the means and covariances of `a` `[n, d]` and `b` `[m, d]` (Dowson and
/// Landau, 1982; Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017).
///
/// ```
/// use latents_explore::metrics::distributions::frechet_distance;
/// use latents_explore::{Rows, samplers};
/// use latents_progress::Monitor;
///
/// let a = samplers::normal(500, 2, 1);
/// let b: Vec<f32> = a.iter().map(|v| v + 3.0).collect(); // shifted by (3, 3)
/// let (a, b) = (Rows::new(&a, 2)?, Rows::new(&b, 2)?);
/// let distance = frechet_distance(a, b, &Monitor::default())?;
/// assert!((distance - 18.0).abs() < 1e-3);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If the two arrays have different numbers of columns or fewer than 2 rows, or `monitor` is cancelled.
pub fn frechet_distance(a: Rows<'_>, b: Rows<'_>, monitor: &Monitor) -> Result<f64, Error> {
    a.like(b)?;
    a.at_least(2, "the Fréchet distance")?;
    b.at_least(2, "the Fréchet distance")?;
    let moments = |rows| Moments::of(rows, &mean(rows, None), None, monitor);
    Ok(moments(a)?.frechet(&moments(b)?, monitor)?)
}

/// Parts of the rows that the jackknife leaves out in turn.
const PARTS: usize = 10;

/// [`frechet_distance`] with its jackknife standard error (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 11).
/// Leaves out every tenth row of both arrays in turn, so rows should be in random order. A bootstrap would draw some rows twice, which
/// increases the distance.
///
/// # Errors
/// As for [`frechet_distance`], and if there are fewer than 20 rows.
pub fn frechet_estimate(a: Rows<'_>, b: Rows<'_>, monitor: &Monitor) -> Result<Estimate, Error> {
    a.at_least(2 * PARTS, "the standard error of a Fréchet distance")?;
    b.at_least(2 * PARTS, "the standard error of a Fréchet distance")?;
    let value = frechet_distance(a, b, monitor)?;
    let parts = |rows: Rows<'_>| -> Result<Vec<Moments>, Interrupted> {
        let centre = mean(rows, None);
        let part = |p: usize| {
            let inside = |i: usize| if i % PARTS == p { 1.0 } else { 0.0 };
            let weights: Vec<f64> = (0..rows.len()).map(inside).collect();
            Moments::of(rows, &centre, Some(&weights), monitor)
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
    let (a, b) = (parts(a)?, parts(b)?);
    let left: Result<Vec<f64>, Interrupted> =
        (0..PARTS).map(|p| without(&a, p).frechet(&without(&b, p), monitor)).collect();
    // The jackknife standard error is the standard error of these values times (parts - 1).
    let error = Estimate::of(&left?).error * (PARTS - 1) as f64;
    Ok(Estimate { value, error })
}

/// Sums over rows from which mean and covariance follow; those of two sets of rows can be added.
#[derive(Clone)]
struct Moments {
    number: f64,
    /// Subtracted from the rows before they are summed `[d]`.
    centre: Vec<f64>,
    /// Sum of the centred rows `[d]`.
    sums: Vec<f64>,
    /// Sum of the outer products of the centred rows `[d, d]`.
    squares: Vec<f64>,
}

impl Moments {
    /// Sums over the rows whose weight is 1 (others have weight 0); over all if no weights are given.
    fn of(
        rows: Rows<'_>,
        centre: &[f64],
        weights: Option<&[f64]>,
        monitor: &Monitor,
    ) -> Result<Self, Interrupted> {
        let number = weights.map_or(rows.len() as f64, |w| w.iter().sum());
        let sums = mean(rows, weights).iter().zip(centre).map(|(m, c)| number * (m - c)).collect();
        let squares = scatter(rows, centre, weights, monitor)?;
        Ok(Moments { number, centre: centre.to_vec(), sums, squares })
    }

    /// Adds the sums of other rows about the same centre.
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

    /// Squared Fréchet distance of the two Gaussians.
    fn frechet(&self, other: &Self, monitor: &Monitor) -> Result<f64, Interrupted> {
        let d = self.sums.len();
        let (ca, cb) = (self.covariance(), other.covariance());
        let pairs = self.mean().into_iter().zip(other.mean());
        let between: f64 = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
        let trace = |c: &[f64]| (0..d).map(|i| c[i * d + i]).sum::<f64>();
        // trace((ca cb)^1/2) = trace((ca^1/2 cb ca^1/2)^1/2), of which the latter is symmetric.
        let e = eigen(&ca, d, monitor)?;
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
        let values = eigen(&symmetric, d, monitor)?.values;
        let shared: f64 = values.iter().map(|v| v.max(0.0).sqrt()).sum();
        Ok((between + trace(&ca) + trace(&cb) - 2.0 * shared).max(0.0))
    }
}

/// Product of two square matrices.
fn multiply(a: &[f64], b: &[f64], d: usize) -> Vec<f64> {
    let mut out = vec![0.0; d * d];
    out.par_chunks_mut(d).zip(a.par_chunks(d)).for_each(|(out, a)| {
        for (a, b) in a.iter().zip(b.chunks_exact(d)) {
            crate::linear::axpy(*a, b, out);
        }
    });
    out
}

/// Maximum number of rows in a subset of the kernel distance.
const SUBSET: usize = 1000;

/// Kernel distance: the unbiased squared maximum mean discrepancy with the kernel `(x . y / d + 1)^3` (Bińkowski et al., "Demystifying MMD
/// GANs", 2018), as the mean and standard error over disjoint subsets. Each subset has a tenth of the rows and at most 1,000, in their
/// order, so rows should be in random order.
///
/// # Errors
/// If the two arrays have different numbers of columns or fewer than 2 rows, or `monitor` is cancelled.
pub fn kernel_distance(a: Rows<'_>, b: Rows<'_>, monitor: &Monitor) -> Result<Estimate, Error> {
    a.like(b)?;
    a.at_least(2, "the kernel distance")?;
    b.at_least(2, "the kernel distance")?;
    let n = a.len().min(b.len());
    let size = (n / PARTS).clamp(2, SUBSET).min(n);
    let values: Result<Vec<f64>, Interrupted> = (0..n / size)
        .map(|i| {
            monitor.check()?;
            let part = i * size..(i + 1) * size;
            discrepancy(a.slice(part.clone()), b.slice(part), monitor)
        })
        .collect();
    Ok(Estimate::of(&values?))
}

/// Unbiased squared maximum mean discrepancy of two arrays with the same number of rows.
fn discrepancy(a: Rows<'_>, b: Rows<'_>, monitor: &Monitor) -> Result<f64, Interrupted> {
    let (n, d) = (a.len() as f64, a.dim());
    let off = 1.0 / (n * (n - 1.0));
    let [a, b] =
        [a, b].map(|rows| -> Vec<f64> { rows.values().iter().map(|&v| v.into()).collect() });
    let [a, b] = [&a, &b].map(|values| Factor::new(values, d).transposed());
    let within =
        kernel_sum(&square(a, monitor)?, d, true) + kernel_sum(&square(b, monitor)?, d, true);
    Ok(within * off - 2.0 * kernel_sum(&product(a, b, monitor)?, d, false) / (n * n))
}

/// Sum of the kernel over all pairs of rows of `d` numbers, whose products are `[n, n]`; if `others`, without pairs `(i, i)`.
fn kernel_sum(products: &[f64], d: usize, others: bool) -> f64 {
    let n = products.len().isqrt();
    let row = |(i, products): (usize, &[f64])| -> f64 {
        let kernel = |(_, product): (usize, &f64)| {
            let base = product / d as f64 + 1.0;
            base * base * base
        };
        products.iter().enumerate().filter(|&(j, _)| !(others && i == j)).map(kernel).sum()
    };
    let rows: Vec<f64> = products.par_chunks(n).enumerate().map(row).collect();
    rows.iter().sum()
}

/// Improved precision and recall of samples.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PrecisionRecall {
    /// Fraction of the samples that lie on the manifold of the real images: fidelity.
    pub precision: f64,
    /// Fraction of the real images that lie on the manifold of the samples: diversity.
    pub recall: f64,
}

/// Precision and recall of `samples` `[m, d]` with respect to `real` `[n, d]`. The manifold of rows is the union of the balls around them
/// that reach to their `k`-th nearest other row (Kynkäänniemi et al., "Improved precision and recall metric for assessing generative
/// models", 2019, with `k` = 3). Values are comparable only for the same numbers of rows.
///
/// # Errors
/// If the two arrays have different numbers of columns or at most `k` rows, or `monitor` is cancelled.
pub fn precision_recall(
    real: Rows<'_>,
    samples: Rows<'_>,
    k: usize,
    monitor: &Monitor,
) -> Result<PrecisionRecall, Error> {
    real.like(samples)?;
    let precision = within(samples, real, k, monitor)?;
    Ok(PrecisionRecall { precision, recall: within(real, samples, k, monitor)? })
}

/// Fraction of `points` on the manifold of `rows`.
fn within(points: Rows<'_>, rows: Rows<'_>, k: usize, monitor: &Monitor) -> Result<f64, Error> {
    rows.at_least(k + 1, "a search for neighbours")?;
    let index = NeighbourIndex::new(rows, Metric::Euclidean)?;
    let own: Vec<usize> = (0..rows.len()).collect();
    let near = index.search(rows, k, Some(&own), monitor)?;
    let radius: Vec<f32> = (0..rows.len()).map(|j| near.squared_of(j)[k - 1]).collect();
    // Most points are in the ball of one of their nearest rows; only the others are compared with all rows.
    let some = 8.min(rows.len());
    let first = index.search(points, some, None, monitor)?;
    let far = |i: usize| {
        let mut nearest = first.of(i).iter().zip(first.squared_of(i));
        !nearest.any(|(&j, &s)| s <= radius[j as usize])
    };
    let largest = radius.iter().copied().fold(0.0, f32::max);
    let far: Vec<(&[f32], f32)> =
        (0..points.len()).filter(|&i| far(i)).map(|i| (points.row(i), largest)).collect();
    let outside = |tile: &[(&[f32], f32)]| -> Result<usize, Interrupted> {
        monitor.check()?;
        let mut inside = [false; TILE];
        index.compare(tile, |t, first, squared| {
            let mut balls = squared.iter().zip(&radius[first..]);
            inside[t] |= balls.any(|(s, r)| s <= r);
        });
        Ok(inside[..tile.len()].iter().filter(|inside| !**inside).count())
    };
    let outside = far.par_chunks(TILE).map(outside).sum::<Result<usize, Interrupted>>()?;
    Ok((points.len() - outside) as f64 / points.len() as f64)
}
