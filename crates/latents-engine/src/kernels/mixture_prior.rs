//! Latents whose prior is a mixture of normal distributions that is learned with the model. The forward pass computes the penalty of each
//! sample and keeps what the backward pass needs: the draws, their responsibilities, and the gradient of the penalty.

use super::latent::Weighing;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

const LOG_TAU: f64 = 1.837_877_066_409_345_3;

/// A mixture of `k` normal distributions of `d` dimensions with diagonal covariances, whose weights may depend on the condition of a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixture<'a, E> {
    /// Means `[k, d]`, log-variances `[k, d]`, the logits `[k]` of the weights, and what each number of the condition adds to them
    /// `[k, features]`, one after the other.
    pub(crate) parameters: &'a [E],
    pub(crate) components: usize,
    /// Whether all weights are the same; there are no logits then.
    pub(crate) uniform: bool,
    /// `[feature][lane]`; empty if the weights do not depend on a condition.
    pub(crate) conditions: &'a [E],
}

impl<E: Number> Mixture<'_, E> {
    /// The numbers of means.
    #[inline(always)]
    fn numbers(self) -> usize {
        (self.parameters.len() - self.logits_len()) / 2
    }

    /// The numbers of logits.
    #[inline(always)]
    fn logits_len(self) -> usize {
        if self.uniform { 0 } else { self.components * (1 + self.conditions.len() / LANES) }
    }

    /// The logits of a component's weight.
    #[inline(always)]
    fn logits(self, k: usize) -> [E; LANES] {
        if self.uniform {
            return [E::default(); LANES];
        }
        let logits = &self.parameters[2 * self.numbers()..];
        let conditions = self.conditions.as_chunks::<LANES>().0;
        let slopes = &logits[self.components + k * conditions.len()..][..conditions.len()];
        let mut sum = [logits[k]; LANES];
        for (&slope, condition) in slopes.iter().zip(conditions) {
            for lane in 0..LANES {
                sum[lane] = slope.fused(condition[lane], sum[lane]);
            }
        }
        sum
    }
}

/// The inverses of variances, all at once, which vectors compute faster.
#[inline(always)]
fn precisions<E: Number>(log_variances: &[E]) -> Vec<E> {
    log_variances.iter().map(|&log| E::default().minus(log).exp()).collect()
}

/// Replaces numbers `[k][lane]` by their softmax over `k`, and returns the logarithm of the sum of their exponentials.
#[inline(always)]
pub(super) fn softmax<E: Number>(logits: &mut [[E; LANES]]) -> [f64; LANES] {
    let mut largest = [E::from_f64(f64::NEG_INFINITY); LANES];
    for logits in logits.iter() {
        for lane in 0..LANES {
            largest[lane] = if logits[lane] > largest[lane] { logits[lane] } else { largest[lane] };
        }
    }
    let mut total = [E::default(); LANES];
    for logits in logits.iter_mut() {
        for lane in 0..LANES {
            logits[lane] = logits[lane].minus(largest[lane]).exp();
            total[lane] = total[lane].plus(logits[lane]);
        }
    }
    for logits in logits.iter_mut() {
        for lane in 0..LANES {
            logits[lane] = logits[lane].over(total[lane]);
        }
    }
    std::array::from_fn(|lane| largest[lane].to_f64() + libm::log(total[lane].to_f64()))
}

/// The forward pass; returns the penalty of each sample: log q(z|x) - log p(z), with the expectation of its first term unless the weighing is of the draw.
pub(crate) struct MixturePriorForward<'a, E> {
    pub(crate) mixture: Mixture<'a, E>,
    pub(crate) weighing: Weighing,
    /// Means and log-variances of the posterior `[2 d][lane]`; afterwards the gradient of the penalty, if `differentiate`.
    pub(crate) input: &'a mut [E],
    /// Standard normal draws `[d][lane]`, or zeros; afterwards the derivative of z by the log-variance.
    pub(crate) noise: &'a mut [E],
    /// Afterwards the latents `[d][lane]`, the responsibilities of the components `[k][lane]`, and by how much their weights exceed these
    /// `[k][lane]`. The last two are multiplied by the scale of the penalty's gradient.
    pub(crate) kept: &'a mut [E],
    /// The latents `[d][lane]`.
    pub(crate) output: &'a mut [E],
    /// Whether `input` may be overwritten.
    pub(crate) differentiate: bool,
}

impl<E: Number> Kernel<E> for MixturePriorForward<'_, E> {
    type Output = [f64; LANES];

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> [f64; LANES] {
        let Self { mixture, weighing, input, noise, kept, output, differentiate } = self;
        let (d, numbers) = (output.len() / LANES, mixture.numbers());
        let (means, log_variances) = mixture.parameters[..2 * numbers].split_at(numbers);
        let precisions = precisions(log_variances);
        let half = E::from_f64(0.5);
        let mut penalty = [-0.5 * d as f64 * LOG_TAU; LANES];
        let (m, logs) = input.as_chunks_mut::<LANES>().0.split_at_mut(d);
        let z = output.as_chunks_mut::<LANES>().0;
        let noise = noise.as_chunks_mut::<LANES>().0;
        for j in 0..d {
            for lane in 0..LANES {
                let (log, eta) = (logs[j][lane], noise[j][lane]);
                let deviation = log.times(half).exp();
                z[j][lane] = deviation.fused(eta, m[j][lane]);
                noise[j][lane] = deviation.times(eta).times(half);
                let square = if weighing.of_draw { eta.times(eta) } else { E::from_f64(1.0) };
                penalty[lane] -= 0.5 * (square.to_f64() + log.to_f64());
            }
        }
        let (copy, rest) = kept.as_chunks_mut::<LANES>().0.split_at_mut(d);
        let (shares, weights) = rest.split_at_mut(mixture.components);
        copy.copy_from_slice(z);

        // The logarithm of each component's weight times its density, then the sum of them all.
        for (k, (share, weight)) in shares.iter_mut().zip(weights.iter_mut()).enumerate() {
            let of = k * d..(k + 1) * d;
            let mut sum = [E::default(); LANES];
            let mut log_determinant = E::default();
            let axes = means[of.clone()].iter().zip(&precisions[of.clone()]).zip(&*z);
            for (((&mean, &precision), z), &log) in axes.zip(&log_variances[of]) {
                log_determinant = log_determinant.plus(log);
                for lane in 0..LANES {
                    let apart = z[lane].minus(mean);
                    sum[lane] = apart.times(precision).fused(apart, sum[lane]);
                }
            }
            *weight = mixture.logits(k);
            for lane in 0..LANES {
                let exponent = sum[lane].plus(log_determinant).times(half);
                share[lane] = weight[lane].minus(exponent);
            }
        }
        let (densities, totals) = (softmax(shares), softmax(weights));
        for lane in 0..LANES {
            penalty[lane] -= densities[lane] - totals[lane] - 0.5 * d as f64 * LOG_TAU;
        }
        let scale: [E; LANES] = weighing.scales();
        for (share, weight) in shares.iter_mut().zip(weights) {
            for lane in 0..LANES {
                weight[lane] = weight[lane].minus(share[lane]).times(scale[lane]);
                share[lane] = share[lane].times(scale[lane]);
            }
        }
        if differentiate {
            // The derivative of -log p(z) by z, then of the penalty by the posterior's parameters.
            for j in 0..d {
                let mut slope = [E::default(); LANES];
                for (k, share) in shares.iter().enumerate() {
                    let (mean, precision) = (means[k * d + j], precisions[k * d + j]);
                    for lane in 0..LANES {
                        let apart = z[j][lane].minus(mean);
                        slope[lane] = apart.times(precision).fused(share[lane], slope[lane]);
                    }
                }
                if weighing.of_draw {
                    // By z, of which log q has the derivative -eta / deviation.
                    for lane in 0..LANES {
                        let precision = E::default().minus(logs[j][lane]).exp();
                        let of_density = noise[j][lane].times(precision).over(half);
                        slope[lane] = slope[lane].minus(scale[lane].times(of_density));
                        m[j][lane] = slope[lane];
                        logs[j][lane] = slope[lane].times(noise[j][lane]);
                    }
                    continue;
                }
                for lane in 0..LANES {
                    m[j][lane] = slope[lane];
                    let of_entropy = E::default().minus(scale[lane].times(half));
                    logs[j][lane] = slope[lane].fused(noise[j][lane], of_entropy);
                }
            }
        }
        penalty
    }
}

/// The gradient of the penalty by the parameters of the mixture, added to `gradient`.
pub(crate) struct MixturePriorBackward<'a, E> {
    pub(crate) mixture: Mixture<'a, E>,
    /// As [`MixturePriorForward`] left it.
    pub(crate) kept: &'a [E],
    /// In the order of the parameters.
    pub(crate) gradient: &'a mut [E],
}

impl<E: Number> Kernel<E> for MixturePriorBackward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let Self { mixture, kept, gradient } = self;
        let (k, numbers) = (mixture.components, mixture.numbers());
        let (means, log_variances) = mixture.parameters[..2 * numbers].split_at(numbers);
        let precisions = precisions(log_variances);
        let d = numbers / k;
        let (z, rest) = kept.as_chunks::<LANES>().0.split_at(d);
        let (shares, excesses) = rest.split_at(k);
        let (of_means, rest) = gradient.split_at_mut(numbers);
        let (of_logs, rest) = rest.split_at_mut(numbers);
        let (of_logits, of_slopes) = rest.split_at_mut(if mixture.uniform { 0 } else { k });
        let conditions = mixture.conditions.as_chunks::<LANES>().0;
        for (k, share) in shares.iter().enumerate() {
            let total = sum(*share);
            for (j, z) in z.iter().enumerate() {
                let at = k * d + j;
                let precision = precisions[at];
                let (mut first, mut second) = ([E::default(); LANES], [E::default(); LANES]);
                for lane in 0..LANES {
                    let apart = z[lane].minus(means[at]);
                    first[lane] = share[lane].times(apart);
                    second[lane] = first[lane].times(apart);
                }
                of_means[at] = of_means[at].minus(precision.times(sum(first)));
                let excess = precision.fused(sum(second), E::default().minus(total));
                of_logs[at] = of_logs[at].minus(excess.times(E::from_f64(0.5)));
            }
            if mixture.uniform {
                continue;
            }
            of_logits[k] = of_logits[k].plus(sum(excesses[k]));
            let slopes = &mut of_slopes[k * conditions.len()..][..conditions.len()];
            for (slope, condition) in slopes.iter_mut().zip(conditions) {
                let product = std::array::from_fn(|i| excesses[k][i].times(condition[i]));
                *slope = slope.plus(sum(product));
            }
        }
    }
}

/// The sum of lanes in one fixed order, a tree.
#[inline(always)]
fn sum<E: Number>(mut lanes: [E; LANES]) -> E {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = lanes[lane].plus(lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}
