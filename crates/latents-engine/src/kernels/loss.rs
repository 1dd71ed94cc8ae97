//! Losses. Each computes the loss of every sample and replaces the prediction by its gradient.

use crate::batch::Mixup;
use crate::kernels::elementwise::{continuous_bernoulli_mean, sigmoid};
use crate::kernels::latent::scales;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The loss of an output. Means are those of PyTorch's `reduction="mean"`.
///
/// Likelihoods are -log p(x) in nats with all constants, summed over the numbers of an image and averaged over the batch, as in the
/// evidence lower bound (ELBO) of a variational autoencoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Squared error, averaged over all numbers (`torch.nn.MSELoss`).
    MeanSquaredError,
    /// Binary cross-entropy of logits, averaged over all numbers (`torch.nn.BCEWithLogitsLoss`); targets in `[0, 1]`.
    BinaryCrossEntropyWithLogits,
    /// Softmax cross-entropy of logits, averaged over samples (`torch.nn.CrossEntropyLoss`); targets are classes or mixtures of two
    /// classes.
    CrossEntropy {
        /// Share of each target that is spread evenly over all classes (Szegedy et al., 2016), from 0 to 1.
        label_smoothing: f64,
    },
    /// Bernoulli likelihood of each number with the predicted logit; targets in `[0, 1]` (binary cross-entropy, `reduction="sum"`).
    Bernoulli,
    /// Continuous Bernoulli likelihood of each number with the predicted logit; targets in `[0, 1]` (Loaiza-Ganem and Cunningham, 2019;
    /// `torch.distributions.ContinuousBernoulli`).
    ContinuousBernoulli,
    /// Normal likelihood of each number with the prediction as its mean.
    Gaussian {
        /// The standard deviation of all numbers; `None` if the network learns it in a [`crate::Layer::LogScale`].
        deviation: Option<f64>,
    },
}

/// The targets of a micro-batch.
pub(crate) enum LaneTarget<'a, E> {
    /// `[number][lane]`.
    Values(&'a [E]),
    /// The classes of each sample.
    Classes([Mixup; LANES]),
}

/// The loss of a micro-batch.
pub(crate) struct LossRun<'a, E> {
    pub(crate) loss: Loss,
    /// Predictions `[number][lane]`; afterwards their gradients.
    pub(crate) prediction: &'a mut [E],
    pub(crate) target: LaneTarget<'a, E>,
    /// Samples in the micro-batch; the gradient of other lanes is zero.
    pub(crate) samples: usize,
    /// Samples in the batch, over which the gradient is averaged.
    pub(crate) batch: usize,
    /// Factors of the gradients of the samples.
    pub(crate) weights: [f64; LANES],
    /// Logarithm of the standard deviation of a normal likelihood.
    pub(crate) log_scale: f64,
}

impl<E: Number> Kernel<E> for LossRun<'_, E> {
    /// The loss of each sample; averaged over its numbers if the loss is a mean.
    type Output = [f64; LANES];

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> [f64; LANES] {
        let numbers = self.prediction.len() / LANES;
        let mean = |x: f64| x / numbers as f64;
        let scales = |scale| scales(scale, &self.weights, self.samples);
        let each = 1.0 / self.batch as f64;
        match (self.loss, self.target) {
            (Loss::MeanSquaredError, LaneTarget::Values(target)) => {
                let scale = scales(2.0 / (self.batch * numbers) as f64);
                sum(self.prediction, target, &scale, squared_error).map(mean)
            }
            (Loss::BinaryCrossEntropyWithLogits, LaneTarget::Values(target)) => {
                let scale = scales(1.0 / (self.batch * numbers) as f64);
                sum(self.prediction, target, &scale, bernoulli).map(mean)
            }
            (Loss::CrossEntropy { label_smoothing }, LaneTarget::Classes(classes)) => {
                let scale = scales(each);
                cross_entropy(self.prediction, &classes, label_smoothing, &scale)
            }
            (Loss::Bernoulli, LaneTarget::Values(target)) => {
                sum(self.prediction, target, &scales(each), bernoulli)
            }
            (Loss::ContinuousBernoulli, LaneTarget::Values(target)) => {
                sum(self.prediction, target, &scales(each), continuous_bernoulli)
            }
            (Loss::Gaussian { .. }, LaneTarget::Values(target)) => {
                let precision = libm::exp(-2.0 * self.log_scale);
                let scale = scales(each * precision);
                let constant = numbers as f64 * (self.log_scale + HALF_LOG_TWO_PI);
                let squares = sum(self.prediction, target, &scale, squared_error);
                squares.map(|x| x * (0.5 * precision) + constant)
            }
            _ => unreachable!("the engine matches losses and targets before it begins"),
        }
    }
}

/// ln(2 pi) / 2.
pub(crate) const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// The square of the error, and half its derivative.
#[inline(always)]
fn squared_error<E: Number>(p: E, t: E) -> (E, E) {
    let e = p.minus(t);
    (e.times(e), e)
}

/// Binary cross-entropy of a logit, and its derivative.
#[inline(always)]
fn bernoulli<E: Number>(z: E, t: E) -> (E, E) {
    let zero = E::default();
    let positive = if z > zero { z } else { zero };
    let size = if z > zero { zero.minus(z) } else { z };
    let loss = positive.minus(z.times(t)).plus(size.exp().ln_1p());
    (loss, sigmoid(z).minus(t))
}

/// In terms of its logit z, the density of the continuous Bernoulli is exp(z x - A(z)) with A(z) = ln((e^z - 1) / z), whose
/// derivative is the mean. Near z = 0, where that is 0 / 0, A is its series.
#[inline(always)]
fn continuous_bernoulli<E: Number>(z: E, t: E) -> (E, E) {
    let zero = E::default();
    let positive = if z > zero { z } else { zero };
    let size = if z > zero { z } else { zero.minus(z) };
    let one = E::from_f64(1.0);
    let far = one.minus(zero.minus(size).exp()).over(size).ln();
    let q = size.times(size);
    let mut p = E::from_f64(1.0 / 479_001_600.0);
    for c in [-1.0 / 9_676_800.0, 1.0 / 181_440.0, -1.0 / 2_880.0, 1.0 / 24.0] {
        p = p.fused(q, E::from_f64(c));
    }
    let near = p.fused(q, size.times(E::from_f64(-0.5)));
    let log = positive.plus(if size < E::from_f64(0.5) { near } else { far });
    (log.minus(z.times(t)), continuous_bernoulli_mean(z).minus(t))
}

/// Sums a loss over numbers; `f` gives the loss and the gradient of one.
#[inline(always)]
fn sum<E: Number>(
    prediction: &mut [E],
    target: &[E],
    scale: &[E; LANES],
    f: impl Fn(E, E) -> (E, E),
) -> [f64; LANES] {
    // Short sums in the precision of the network, long sums in double: accurate enough at any image size.
    const SHORT: usize = 64 * LANES;
    let mut total = [0.0; LANES];
    for (prediction, target) in prediction.chunks_mut(SHORT).zip(target.chunks(SHORT)) {
        let mut part = [E::default(); LANES];
        let pixels = prediction.as_chunks_mut::<LANES>().0.iter_mut();
        for (prediction, target) in pixels.zip(target.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                let (loss, gradient) = f(prediction[lane], target[lane]);
                part[lane] = part[lane].plus(loss);
                prediction[lane] = gradient.times(scale[lane]);
            }
        }
        for (total, part) in total.iter_mut().zip(part) {
            *total += part.to_f64();
        }
    }
    total
}

#[inline(always)]
fn cross_entropy<E: Number>(
    logits: &mut [E],
    targets: &[Mixup; LANES],
    label_smoothing: f64,
    scale: &[E; LANES],
) -> [f64; LANES] {
    let spread = label_smoothing / (logits.len() / LANES) as f64;
    // The share of each of the two classes, in addition to the evenly spread share.
    let weights: [[f64; 2]; LANES] = std::array::from_fn(|lane| {
        let first = f64::from(targets[lane].weight);
        [first, 1.0 - first].map(|weight| (1.0 - label_smoothing) * weight)
    });
    let chosen: [f64; LANES] = std::array::from_fn(|lane| {
        let logit = |class: u16| logits[usize::from(class) * LANES + lane].to_f64();
        let [first, second] = targets[lane].classes.map(logit);
        // A class of weight zero must not count, even if its logit is infinite.
        let part = |weight: f64, logit: f64| if weight == 0.0 { 0.0 } else { weight * logit };
        part(weights[lane][0], first) + part(weights[lane][1], second)
    });
    let mut largest: [E; LANES] = std::array::from_fn(|lane| logits[lane]);
    let mut total = [E::default(); LANES];
    for row in logits.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            largest[lane] = if row[lane] > largest[lane] { row[lane] } else { largest[lane] };
            total[lane] = total[lane].plus(row[lane]);
        }
    }
    let mut sums = [E::default(); LANES];
    for row in logits.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            row[lane] = row[lane].minus(largest[lane]).exp();
            sums[lane] = sums[lane].plus(row[lane]);
        }
    }
    let even = E::from_f64(spread);
    for row in logits.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            row[lane] = row[lane].over(sums[lane]).minus(even).times(scale[lane]);
        }
    }
    for lane in 0..LANES {
        for (class, weight) in targets[lane].classes.into_iter().zip(weights[lane]) {
            let gradient = &mut logits[usize::from(class) * LANES + lane];
            *gradient = gradient.minus(E::from_f64(weight).times(scale[lane]));
        }
    }
    std::array::from_fn(|lane| {
        let evenly = if spread == 0.0 { 0.0 } else { spread * total[lane].to_f64() };
        libm::log(sums[lane].to_f64()) + largest[lane].to_f64() - chosen[lane] - evenly
    })
}
