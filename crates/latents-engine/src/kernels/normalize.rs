//! Batch normalisation, channel by channel: a channel of a micro-batch stays in the first caches during the passes for its mean, its
//! variance and its values. Each lane is summed separately, and the lanes with a sample are added in order, so the bits are the same for
//! every vector width.

#![allow(unsafe_code)]

use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// Vectors of the narrowest kind in a pixel.
const VECTORS: usize = 4;
/// Number of independent sums, so that additions do not wait for each other.
const CHAINS: usize = 4;
/// Number of pixels that are summed in the precision of the network before the sum continues in double.
const SHORT: usize = 64 * CHAINS;

/// The statistics with which a channel was normalised.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Statistics<E> {
    pub(crate) mean: E,
    /// One over the standard deviation.
    pub(crate) inverse: E,
    /// The unbiased variance, towards which the running variance moves.
    pub(crate) variance: E,
}

/// `output = (input - mean) / deviation * scale + shift`, followed by a leaky ReLU if there is a slope.
pub(crate) struct Normalize<'a, E> {
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    pub(crate) output: &'a mut [E],
    /// Scale, shift, running mean and running variance: `[4][channel]`.
    pub(crate) parameters: &'a [E],
    pub(crate) epsilon: f64,
    /// Samples in the micro-batch for the statistics; `None` uses the running statistics.
    pub(crate) samples: Option<usize>,
    /// Slope below zero.
    pub(crate) rectify: Option<f64>,
    /// The statistics of each channel, as output.
    pub(crate) statistics: &'a mut [Statistics<E>],
}

impl<E: Number> Kernel<E> for Normalize<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let channels = self.statistics.len();
        let plane = self.input.len() / channels;
        assert_eq!(self.output.len(), self.input.len());
        let zero = s.splat(E::default());
        for (c, statistics) in self.statistics.iter_mut().enumerate() {
            let [scale, shift, mean, variance] =
                std::array::from_fn(|i| self.parameters[i * channels + c]);
            let input = &self.input[c * plane..(c + 1) * plane];
            *statistics = match self.samples {
                Some(samples) => batch_statistics(s, input, samples, self.epsilon),
                None => Statistics { mean, inverse: inverse(variance, self.epsilon), variance },
            };
            let factor = scale.times(statistics.inverse);
            let term = E::default().minus(statistics.mean).fused(factor, shift);
            let (factor, term) = (s.splat(factor), s.splat(term));
            let output = &mut self.output[c * plane..(c + 1) * plane];
            if let Some(slope) = self.rectify {
                let slope = s.splat(E::from_f64(slope));
                map(s, input, output, |x| {
                    let y = s.fma(x, factor, term);
                    s.select_gt(y, zero, y, s.mul(y, slope))
                });
            } else {
                map(s, input, output, |x| s.fma(x, factor, term));
            }
        }
    }
}

#[inline(always)]
fn inverse<E: Number>(variance: E, epsilon: f64) -> E {
    E::from_f64(1.0 / (variance.to_f64() + epsilon).sqrt())
}

#[inline(always)]
fn batch_statistics<S: Simd>(
    s: S,
    input: &[S::E],
    samples: usize,
    epsilon: f64,
) -> Statistics<S::E> {
    let n = (samples * (input.len() / LANES)) as f64;
    let [sum, _] = lane_sums(s, input, input, |x, _| [x, x]);
    let mean = S::E::from_f64(present(sum, samples) / n);
    let minus = s.splat(S::E::default().minus(mean));
    let [squares, _] = lane_sums(s, input, input, |x, _| {
        let x = s.add(x, minus);
        [s.mul(x, x), x]
    });
    let squares = present(squares, samples);
    Statistics {
        mean,
        inverse: S::E::from_f64(1.0 / (squares / n + epsilon).sqrt()),
        variance: S::E::from_f64(squares / (n - 1.0).max(1.0)),
    }
}

/// The sum of the lanes with a sample.
#[inline(always)]
fn present(lanes: [f64; LANES], samples: usize) -> f64 {
    lanes[..samples].iter().sum()
}

/// Two sums of the values of `f` over two planes, lane by lane.
#[inline(always)]
fn lane_sums<S: Simd>(
    s: S,
    a: &[S::E],
    b: &[S::E],
    f: impl Fn(S::V, S::V) -> [S::V; 2],
) -> [[f64; LANES]; 2] {
    let zero = s.splat(S::E::default());
    let mut totals = [[0.0; LANES]; 2];
    for (a, b) in a.chunks(SHORT * LANES).zip(b.chunks(SHORT * LANES)) {
        let mut sums = [[[zero; VECTORS]; CHAINS]; 2];
        let pixels = a.len() / LANES;
        let mut add = |pixel: usize, chain: usize| {
            for v in 0..LANES / S::WIDTH {
                let at = pixel * LANES + v * S::WIDTH;
                // SAFETY: both planes are whole pixels of LANES numbers, and there are this many.
                let (x, y) = unsafe { (s.load(a.as_ptr().add(at)), s.load(b.as_ptr().add(at))) };
                let terms = f(x, y);
                for i in 0..2 {
                    sums[i][chain][v] = s.add(sums[i][chain][v], terms[i]);
                }
            }
        };
        let whole = pixels / CHAINS * CHAINS;
        for pixel in (0..whole).step_by(CHAINS) {
            for chain in 0..CHAINS {
                add(pixel + chain, chain);
            }
        }
        for pixel in whole..pixels {
            add(pixel, 0);
        }
        for i in 0..2 {
            let mut part = [S::E::default(); LANES];
            for v in 0..LANES / S::WIDTH {
                let left = s.add(sums[i][0][v], sums[i][1][v]);
                let right = s.add(sums[i][2][v], sums[i][3][v]);
                // SAFETY: LANES is a multiple of WIDTH, and v counts those.
                unsafe { s.store(part.as_mut_ptr().add(v * S::WIDTH), s.add(left, right)) };
            }
            for (total, part) in totals[i].iter_mut().zip(part) {
                *total += part.to_f64();
            }
        }
    }
    totals
}

/// `output = f(input)`, vector by vector.
#[inline(always)]
fn map<S: Simd>(s: S, input: &[S::E], output: &mut [S::E], f: impl Fn(S::V) -> S::V) {
    for (x, y) in input.chunks_exact(S::WIDTH).zip(output.chunks_exact_mut(S::WIDTH)) {
        // SAFETY: both are of WIDTH numbers.
        unsafe { s.store(y.as_mut_ptr(), f(s.load(x.as_ptr()))) };
    }
}

/// The backward pass: adds the gradients of scale and shift to `out`, followed by the statistics of the batch; replaces the input by its
/// gradient.
pub(crate) struct NormalizeBack<'a, E> {
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a mut [E],
    pub(crate) gradient: &'a [E],
    /// `[4][channel]`.
    pub(crate) parameters: &'a [E],
    /// Whether the statistics were those of the micro-batch; the gradient then flows through them too.
    pub(crate) train: bool,
    /// Samples in the micro-batch.
    pub(crate) samples: usize,
    /// Samples in the batch.
    pub(crate) batch: usize,
    pub(crate) statistics: &'a [Statistics<E>],
    /// `[4][channel]`.
    pub(crate) out: &'a mut [E],
    /// Whether the gradient of the input is needed.
    pub(crate) differentiate: bool,
}

impl<E: Number> Kernel<E> for NormalizeBack<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let channels = self.statistics.len();
        let plane = self.input.len() / channels;
        assert_eq!(self.gradient.len(), self.input.len());
        let n = (self.samples * (plane / LANES)) as f64;
        let share = E::from_f64(self.samples as f64 / self.batch as f64);
        let present_lanes: [E; LANES] =
            std::array::from_fn(
                |lane| {
                    if lane < self.samples { E::from_f64(1.0) } else { E::default() }
                },
            );
        for (c, statistics) in self.statistics.iter().enumerate() {
            let Statistics { mean, inverse, variance } = *statistics;
            let input = &mut self.input[c * plane..(c + 1) * plane];
            let gradient = &self.gradient[c * plane..(c + 1) * plane];
            let minus = s.splat(E::default().minus(mean));
            let sums = lane_sums(s, gradient, input, |g, x| [g, s.mul(g, s.add(x, minus))]);
            let [sum, product] = sums.map(|lanes| present(lanes, self.samples));
            let inverse = inverse.to_f64();
            let terms = [product * inverse, sum].map(E::from_f64);
            let terms = [terms[0], terms[1], mean.times(share), variance.times(share)];
            for (i, term) in terms.into_iter().enumerate() {
                let out = &mut self.out[i * channels + c];
                *out = out.plus(term);
            }
            if !self.differentiate {
                continue;
            }
            let factor = self.parameters[c].to_f64() * inverse;
            let (slope, term) = if self.train {
                let slope = -factor * inverse * inverse * product / n;
                (slope, -factor * sum / n - slope * mean.to_f64())
            } else {
                (0.0, 0.0)
            };
            let [factor, slope, term] = [factor, slope, term].map(|x| s.splat(E::from_f64(x)));
            let pixels = input.chunks_exact_mut(LANES).zip(gradient.chunks_exact(LANES));
            for (x, g) in pixels {
                for v in 0..LANES / S::WIDTH {
                    let at = v * S::WIDTH;
                    // SAFETY: both are of LANES numbers.
                    unsafe {
                        let lanes = s.load(present_lanes.as_ptr().add(at));
                        let (p, g) = (x.as_mut_ptr().add(at), s.load(g.as_ptr().add(at)));
                        let rest = s.fma(s.load(p), slope, term);
                        s.store(p, s.mul(lanes, s.fma(g, factor, rest)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::Element;

    /// Numbers far from zero, whose variance a sum of squares would lose.
    #[test]
    fn statistics_are_of_the_samples_there_are() {
        let (pixels, samples) = (301, 5);
        let input: Vec<f32> = (0..2 * pixels * LANES)
            .map(|i| {
                1000.0 + (i * 7919 % 1009) as f32 * 0.001 + if i % LANES < 5 { 0.0 } else { 1e6 }
            })
            .collect();
        for isa in Isa::available() {
            let mut statistics = [Statistics::default(); 2];
            let mut output = vec![0.0; input.len()];
            f32::normalize(
                isa,
                Normalize {
                    input: &input,
                    output: &mut output,
                    parameters: &[1.0, 2.0, 0.0, -1.0, 0.0, 0.0, 1.0, 1.0],
                    epsilon: 1e-5,
                    samples: Some(samples),
                    rectify: None,
                    statistics: &mut statistics,
                },
            );
            for (c, statistics) in statistics.iter().enumerate() {
                let plane = &input[c * pixels * LANES..(c + 1) * pixels * LANES];
                let present = || {
                    let lanes = plane.chunks(LANES).flat_map(|lanes| &lanes[..samples]);
                    lanes.map(|&x| f64::from(x))
                };
                let n = present().count() as f64;
                let mean = present().sum::<f64>() / n;
                let variance = present().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
                assert!((f64::from(statistics.mean) - mean).abs() < 1e-4, "{isa}");
                assert!((f64::from(statistics.variance) / variance - 1.0).abs() < 1e-4, "{isa}");
                let x = f64::from(plane[0]);
                let biased = variance * (n - 1.0) / n;
                let y = (x - mean) / (biased + 1e-5).sqrt() * [1.0, 2.0][c] + [0.0, -1.0][c];
                assert!((f64::from(output[c * pixels * LANES]) - y).abs() < 1e-3, "{isa}");
            }
        }
    }
}
