//! Points of a map and the attraction between them.

/// Coordinates on the map.
pub(crate) type Point = [f32; 2];

/// Squared Euclidean distance.
#[inline(always)]
pub(crate) fn squared_distance(a: Point, b: Point) -> f32 {
    let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
    dx * dx + dy * dy
}

/// `sum_j p_j (y - y_j) / (1 + |y - y_j|^2)` over the entries `(j, p_j)` of `row`.
#[inline(always)]
pub(crate) fn attraction(y: Point, row: &[(u32, f32)], points: &[Point]) -> Point {
    let mut sum = [0.0f32; 2];
    for &(j, p) in row {
        let other = points[j as usize];
        let [dx, dy] = [y[0] - other[0], y[1] - other[1]];
        let w = p / (1.0 + (dx * dx + dy * dy));
        sum[0] += w * dx;
        sum[1] += w * dy;
    }
    sum
}
