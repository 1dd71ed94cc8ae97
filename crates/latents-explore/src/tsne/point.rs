//! Points of a map and the attraction between them.

use crate::lanes::LANES;

/// Coordinates on the map.
pub(crate) type Point = [f32; 2];

/// Squared Euclidean distance.
#[inline(always)]
pub(crate) fn squared_distance(a: Point, b: Point) -> f32 {
    let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
    dx * dx + dy * dy
}

/// `sum_j p_j (y - y_j) / (1 + |y - y_j|^2)` over the entries `(j, p_j)` of `row`, in 16 partial sums.
#[inline(always)]
pub(crate) fn attraction(y: Point, row: &[(u32, f32)], points: &[Point]) -> Point {
    let mut sums = [[0.0f32; LANES]; 2];
    for group in row.chunks(LANES) {
        // What is missing in the last group has no weight.
        let (mut x, mut p) = ([[0.0f32; LANES]; 2], [0.0f32; LANES]);
        for (l, &(j, weight)) in group.iter().enumerate() {
            let other = points[j as usize];
            (x[0][l], x[1][l], p[l]) = (other[0], other[1], weight);
        }
        for l in 0..LANES {
            let (dx, dy) = (y[0] - x[0][l], y[1] - x[1][l]);
            let w = p[l] / (1.0 + (dx * dx + dy * dy));
            sums[0][l] += w * dx;
            sums[1][l] += w * dy;
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}
