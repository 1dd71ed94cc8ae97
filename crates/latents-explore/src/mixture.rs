//! Gaussian mixture models with full covariances, fitted by expectation-maximisation (Dempster, Laird and Rubin, 1977; as scikit-learn's
//! `GaussianMixture`), to model the density of latents, draw new ones, and choose the number of components by BIC.

mod component;

use latents_progress::{Interrupted, Monitor};
use latents_random::{Purpose, Stream, stream};
use rayon::prelude::*;

pub(crate) use self::component::Component;
use self::component::Joint;
use crate::error::Error;
use crate::kmeans::{KmeansConfig, kmeans_with};
use crate::lanes::{dispatch, ordered_sum};
use crate::linear::{mean, scatter};
use crate::rows::Rows;
use crate::samplers::Temperature;

/// Rows per unit of parallel work; sums are added up in this order.
const CHUNK: usize = 256;

/// Settings of a fit. The defaults are scikit-learn's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixtureConfig {
    /// Number of components, `k`.
    pub components: usize,
    /// Seed of the clusters that the fit starts from.
    pub seed: u64,
    /// Change of the mean log-likelihood below which the fit has converged (`tol`).
    pub tolerance: f64,
    /// Added to each variance, so that no component collapses onto one row (`reg_covar`).
    pub regularisation: f64,
    /// Maximum number of iterations (`max_iter`).
    pub iterations: usize,
    /// Number of fits, each from other clusters, of which the one with the highest likelihood is kept (`n_init`).
    pub starts: usize,
    /// Candidates for each initial centre of the clusters; see [`KmeansConfig::candidates`].
    pub candidates: usize,
}

impl Default for MixtureConfig {
    fn default() -> Self {
        MixtureConfig {
            components: 1,
            seed: 0,
            tolerance: 1e-3,
            regularisation: 1e-6,
            iterations: 100,
            starts: 1,
            candidates: 1,
        }
    }
}

/// How a fit ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MixtureFit {
    /// Mean log-likelihood of the rows in the last iteration.
    pub likelihood: f64,
    /// Number of iterations.
    pub iterations: usize,
    /// Whether the likelihood had stopped changing.
    pub converged: bool,
}

/// What a mixture says of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct MixturePosterior {
    /// Logarithm of the density at each row `[n]`.
    pub log_densities: Vec<f64>,
    /// Probability that each row comes from each component `[n, k]`.
    pub probabilities: Vec<f64>,
}

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

impl GaussianMixture {
    /// How many Gaussians `n` rows of `dim` numbers determine, from 1 to 10: fewer rows do not determine so many full covariances.
    #[must_use]
    pub fn determined(n: usize, dim: usize) -> usize {
        (n / (4 * dim)).clamp(1, 10)
    }

    /// Fits `k` components to rows `[n, d]`, starting from the k-means clusters of `seed`.
    ///
    /// # Errors
    /// As [`GaussianMixture::fit_with`].
    pub fn fit(rows: Rows<'_>, k: usize, seed: u64, monitor: &Monitor) -> Result<Self, Error> {
        let config = MixtureConfig { components: k, seed, ..MixtureConfig::default() };
        Ok(Self::fit_with(rows, &config, monitor)?.0)
    }

    /// Fits a mixture to rows `[n, d]`.
    ///
    /// # Errors
    /// If there are fewer rows than 2 or than components, a setting is out of range, a covariance is not positive definite, or `monitor` is cancelled.
    pub fn fit_with(
        rows: Rows<'_>,
        config: &MixtureConfig,
        monitor: &Monitor,
    ) -> Result<(Self, MixtureFit), Error> {
        rows.at_least(2, "a Gaussian mixture")?;
        let k = config.components;
        let mut best: Option<(Self, MixtureFit)> = None;
        for start in 0..config.starts.max(1) as u64 {
            let MixtureConfig { seed, candidates, .. } = *config;
            let clusters = KmeansConfig {
                clusters: k,
                seed,
                first: start,
                candidates,
                ..KmeansConfig::default()
            };
            let clusters = kmeans_with(rows, &clusters, monitor)?;
            let mut responsibilities = vec![0.0; rows.len() * k];
            for (i, &c) in clusters.labels.iter().enumerate() {
                responsibilities[i * k + c as usize] = 1.0;
            }
            let found = Self::refine(rows, config, responsibilities, monitor)?;
            if best.as_ref().is_none_or(|best| found.1.likelihood > best.1.likelihood) {
                best = Some(found);
            }
        }
        best.ok_or_else(|| Error::Invalid("no fit has a likelihood".into()))
    }

    /// Fits from initial responsibilities `[n, k]`, whose rows sum to 1.
    fn refine(
        rows: Rows<'_>,
        config: &MixtureConfig,
        mut responsibilities: Vec<f64>,
        monitor: &Monitor,
    ) -> Result<(Self, MixtureFit), Error> {
        let mut mixture = Self::maximise(rows, config, &responsibilities, monitor)?;
        let mut fit = MixtureFit { likelihood: f64::NEG_INFINITY, ..MixtureFit::default() };
        while !fit.converged && fit.iterations < config.iterations.max(1) {
            let likelihoods = mixture.expect(rows, &mut responsibilities, monitor)?;
            let likelihood = likelihoods.iter().sum::<f64>() / rows.len() as f64;
            mixture = Self::maximise(rows, config, &responsibilities, monitor)?;
            fit.converged = (likelihood - fit.likelihood).abs() < config.tolerance;
            fit.likelihood = likelihood;
            fit.iterations += 1;
        }
        Ok((mixture, fit))
    }

    /// The mixture of these weights `[k]`, means `[k, d]` and covariances `[k, d, d]`.
    ///
    /// # Errors
    /// If the sizes do not fit, or a covariance is not positive definite.
    pub fn from_parameters(
        weights: &[f64],
        means: &[f64],
        covariances: &[f64],
    ) -> Result<Self, Error> {
        let k = weights.len();
        let dim = means.len().checked_div(k).unwrap_or(0);
        let fits = dim > 0 && means.len() == k * dim && covariances.len() == k * dim * dim;
        if !fits {
            let why = "weights [k], means [k, d] and covariances [k, d, d] do not fit together";
            return Err(Error::Invalid(why.into()));
        }
        let each = means.chunks_exact(dim).zip(covariances.chunks_exact(dim * dim));
        let components: Result<Vec<_>, _> =
            each.map(|(mean, cov)| Component::new(mean.to_vec(), cov.to_vec())).collect();
        Ok(GaussianMixture { dim, weights: weights.to_vec(), components: components? })
    }

    /// The same components with other weights `[k]`, which add up to 1.
    ///
    /// # Panics
    /// If there are not as many as components.
    #[must_use]
    pub fn with_weights(mut self, weights: &[f64]) -> Self {
        assert_eq!(weights.len(), self.weights.len(), "a weight for each component");
        self.weights = weights.to_vec();
        self
    }

    /// The mixture at a temperature, which the standard deviations of its components are multiplied by.
    ///
    /// ```
    /// use latents_explore::{GaussianMixture, samplers::Temperature};
    ///
    /// let one = GaussianMixture::from_parameters(&[1.0], &[3.0], &[4.0])?;
    /// let near = one.tempered(Temperature::new(0.5)?);
    /// assert!((near.covariance(0)[0] - 1.0).abs() < 1e-12);
    /// # Ok::<(), latents_explore::Error>(())
    /// ```
    #[must_use]
    pub fn tempered(mut self, temperature: Temperature) -> Self {
        if !temperature.is_neutral() {
            self.components.iter_mut().for_each(|one| one.scale(temperature.value()));
        }
        self
    }

    /// M step: the mixture that maximises the likelihood for given responsibilities `[n, k]`.
    fn maximise(
        rows: Rows<'_>,
        config: &MixtureConfig,
        responsibilities: &[f64],
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let (n, d, k) = (rows.len(), rows.dim(), config.components);
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
                (0..d).for_each(|i| covariance[i * d + i] += config.regularisation);
                Ok((total / n as f64, Component::new(mean, covariance)?))
            })
            .collect();
        let (weights, components): (Vec<f64>, Vec<Component>) = fitted?.into_iter().unzip();
        let total: f64 = weights.iter().sum();
        let weights = weights.iter().map(|w| w / total).collect();
        Ok(GaussianMixture { dim: d, weights, components })
    }

    /// E step: writes the responsibilities `[n, k]` and returns the log-likelihood of each row `[n]`.
    fn expect(
        &self,
        rows: Rows<'_>,
        responsibilities: &mut [f64],
        monitor: &Monitor,
    ) -> Result<Vec<f64>, Interrupted> {
        let k = self.weights.len();
        let mut likelihoods = vec![0.0; rows.len()];
        let chunks = responsibilities.par_chunks_mut(CHUNK * k);
        likelihoods.par_chunks_mut(CHUNK).zip(chunks).enumerate().try_for_each(
            |(i, (likelihoods, out))| {
                monitor.check()?;
                let first = i * CHUNK;
                let rows = rows.slice(first..first + likelihoods.len());
                dispatch(self.joint(rows, out));
                for (likelihood, out) in likelihoods.iter_mut().zip(out.chunks_exact_mut(k)) {
                    *likelihood = log_sum_exp(out);
                    for r in out.iter_mut() {
                        *r = libm::exp(*r - *likelihood);
                    }
                }
                Ok(())
            },
        )?;
        Ok(likelihoods)
    }

    fn joint<'a>(&'a self, rows: Rows<'a>, out: &'a mut [f64]) -> Joint<'a> {
        Joint { components: &self.components, weights: &self.weights, rows, out }
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

    fn check(&self, rows: Rows<'_>) -> Result<(), Error> {
        if rows.dim() == self.dim {
            return Ok(());
        }
        let (expected, got) = (self.dim, rows.dim());
        Err(Error::Size { what: "each row", expected, got })
    }

    /// The density at each of some rows `[n, d]`, and the component that each may come from.
    ///
    /// # Errors
    /// If the rows have another number of columns, or `monitor` is cancelled.
    pub fn posterior(&self, rows: Rows<'_>, monitor: &Monitor) -> Result<MixturePosterior, Error> {
        self.check(rows)?;
        let mut probabilities = vec![0.0; rows.len() * self.weights.len()];
        let log_densities = self.expect(rows, &mut probabilities, monitor)?;
        Ok(MixturePosterior { log_densities, probabilities })
    }

    /// Mean log-likelihood of rows `[n, d]`, in nats per row.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn score(&self, rows: Rows<'_>) -> Result<f64, Error> {
        self.check(rows)?;
        let k = self.weights.len();
        let sum = ordered_sum(rows.values(), (CHUNK * self.dim, 1), |start, part| {
            let [first, n] = [start, part.len()].map(|i| i / self.dim);
            let (rows, mut out) = (rows.slice(first..first + n), vec![0.0; n * k]);
            dispatch(self.joint(rows, &mut out));
            out.chunks_exact(k).map(log_sum_exp).sum()
        });
        Ok(sum / rows.len() as f64)
    }

    /// Bayesian information criterion on rows `[n, d]` (Schwarz, 1978); lower is better.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn bic(&self, rows: Rows<'_>) -> Result<f64, Error> {
        let n = rows.len() as f64;
        Ok(-2.0 * self.score(rows)? * n + self.parameter_count() * libm::log(n))
    }

    /// Akaike's information criterion on rows `[n, d]` (Akaike, 1974); lower is better.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn aic(&self, rows: Rows<'_>) -> Result<f64, Error> {
        Ok(-2.0 * self.score(rows)? * rows.len() as f64 + 2.0 * self.parameter_count())
    }

    /// The number of free parameters.
    fn parameter_count(&self) -> f64 {
        let (d, k) = (self.dim as f64, self.weights.len() as f64);
        k * (d + d * (d + 1.0) / 2.0) + k - 1.0
    }

    /// `n` draws `[n, d]`. Each depends only on the mixture, the seed and its own index.
    #[must_use]
    pub fn sample(&self, n: usize, seed: u64) -> Vec<f32> {
        self.sample_labelled(n, seed).0
    }

    /// Draws as [`GaussianMixture::sample`] does, and the component that each draw comes from `[n]`.
    #[must_use]
    pub fn sample_labelled(&self, n: usize, seed: u64) -> (Vec<f32>, Vec<u32>) {
        let (mut out, mut labels) = (vec![0.0f32; n * self.dim], vec![0; n]);
        let draws = out.par_chunks_mut(self.dim).zip(&mut labels).enumerate();
        draws.for_each(|(i, (out, label))| {
            let mut draws = stream(seed, Purpose::Sample, i as u64, 0);
            let picked = self.pick(&mut draws);
            let component = &self.components[picked];
            *label = picked as u32;
            let unit: Vec<f64> = (0..self.dim).map(|_| draws.normal()).collect();
            for (j, out) in out.iter_mut().enumerate() {
                let row = &component.factor[j * self.dim..=j * self.dim + j];
                let step: f64 = row.iter().zip(&unit).map(|(l, u)| l * u).sum();
                *out = (component.mean[j] + step) as f32;
            }
        });
        (out, labels)
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

fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + libm::log(values.iter().map(|v| libm::exp(v - top)).sum())
}

#[cfg(test)]
mod tests;
