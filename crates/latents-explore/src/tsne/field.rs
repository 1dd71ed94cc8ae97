//! The potential `sum_j 1 / (1 + |y - y_j|^2)` of the points of a map and its gradient, the repulsion of t-SNE, in time that hardly grows
//! with the number of points. Points are deposited as charges on a grid, the grid is convolved by Fourier transforms (`grid.rs`), and the
//! result is interpolated between the nodes (Linderman et al., "Fast interpolation-based t-SNE for improved visualization of single-cell
//! RNA-seq data", 2019). Two things differ from that paper. The interpolation uses cubic B-splines (Unser et al., "B-spline signal
//! processing", 1993; Essmann et al., "A smooth particle mesh Ewald method", 1995), so the potential is smooth and the force is its
//! gradient: one grid of charges is transformed instead of four. The distance of the nodes is constant while the map grows, so the kernel
//! is transformed again only when the grid grows.

use rayon::prelude::*;

use super::grid::{Convolution, Near, SPAN};
use super::pairs::potentials;
use super::point::Point;

/// Distance of adjacent nodes, unless the grid would be too large; the width of the kernel is 1.
const STEP: f32 = 0.4;
/// Maximum and minimum number of nodes along a side of the periodic grid.
const MAX_SIDE: usize = 4096;
const MIN_SIDE: usize = 64;
/// Number of parts in which points are deposited; the parts are added up in order. It is fixed, so that sums do not depend on the threads.
const SHARDS: usize = 8;
/// Nodes around the points, for positions slightly outside.
const MARGIN: usize = 4;

/// Computes potentials; keeps the transformed kernel for the next one.
#[derive(Debug, Default)]
pub(crate) struct Solver {
    convolution: Option<Convolution>,
}

/// Up to so many points, sums are always over all pairs, which is exact however far apart the points are.
const FEW: usize = 512;
/// The number of pairs that take as long as a node of the periodic grid, as measured.
const PAIRS: usize = 20;

/// The potential of the points of a map.
#[derive(Debug)]
pub(crate) struct Potential {
    origin: Point,
    step: f32,
    half: usize,
    /// Spline coefficients `[half][half]`, indexed by x, then y.
    grid: Vec<f32>,
    near: Near,
}

impl Solver {
    /// The potential and its gradient at each of the points, without the contribution of the point itself.
    pub(crate) fn of_others(&mut self, points: &[Point], chunk: usize) -> Vec<(f32, Point)> {
        let n = points.len();
        if n <= FEW {
            return potentials(points);
        }
        let corners = bounds(points);
        if n * n <= PAIRS * size(extent(corners)).0.pow(2) {
            return potentials(points);
        }
        let potential = self.within(corners, points);
        points.par_iter().with_min_len(chunk).map(|&y| potential.of_others(y)).collect()
    }

    /// The potential of a unit charge at each of `points`. There must be at least one, and all must be finite.
    pub(crate) fn potential(&mut self, points: &[Point]) -> Potential {
        self.within(bounds(points), points)
    }

    /// The same, of points in a box that is known.
    fn within(&mut self, corners: (Point, Point), points: &[Point]) -> Potential {
        let (side, step) = size(extent(corners));
        let differs = |c: &Convolution| c.side != side || c.step.to_bits() != step.to_bits();
        if self.convolution.as_ref().is_none_or(differs) {
            self.convolution = Some(Convolution::new(side, step));
        }
        let Some(convolution) = &self.convolution else { unreachable!("it was set above") };
        let origin = corners.0.map(|v| v - MARGIN as f32 * step);
        let half = side / 2;
        let charges = deposit(points, origin, step, half);
        let grid = convolution.apply(&charges);
        Potential { origin, step, half, grid, near: convolution.near }
    }
}

impl Potential {
    /// The potential and its gradient at `y`; if `y` is outside the grid, at the nearest position inside.
    #[inline]
    pub(crate) fn at(&self, y: Point) -> (f32, Point) {
        self.read(self.weights(y))
    }

    /// The potential and its gradient at one of the points, without the contribution of the point itself, which would dominate the
    /// interpolation error where points are sparse.
    #[inline]
    pub(crate) fn of_others(&self, y: Point) -> (f32, Point) {
        let at = self.weights(y);
        let (value, gradient) = self.read(at);
        // Sums over pairs of nodes by absolute distance.
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
    /// For each axis: first node, values and slopes of the splines at `y`.
    fn weights(&self, y: Point) -> [(usize, [f32; SPAN], [f32; SPAN]); 2] {
        let end = (self.half - SPAN) as f32;
        [0, 1].map(|a| weights(((y[a] - self.origin[a]) / self.step).clamp(1.0, end)))
    }

    #[inline(always)]
    /// Interpolates value and gradient.
    fn read(
        &self,
        [(i, wx, dx), (j, wy, dy)]: [(usize, [f32; SPAN], [f32; SPAN]); 2],
    ) -> (f32, Point) {
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

/// Lower and upper corner of the bounding box.
fn bounds(points: &[Point]) -> (Point, Point) {
    let wider = |(low, high): (Point, Point), y: &Point| {
        ([low[0].min(y[0]), low[1].min(y[1])], [high[0].max(y[0]), high[1].max(y[1])])
    };
    // Eight boxes, so that no comparison waits for the one before it.
    let (groups, rest) = points.as_chunks::<8>();
    let mut boxes = [(points[0], points[0]); 8];
    for group in groups {
        boxes.iter_mut().zip(group).for_each(|(corners, y)| *corners = wider(*corners, y));
    }
    let all = rest.iter().fold(boxes[0], wider);
    boxes.iter().fold(all, |corners, (low, high)| wider(wider(corners, low), high))
}

/// The longer side of a box.
fn extent((low, high): (Point, Point)) -> f32 {
    (high[0] - low[0]).max(high[1] - low[1])
}

/// Side of the periodic grid and distance of its nodes, for points in a square of side `extent`.
fn size(extent: f32) -> (usize, f32) {
    let mut step = STEP;
    loop {
        let needed = 2 * ((extent / step) as usize + 2 * MARGIN + SPAN);
        if needed <= MAX_SIDE {
            return (length(needed), step);
        }
        step *= 2.0;
    }
}

/// The smallest length of a fast transform that is at least `needed`.
fn length(needed: usize) -> usize {
    let powers = [1, 3, 9, 27].map(|odd: usize| {
        let mut n = odd * 8;
        while n < needed.max(MIN_SIDE) {
            n *= 2;
        }
        n
    });
    powers.into_iter().min().unwrap_or(MAX_SIDE)
}

/// The first of the four nodes whose cubic B-splines are not zero at `u`, and the values and slopes of these splines. `u` is at least 1.
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

/// Deposits a unit charge at each point onto the nodes `[half][half]`.
fn deposit(points: &[Point], origin: Point, step: f32, half: usize) -> Vec<f32> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use latents_random::{Purpose, stream};

    /// Points in clusters, as maps have them.
    fn points(n: usize, deviation: f64) -> Vec<Point> {
        let mut s = stream(2, Purpose::Synthetic, n as u64, 0);
        let centres: Vec<[f64; 2]> =
            (0..8).map(|_| [0, 1].map(|_| deviation * s.normal())).collect();
        let near =
            |s: &mut latents_random::Stream, c: f64| (c + 0.2 * deviation * s.normal()) as f32;
        (0..n).map(|i| centres[i % 8].map(|c| near(&mut s, c))).collect()
    }

    fn exact(points: &[Point], i: usize) -> (f64, [f64; 2]) {
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
        for (n, deviation) in [(2000, 1e-4), (2000, 3.0), (2000, 20.0), (700, 60.0), (3, 1.0)] {
            let points = points(n, deviation);
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
            assert!(sum < 1e-3, "{n} {deviation}: {sum}");
            // If all points are nearly equal, the error of the force is the same for all, so it does not move them relative to each other.
            assert!(deviation < 1.0 || force < 2e-2, "{n} {deviation}: {force}");
        }
    }

    #[test]
    fn grids_are_as_large_as_they_must_be() {
        assert_eq!([1, 64, 65, 73, 200, 433, 2049].map(length), [64, 64, 72, 96, 216, 512, 2304]);
        assert_eq!(size(0.0), (64, STEP));
        assert!(size(1e6).0 <= MAX_SIDE && size(1e6).1 > 400.0);
    }
}
