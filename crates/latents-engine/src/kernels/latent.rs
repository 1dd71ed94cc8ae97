//! Layers of latents with a prior. The forward pass computes the penalty of each sample, and stores in the buffer of the input what the
//! backward pass needs, including the gradient of the penalty.

use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The penalty that compares latents with the prior N(0, I).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prior {
    /// KL divergence; the input is means and log-variances, the output a draw.
    Gaussian,
    /// Half the squared norm.
    SquaredNorm,
    /// Maximum mean discrepancy among the samples of a micro-batch.
    Mmd,
}

/// The settings of the penalty in one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighing {
    /// Factor of the gradient of the penalty: its weight divided by the size of the batch.
    pub(crate) scale: f64,
    /// Factors of the gradients of the samples.
    pub(crate) weights: [f64; LANES],
    /// Free bits: below this divergence, an axis has no gradient.
    pub(crate) floor: f64,
    /// Samples in the micro-batch; other lanes have neither penalty nor gradient.
    pub(crate) samples: usize,
    /// Whether the penalty is log q(z|x) - log p(z) of the drawn z instead of its expectation. Its gradient is then that through z, while the
    /// parameters of q stay.
    pub(crate) of_draw: bool,
}

/// A scale times the factor of each sample; zero in lanes without one.
#[inline(always)]
pub(super) fn scales<E: Number>(scale: f64, weights: &[f64; LANES], samples: usize) -> [E; LANES] {
    std::array::from_fn(|lane| {
        E::from_f64(if lane < samples { scale * weights[lane] } else { 0.0 })
    })
}

impl Weighing {
    /// For a pass of which the penalty is not needed.
    pub(crate) const UNWANTED: Weighing =
        Weighing { scale: 0.0, weights: [0.0; LANES], floor: 0.0, samples: 0, of_draw: false };

    pub(crate) fn is_wanted(&self) -> bool {
        self.samples > 0
    }

    /// The factor of the gradient in each lane; zero without a sample.
    #[inline(always)]
    pub(crate) fn scales<E: Number>(&self) -> [E; LANES] {
        scales(self.scale, &self.weights, self.samples)
    }
}

/// The forward pass; returns the penalty of each sample.
pub(crate) struct LatentForward<'a, E> {
    pub(crate) prior: Prior,
    pub(crate) weighing: Weighing,
    /// The input; afterwards the gradient of the penalty, if `differentiate`.
    pub(crate) input: &'a mut [E],
    /// Standard normal draws `[d][lane]`, or zeros; afterwards the derivative of z by the log-variance.
    pub(crate) noise: &'a mut [E],
    /// The latents.
    pub(crate) output: &'a mut [E],
    /// Whether `input` may be overwritten.
    pub(crate) differentiate: bool,
}

impl<E: Number> Kernel<E> for LatentForward<'_, E> {
    type Output = [f64; LANES];

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> [f64; LANES] {
        match self.prior {
            Prior::Gaussian => gaussian(self),
            Prior::SquaredNorm => squared_norm(self),
            Prior::Mmd => mmd(self),
        }
    }
}

/// KL(N(m, v) || N(0, 1)) = (m^2 + v - 1 - ln v) / 2 for each axis (Kingma and Welling, 2014, appendix B).
#[inline(always)]
fn gaussian<E: Number>(run: LatentForward<'_, E>) -> [f64; LANES] {
    let LatentForward { weighing, input, noise, output, differentiate, .. } = run;
    let scale: [E; LANES] = weighing.scales();
    let (one, half) = (E::from_f64(1.0), E::from_f64(0.5));
    let floor = E::from_f64(weighing.floor);
    let mut penalty = [0.0; LANES];
    let (means, logs) = input.split_at_mut(output.len());
    let means = means.as_chunks_mut::<LANES>().0.iter_mut();
    let axes = means.zip(logs.as_chunks_mut::<LANES>().0);
    let draws = noise.as_chunks_mut::<LANES>().0.iter_mut();
    for ((mean, log), (eta, z)) in axes.zip(draws.zip(output.as_chunks_mut::<LANES>().0)) {
        let mut term = [E::default(); LANES];
        for lane in 0..LANES {
            let (m, l, e) = (mean[lane], log[lane], eta[lane]);
            let deviation = l.times(half).exp();
            let drawn = deviation.fused(e, m);
            let variance = deviation.times(deviation);
            let excess = variance.minus(one);
            let divergence = m.fused(m, excess.minus(l)).times(half);
            let of_draw = drawn.fused(drawn, E::default().minus(e.fused(e, l))).times(half);
            term[lane] = if weighing.of_draw { of_draw } else { divergence };
            z[lane] = drawn;
            if differentiate && weighing.of_draw {
                // By z, of which log q has the derivative -e / deviation.
                let slope = scale[lane].times(drawn.minus(e.over(deviation)));
                mean[lane] = slope;
                log[lane] = slope.times(deviation.times(e).times(half));
            } else if differentiate {
                let scale = if divergence < floor { E::default() } else { scale[lane] };
                mean[lane] = scale.times(m);
                log[lane] = scale.times(half).times(excess);
            }
            eta[lane] = deviation.times(e).times(half);
        }
        for (penalty, term) in penalty.iter_mut().zip(term) {
            *penalty += term.to_f64();
        }
    }
    penalty
}

#[inline(always)]
fn squared_norm<E: Number>(run: LatentForward<'_, E>) -> [f64; LANES] {
    let LatentForward { weighing, input, output, differentiate, .. } = run;
    output.copy_from_slice(input);
    let scale: [E; LANES] = weighing.scales();
    let mut penalty = [0.0; LANES];
    for z in input.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            penalty[lane] += 0.5 * z[lane].to_f64() * z[lane].to_f64();
            if differentiate {
                z[lane] = z[lane].times(scale[lane]);
            }
        }
    }
    penalty
}

/// Widths of the kernels, relative to the mean squared distance of two draws of the prior.
pub(super) const WIDTHS: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// The unbiased estimate of the squared maximum mean discrepancy (MMD) between the latents of the micro-batch and as many draws of the
/// prior, with the sum of inverse multiquadratic kernels c / (c + r^2) of Tolstikhin et al. (2018). It is a property of all samples
/// together, so it is the penalty of each of them.
#[inline(always)]
fn mmd<E: Number>(run: LatentForward<'_, E>) -> [f64; LANES] {
    let LatentForward { weighing, input, noise, output, differentiate, .. } = run;
    output.copy_from_slice(input);
    let (d, n) = (output.len() / LANES, weighing.samples);
    if n < 2 {
        if differentiate {
            input.fill(E::default());
        }
        return [0.0; LANES];
    }
    let (z, prior) = (&*output, &*noise);
    let mut total = 0.0;
    // The derivative by the numbers of a lane is a sum over pairs of a factor times their difference.
    let mut gradient = vec![0.0; d * LANES];
    let among = 1.0 / (n * (n - 1)) as f64;
    let across = -2.0 / (n * n) as f64;
    for i in 0..n {
        for j in 0..n {
            for (other, weight) in [(z, among), (prior, across)] {
                if weight > 0.0 && i == j {
                    continue;
                }
                let apart =
                    |axis: usize| z[axis * LANES + i].to_f64() - other[axis * LANES + j].to_f64();
                let (kernel, slope) = kernel((0..d).map(|axis| apart(axis) * apart(axis)).sum(), d);
                total += weight * kernel;
                // The loops visit each pair of latents twice, and each visit updates only one of the two.
                let factor = weight * slope * if weight > 0.0 { 4.0 } else { 2.0 };
                for axis in 0..d {
                    gradient[axis * LANES + i] += factor * apart(axis);
                }
            }
            if i != j {
                let apart = |axis: usize| {
                    prior[axis * LANES + i].to_f64() - prior[axis * LANES + j].to_f64()
                };
                total += among * kernel((0..d).map(|axis| apart(axis) * apart(axis)).sum(), d).0;
            }
        }
    }
    if differentiate {
        let scale = weighing.scale * n as f64;
        for (x, g) in input.iter_mut().zip(gradient) {
            *x = E::from_f64(scale * g);
        }
    }
    std::array::from_fn(|lane| if lane < n { total } else { 0.0 })
}

/// The kernel at a squared distance, and its derivative by the squared distance.
#[inline(always)]
fn kernel(square: f64, d: usize) -> (f64, f64) {
    WIDTHS.iter().fold((0.0, 0.0), |(value, slope), width| {
        let c = 2.0 * d as f64 * width;
        (value + c / (c + square), slope - c / ((c + square) * (c + square)))
    })
}

/// The backward pass: adds the gradient of the latents to that of the penalty, which [`LatentForward`] stored in the input.
pub(crate) struct LatentBackward<'a, E> {
    pub(crate) prior: Prior,
    pub(crate) input: &'a mut [E],
    pub(crate) noise: &'a [E],
    pub(crate) gradient: &'a [E],
}

impl<E: Number> Kernel<E> for LatentBackward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let (means, logs) = self.input.split_at_mut(self.gradient.len());
        for (mean, &g) in means.iter_mut().zip(self.gradient) {
            *mean = mean.plus(g);
        }
        if self.prior == Prior::Gaussian {
            for (log, (&g, &slope)) in logs.iter_mut().zip(self.gradient.iter().zip(self.noise)) {
                *log = g.fused(slope, *log);
            }
        }
    }
}
