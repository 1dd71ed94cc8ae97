//! Parzen estimators: densities of parameter values, estimated from observations. [`Tpe`](crate::sampler::Tpe) chooses the observations and
//! compares the densities. Follows Optuna 5.0's `_ParzenEstimator` with its defaults.

use std::collections::BTreeMap;
use std::sync::Arc;

use latents_random::Stream;

use crate::distribution::Distribution;
use crate::sampler::truncnorm::{LN_SQRT_TAU, log_mass, quantile};

/// Number of the latest observations that have full weight. Earlier ones have less weight, the older the less.
const FULL_WEIGHT: usize = 25;

/// A term is below the rounding error of a sum if its logarithm is less than the largest one by more than this.
const NEGLIGIBLE: f64 = -50.0;

/// The density in a cell is nearly flat if half the cell's width times one plus its distance from the mean, both in standard deviations, is
/// at most this. A short series then gives its mass, with an error below 1e-12.
const NARROW: f64 = 0.1;

/// A mixture of kernels: one around each observation, and a wide one, the last, as the prior. A kernel is a product over the parameters, so
/// parameters that do well together are drawn together (S. Falkner et al., "BOHB", 2018).
#[derive(Clone, Debug)]
pub struct Parzen {
    weights: Vec<f64>,
    cumulative: Vec<f64>,
    log_weights: Vec<f64>,
    marginals: Vec<Marginal>,
}

/// The kernels along one parameter.
#[derive(Clone, Debug)]
pub enum Marginal {
    /// Kernels of a number.
    Numeric(Numeric),
    /// Kernels of a choice.
    Categorical(Categorical),
}

/// Normal distributions truncated at the bounds, on a linear or a logarithmic scale. Each value of a stepped number or an integer has the
/// mass within half a step of it.
#[derive(Clone, Debug)]
pub struct Numeric {
    log: bool,
    step: Option<f64>,
    /// The smallest and the largest value.
    range: [f64; 2],
    /// Where the normal distributions are truncated, on their scale.
    cut: [f64; 2],
    normals: Vec<Normal>,
    /// An order of the kernels in which equal ones are neighbours.
    order: Vec<u32>,
}

/// A kernel: a truncated normal distribution.
#[derive(Clone, Copy, Debug)]
struct Normal {
    mean: f64,
    deviation: f64,
    /// One over the deviation.
    precision: f64,
    /// Logarithm of the mass within the bounds.
    log_total: f64,
    /// Logarithm of the density at the mean.
    log_peak: f64,
}

/// The interval that a stepped value represents, on the scale of the kernels.
struct Cell {
    left: f64,
    right: f64,
    middle: f64,
    width: f64,
    log_width: f64,
}

/// Probabilities of the choices. Each kernel prefers the choice that was observed.
#[derive(Clone, Debug)]
pub struct Categorical {
    choices: usize,
    observed: Vec<usize>,
    preferred: f64,
    other: f64,
}

impl Parzen {
    /// Estimates the density over `space` from `observations` `[n, parameters]`, oldest first: internal numbers, in the order of the
    /// parameters' names.
    #[must_use]
    pub fn new(space: &BTreeMap<String, Arc<Distribution>>, observations: &[f64]) -> Self {
        let width = space.len().max(1);
        let n = observations.len() / width;
        let total = weights(n).sum::<f64>();
        let weights: Vec<f64> = weights(n).map(|w| w / total).collect();
        let cumulative = weights
            .iter()
            .scan(0.0, |sum, w| {
                *sum += w;
                Some(*sum)
            })
            .collect();
        let log_weights = weights.iter().map(|&w| libm::log(w)).collect();
        let column = |p: usize| observations.chunks_exact(width).map(move |row| row[p]);
        let marginals = space.values().enumerate();
        let marginals = marginals.map(|(p, d)| Marginal::new(d, column(p).collect())).collect();
        Parzen { weights, cumulative, log_weights, marginals }
    }

    /// The kernels' weights, `[n + 1]`: those of the observations in their order, then that of the wide kernel. They sum to 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The kernels along each parameter, in the order of the parameters' names.
    #[must_use]
    pub fn marginals(&self) -> &[Marginal] {
        &self.marginals
    }

    /// Draws `count` points, `[count, parameters]`.
    #[must_use]
    pub fn sample(&self, stream: &mut Stream, count: usize) -> Vec<f64> {
        let mut points = Vec::with_capacity(count * self.marginals.len());
        for _ in 0..count {
            let share = stream.uniform();
            let kernel = self.cumulative.partition_point(|&c| c <= share);
            let kernel = kernel.min(self.weights.len() - 1);
            points.extend(self.marginals.iter().map(|m| m.at(kernel, stream.uniform())));
        }
        points
    }

    /// The logarithm of the density at each of `points` `[n, parameters]`; `[n]`. On a logarithmic scale it is the density of the logarithm.
    #[must_use]
    pub fn log_densities(&self, points: &[f64]) -> Vec<f64> {
        let (width, kernels) = (self.marginals.len().max(1), self.weights.len());
        let mut terms = self.log_weights.repeat(points.len() / width);
        let mut order: Vec<usize> = (0..points.len() / width).collect();
        let mut row = vec![0.0; kernels];
        for (p, marginal) in self.marginals.iter().enumerate() {
            // Points often share a value; its contribution is computed once.
            let x = |point: usize| points[point * width + p];
            order.sort_by(|&a, &b| x(a).total_cmp(&x(b)));
            let mut last = None;
            for &point in &order {
                if last != Some(x(point)) {
                    marginal.log_densities(x(point), &mut row);
                    last = Some(x(point));
                }
                let terms = &mut terms[point * kernels..][..kernels];
                terms.iter_mut().zip(&row).for_each(|(term, log_density)| *term += log_density);
            }
        }
        terms.chunks_exact(kernels).map(log_sum).collect()
    }
}

/// Weights of `n` observations, oldest first, and of the wide kernel; not yet normalised.
fn weights(n: usize) -> impl Iterator<Item = f64> {
    let old = n.saturating_sub(FULL_WEIGHT);
    let least = 1.0 / n as f64;
    let ramp = (0..old).map(move |i| least + (1.0 - least) * i as f64 / (old - 1).max(1) as f64);
    ramp.chain(std::iter::repeat_n(1.0, n - old + 1))
}

/// Logarithm of the sum of numbers with the logarithms `terms`.
fn log_sum(terms: &[f64]) -> f64 {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    let above = terms.iter().map(|term| term - most).filter(|&d| d > NEGLIGIBLE);
    most + libm::log(above.map(libm::exp).sum())
}

impl Marginal {
    fn new(distribution: &Distribution, observed: Vec<f64>) -> Self {
        match distribution {
            &Distribution::Float { step, low, high, log } => {
                Marginal::Numeric(Numeric::new([low, high], step, log, observed))
            }
            &Distribution::Int { step, low, high, log } => {
                let range = [low as f64, high as f64];
                Marginal::Numeric(Numeric::new(range, Some(step as f64), log, observed))
            }
            Distribution::Categorical { choices } => {
                Marginal::Categorical(Categorical::new(choices.len(), &observed))
            }
        }
    }

    /// The logarithm of each kernel's density at `x`.
    fn log_densities(&self, x: f64, out: &mut [f64]) {
        match self {
            Marginal::Numeric(numeric) => numeric.log_densities(x, out),
            Marginal::Categorical(categorical) => categorical.log_densities(x, out),
        }
    }

    /// The value below which the share `u` of a kernel's mass lies.
    fn at(&self, kernel: usize, u: f64) -> f64 {
        match self {
            Marginal::Numeric(numeric) => numeric.at(kernel, u),
            Marginal::Categorical(categorical) => categorical.at(kernel, u),
        }
    }
}

impl Numeric {
    fn new(range: [f64; 2], step: Option<f64>, log: bool, mut means: Vec<f64>) -> Self {
        let scaled = |x: f64| if log { libm::log(x) } else { x };
        let half = step.unwrap_or(0.0) / 2.0;
        let [low, high] = [scaled(range[0] - half), scaled(range[1] + half)];
        for x in &mut means {
            *x = scaled(*x);
        }
        let mut order: Vec<u32> = (0..means.len() as u32).collect();
        order.sort_by(|&a, &b| means[a as usize].total_cmp(&means[b as usize]));
        let mut deviations = distances(&means, &order, [low, high]);
        order.push(means.len() as u32);
        means.push(0.5 * (low + high));
        deviations.push(high - low);
        let kernels = means.iter().zip(&deviations);
        let normals: Vec<_> = kernels.map(|(&m, &d)| Normal::new(m, d, [low, high])).collect();
        order.sort_by(|&a, &b| {
            let [a, b] = [a, b].map(|kernel| &normals[kernel as usize]);
            a.mean.total_cmp(&b.mean).then(a.deviation.total_cmp(&b.deviation))
        });
        Numeric { log, step, range, cut: [low, high], normals, order }
    }

    /// The kernels' means, on their scale; that of the wide kernel is last.
    pub fn means(&self) -> impl Iterator<Item = f64> {
        self.normals.iter().map(|normal| normal.mean)
    }

    /// The kernels' standard deviations before truncation, on their scale; that of the wide kernel is last.
    pub fn deviations(&self) -> impl Iterator<Item = f64> {
        self.normals.iter().map(|normal| normal.deviation)
    }

    fn at(&self, kernel: usize, u: f64) -> f64 {
        let Normal { mean, deviation, .. } = self.normals[kernel];
        let [a, b] = self.cut.map(|x| (x - mean) / deviation);
        let x = quantile(u, a, b) * deviation + mean;
        let x = if self.log { libm::exp(x) } else { x };
        let [low, high] = self.range;
        let x = self.step.map_or(x, |step| low + ((x - low) / step).round_ties_even() * step);
        x.min(high).max(low)
    }

    fn log_densities(&self, x: f64, out: &mut [f64]) {
        let scaled = |x: f64| if self.log { libm::log(x) } else { x };
        let Some(step) = self.step else {
            let x = scaled(x);
            for (out, normal) in out.iter_mut().zip(&self.normals) {
                let z = (x - normal.mean) * normal.precision;
                *out = normal.log_peak - 0.5 * z * z;
            }
            return;
        };
        let cell = Cell::new(scaled(x - step / 2.0), scaled(x + step / 2.0));
        let mut last = (f64::NAN, f64::NAN, f64::NAN);
        for &kernel in &self.order {
            let normal = &self.normals[kernel as usize];
            if (last.0, last.1) != (normal.mean, normal.deviation) {
                last = (normal.mean, normal.deviation, cell.log_share(normal));
            }
            out[kernel as usize] = last.2;
        }
    }
}

impl Normal {
    fn new(mean: f64, deviation: f64, cut: [f64; 2]) -> Self {
        let [a, b] = cut.map(|x| (x - mean) / deviation);
        let log_total = log_mass(a, b);
        let log_peak = -log_total - LN_SQRT_TAU - libm::log(deviation);
        Normal { mean, deviation, precision: 1.0 / deviation, log_total, log_peak }
    }
}

impl Cell {
    fn new(left: f64, right: f64) -> Self {
        let width = right - left;
        Cell { left, right, middle: 0.5 * (left + right), width, log_width: libm::log(width) }
    }

    /// Logarithm of the share of a kernel's mass that lies in the cell.
    fn log_share(&self, normal: &Normal) -> f64 {
        let z = (self.middle - normal.mean) * normal.precision;
        let half = 0.5 * self.width * normal.precision;
        if (z.abs() + 1.0) * half > NARROW {
            let [a, b] = [self.left, self.right].map(|x| (x - normal.mean) * normal.precision);
            return log_mass(a, b) - normal.log_total;
        }
        // The logarithm of the mean density relative to that in the middle, by its Taylor series in half the cell's width.
        let (q, t) = (z * z, half * half);
        let series = (q - 1.0) / 6.0
            - t * ((q * (q + 4.0) - 2.0) / 180.0 - t * (q * (q * (q + 6.0) + 3.0) - 1.0) / 2835.0);
        normal.log_peak - 0.5 * q + self.log_width + t * series
    }
}

/// Standard deviations of the kernels around `means`: the distance to the farther neighbour, within limits. `order` sorts the means.
fn distances(means: &[f64], order: &[u32], [low, high]: [f64; 2]) -> Vec<f64> {
    let n = means.len();
    let at = |rank: usize| means[order[rank] as usize];
    let mut deviations = vec![0.0; n];
    for rank in 0..n {
        // The outermost have one neighbour. A single one takes the distance to the farther bound.
        let left = if rank > 0 { Some(at(rank) - at(rank - 1)) } else { None };
        let right = if rank + 1 < n { Some(at(rank + 1) - at(rank)) } else { None };
        let farther = match (left, right) {
            (Some(left), Some(right)) => left.max(right),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => (at(rank) - low).max(high - at(rank)),
        };
        let least = (high - low) / (n as f64 + 2.0).min(100.0);
        deviations[order[rank] as usize] = farther.max(least).min(high - low);
    }
    deviations
}

impl Categorical {
    fn new(choices: usize, observed: &[f64]) -> Self {
        let prior = 1.0 / (observed.len() as f64 + 1.0);
        let total = 1.0 + prior * choices as f64;
        Categorical {
            choices,
            observed: observed.iter().map(|&x| x as usize).collect(),
            preferred: (1.0 + prior) / total,
            other: prior / total,
        }
    }

    /// The probability of a choice in a kernel.
    #[must_use]
    pub fn probability(&self, kernel: usize, choice: usize) -> f64 {
        match self.observed.get(kernel) {
            Some(&observed) if observed == choice => self.preferred,
            Some(_) => self.other,
            None => 1.0 / self.choices as f64,
        }
    }

    fn at(&self, kernel: usize, mut u: f64) -> f64 {
        let last = self.choices - 1;
        let chosen = (0..last).find(|&choice| {
            u -= self.probability(kernel, choice);
            u < 0.0
        });
        chosen.unwrap_or(last) as f64
    }

    fn log_densities(&self, x: f64, out: &mut [f64]) {
        let [preferred, other] = [self.preferred, self.other].map(libm::log);
        out.fill(-libm::log(self.choices as f64));
        for (out, &observed) in out.iter_mut().zip(&self.observed) {
            *out = if observed == x as usize { preferred } else { other };
        }
    }
}

#[cfg(test)]
mod tests;
