//! Penalties that compare the latents of a whole batch pair by pair, for [`crate::Posterior`]. Each kernel computes 16 samples, one in each
//! lane, against all samples of the batch in their order, so no sum depends on the threads.

use std::array::from_fn;

use crate::kernels::latent::WIDTHS;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The numbers that a batch has for each axis of its latents.
pub(crate) const PLANES: usize = 6;
const MEAN: usize = 0;
const LOG: usize = 1;
/// 1 / variance.
const INVERSE: usize = 2;
/// The drawn latents.
const Z: usize = 3;
/// dz / d log-variance.
const SLOPE: usize = 4;
/// Draws of the prior, or zeros.
const PRIOR: usize = 5;

/// A batch as `[axis][plane][sample]`, with as many zeros after the samples as make whole lanes.
#[derive(Clone, Copy)]
pub(crate) struct Planes<'a, E> {
    pub(crate) samples: usize,
    pub(crate) dim: usize,
    pub(crate) numbers: &'a [E],
}

impl<'a, E: Number> Planes<'a, E> {
    #[inline(always)]
    fn plane(&self, axis: usize, plane: usize) -> &'a [[E; LANES]] {
        let blocks = self.samples.div_ceil(LANES);
        &self.numbers.as_chunks().0[(axis * PLANES + plane) * blocks..][..blocks]
    }

    /// The numbers of all samples.
    #[inline(always)]
    fn all(&self, axis: usize, plane: usize) -> &'a [E] {
        &self.plane(axis, plane).as_flattened()[..self.samples]
    }

    /// Mean, log-variance and 1 / variance of each sample, in all lanes.
    #[inline(always)]
    fn densities(&self, axis: usize) -> impl Iterator<Item = [Lanes<E>; 3]> + use<'a, E> {
        let (means, logs) = (self.all(axis, MEAN), self.all(axis, LOG));
        let rest = logs.iter().zip(self.all(axis, INVERSE));
        means.iter().zip(rest).map(|(&m, (&l, &v))| [[m; LANES], [l; LANES], [v; LANES]])
    }

    /// Samples in a block of lanes.
    #[inline(always)]
    fn count(&self, block: usize) -> usize {
        (self.samples - block * LANES).min(LANES)
    }
}

/// Fills the planes of one axis.
pub(crate) struct Arrange<'a, E> {
    pub(crate) axis: usize,
    pub(crate) dim: usize,
    /// Means, then log-variances, `[n, 2 d]`.
    pub(crate) posterior: &'a [E],
    /// Standard normal draws of the posterior, `[n, d]`.
    pub(crate) draws: &'a [E],
    /// Draws of the prior, `[n, d]`, or none.
    pub(crate) prior: &'a [E],
    /// `[plane][sample]`.
    pub(crate) out: &'a mut [E],
}

impl<E: Number> Kernel<E> for Arrange<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let Arrange { axis, dim, posterior, draws, prior, out } = self;
        let blocks = out.len() / PLANES / LANES;
        let mut planes = out.as_chunks_mut::<LANES>().0.chunks_exact_mut(blocks);
        let mut next = || planes.next().unwrap_or_default();
        let [means, logs, inverses, latents, slopes, priors]: [_; PLANES] = from_fn(|_| next());
        for (i, row) in posterior.chunks_exact(2 * dim).enumerate() {
            means[i / LANES][i % LANES] = row[axis];
            logs[i / LANES][i % LANES] = row[dim + axis];
            // The draws, until they are latents.
            latents[i / LANES][i % LANES] = draws[i * dim + axis];
        }
        for (i, row) in prior.chunks_exact(dim).enumerate() {
            priors[i / LANES][i % LANES] = row[axis];
        }
        let (zero, half) = (E::default(), E::from_f64(0.5));
        let given = means.iter().zip(logs);
        let made = inverses.iter_mut().zip(latents.iter_mut().zip(slopes));
        for ((mean, log), (inverse, (latent, slope))) in given.zip(made) {
            for lane in 0..LANES {
                // As the layer `Gaussian` computes them.
                let (l, draw) = (log[lane], latent[lane]);
                let deviation = l.times(half).exp();
                latent[lane] = deviation.fused(draw, mean[lane]);
                slope[lane] = deviation.times(draw).times(half);
                inverse[lane] = zero.minus(l).exp();
            }
        }
    }
}

/// A number for each lane. Lanes are computed as values, not in place, because compilers make vectors of them only then.
type Lanes<E> = [E; LANES];

#[inline(always)]
fn each<E: Number>(number: impl Fn(usize) -> E) -> Lanes<E> {
    let mut lanes = [E::default(); LANES];
    for (lane, x) in lanes.iter_mut().enumerate() {
        *x = number(lane);
    }
    lanes
}

/// The derivatives of log N(z; m, exp(l)) by m, their squares times the variance, and the logarithms of the densities without their constant.
#[inline(always)]
fn log_densities<E: Number>(z: &Lanes<E>, density: &[Lanes<E>; 3]) -> [Lanes<E>; 3] {
    let [means, logs, inverses] = density;
    let half = E::from_f64(-0.5);
    let apart = each(|lane| z[lane].minus(means[lane]));
    let slopes = each(|lane| apart[lane].times(inverses[lane]));
    let squares = each(|lane| apart[lane].times(slopes[lane]));
    [slopes, squares, each(|lane| squares[lane].plus(logs[lane]).times(half))]
}

#[inline(always)]
fn larger<E: Number>(a: E, b: E) -> E {
    if a > b { a } else { b }
}

/// For 16 samples: the logarithms of the sum of `q(z|x_j)` over all j and, on each axis, of that of `q(z_k|x_j)`, without constants, and the derivative of their
/// difference by z. Returns the sum of the differences.
pub(crate) struct CorrelationRows<'a, E> {
    pub(crate) planes: Planes<'a, E>,
    pub(crate) block: usize,
    /// `[1 + 2 d][lane]`: the logarithm of the joint sum, those of each axis, and the derivatives.
    pub(crate) out: &'a mut [E],
}

impl<E: Number> Kernel<E> for CorrelationRows<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> f64 {
        let CorrelationRows { planes, block, out } = self;
        let (joint, axes) = out.as_chunks_mut::<LANES>().0.split_at_mut(1);
        let (logs, slopes) = axes.split_at_mut(planes.dim);
        let none = [E::default(); LANES];
        let lowest = [E::from_f64(f64::NEG_INFINITY); LANES];
        let mut terms = vec![none; planes.samples];
        let mut joints = vec![none; planes.samples];
        let mut difference = [0.0; LANES];
        for (axis, (log, slope)) in logs.iter_mut().zip(&mut *slopes).enumerate() {
            let z = &planes.plane(axis, Z)[block];
            let mut largest = lowest;
            let of_axis = terms.iter_mut().zip(&mut joints).zip(planes.densities(axis));
            for ((term, joint), density) in of_axis {
                let [_, _, logs] = log_densities(z, &density);
                *joint = each(|lane| joint[lane].plus(logs[lane]));
                largest = each(|lane| larger(logs[lane], largest[lane]));
                *term = logs;
            }
            let (mut sum, mut slopes) = (none, none);
            for (term, density) in terms.iter().zip(planes.densities(axis)) {
                let weights = each(|lane| term[lane].minus(largest[lane]).exp());
                sum = each(|lane| sum[lane].plus(weights[lane]));
                let [by_mean, ..] = log_densities(z, &density);
                slopes = each(|lane| weights[lane].fused(by_mean[lane], slopes[lane]));
            }
            for lane in 0..LANES {
                log[lane] = largest[lane].plus(sum[lane].ln());
                slope[lane] = slopes[lane].over(sum[lane]);
                difference[lane] -= log[lane].to_f64();
            }
        }
        let mut largest = lowest;
        for joint in &joints {
            largest = each(|lane| larger(joint[lane], largest[lane]));
        }
        let mut sum = none;
        for joint in &mut joints {
            let weights = each(|lane| joint[lane].minus(largest[lane]).exp());
            sum = each(|lane| sum[lane].plus(weights[lane]));
            *joint = weights;
        }
        for lane in 0..LANES {
            joint[0][lane] = largest[lane].plus(sum[lane].ln());
            difference[lane] += joint[0][lane].to_f64();
        }
        for (axis, slope) in slopes.iter_mut().enumerate() {
            let z = &planes.plane(axis, Z)[block];
            let mut slopes = none;
            for (weight, density) in joints.iter().zip(planes.densities(axis)) {
                let [by_mean, ..] = log_densities(z, &density);
                slopes = each(|lane| weight[lane].fused(by_mean[lane], slopes[lane]));
            }
            for lane in 0..LANES {
                slope[lane] = slope[lane].minus(slopes[lane].over(sum[lane]));
            }
        }
        difference[..planes.count(block)].iter().sum()
    }
}

/// For 16 samples: the gradient of the total correlation by their means and log-variances.
pub(crate) struct CorrelationColumns<'a, E> {
    pub(crate) planes: Planes<'a, E>,
    pub(crate) block: usize,
    /// What [`CorrelationRows`] gives for each block.
    pub(crate) rows: &'a [E],
    /// Means, then log-variances, `[2 d][lane]`.
    pub(crate) out: &'a mut [E],
}

impl<E: Number> Kernel<E> for CorrelationColumns<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let CorrelationColumns { planes, block, rows, out } = self;
        let (samples, dim) = (planes.samples, planes.dim);
        let rows = rows.as_chunks::<LANES>().0;
        let row = |i: usize, which: usize| rows[i / LANES * (1 + 2 * dim) + which][i % LANES];
        let own = |axis: usize| {
            let plane = |plane: usize| planes.plane(axis, plane)[block];
            [plane(MEAN), plane(LOG), plane(INVERSE)]
        };
        let densities: Vec<[Lanes<E>; 3]> = (0..dim).map(own).collect();
        let none = [E::default(); LANES];
        let mut weights = vec![none; samples];
        let (one, half) = (E::from_f64(1.0), E::from_f64(0.5));
        let share = E::from_f64(1.0 / samples as f64);
        let (means, logs) = out.as_chunks_mut::<LANES>().0.split_at_mut(dim);
        for axis in 0..dim {
            let (mut by_mean, mut by_log) = (none, none);
            let each_sample = weights.iter_mut().zip(planes.all(axis, Z)).enumerate();
            for (i, (weight, &z)) in each_sample {
                let of_axis = row(i, 1 + axis);
                let [slopes, squares, logs] = log_densities(&[z; LANES], &densities[axis]);
                *weight = each(|lane| weight[lane].plus(logs[lane]));
                let own = each(|lane| logs[lane].minus(of_axis).exp());
                by_mean = each(|lane| own[lane].fused(slopes[lane], by_mean[lane]));
                let excess = each(|lane| squares[lane].minus(one));
                by_log = each(|lane| own[lane].fused(excess[lane], by_log[lane]));
            }
            (means[axis], logs[axis]) = (by_mean, by_log);
        }
        for (i, weight) in weights.iter_mut().enumerate() {
            let joint = row(i, 0);
            *weight = each(|lane| weight[lane].minus(joint).exp());
        }
        for (axis, (mean, log)) in means.iter_mut().zip(logs).enumerate() {
            let (mut by_mean, mut by_log) = (none, none);
            for (weight, &z) in weights.iter().zip(planes.all(axis, Z)) {
                let [slopes, squares, _] = log_densities(&[z; LANES], &densities[axis]);
                by_mean = each(|lane| weight[lane].fused(slopes[lane], by_mean[lane]));
                let excess = each(|lane| squares[lane].minus(one));
                by_log = each(|lane| weight[lane].fused(excess[lane], by_log[lane]));
            }
            let by_z = &rows[block * (1 + 2 * dim) + 1 + dim + axis];
            let slope = &planes.plane(axis, SLOPE)[block];
            for lane in 0..LANES {
                let by_mean = by_mean[lane].minus(mean[lane]);
                let by_log = by_log[lane].minus(log[lane]).times(half);
                mean[lane] = by_mean.plus(by_z[lane]).times(share);
                log[lane] = by_z[lane].fused(slope[lane], by_log).times(share);
            }
        }
    }
}

/// The kernel of [`crate::Layer::MmdPenalty`] at some squared distances, and its derivative by them.
#[inline(always)]
fn kernels<E: Number>(squares: &Lanes<E>, dim: usize) -> [Lanes<E>; 2] {
    let (mut values, mut slopes) = ([E::default(); LANES], [E::default(); LANES]);
    for width in WIDTHS {
        let c = E::from_f64(2.0 * dim as f64 * width);
        let inverse = each(|lane| E::from_f64(1.0).over(c.plus(squares[lane])));
        let value = each(|lane| c.times(inverse[lane]));
        values = each(|lane| values[lane].plus(value[lane]));
        slopes = each(|lane| slopes[lane].minus(value[lane].times(inverse[lane])));
    }
    [values, slopes]
}

/// Adds the square of x - y to each sum.
#[inline(always)]
fn add_squares<E: Number>(x: &Lanes<E>, y: E, sums: &mut Lanes<E>) {
    let apart = each(|lane| x[lane].minus(y));
    *sums = each(|lane| apart[lane].fused(apart[lane], sums[lane]));
}

/// For 16 samples: their part of the unbiased estimate of the squared maximum mean discrepancy between the latents of the batch and draws of
/// the prior, and its gradient by their means and log-variances. Returns the part of the estimate, a small difference of large sums, which are
/// therefore in double precision.
pub(crate) struct MmdRows<'a, E> {
    pub(crate) planes: Planes<'a, E>,
    pub(crate) block: usize,
    /// Means, then log-variances, `[2 d][lane]`.
    pub(crate) out: &'a mut [E],
}

impl<E: Number> Kernel<E> for MmdRows<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> f64 {
        let MmdRows { planes, block, out } = self;
        let (n, dim) = (planes.samples as f64, planes.dim);
        let (among, across) = (1.0 / (n * (n - 1.0)), -2.0 / (n * n));
        let none = [E::default(); LANES];
        let own: Vec<[Lanes<E>; 2]> = (0..dim)
            .map(|axis| [planes.plane(axis, Z)[block], planes.plane(axis, PRIOR)[block]])
            .collect();
        let mut total = [0.0; LANES];
        let mut by_z = vec![none; dim];
        for j in 0..planes.samples {
            let other = |axis: usize| [planes.all(axis, Z)[j], planes.all(axis, PRIOR)[j]];
            // Squared distances among latents, from latents to the prior, and within the prior.
            let (mut of_z, mut of_both, mut of_prior) = (none, none, none);
            for (axis, [z, prior]) in own.iter().enumerate() {
                let [other_z, other_prior] = other(axis);
                add_squares(z, other_z, &mut of_z);
                add_squares(z, other_prior, &mut of_both);
                add_squares(prior, other_prior, &mut of_prior);
            }
            let [of_z, z_slopes] = kernels(&of_z, dim);
            let [of_both, both_slopes] = kernels(&of_both, dim);
            let [of_prior, _] = kernels(&of_prior, dim);
            // No sample is compared with itself.
            let mut among = [among; LANES];
            if block == j / LANES {
                among[j % LANES] = 0.0;
            }
            for lane in 0..LANES {
                let same = among[lane] * (of_z[lane].to_f64() + of_prior[lane].to_f64());
                total[lane] += across.mul_add(of_both[lane].to_f64(), same);
            }
            // Each pair of latents is visited twice, and each visit updates only one of the two.
            let to_z = each(|lane| z_slopes[lane].times(E::from_f64(4.0 * among[lane])));
            let to_prior = each(|lane| both_slopes[lane].times(E::from_f64(2.0 * across)));
            for (axis, (by_z, [z, _])) in by_z.iter_mut().zip(&own).enumerate() {
                let [other_z, other_prior] = other(axis);
                let sums = each(|lane| to_z[lane].fused(z[lane].minus(other_z), by_z[lane]));
                *by_z = each(|lane| to_prior[lane].fused(z[lane].minus(other_prior), sums[lane]));
            }
        }
        let (means, logs) = out.as_chunks_mut::<LANES>().0.split_at_mut(dim);
        for (axis, by_z) in by_z.iter().enumerate() {
            let slope = &planes.plane(axis, SLOPE)[block];
            means[axis] = *by_z;
            logs[axis] = each(|lane| by_z[lane].times(slope[lane]));
        }
        total[..planes.count(block)].iter().sum()
    }
}
