//! The potential of the points of a map and its gradient, as sums over all pairs: exact however far apart the points are, and for some
//! thousands of them faster than a grid (`field.rs`).

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::point::Point;
use crate::lanes::{LANES, Lane, dispatch};

/// Points whose sums are computed at a time, so that the others are read once for all of them.
const TILE: usize = 4;
/// The least number of tiles of a thread's piece of work; no result depends on it.
const PIECE: usize = 16;

/// The potential `sum_(j != i) 1 / (1 + |y_i - y_j|^2)` and its gradient at each of the points.
pub(crate) fn potentials(points: &[Point]) -> Vec<(f32, Point)> {
    let axis = |a: usize| -> Vec<Lane> {
        let group = |group: &[Point]| {
            let mut lane = [0.0; LANES];
            lane.iter_mut().zip(group).for_each(|(x, point)| *x = point[a]);
            lane
        };
        points.chunks(LANES).map(group).collect()
    };
    let (x, y) = (axis(0), axis(1));
    let mut found = vec![(0.0, [0.0; 2]); points.len()];
    found.par_chunks_mut(TILE).enumerate().with_min_len(PIECE).for_each(|(tile, found)| {
        dispatch(Tile { x: &x, y: &y, points, first: tile * TILE, found });
    });
    found
}

/// The sums of the points from `first` on.
struct Tile<'a> {
    x: &'a [Lane],
    y: &'a [Lane],
    points: &'a [Point],
    first: usize,
    found: &'a mut [(f32, Point)],
}

/// Sums of the potential and of both axes of its gradient, in 16 partial sums each.
type Sums = [Lane; 3];

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Tile { x, y, points, first, found } = self;
        let n = points.len();
        // A tile that is not full repeats its last point.
        let places: [usize; TILE] = std::array::from_fn(|t| (first + t).min(n - 1));
        let tile = places.map(|i| points[i]);
        let mut sums = [[[0.0f32; LANES]; 3]; TILE];
        // All points of the tile are in one group. Only there, and in a last group that is not full, are there numbers to leave out.
        let (own, full) = (first / LANES, n / LANES);
        add(&mut sums, tile, &x[..own], &y[..own]);
        add_some(&mut sums, tile, &x[own], &y[own], |t, l| {
            own * LANES + l != places[t] && own * LANES + l < n
        });
        if own < full {
            add(&mut sums, tile, &x[own + 1..full], &y[own + 1..full]);
            if full < x.len() {
                add_some(&mut sums, tile, &x[full], &y[full], |_, l| full * LANES + l < n);
            }
        }
        for (found, sums) in found.iter_mut().zip(&sums) {
            let [value, x, y] = sums.each_ref().map(|lane| lane.iter().sum::<f32>());
            *found = (value, [-2.0 * x, -2.0 * y]);
        }
    }
}

/// Adds the contributions of groups of points to the sums of the points of a tile.
#[inline(always)]
fn add(sums: &mut [Sums; TILE], tile: [Point; TILE], x: &[Lane], y: &[Lane]) {
    // Variables of their own, not a loop over an array, so that the sums stay in registers.
    let [mut a, mut b, mut c, mut d] = *sums;
    let [p, q, r, s] = tile;
    for (x, y) in x.iter().zip(y) {
        add_group(&mut a, &mut b, [p, q], [x, y], |_, _| true);
        add_group(&mut c, &mut d, [r, s], [x, y], |_, _| true);
    }
    *sums = [a, b, c, d];
}

/// Adds the contributions of those points of a group that `counts` for a place of the tile.
#[inline(always)]
fn add_some(
    sums: &mut [Sums; TILE],
    tile: [Point; TILE],
    x: &Lane,
    y: &Lane,
    counts: impl Fn(usize, usize) -> bool,
) {
    let [a, b, c, d] = sums;
    let [p, q, r, s] = tile;
    add_group(a, b, [p, q], [x, y], &counts);
    add_group(c, d, [r, s], [x, y], |t, l| counts(2 + t, l));
}

/// `1 + |y_i - y_j|^2` of points that are too far apart to matter. Its square is finite.
const FAR: f32 = 1e18;

/// `1 + |d|^2`, at most [`FAR`].
#[inline(always)]
fn spread(x: f32, y: f32) -> f32 {
    let spread = x.mul_add(x, y.mul_add(y, 1.0));
    if spread < FAR { spread } else { FAR }
}

/// Adds a group's contributions to the sums of two points. A division takes longer than all else, so the two share one: `1 / a` is
/// `b / (a b)`.
#[inline(always)]
fn add_group(
    [values, along_x, along_y]: &mut Sums,
    [other_values, other_along_x, other_along_y]: &mut Sums,
    [[px, py], [qx, qy]]: [Point; 2],
    [x, y]: [&Lane; 2],
    counts: impl Fn(usize, usize) -> bool,
) {
    for l in 0..LANES {
        let (dx, dy) = (px - x[l], py - y[l]);
        let (ex, ey) = (qx - x[l], qy - y[l]);
        let (a, b) = (spread(dx, dy), spread(ex, ey));
        let both = 1.0 / (a * b);
        let w = if counts(0, l) { b * both } else { 0.0 };
        let square = w * w;
        values[l] += w;
        along_x[l] = square.mul_add(dx, along_x[l]);
        along_y[l] = square.mul_add(dy, along_y[l]);
        let w = if counts(1, l) { a * both } else { 0.0 };
        let square = w * w;
        other_values[l] += w;
        other_along_x[l] = square.mul_add(ex, other_along_x[l]);
        other_along_y[l] = square.mul_add(ey, other_along_y[l]);
    }
}

#[cfg(test)]
mod tests {
    use latents_random::{Purpose, stream};

    use super::*;

    #[test]
    fn sums_are_those_of_all_other_points() {
        for n in [1, 2, 5, 16, 31, 64, 200] {
            let mut s = stream(4, Purpose::Synthetic, n as u64, 0);
            let points: Vec<Point> = (0..n)
                .map(|i| [0, 1].map(|_| (s.normal() * f64::from(1 + i as u32 % 40)) as f32))
                .collect();
            for (i, (value, gradient)) in potentials(&points).into_iter().enumerate() {
                let (mut sum, mut slope, mut size) = (0.0, [0.0; 2], 0.0);
                for other in points.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, p)| p) {
                    let d = [0, 1].map(|a| f64::from(points[i][a]) - f64::from(other[a]));
                    let w = 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]);
                    sum += w;
                    for a in 0..2 {
                        slope[a] -= 2.0 * w * w * d[a];
                        size += (2.0 * w * w * d[a]).abs();
                    }
                }
                assert!((f64::from(value) - sum).abs() <= 1e-6 * sum, "{n} {i}: {value} {sum}");
                for a in 0..2 {
                    assert!((f64::from(gradient[a]) - slope[a]).abs() <= 1e-6 * size, "{n} {i}");
                }
            }
        }
    }

    #[test]
    fn points_that_are_too_far_apart_to_matter_add_nothing() {
        let found = potentials(&[[0.0, 0.0], [3e19, 0.0], [0.0, 1.0], [1e12, -1e25]]);
        for (i, (value, [x, y])) in found.into_iter().enumerate() {
            let expected = if i % 2 == 0 { 0.5 } else { 0.0 };
            assert!((value - expected).abs() < 1e-6 && (x + y).abs() < 1.0, "{i}: {value} {x} {y}");
        }
    }

    #[test]
    fn equal_points_do_not_push_each_other() {
        let found = potentials(&[[3.0, -1.0]; 20]);
        let pushes = |(value, [x, y]): (f32, Point)| (value - 19.0).abs() + x.abs() + y.abs() > 0.0;
        assert!(!found.into_iter().any(pushes));
    }
}
