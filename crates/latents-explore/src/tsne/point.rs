//! Points of a map and the attraction between them.

use crate::lanes::{LANES, Lane};

/// Coordinates on the map.
pub(crate) type Point = [f32; 2];

/// Squared Euclidean distance.
#[inline(always)]
pub(crate) fn squared_distance(a: Point, b: Point) -> f32 {
    let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
    dx * dx + dy * dy
}

/// Other points by number, and their weights. Groups are filled up with the first point at no weight.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Group {
    pub(crate) numbers: [u32; LANES],
    pub(crate) weights: Lane,
}

/// Writes entries to as many groups as they need.
pub(crate) fn fill(groups: &mut [Group], entries: impl Iterator<Item = (u32, f32)>) {
    for (i, (number, weight)) in entries.enumerate() {
        let group = &mut groups[i / LANES];
        group.numbers[i % LANES] = number;
        group.weights[i % LANES] = weight;
    }
}

/// `sum_j p_j (y - y_j) / (1 + |y - y_j|^2)` over the points `j` of `row`, in 16 partial sums.
#[inline(always)]
pub(crate) fn attraction(y: Point, row: &[Group], points: &[Point]) -> Point {
    let mut sums = [[0.0f32; LANES]; 2];
    for Group { numbers, weights } in row {
        let others = numbers.map(|j| points[j as usize]);
        for l in 0..LANES {
            let (dx, dy) = (y[0] - others[l][0], y[1] - others[l][1]);
            let w = weights[l] / (1.0 + (dx * dx + dy * dy));
            sums[0][l] += w * dx;
            sums[1][l] += w * dy;
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}
