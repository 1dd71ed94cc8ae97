//! Gaussian mixture models with full covariances, fitted by expectation-maximisation (Dempster, Laird and Rubin, 1977; as scikit-learn's
//! `GaussianMixture`), to model the density of latents, draw new ones, and choose the number of components by BIC.

use latents_progress::{Interrupted, Monitor};
use latents_random::{Purpose, Stream, stream};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::error::Error;
use crate::kmeans::kmeans;
use crate::lanes::{dispatch, ordered_sum};
use crate::linear::{cholesky, mean, scatter, whitening};
use crate::rows::Rows;

/// Added to each variance, so that no component collapses onto one row (scikit-learn's `reg_covar`).
const REGULARISATION: f64 = 1e-6;
/// Maximum number of iterations, and change of the mean log-likelihood below which the fit has converged (both scikit-learn's).
const MAX_ITERATIONS: usize = 100;
const TOLERANCE: f64 = 1e-3;
/// Rows per unit of parallel work; sums are added up in this order.
const CHUNK: usize = 256;

/// A Gaussian mixture model with full covariances.
///
/// ```
/// use latents_explore::{GaussianMixture, Rows, samplers};
/// use latents_progress::Monitor;
///
/// let latents = samplers::normal(300, 2, 1); // [300, 2]
/// let rows = Rows::new(&latents, 2)?;
/// let one = GaussianMixture::fit(rows, 1, 1, &Monitor::default())?;
/// let five = GaussianMixture::fit(rows, 5, 1, &Monitor::default())?;
/// assert!(one.bic(rows)? < five.bic(rows)?); // one Gaussian is enough for these rows
/// assert_eq!(one.sample(10, 1).len(), 10 * 2);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    dim: usize,
    /// Weight of each component `[k]`; they sum to 1.
    weights: Vec<f64>,
    components: Vec<Component>,
}

#[derive(Clone, Debug)]
struct Component {
    /// `[d]`
    mean: Vec<f64>,
    /// `[d, d]`
    covariance: Vec<f64>,
    /// Lower Cholesky factor of the covariance `[d, d]`.
    factor: Vec<f64>,
    /// Transposed inverse of the factor `[d, d]`.
    whitening: Vec<f64>,
    /// Half the logarithm of the covariance's determinant.
    half_log_det: f64,
}

impl Component {
    fn new(mean: Vec<f64>, covariance: Vec<f64>) -> Result<Self, Error> {
        let d = mean.len();
        let factor = cholesky(&covariance, d).ok_or_else(|| {
            let why = "a covariance of the Gaussian mixture is not positive definite";
            Error::Invalid(format!("{why}: use fewer components or more rows"))
        })?;
        let whitening = whitening(&factor, d);
        let half_log_det = (0..d).map(|i| libm::log(factor[i * d + i])).sum();
        Ok(Component { mean, covariance, factor, whitening, half_log_det })
    }

    /// Logarithm of the density at `row`; `white` `[d]` is scratch space.
    #[inline(always)]
    fn log_density(&self, row: &[f32], white: &mut [f64]) -> f64 {
        let d = self.mean.len();
        white.fill(0.0);
        for (i, (&v, m)) in row.iter().zip(&self.mean).enumerate() {
            let upper = &self.whitening[i * d + i..(i + 1) * d];
            crate::linear::axpy(f64::from(v) - m, upper, &mut white[i..]);
        }
        let square: f64 = white.iter().map(|w| w * w).sum();
        -0.5 * (d as f64 * libm::log(std::f64::consts::TAU) + square) - self.half_log_det
    }
}

impl GaussianMixture {
    /// How many Gaussians `n` rows of `dim` numbers determine, from 1 to 10: fewer rows do not determine so many full covariances.
    #[must_use]
    pub fn determined(n: usize, dim: usize) -> usize {
        (n / (4 * dim)).clamp(1, 10)
    }

    /// Fits `k` components to rows `[n, d]`, starting from the k-means clusters of `seed`.
    ///
    /// # Errors
    /// If there are fewer than 2 or fewer than `k` rows, `k` is 0, a covariance is not positive definite, or `monitor` is cancelled.
    pub fn fit(rows: Rows<'_>, k: usize, seed: u64, monitor: &Monitor) -> Result<Self, Error> {
        rows.at_least(2, "a Gaussian mixture")?;
        let start = kmeans(rows, k, seed, monitor)?;
        let mut responsibilities = vec![0.0; rows.len() * k];
        for (i, &c) in start.labels.iter().enumerate() {
            responsibilities[i * k + c as usize] = 1.0;
        }
        Self::refine(rows, k, responsibilities, monitor)
    }

    /// Fits from initial responsibilities `[n, k]`, whose rows sum to 1.
    fn refine(
        rows: Rows<'_>,
        k: usize,
        mut responsibilities: Vec<f64>,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let mut mixture = Self::maximise(rows, k, &responsibilities, monitor)?;
        let mut before = f64::NEG_INFINITY;
        for _ in 0..MAX_ITERATIONS {
            let likelihood = mixture.expect(rows, &mut responsibilities, monitor)?;
            mixture = Self::maximise(rows, k, &responsibilities, monitor)?;
            if (likelihood - before).abs() < TOLERANCE {
                break;
            }
            before = likelihood;
        }
        Ok(mixture)
    }

    /// M step: the mixture that maximises the likelihood for given responsibilities `[n, k]`.
    fn maximise(
        rows: Rows<'_>,
        k: usize,
        responsibilities: &[f64],
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let (n, d) = (rows.len(), rows.dim());
        let fitted: Result<Vec<(f64, Component)>, Error> = (0..k)
            .map(|c| {
                // Most rows belong to one component: responsibilities below rounding error are skipped.
                let kept = |&r: &f64| if r < f64::EPSILON { 0.0 } else { r };
                let weights: Vec<f64> =
                    responsibilities.iter().skip(c).step_by(k).map(kept).collect();
                let total = weights.iter().sum::<f64>() + 10.0 * f64::EPSILON;
                let mean = mean(rows, Some(&weights));
                let mean: Vec<f64> = if total > 1e-9 { mean } else { vec![0.0; d] };
                let mut covariance = scatter(rows, &mean, Some(&weights), monitor)?;
                for v in &mut covariance {
                    *v /= total;
                }
                (0..d).for_each(|i| covariance[i * d + i] += REGULARISATION);
                Ok((total / n as f64, Component::new(mean, covariance)?))
            })
            .collect();
        let (weights, components): (Vec<f64>, Vec<Component>) = fitted?.into_iter().unzip();
        let total: f64 = weights.iter().sum();
        let weights = weights.iter().map(|w| w / total).collect();
        Ok(GaussianMixture { dim: d, weights, components })
    }

    /// E step: writes the responsibilities `[n, k]` and returns the mean log-likelihood.
    fn expect(
        &self,
        rows: Rows<'_>,
        responsibilities: &mut [f64],
        monitor: &Monitor,
    ) -> Result<f64, Interrupted> {
        let k = self.weights.len();
        let mut likelihoods = vec![0.0; rows.len()];
        let chunks = responsibilities.par_chunks_mut(CHUNK * k);
        likelihoods.par_chunks_mut(CHUNK).zip(chunks).enumerate().try_for_each(
            |(i, (likelihoods, out))| {
                monitor.check()?;
                let first = i * CHUNK;
                let rows = rows.slice(first..first + likelihoods.len());
                dispatch(Joint { mixture: self, rows, out });
                for (likelihood, out) in likelihoods.iter_mut().zip(out.chunks_exact_mut(k)) {
                    *likelihood = log_sum_exp(out);
                    for r in out.iter_mut() {
                        *r = libm::exp(*r - *likelihood);
                    }
                }
                Ok(())
            },
        )?;
        Ok(likelihoods.iter().sum::<f64>() / rows.len() as f64)
    }

    /// Weight of each component `[k]`.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Mean of component `c` `[d]`.
    ///
    /// # Panics
    /// If `c` is out of range.
    #[must_use]
    pub fn mean(&self, c: usize) -> &[f64] {
        &self.components[c].mean
    }

    /// Covariance of component `c` `[d, d]`.
    ///
    /// # Panics
    /// If `c` is out of range.
    #[must_use]
    pub fn covariance(&self, c: usize) -> &[f64] {
        &self.components[c].covariance
    }

    /// Mean log-likelihood of rows `[n, d]`, in nats per row.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn score(&self, rows: Rows<'_>) -> Result<f64, Error> {
        if rows.dim() != self.dim {
            let (expected, got) = (self.dim, rows.dim());
            return Err(Error::Size { what: "each row", expected, got });
        }
        let k = self.weights.len();
        let sum = ordered_sum(rows.values(), CHUNK * self.dim, |start, part| {
            let [first, n] = [start, part.len()].map(|i| i / self.dim);
            let (rows, mut out) = (rows.slice(first..first + n), vec![0.0; n * k]);
            dispatch(Joint { mixture: self, rows, out: &mut out });
            out.chunks_exact(k).map(log_sum_exp).sum()
        });
        Ok(sum / rows.len() as f64)
    }

    /// Bayesian information criterion on rows `[n, d]` (Schwarz, 1978); lower is better.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn bic(&self, rows: Rows<'_>) -> Result<f64, Error> {
        let (n, d, k) = (rows.len() as f64, self.dim as f64, self.weights.len() as f64);
        let parameters = k * (d + d * (d + 1.0) / 2.0) + k - 1.0;
        Ok(-2.0 * self.score(rows)? * n + parameters * libm::log(n))
    }

    /// `n` draws `[n, d]`. Each depends only on the mixture, the seed and its own index.
    #[must_use]
    pub fn sample(&self, n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0f32; n * self.dim];
        out.par_chunks_mut(self.dim).enumerate().for_each(|(i, out)| {
            let mut draws = stream(seed, Purpose::Sample, i as u64, 0);
            let component = &self.components[self.pick(&mut draws)];
            let unit: Vec<f64> = (0..self.dim).map(|_| draws.normal()).collect();
            for (j, out) in out.iter_mut().enumerate() {
                let row = &component.factor[j * self.dim..=j * self.dim + j];
                let step: f64 = row.iter().zip(&unit).map(|(l, u)| l * u).sum();
                *out = (component.mean[j] + step) as f32;
            }
        });
        out
    }

    /// Draws a component by its weight.
    fn pick(&self, draws: &mut Stream) -> usize {
        let mut rest = draws.uniform();
        let found = self.weights.iter().position(|w| {
            rest -= w;
            rest < 0.0
        });
        found.unwrap_or(self.weights.len() - 1)
    }
}

/// Writes the logarithm of the weighted density of each component at each row `[n, k]`.
struct Joint<'a> {
    mixture: &'a GaussianMixture,
    rows: Rows<'a>,
    out: &'a mut [f64],
}

impl WithSimd for Joint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Joint { mixture: GaussianMixture { dim, weights, components }, rows, out } = self;
        let (mut white, k) = (vec![0.0; *dim], weights.len());
        // The rows are in the inner loop, so that a component's matrix stays in the cache.
        for (c, (component, w)) in components.iter().zip(weights).enumerate() {
            let weight = libm::log(*w);
            for (row, out) in rows.iter().zip(out.chunks_exact_mut(k)) {
                out[c] = component.log_density(row, &mut white) + weight;
            }
        }
    }
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + libm::log(values.iter().map(|v| libm::exp(v - top)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(rows: Rows<'_>, k: usize, seed: u64) -> GaussianMixture {
        GaussianMixture::fit(rows, k, seed, &Monitor::default()).unwrap()
    }

    /// Two Gaussians of 600 and 300 rows.
    fn rows() -> Vec<f32> {
        let mut s = stream(8, Purpose::Synthetic, 0, 0);
        (0..900)
            .flat_map(|i| {
                let (a, b) = (s.normal(), s.normal());
                if i % 3 > 0 { [a, 0.5 * a + 0.2 * b] } else { [6.0 + 0.3 * a, b - 4.0] }
            })
            .map(|v| v as f32)
            .collect()
    }

    #[test]
    fn components_are_recovered_and_sampled() {
        let x = rows();
        let rows = Rows::new(&x, 2).unwrap();
        let mixture = fit(rows, 2, 3);
        let big = usize::from(mixture.weights()[1] > mixture.weights()[0]);
        assert!((mixture.weights()[big] - 2.0 / 3.0).abs() < 0.01);
        assert!((mixture.covariance(big)[1] - 0.5).abs() < 0.1, "{:?}", mixture.covariance(big));
        assert!((mixture.mean(1 - big)[0] - 6.0).abs() < 0.1);
        let drawn = mixture.sample(4000, 1);
        let again = fit(Rows::new(&drawn, 2).unwrap(), 2, 5);
        let other = usize::from(again.weights()[1] > again.weights()[0]);
        assert!((again.covariance(other)[1] - mixture.covariance(big)[1]).abs() < 0.08);
        assert_eq!(
            drawn[..20],
            mixture.sample(10, 1)[..],
            "each draw depends on its own index only"
        );
        let bic: Vec<f64> = (1..5).map(|k| fit(rows, k, 3).bic(rows).unwrap()).collect();
        assert!(bic[1] < bic[0] && bic[1] < bic[2] && bic[1] < bic[3], "{bic:?}");
    }

    #[test]
    fn equal_rows_are_fitted() {
        let x = [1.5; 12];
        let mixture = fit(Rows::new(&x, 2).unwrap(), 2, 1);
        assert!(mixture.sample(5, 1).iter().all(|v| (v - 1.5).abs() < 0.02));
    }
}
