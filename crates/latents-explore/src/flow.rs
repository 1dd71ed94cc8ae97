//! Normalising flows: densities of latents that are as flexible as a network, with exact likelihoods and draws. A flow is a chain of
//! invertible steps from latents to N(0, I): a whitening, then affine couplings (Real NVP: Dinh, Sohl-Dickstein and Bengio, 2017). Fitted to
//! the latents of a trained model, it is the second stage of a two-stage autoencoder (Dai and Wipf, 2019).

mod coupling;

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use latents_engine::{Group, Optimizer, Rule, Runtime};
use latents_progress::Monitor;
use latents_random::{Purpose, stream};
use serde::Serialize;

use self::coupling::Couplings;
use crate::error::Error;
use crate::linear::{mean, scatter};
use crate::mixture::Component;
use crate::multiply::multiply;
use crate::products::Factor;
use crate::rows::Rows;
use crate::samplers::{self, Temperature};

/// Rows that pass through the couplings at once, outside of training.
const BLOCK: usize = 4096;
/// One row in so many is not fitted, but tells which parameters are best.
const HELD_OUT: usize = 10;
/// How often the rows that are held out are measured, at most; and how often without an improvement before a fit ends.
const CHECKS: u64 = 60;
const PATIENCE: u64 = 8;
/// Added to each variance, as in a mixture.
const REGULARISATION: f64 = 1e-6;

/// Settings of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowConfig {
    /// Number of couplings.
    pub couplings: usize,
    /// Width of the two hidden layers of a coupling's network.
    pub hidden: usize,
    /// Number of optimiser steps, at most: a fit ends when the rows that are held out become no more likely.
    pub steps: u64,
    /// Rows of a step.
    pub batch: usize,
    /// Initial learning rate of Adam, which falls to 0 along a cosine.
    pub learning_rate: f64,
    /// Seed of the initial parameters, the order of rows, and the choice of those that are held out.
    pub seed: u64,
}

impl Default for FlowConfig {
    fn default() -> Self {
        FlowConfig {
            couplings: 8,
            hidden: 64,
            steps: 3000,
            batch: 256,
            learning_rate: 4e-3,
            seed: 0,
        }
    }
}

/// How a fit ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FlowFit {
    /// Mean log-density of the rows that were held out, in nats.
    pub likelihood: f64,
    /// The same of one Gaussian, which a flow starts from.
    pub gaussian: f64,
    /// The number of steps after which the parameters were best, which are kept.
    pub step: u64,
}

/// A density of rows.
///
/// ```
/// use std::sync::Arc;
/// use latents_engine::Runtime;
/// use latents_explore::samplers::{self, Temperature};
/// use latents_explore::{Flow, FlowConfig, Rows};
/// use latents_progress::Monitor;
///
/// // Points [500, 2] near a parabola.
/// let mut points = samplers::normal(500, 2, 1);
/// points.chunks_exact_mut(2).for_each(|p| p[1] = 0.1 * p[1] + p[0] * p[0]);
/// let rows = Rows::new(&points, 2)?;
/// let config = FlowConfig { steps: 300, ..FlowConfig::default() };
/// let runtime = Arc::new(Runtime::new(Some(1), None)?);
/// let (mut flow, fit) = Flow::fit(rows, &config, &runtime, &Monitor::default())?;
/// assert!(fit.likelihood > fit.gaussian + 0.3);
/// assert_eq!(flow.sample(10, Temperature::default(), 1)?.len(), 10 * 2);
/// assert_eq!(flow.log_densities(rows, &Monitor::default())?.len(), 500);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Debug)]
pub struct Flow {
    gaussian: Component,
    couplings: Couplings<f32>,
}

impl Flow {
    /// The least number of rows that a flow of `dim` numbers is fitted to: fewer do not determine their covariance.
    #[must_use]
    pub fn least_rows(dim: usize) -> usize {
        (4 * dim).max(50)
    }

    /// Fits a flow to rows `[n, d]` by maximum likelihood. A tenth of them is held out, and the parameters under which these are most likely are
    /// kept; so of few rows a flow becomes a Gaussian, not a memory of them. Reports its steps as the task `flow`.
    ///
    /// # Errors
    /// If the rows have one column or are fewer than [`Flow::least_rows`], a setting is 0 or not finite, or `monitor` is cancelled.
    pub fn fit(
        rows: Rows<'_>,
        config: &FlowConfig,
        runtime: &Arc<Runtime>,
        monitor: &Monitor,
    ) -> Result<(Self, FlowFit), Error> {
        let (n, d) = (rows.len(), rows.dim());
        if d < 2 {
            return Err(Error::Invalid("a flow needs rows of at least 2 numbers".into()));
        }
        rows.at_least(Self::least_rows(d), "a flow")?;
        for (what, got) in [
            ("couplings", config.couplings as f64),
            ("hidden", config.hidden as f64),
            ("batch", config.batch as f64),
            ("learning_rate", config.learning_rate),
        ] {
            if !(got > 0.0 && got.is_finite()) {
                return Err(Error::Range { what, range: "more than 0", got });
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        stream(config.seed, Purpose::Split, 0, 2).shuffle(&mut order);
        let (held, fitted) = order.split_at(n / HELD_OUT);
        let of = |places: &[usize]| -> Vec<f32> {
            places.iter().flat_map(|&i| rows.row(i)).copied().collect()
        };
        let (held, fitted) = (of(held), of(fitted));
        let (held, fitted) = (Rows::new(&held, d)?, Rows::new(&fitted, d)?);
        let couplings = Couplings::new(d, config, runtime)?;
        let mut flow = Self::gaussian(fitted, couplings, monitor)?;
        let fit = flow.train(fitted, held, config, monitor)?;
        Ok((flow, fit))
    }

    /// The Gaussian of the rows, as a flow whose couplings change nothing yet.
    fn gaussian(
        rows: Rows<'_>,
        couplings: Couplings<f32>,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let d = rows.dim();
        let mean = mean(rows, None);
        let mut covariance = scatter(rows, &mean, None, monitor)?;
        for v in &mut covariance {
            *v /= rows.len() as f64;
        }
        (0..d).for_each(|i| covariance[i * d + i] += REGULARISATION);
        Ok(Flow { gaussian: Component::new(mean, covariance)?, couplings })
    }

    fn train(
        &mut self,
        fitted: Rows<'_>,
        held: Rows<'_>,
        config: &FlowConfig,
        monitor: &Monitor,
    ) -> Result<FlowFit, Error> {
        let d = fitted.dim();
        let (fitted, held) = (self.white(fitted), self.white(held));
        let n = fitted.len() / d;
        let batch = config.batch.min(n);
        let per_epoch = (n / batch) as u64;
        let until_check = per_epoch.max(config.steps / CHECKS).max(1);
        let gaussian = self.mean_log_density(&held, monitor)?;
        let mut fit = FlowFit { likelihood: gaussian, gaussian, step: 0 };
        let mut best = self.couplings.parameters.clone();
        let count = best.len();
        let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 };
        let group = Group { parameters: 0..count, rule, learning_rate: config.learning_rate };
        let mut optimizer = Optimizer::new(vec![group], count)?;
        let (mut gradients, mut x) = (vec![0.0; count], vec![0.0; batch * d]);
        let mut order: Vec<u32> = (0..n as u32).collect();
        let task = monitor.task("flow");
        for step in 0..config.steps {
            monitor.check()?;
            let (epoch, place) = (step / per_epoch, (step % per_epoch) as usize);
            if place == 0 {
                stream(config.seed, Purpose::Shuffle, epoch, 2).shuffle(&mut order);
            }
            for (x, &i) in x.chunks_exact_mut(d).zip(&order[place * batch..]) {
                x.copy_from_slice(&fitted[i as usize * d..][..d]);
            }
            self.couplings.gradients(&mut x, &mut gradients)?;
            let factor = 0.5 * (1.0 + libm::cos(PI * step as f64 / config.steps as f64));
            let runtime = Arc::clone(self.couplings.runtime());
            optimizer.step(&runtime, &mut self.couplings.parameters, &gradients, factor);
            let done = step + 1;
            if done % until_check == 0 || done == config.steps {
                let likelihood = self.mean_log_density(&held, monitor)?;
                if likelihood > fit.likelihood {
                    (fit.likelihood, fit.step) = (likelihood, done);
                    best.copy_from_slice(&self.couplings.parameters);
                }
                if done - fit.step >= PATIENCE * until_check {
                    break;
                }
            }
            task.progress(done, config.steps, "");
        }
        // The task is complete, even if the fit ended early.
        task.progress(config.steps, config.steps, "");
        self.couplings.parameters = best;
        Ok(fit)
    }

    /// Whitened rows `[n, d]`.
    fn white(&self, rows: Rows<'_>) -> Vec<f32> {
        let matrix = Factor::new(&self.gaussian.whitening, rows.dim()).upper();
        multiply(
            rows,
            matrix,
            |i, v| f64::from(v) - self.gaussian.mean[i],
            |_| 0.0,
            |_, sum| sum as f32,
        )
    }

    /// Logarithm of the density at each of some whitened rows `[n, d]`, in blocks.
    fn of_white(&mut self, white: &[f32], monitor: &Monitor) -> Result<Vec<f64>, Error> {
        let d = self.gaussian.mean.len();
        let log_constant = self.gaussian.half_log_det + 0.5 * d as f64 * libm::log(TAU);
        let mut out = vec![];
        for block in white.chunks(BLOCK * d) {
            monitor.check()?;
            let mut x = block.to_vec();
            let log_determinants = self.couplings.forward(&mut x)?;
            out.extend(x.chunks_exact(d).zip(log_determinants).map(|(x, log_determinant)| {
                let square: f64 = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
                log_determinant - 0.5 * square - log_constant
            }));
        }
        Ok(out)
    }

    fn mean_log_density(&mut self, white: &[f32], monitor: &Monitor) -> Result<f64, Error> {
        let logs = self.of_white(white, monitor)?;
        Ok(logs.iter().sum::<f64>() / logs.len() as f64)
    }

    /// Logarithm of the density at each row `[n]`, in nats.
    ///
    /// # Errors
    /// If the rows have another number of columns, or `monitor` is cancelled.
    pub fn log_densities(&mut self, rows: Rows<'_>, monitor: &Monitor) -> Result<Vec<f64>, Error> {
        let (expected, got) = (self.gaussian.mean.len(), rows.dim());
        if got != expected {
            return Err(Error::Size { what: "each row", expected, got });
        }
        self.of_white(&self.white(rows), monitor)
    }

    /// `n` draws `[n, d]`, of N(0, I) at a temperature. Each depends only on the flow, the temperature, the seed and its own index.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn sample(
        &mut self,
        n: usize,
        temperature: Temperature,
        seed: u64,
    ) -> Result<Vec<f32>, Error> {
        let d = self.gaussian.mean.len();
        let mut draws = temperature.scaled(samplers::normal(n, d, seed));
        for block in draws.chunks_mut(BLOCK * d) {
            self.couplings.inverse(block)?;
        }
        let matrix = Factor::new(&self.gaussian.factor, d).transposed();
        let rows = Rows::new(&draws, d)?;
        Ok(multiply(rows, matrix, |_, v| v.into(), |j| self.gaussian.mean[j], |_, sum| sum as f32))
    }
}

#[cfg(test)]
mod tests;
