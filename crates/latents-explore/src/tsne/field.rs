//! What all points of a map do to one place: the potential `sum_j 1 / (1 + |y - y_j|^2)` and its gradient, which is the repulsion
//! of t-SNE, in time that hardly grows with the points. Points are spread onto a grid, the grid is convolved by Fourier transforms,
//! and the result is read off between the grid's nodes: Linderman et al., "Fast interpolation-based t-SNE for improved
//! visualization of single-cell RNA-seq data", 2019. Two things differ. The grid's functions are cubic B-splines (Unser et al., "B-spline
//! signal processing", 1993; Essmann et al., "A smooth particle mesh Ewald method", 1995), so the potential is smooth and its own
//! gradient is the force: one charge is transformed rather than four. And nodes keep their distance while the map grows, so the kernel
//! is transformed again only when the grid does.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::lanes::{LANES, Lane, dispatch};
use crate::tsne::fft::{Fft, Signals};

/// A place in the map.
pub(crate) type Place = [f32; 2];

/// Distance of neighbouring nodes, as long as the grid is not the largest; the kernel's own width is 1.
const STEP: f32 = 0.4;
/// Nodes along a side of the periodic grid, at most and at least.
const MOST: usize = 4096;
const LEAST: usize = 64;
/// Parts in which points are spread, to be added up in order. A fixed number, so that the sums do not depend on the threads.
const SHARDS: usize = 8;
/// Nodes along each axis that a point is spread to.
const SPAN: usize = 4;
/// Nodes around the points, for places a little outside.
const MARGIN: usize = 4;

/// Computes potentials; keeps what the next ones can use again.
#[derive(Debug, Default)]
pub(crate) struct Solver {
    plan: Option<Plan>,
}

/// A grid's size, and the kernel on it.
#[derive(Debug)]
struct Plan {
    /// Nodes along a side of the periodic grid; points lie in the first half, so that the other half's images are far away.
    side: usize,
    step: f32,
    fft: Fft,
    /// Transform of the kernel, over that of the splines: `[ceil((side / 2 + 1) / 16)][side][16]`, x frequencies in the lanes.
    spectrum: Vec<Lane>,
    near: Near,
}

/// What a charge on a node does to the coefficients of its neighbours, by distance along each axis.
type Near = [[f32; SPAN]; SPAN];

/// The potential of some points.
#[derive(Debug)]
pub(crate) struct Potential {
    origin: Place,
    step: f32,
    half: usize,
    /// Coefficients of the splines, `[half][half]`, x first.
    grid: Vec<f32>,
    near: Near,
}

impl Solver {
    /// The potential of a unit charge at each of `points`, which must be finite and at least one.
    pub(crate) fn potential(&mut self, points: &[Place]) -> Potential {
        let (low, high) = bounds(points);
        let extent = (high[0] - low[0]).max(high[1] - low[1]);
        let (side, step) = size(extent);
        if self.plan.as_ref().is_none_or(|p| p.side != side || p.step.to_bits() != step.to_bits()) {
            self.plan = Some(Plan::new(side, step));
        }
        let Some(plan) = &self.plan else { unreachable!("it was just made") };
        let origin = low.map(|v| v - MARGIN as f32 * step);
        let half = side / 2;
        let charges = spread(points, origin, step, half);
        Potential { origin, step, half, grid: plan.convolve(&charges), near: plan.near }
    }
}

impl Potential {
    /// The potential at `y`, and its gradient. Far outside the points, those of the margin's end.
    #[inline]
    pub(crate) fn at(&self, y: Place) -> (f32, Place) {
        self.read(self.weights(y))
    }

    /// The same at one of the points, without what the point does to itself. Where points are sparse, the grid's error would be mostly
    /// that.
    #[inline]
    pub(crate) fn of_others(&self, y: Place) -> (f32, Place) {
        let at = self.weights(y);
        let (value, gradient) = self.read(at);
        // Sums over pairs of nodes at each distance; distances to both sides count the same.
        let [x, y] = at.map(|(_, w, d)| {
            let (mut pairs, mut slopes) = ([0.0f32; SPAN], [0.0f32; SPAN]);
            for a in 0..SPAN {
                for b in 0..SPAN {
                    pairs[a.abs_diff(b)] += w[a] * w[b];
                    slopes[a.abs_diff(b)] += d[a] * w[b];
                }
            }
            (pairs, slopes)
        });
        let (mut own, mut force) = (0.0f32, [0.0f32; 2]);
        for a in 0..SPAN {
            for b in 0..SPAN {
                own += x.0[a] * y.0[b] * self.near[a][b];
                force[0] += x.1[a] * y.0[b] * self.near[a][b];
                force[1] += x.0[a] * y.1[b] * self.near[a][b];
            }
        }
        (value - own, [0, 1].map(|a| gradient[a] - force[a] / self.step))
    }

    #[inline(always)]
    fn weights(&self, y: Place) -> [(usize, [f32; SPAN], [f32; SPAN]); 2] {
        let end = (self.half - SPAN) as f32;
        [0, 1].map(|a| weights(((y[a] - self.origin[a]) / self.step).clamp(1.0, end)))
    }

    #[inline(always)]
    fn read(
        &self,
        [(i, wx, dx), (j, wy, dy)]: [(usize, [f32; SPAN], [f32; SPAN]); 2],
    ) -> (f32, Place) {
        let (mut value, mut gradient) = (0.0f32, [0.0f32; 2]);
        for a in 0..SPAN {
            let row = &self.grid[(i + a) * self.half + j..][..SPAN];
            let (mut along, mut slope) = (0.0f32, 0.0f32);
            for b in 0..SPAN {
                along += row[b] * wy[b];
                slope += row[b] * dy[b];
            }
            value += along * wx[a];
            gradient[0] += along * dx[a];
            gradient[1] += slope * wx[a];
        }
        (value, gradient.map(|g| g / self.step))
    }
}

fn bounds(points: &[Place]) -> (Place, Place) {
    let start = (points[0], points[0]);
    points.iter().fold(start, |(low, high), y| {
        ([low[0].min(y[0]), low[1].min(y[1])], [high[0].max(y[0]), high[1].max(y[1])])
    })
}

/// Side of the periodic grid and distance of its nodes for points that lie `extent` apart at most.
fn size(extent: f32) -> (usize, f32) {
    let mut step = STEP;
    loop {
        let needed = 2 * ((extent / step) as usize + 2 * MARGIN + SPAN);
        if needed <= MOST {
            return (length(needed), step);
        }
        step *= 2.0;
    }
}

/// The least length of a fast transform that is not less than `needed`.
fn length(needed: usize) -> usize {
    let powers = [1, 3, 9, 27].map(|odd: usize| {
        let mut n = odd * 8;
        while n < needed.max(LEAST) {
            n *= 2;
        }
        n
    });
    powers.into_iter().min().unwrap_or(MOST)
}

/// The node before `u` less one, `u` being at least 1, and what cubic B-splines on it and the next three have at `u`: values and slopes.
#[inline(always)]
fn weights(u: f32) -> (usize, [f32; SPAN], [f32; SPAN]) {
    let node = u.floor();
    let t = u - node;
    let s = 1.0 - t;
    let value = [
        s * s * s / 6.0,
        (t * t * (3.0 * t - 6.0) + 4.0) / 6.0,
        (s * s * (3.0 * s - 6.0) + 4.0) / 6.0,
        t * t * t / 6.0,
    ];
    let slope = [-0.5 * s * s, t * (1.5 * t - 2.0), -s * (1.5 * s - 2.0), 0.5 * t * t];
    (node as usize - 1, value, slope)
}

/// Charges on the nodes, `[half][half]`.
fn spread(points: &[Place], origin: Place, step: f32, half: usize) -> Vec<f32> {
    let shards: Vec<Vec<f32>> = points
        .par_chunks(points.len().div_ceil(SHARDS))
        .map(|points| {
            let mut grid = vec![0.0f32; half * half];
            for y in points {
                let [(i, wx, _), (j, wy, _)] = [0, 1].map(|a| weights((y[a] - origin[a]) / step));
                for a in 0..SPAN {
                    let row = &mut grid[(i + a) * half + j..][..SPAN];
                    for b in 0..SPAN {
                        row[b] += wx[a] * wy[b];
                    }
                }
            }
            grid
        })
        .collect();
    let mut grid = vec![0.0f32; half * half];
    grid.par_chunks_mut(half).enumerate().for_each(|(i, row)| {
        for shard in &shards {
            for (sum, v) in row.iter_mut().zip(&shard[i * half..]) {
                *sum += v;
            }
        }
    });
    grid
}

impl Plan {
    fn new(side: usize, step: f32) -> Self {
        let fft = Fft::new(side).unwrap_or_else(|| unreachable!("length() gives twos and threes"));
        let half = side / 2;
        // The kernel is even along both axes, so one half of each says all, and its transform is real and even too.
        let kernel = |x: usize, y: usize| {
            let [x, y] = [x, y].map(|v| v.min(side - v) as f32 * step);
            1.0 / (1.0 + (x * x + y * y))
        };
        let columns: Vec<Vec<Lane>> = (0..=half / LANES)
            .into_par_iter()
            .map(|block| {
                let mut signals = Signals::new(side);
                for (x, group) in signals.re.iter_mut().enumerate() {
                    *group = std::array::from_fn(|l| kernel(x, (block * LANES + l).min(half)));
                }
                dispatch(Transform { fft: &fft, signals: &mut signals });
                signals.re.truncate(half + 1);
                signals.re
            })
            .collect();
        let spline = |k: usize| {
            let b = (2.0 + libm::cos(std::f64::consts::TAU * k as f64 / side as f64)) / 3.0;
            b * b
        };
        let splines: Vec<f64> = (0..side).map(spline).collect();
        let scale = 1.0 / (side * side) as f64;
        let mut spectrum = vec![[0.0; LANES]; (half / LANES + 1) * side];
        spectrum.par_chunks_mut(side).enumerate().for_each(|(block, out)| {
            let mut signals = Signals::new(side);
            for (y, group) in signals.re.iter_mut().enumerate() {
                let y = y.min(side - y);
                *group = std::array::from_fn(|l| {
                    columns[y / LANES][(block * LANES + l).min(half)][y % LANES]
                });
            }
            dispatch(Transform { fft: &fft, signals: &mut signals });
            for (ky, (out, group)) in out.iter_mut().zip(&signals.re).enumerate() {
                *out = std::array::from_fn(|l| {
                    let spline = splines[(block * LANES + l).min(half)] * splines[ky];
                    (f64::from(group[l]) / spline * scale) as f32
                });
            }
        });
        let mut plan = Plan { side, step, fft, spectrum, near: Near::default() };
        let mut charges = vec![0.0; half * half];
        charges[0] = 1.0;
        let one = plan.convolve(&charges);
        plan.near = std::array::from_fn(|a| std::array::from_fn(|b| one[a * half + b]));
        plan
    }

    /// The potential's coefficients for charges `[half][half]`.
    ///
    /// Two real signals are transformed as one complex one; of the periodic grid only the half is touched that charges are in.
    fn convolve(&self, charges: &[f32]) -> Vec<f32> {
        let half = self.side / 2;
        let pairs = half.div_ceil(2 * LANES);
        // Along x, 32 columns at a time.
        let forward: Vec<[Signals; 2]> = (0..pairs)
            .into_par_iter()
            .map(|pair| dispatch(Forward { plan: self, charges, first: pair * 2 * LANES }))
            .collect();
        // Along y and back, 16 frequencies of x at a time.
        let middle: Vec<Signals> = (0..=half / LANES)
            .into_par_iter()
            .map(|block| dispatch(Middle { plan: self, forward: &forward, block }))
            .collect();
        // Along x back.
        let columns: Vec<Signals> = (0..pairs)
            .into_par_iter()
            .map(|pair| dispatch(Backward { plan: self, middle: &middle, first: pair * 2 * LANES }))
            .collect();
        let mut grid = vec![0.0f32; half * half];
        grid.par_chunks_mut(half).enumerate().for_each(|(x, row)| {
            for (part, column) in row.chunks_mut(2 * LANES).zip(&columns) {
                for (part, group) in part.chunks_mut(LANES).zip([&column.re[x], &column.im[x]]) {
                    part.copy_from_slice(&group[..part.len()]);
                }
            }
        });
        grid
    }
}

struct Transform<'a> {
    fft: &'a Fft,
    signals: &'a mut Signals,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.fft.run(self.signals, &mut Signals::new(self.signals.re.len()));
    }
}

/// Transforms of 32 columns along x, from the column `first` on: frequencies up to the half.
struct Forward<'a> {
    plan: &'a Plan,
    charges: &'a [f32],
    first: usize,
}

impl WithSimd for Forward<'_> {
    type Output = [Signals; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [Signals; 2] {
        let side = self.plan.side;
        let half = side / 2;
        let mut z = Signals::new(side);
        for x in 0..half {
            let row = &self.charges[x * half..(x + 1) * half];
            let row = &row[self.first..half.min(self.first + 2 * LANES)];
            let (even, odd) = row.split_at(row.len().min(LANES));
            z.re[x][..even.len()].copy_from_slice(even);
            z.im[x][..odd.len()].copy_from_slice(odd);
        }
        self.plan.fft.run(&mut z, &mut Signals::new(side));
        let [mut a, mut b] = [Signals::new(half + 1), Signals::new(half + 1)];
        for k in 0..=half {
            let m = (side - k) % side;
            for l in 0..LANES {
                a.re[k][l] = 0.5 * (z.re[k][l] + z.re[m][l]);
                a.im[k][l] = 0.5 * (z.im[k][l] - z.im[m][l]);
                b.re[k][l] = 0.5 * (z.im[k][l] + z.im[m][l]);
                b.im[k][l] = 0.5 * (z.re[m][l] - z.re[k][l]);
            }
        }
        [a, b]
    }
}

/// The convolution along y of 16 frequencies of x.
struct Middle<'a> {
    plan: &'a Plan,
    forward: &'a [[Signals; 2]],
    block: usize,
}

impl WithSimd for Middle<'_> {
    type Output = Signals;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Signals {
        let side = self.plan.side;
        let half = side / 2;
        let used = LANES.min(half + 1 - self.block * LANES);
        let mut z = Signals::new(side);
        for y in 0..half {
            let from = &self.forward[y / (2 * LANES)][y / LANES % 2];
            for l in 0..used {
                z.re[y][l] = from.re[self.block * LANES + l][y % LANES];
                z.im[y][l] = from.im[self.block * LANES + l][y % LANES];
            }
        }
        let mut scratch = Signals::new(side);
        self.plan.fft.run(&mut z, &mut scratch);
        for (k, s) in self.plan.spectrum[self.block * side..][..side].iter().enumerate() {
            for l in 0..LANES {
                z.re[k][l] *= s[l];
                z.im[k][l] *= s[l];
            }
        }
        inverse(&self.plan.fft, &mut z, &mut scratch);
        z.re.truncate(half);
        z.im.truncate(half);
        z
    }
}

/// 32 columns from their frequencies: the first 16 as real, the others as imaginary parts.
struct Backward<'a> {
    plan: &'a Plan,
    middle: &'a [Signals],
    first: usize,
}

impl WithSimd for Backward<'_> {
    type Output = Signals;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Signals {
        let side = self.plan.side;
        let half = side / 2;
        let mut z = Signals::new(side);
        for k in 0..=half {
            let from = &self.middle[k / LANES];
            let m = (side - k) % side;
            for l in 0..LANES {
                let at = |y: usize| {
                    let y = y.min(half - 1);
                    (from.re[y][k % LANES], from.im[y][k % LANES])
                };
                let ((a, b), (c, d)) = (at(self.first + l), at(self.first + LANES + l));
                // X + iY, and for the frequency on the other side the conjugates of both.
                z.re[m][l] = a + d;
                z.im[m][l] = c - b;
                z.re[k][l] = a - d;
                z.im[k][l] = b + c;
            }
        }
        inverse(&self.plan.fft, &mut z, &mut Signals::new(side));
        z.re.truncate(half);
        z.im.truncate(half);
        z
    }
}

#[inline(always)]
fn inverse(fft: &Fft, z: &mut Signals, scratch: &mut Signals) {
    std::mem::swap(&mut z.re, &mut z.im);
    fft.run(z, scratch);
    std::mem::swap(&mut z.re, &mut z.im);
}

#[cfg(test)]
mod tests {
    use super::*;
    use latents_random::{Purpose, stream};

    /// Points in clusters, as maps have them.
    fn points(n: usize, spread: f64) -> Vec<Place> {
        let mut s = stream(2, Purpose::Synthetic, n as u64, 0);
        let centres: Vec<[f64; 2]> = (0..8).map(|_| [0, 1].map(|_| spread * s.normal())).collect();
        let near = |s: &mut latents_random::Stream, c: f64| (c + 0.2 * spread * s.normal()) as f32;
        (0..n).map(|i| centres[i % 8].map(|c| near(&mut s, c))).collect()
    }

    fn exact(points: &[Place], i: usize) -> (f64, [f64; 2]) {
        let y = points[i].map(f64::from);
        let (mut value, mut gradient) = (0.0, [0.0; 2]);
        for p in points {
            let d = [y[0] - f64::from(p[0]), y[1] - f64::from(p[1])];
            let w = 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]);
            value += if p.map(f32::to_bits) == points[i].map(f32::to_bits) { 0.0 } else { w };
            gradient[0] -= 2.0 * w * w * d[0];
            gradient[1] -= 2.0 * w * w * d[1];
        }
        (value, gradient)
    }

    #[test]
    fn potential_and_force_are_those_of_the_sum() {
        let mut solver = Solver::default();
        for (n, spread) in [(2000, 1e-4), (2000, 3.0), (2000, 20.0), (700, 60.0), (3, 1.0)] {
            let points = points(n, spread);
            let potential = solver.potential(&points);
            let (mut sum, mut sums, mut error, mut size) = (0.0, 0.0, 0.0, 0.0);
            for i in 0..n {
                let (value, gradient) = potential.of_others(points[i]);
                let (expected, force) = exact(&points, i);
                sum += f64::from(value);
                sums += expected;
                for a in 0..2 {
                    error += (f64::from(gradient[a]) - force[a]).powi(2);
                    size += force[a].powi(2);
                }
            }
            let (sum, force) = ((sum / sums - 1.0).abs(), (error / size).sqrt());
            assert!(sum < 1e-3, "{n} {spread}: {sum}");
            // Where all lie in one spot, what is left of the force is the same for all, and moves none against another.
            assert!(spread < 1.0 || force < 2e-2, "{n} {spread}: {force}");
        }
    }

    #[test]
    fn grids_are_as_large_as_they_must_be() {
        assert_eq!([1, 64, 65, 73, 200, 433, 2049].map(length), [64, 64, 72, 96, 216, 512, 2304]);
        assert_eq!(size(0.0), (64, STEP));
        assert!(size(1e6).0 <= MOST && size(1e6).1 > 400.0);
    }
}
