//! Gradient descent of t-SNE with momentum and a gain per coordinate. The caller chooses exaggeration and learning rate of each step.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::affinities::Affinities;
use super::field::Solver;
use super::point::{Point, attraction, squared_distance};
use crate::lanes::{dispatch, ordered_sum};

/// Longest step of a point.
const MAX_STEP: f32 = 5.0;
/// Points whose sum is computed at a time.
const CHUNK: usize = 256;
/// Points that a thread moves at a time; no result depends on it.
const MOVED: usize = 64;
/// The least number of chunks that a thread sums up or centres, which takes less than to wake another thread; no result depends on it.
const PIECE: usize = 32;

/// State of one point's descent.
#[derive(Clone, Copy)]
struct Motion {
    velocity: Point,
    /// Factor of the learning rate along each axis; grows while the gradient keeps its sign (Jacobs, "Increased rates of convergence
    /// through learning rate adaptation", 1988).
    gain: Point,
}

/// Factors of a step.
#[derive(Clone, Copy)]
struct Rates {
    /// Of the attraction.
    exaggeration: f32,
    /// Of the repulsion.
    scale: f32,
    rate: f32,
    momentum: f32,
    /// Axes along which points move.
    axes: usize,
}

/// The moves of the points from `first` on.
struct Moves<'a> {
    first: usize,
    points: &'a [Point],
    affinities: &'a Affinities,
    repulsions: &'a [(f32, Point)],
    rates: Rates,
    next: &'a mut [Point],
    motions: &'a mut [Motion],
}

impl WithSimd for Moves<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Rates { exaggeration, scale, rate, momentum, axes } = self.rates;
        for (l, (next, motion)) in self.next.iter_mut().zip(self.motions).enumerate() {
            let i = self.first + l;
            let y = self.points[i];
            let attraction = attraction(y, self.affinities.row(i), self.points);
            let repulsion = self.repulsions[i].1;
            let mut step = [0.0f32; 2];
            for a in 0..axes {
                let gradient = exaggeration * attraction[a] + scale * repulsion[a];
                let keeps_sign = (gradient > 0.0) != (motion.velocity[a] > 0.0);
                let gain = if keeps_sign { motion.gain[a] + 0.2 } else { motion.gain[a] * 0.8 };
                motion.gain[a] = gain.max(0.01);
                step[a] = momentum * motion.velocity[a] - rate * motion.gain[a] * gradient;
            }
            let length = (step[0] * step[0] + step[1] * step[1]).sqrt();
            let shorten = if length > MAX_STEP { MAX_STEP / length } else { 1.0 };
            motion.velocity = step.map(|s| s * shorten);
            *next = [0, 1].map(|a| y[a] + motion.velocity[a]);
        }
    }
}

/// Gradient descent on the points of a map.
pub(crate) struct Descent<'a> {
    pub(crate) points: Vec<Point>,
    next: Vec<Point>,
    motions: Vec<Motion>,
    affinities: &'a Affinities,
    /// Axes along which points move.
    axes: usize,
    solver: Solver,
}

impl<'a> Descent<'a> {
    pub(crate) fn new(points: Vec<Point>, affinities: &'a Affinities, axes: usize) -> Self {
        let motions = vec![Motion { velocity: [0.0; 2], gain: [1.0; 2] }; points.len()];
        let next = points.clone();
        Descent { points, next, motions, affinities, axes, solver: Solver::default() }
    }

    /// One step down `sum_j (exaggeration p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)`, a quarter of the gradient.
    pub(crate) fn step(&mut self, exaggeration: f32, rate: f32, momentum: f32) {
        let Descent { points, next, motions, affinities, axes, solver } = self;
        let repulsions = solver.of_others(points, CHUNK);
        let z = normaliser(&repulsions);
        let scale = (0.5 / z) as f32;
        let chunks = next.par_chunks_mut(MOVED).zip(motions.par_chunks_mut(MOVED));
        chunks.enumerate().for_each(|(c, (next, motions))| {
            let (first, points, affinities, repulsions) =
                (c * MOVED, &**points, *affinities, &*repulsions);
            let rates = Rates { exaggeration, scale, rate, momentum, axes: *axes };
            dispatch(Moves { first, points, affinities, repulsions, rates, next, motions });
        });
        let centre = [0, 1].map(|a| (sum(next, |y| y[a]) / next.len() as f64) as f32);
        next.par_chunks_mut(CHUNK).with_min_len(PIECE).for_each(|part| {
            for y in part {
                *y = [0, 1].map(|a| y[a] - centre[a]);
            }
        });
        std::mem::swap(points, next);
    }

    /// Kullback-Leibler divergence `sum_ij p_ij ln(p_ij / q_ij)`, in nats.
    pub(crate) fn divergence(&mut self) -> f64 {
        let points = &self.points;
        let repulsions = self.solver.of_others(points, CHUNK);
        let mean_log = ordered_sum(points, (CHUNK, 1), |first, part| {
            let row = |(l, y): (usize, &Point)| -> f64 {
                let entry = |(j, p): (u32, f32)| {
                    let squared = f64::from(squared_distance(*y, points[j as usize]));
                    let p = f64::from(p);
                    p * libm::log(p * (1.0 + squared))
                };
                self.affinities.entries(first + l).map(entry).sum()
            };
            part.iter().enumerate().map(row).sum()
        });
        // Rounding can bring the divergence of equal rows below 0.
        (mean_log + libm::log(normaliser(&repulsions))).max(0.0)
    }
}

/// `sum_(i != j) 1 / (1 + |y_i - y_j|^2)`, from each point's potential of the others.
fn normaliser(repulsions: &[(f32, Point)]) -> f64 {
    sum(repulsions, |r| r.0).max(f64::MIN_POSITIVE)
}

/// Sum of what `of` takes from each item.
fn sum<T: Sync>(items: &[T], of: impl Fn(&T) -> f32 + Sync) -> f64 {
    ordered_sum(items, (CHUNK, PIECE), |_, part| part.iter().map(|item| f64::from(of(item))).sum())
}
