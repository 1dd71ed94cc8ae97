//! Latents whose prior is a mixture of normal distributions that is learned with the model. The forward pass computes the penalty of each
//! sample and keeps what the backward pass needs: the draws, their responsibilities, and the gradient of the penalty.

use super::latent::Weighing;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

const LOG_TAU: f64 = 1.837_877_066_409_345_3;

/// A mixture of `k` normal distributions of `d` dimensions with diagonal covariances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixture<'a, E> {
    /// Means `[k, d]`, log-variances `[k, d]` and the logits `[k]` of the weights, one after the other.
    pub(crate) parameters: &'a [E],
    pub(crate) components: usize,
}

impl<'a, E: Number> Mixture<'a, E> {
    /// Means, log-variances and logits.
    #[inline(always)]
    fn split(self) -> [&'a [E]; 3] {
        let numbers = (self.parameters.len() - self.components) / 2;
        let (means, rest) = self.parameters.split_at(numbers);
        let (log_variances, logits) = rest.split_at(numbers);
        [means, log_variances, logits]
    }

    /// The logarithm of the sum of the exponentials of the logits.
    #[inline(always)]
    fn log_total(logits: &[E]) -> f64 {
        let largest = logits.iter().fold(f64::NEG_INFINITY, |a, l| a.max(l.to_f64()));
        let far = |l: &E| libm::exp(l.to_f64() - largest);
        largest + libm::log(logits.iter().map(far).sum())
    }
}

/// The forward pass; returns the penalty of each sample: log q(z|x) - log p(z), with the expectation of its first term unless the weighing is of the draw.
pub(crate) struct MixturePriorForward<'a, E> {
    pub(crate) mixture: Mixture<'a, E>,
    pub(crate) weighing: Weighing,
    /// Means and log-variances of the posterior `[2 d][lane]`; afterwards the gradient of the penalty, if `differentiate`.
    pub(crate) input: &'a mut [E],
    /// Standard normal draws `[d][lane]`, or zeros; afterwards the derivative of z by the log-variance.
    pub(crate) noise: &'a mut [E],
    /// Afterwards the latents `[d][lane]`, and the responsibilities of the components `[k][lane]` times the scale of the penalty's gradient.
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
        let [means, log_variances, logits] = mixture.split();
        let d = output.len() / LANES;
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
        let (copy, shares) = kept.as_chunks_mut::<LANES>().0.split_at_mut(d);
        copy.copy_from_slice(z);

        // The logarithm of each component's weight times its density, then the sum of them all.
        let log_total = Mixture::log_total(logits);
        let mut largest = [E::from_f64(f64::NEG_INFINITY); LANES];
        for (k, share) in shares.iter_mut().enumerate() {
            let of = k * d..(k + 1) * d;
            let mut sum = [E::default(); LANES];
            let mut log_determinant = E::default();
            for ((&mean, &log), z) in means[of.clone()].iter().zip(&log_variances[of]).zip(&*z) {
                let precision = E::default().minus(log).exp();
                log_determinant = log_determinant.plus(log);
                for lane in 0..LANES {
                    let apart = z[lane].minus(mean);
                    sum[lane] = apart.times(precision).fused(apart, sum[lane]);
                }
            }
            let own = logits[k].minus(log_determinant.times(half));
            for lane in 0..LANES {
                share[lane] = own.minus(sum[lane].times(half));
                largest[lane] =
                    if share[lane] > largest[lane] { share[lane] } else { largest[lane] };
            }
        }
        let mut total = [E::default(); LANES];
        for share in shares.iter_mut() {
            for lane in 0..LANES {
                share[lane] = share[lane].minus(largest[lane]).exp();
                total[lane] = total[lane].plus(share[lane]);
            }
        }
        for lane in 0..LANES {
            let prior = largest[lane].to_f64() + libm::log(total[lane].to_f64())
                - log_total
                - 0.5 * d as f64 * LOG_TAU;
            penalty[lane] -= prior;
        }

        let scale: [E; LANES] = std::array::from_fn(|lane| {
            E::from_f64(if lane < weighing.samples { weighing.scale } else { 0.0 })
        });
        for share in shares.iter_mut() {
            for lane in 0..LANES {
                share[lane] = share[lane].over(total[lane]).times(scale[lane]);
            }
        }
        if differentiate {
            // The derivative of -log p(z) by z, then of the penalty by the posterior's parameters.
            for j in 0..d {
                let mut slope = [E::default(); LANES];
                for (k, share) in shares.iter().enumerate() {
                    let (mean, log) = (means[k * d + j], log_variances[k * d + j]);
                    let precision = E::default().minus(log).exp();
                    for lane in 0..LANES {
                        let apart = z[j][lane].minus(mean);
                        slope[lane] = apart.times(precision).fused(share[lane], slope[lane]);
                    }
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
        let [means, log_variances, logits] = mixture.split();
        let numbers = means.len();
        let d = numbers / mixture.components;
        let (z, shares) = kept.as_chunks::<LANES>().0.split_at(d);
        let (of_means, rest) = gradient.split_at_mut(numbers);
        let (of_logs, of_logits) = rest.split_at_mut(numbers);
        let log_total = Mixture::log_total(logits);
        let all = shares.iter().fold(E::default(), |all, share| all.plus(sum(*share)));
        for (k, share) in shares.iter().enumerate() {
            let total = sum(*share);
            for (j, z) in z.iter().enumerate() {
                let at = k * d + j;
                let precision = E::default().minus(log_variances[at]).exp();
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
            let weight = libm::exp(logits[k].to_f64() - log_total);
            of_logits[k] = of_logits[k].plus(E::from_f64(weight * all.to_f64()).minus(total));
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
