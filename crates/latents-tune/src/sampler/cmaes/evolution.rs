//! CMA-ES: a normal distribution that moves towards the smallest values, as in N. Hansen, "The CMA Evolution Strategy: A Tutorial"
//! (arXiv:1604.00772), with its default settings and the active covariance update. It knows points and values, but no trials.

use latents_random::Stream;

use super::eigen::eigen;

/// Minimum eigenvalue of a covariance.
const MIN_EIGENVALUE: f64 = 1e-16;
/// Maximum step size.
const MAX_SIGMA: f64 = 1e16;

/// The parameters that the tutorial derives from the number of dimensions `n` (its table 1).
#[derive(Clone, Debug)]
struct Rates {
    /// Weights of the points of a generation, best first; those of the worse half are negative.
    weights: Vec<f64>,
    /// Number of points with a positive weight.
    parents: usize,
    /// Effective number of points with a positive weight.
    mu_eff: f64,
    c_sigma: f64,
    d_sigma: f64,
    c_c: f64,
    c_1: f64,
    c_mu: f64,
    /// Expected norm of a standard normal vector.
    chi: f64,
}

/// The distribution and its evolution paths.
#[derive(Clone, Debug)]
pub(super) struct Evolution {
    rates: Rates,
    generation: i32,
    /// Mean, `[n]`.
    mean: Vec<f64>,
    /// Step size.
    sigma: f64,
    /// Covariance, `[n, n]`.
    covariance: Vec<f64>,
    /// Square roots of the covariance's eigenvalues, `[n]`.
    lengths: Vec<f64>,
    /// The covariance's eigenvectors, in rows, `[n, n]`.
    axes: Vec<f64>,
    /// Evolution path of the step size, `[n]`.
    p_sigma: Vec<f64>,
    /// Evolution path of the covariance, `[n]`.
    p_c: Vec<f64>,
}

impl Rates {
    fn new(n: f64, population: usize) -> Self {
        let lambda = population as f64;
        let parents = population / 2;
        let raw: Vec<f64> = (0..population)
            .map(|i| libm::log(f64::midpoint(lambda, 1.0)) - libm::log(i as f64 + 1.0))
            .collect();
        let worth = |weights: &[f64]| {
            let (sum, squares) =
                weights.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
            sum * sum / squares
        };
        let (mu_eff, mu_eff_negative) = (worth(&raw[..parents]), worth(&raw[parents..]));
        let c_1 = 2.0 / ((n + 1.3) * (n + 1.3) + mu_eff);
        let c_mu = 2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((n + 2.0) * (n + 2.0) + mu_eff);
        let c_mu = c_mu.min(1.0 - c_1 - 1e-8);
        let negative = (1.0 + c_1 / c_mu)
            .min(1.0 + 2.0 * mu_eff_negative / (mu_eff + 2.0))
            .min((1.0 - c_1 - c_mu) / (n * c_mu));
        let sum = |sign: f64| raw.iter().map(|w| (sign * w).max(0.0)).sum::<f64>();
        let (above, below) = (sum(1.0), sum(-1.0));
        let weights = raw.iter().map(|w| w / if *w >= 0.0 { above } else { below / negative });
        let weights = weights.collect();
        let c_sigma = (mu_eff + 2.0) / (n + mu_eff + 5.0);
        let d_sigma = 1.0 + 2.0 * (((mu_eff - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        let c_c = (4.0 + mu_eff / n) / (n + 4.0 + 2.0 * mu_eff / n);
        let chi = n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n));
        Rates { weights, parents, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi }
    }
}

impl Evolution {
    /// The normal distribution around `mean` with the standard deviation `sigma` in each direction.
    pub(super) fn new(mean: &[f64], sigma: f64, population: Option<usize>) -> Self {
        let n = mean.len();
        let default = 4 + (3.0 * libm::log(n as f64)).floor() as usize;
        let mut covariance = vec![0.0; n * n];
        for i in 0..n {
            covariance[i * n + i] = 1.0;
        }
        Evolution {
            rates: Rates::new(n as f64, population.unwrap_or(default).max(4)),
            generation: 0,
            mean: mean.to_vec(),
            sigma,
            axes: covariance.clone(),
            covariance,
            lengths: vec![1.0; n],
            p_sigma: vec![0.0; n],
            p_c: vec![0.0; n],
        }
    }

    /// Number of points of a generation.
    pub(super) fn population(&self) -> usize {
        self.rates.weights.len()
    }

    /// Draws a point.
    pub(super) fn draw(&self, stream: &mut Stream) -> Vec<f64> {
        let n = self.mean.len();
        let along: Vec<f64> = self.lengths.iter().map(|length| length * stream.normal()).collect();
        let step = |i: usize| (0..n).map(|k| along[k] * self.axes[k * n + i]).sum::<f64>();
        self.mean.iter().enumerate().map(|(i, mean)| mean + self.sigma * step(i)).collect()
    }

    /// Updates the distribution by the points of a generation and their values. A point that was not drawn from the distribution, and is
    /// farther out than a draw would be, is moved inwards (N. Hansen, "Injecting External Solutions Into CMA-ES", arXiv:1110.4181).
    pub(super) fn tell(&mut self, mut generation: Vec<(Vec<f64>, f64)>) {
        let Rates { ref weights, parents, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi } =
            self.rates;
        let n = self.mean.len();
        let size = n as f64;
        self.generation += 1;
        generation.sort_by(|a, b| a.1.total_cmp(&b.1));
        let farthest = size.sqrt() + 2.0 * size / (size + 2.0);
        let steps: Vec<(Vec<f64>, f64)> = generation
            .iter()
            .map(|(point, _)| {
                let step = point.iter().zip(&self.mean).map(|(x, mean)| (x - mean) / self.sigma);
                let mut step: Vec<f64> = step.collect();
                let length = norm(&self.whiten(&step));
                let share = (farthest / length).min(1.0);
                for x in &mut step {
                    *x *= share;
                }
                (step, length * share)
            })
            .collect();
        let mean_step: Vec<f64> = (0..n)
            .map(|i| steps.iter().zip(weights).take(parents).map(|((y, _), w)| w * y[i]).sum())
            .collect();
        for (mean, step) in self.mean.iter_mut().zip(&mean_step) {
            *mean += self.sigma * step;
        }

        let gain = (c_sigma * (2.0 - c_sigma) * mu_eff).sqrt();
        for (p, white) in self.p_sigma.iter_mut().zip(whiten(&self.axes, &self.lengths, &mean_step))
        {
            *p = (1.0 - c_sigma) * *p + gain * white;
        }
        let length = norm(&self.p_sigma);
        self.sigma =
            (self.sigma * libm::exp(c_sigma / d_sigma * (length / chi - 1.0))).min(MAX_SIGMA);

        let settled = 1.0 - libm::pow(1.0 - c_sigma, f64::from(2 * (self.generation + 1)));
        let is_short = length / settled.sqrt() < (1.4 + 2.0 / (size + 1.0)) * chi;
        let h = if is_short { 1.0 } else { 0.0 };
        let gain = h * (c_c * (2.0 - c_c) * mu_eff).sqrt();
        for (p, step) in self.p_c.iter_mut().zip(&mean_step) {
            *p = (1.0 - c_c) * *p + gain * step;
        }
        let total: f64 = weights.iter().sum();
        let keep = 1.0 + c_1 * (1.0 - h) * c_c * (2.0 - c_c) - c_1 - c_mu * total;
        for i in 0..n {
            for j in 0..=i {
                let mut rank_mu = 0.0;
                for ((step, length), weight) in steps.iter().zip(weights) {
                    let share = if *weight < 0.0 { size / (length * length + 1e-8) } else { 1.0 };
                    rank_mu += weight * share * step[i] * step[j];
                }
                let rank_one = self.p_c[i] * self.p_c[j];
                let c = keep * self.covariance[i * n + j] + c_1 * rank_one + c_mu * rank_mu;
                (self.covariance[i * n + j], self.covariance[j * n + i]) = (c, c);
            }
        }
        self.factor();
    }

    /// Computes the eigendecomposition of the covariance. If rounding has made an eigenvalue too small, raises it and recomputes the
    /// covariance.
    fn factor(&mut self) {
        let n = self.mean.len();
        let (mut values, axes) = eigen(&self.covariance, n);
        if values.iter().any(|&value| value < MIN_EIGENVALUE) {
            for value in &mut values {
                *value = value.max(MIN_EIGENVALUE);
            }
            for i in 0..n {
                for j in 0..n {
                    let part = |k: usize| values[k] * axes[k * n + i] * axes[k * n + j];
                    self.covariance[i * n + j] = (0..n).map(part).sum();
                }
            }
        }
        self.lengths = values.into_iter().map(f64::sqrt).collect();
        self.axes = axes;
    }

    fn whiten(&self, step: &[f64]) -> Vec<f64> {
        whiten(&self.axes, &self.lengths, step)
    }
}

/// The step, multiplied by the inverse square root of the covariance.
fn whiten(axes: &[f64], lengths: &[f64], step: &[f64]) -> Vec<f64> {
    let n = step.len();
    let along = axes.chunks_exact(n).zip(lengths);
    let along = along.map(|(axis, l)| axis.iter().zip(step).map(|(a, y)| a * y).sum::<f64>() / l);
    let along: Vec<f64> = along.collect();
    (0..n).map(|i| (0..n).map(|k| along[k] * axes[k * n + i]).sum()).collect()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use latents_random::{Purpose, stream};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        mean: Vec<f64>,
        sigma: f64,
        population: usize,
        generations: Vec<Generation>,
    }

    #[derive(Deserialize)]
    struct Generation {
        points: Vec<Vec<f64>>,
        values: Vec<f64>,
        mean: Vec<f64>,
        sigma: f64,
        covariance: Vec<f64>,
    }

    fn assert_near(what: &str, got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        let scale = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-9 * scale, "{what}: {got} for {expected}");
        }
    }

    /// The file is made by `xtask/python/golden_cmaes.py`.
    #[test]
    fn generations_teach_what_they_teach_the_package_cmaes() {
        let text = include_str!("../../../tests/golden/cmaes.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 4);
        for (i, case) in cases.into_iter().enumerate() {
            let mut evolution = Evolution::new(&case.mean, case.sigma, None);
            assert_eq!(evolution.population(), case.population);
            for (g, generation) in case.generations.into_iter().enumerate() {
                evolution.tell(generation.points.into_iter().zip(generation.values).collect());
                let at = format!("case {i}, generation {g}");
                assert_near(&at, &evolution.mean, &generation.mean);
                assert_near(&at, &[evolution.sigma], &[generation.sigma]);
                assert_near(&at, &evolution.covariance, &generation.covariance);
            }
        }
    }

    /// Number of points that it takes to reach a value below 1e-9.
    fn effort(n: usize, seed: u64, value: &dyn Fn(&[f64]) -> f64) -> usize {
        let mut evolution = Evolution::new(&vec![0.7; n], 0.3, None);
        let mut random = stream(seed, Purpose::Synthetic, 0, 0);
        for generation in 1..10_000 {
            let points = (0..evolution.population()).map(|_| evolution.draw(&mut random));
            let points: Vec<_> = points.map(|point| (value(&point), point)).collect();
            if points.iter().any(|(value, _)| *value < 1e-9) {
                return generation * points.len();
            }
            evolution.tell(points.into_iter().map(|(value, point)| (point, value)).collect());
        }
        usize::MAX
    }

    /// Within 1.5 times the number of points that other implementations of the tutorial's algorithm need.
    #[test]
    fn standard_functions_are_solved() {
        let sphere = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
        let ellipsoid = |x: &[f64]| {
            let n = x.len() as f64 - 1.0;
            let axis = |(i, x): (usize, &f64)| libm::pow(1e6, i as f64 / n) * x * x;
            x.iter().enumerate().map(axis).sum::<f64>()
        };
        let rosenbrock = |x: &[f64]| {
            let valley = |x: &[f64]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2);
            x.windows(2).map(valley).sum::<f64>()
        };
        let median = |value: &dyn Fn(&[f64]) -> f64, n: usize| {
            let mut efforts: Vec<usize> = (0..5).map(|seed| effort(n, seed, value)).collect();
            efforts.sort_unstable();
            efforts[2]
        };
        let efforts =
            [median(&sphere, 5), median(&ellipsoid, 5), median(&rosenbrock, 5), median(&sphere, 1)];
        for (effort, most) in efforts.into_iter().zip([900, 2400, 3000, 250]) {
            assert!(effort <= most, "{efforts:?}");
        }
    }

    #[test]
    fn points_from_far_away_do_no_harm() {
        let mut evolution = Evolution::new(&[0.5, 0.5], 0.1, None);
        let points = [1e9, -1e9, 1e9, -1e9, 0.4, 0.6];
        let points = points.map(|x: f64| (vec![x, x / 2.0], x.abs()));
        evolution.tell(points.to_vec());
        let all = evolution.mean.iter().chain(&evolution.covariance);
        assert!(all.chain([&evolution.sigma]).all(|x| x.is_finite() && x.abs() < 20.0));
        // Equal values, as of trials that failed alike.
        for _ in 0..500 {
            let random = &mut stream(1, Purpose::Synthetic, 0, 0);
            let points = (0..6).map(|_| (evolution.draw(random), f64::INFINITY)).collect();
            evolution.tell(points);
        }
        assert!(evolution.lengths.iter().all(|l| l.is_finite() && *l > 0.0), "{evolution:?}");
    }
}
