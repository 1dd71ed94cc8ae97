//! Rows in groups of 16, column by column, so that a row is compared with 16 rows at a time.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::lanes::{LANES, Lane, dispatch};
use crate::rows::Rows;

/// Rows that are compared together.
pub(crate) const TILE: usize = 4;

/// The rows in groups of 16, column by column: `[ceil(n / 16)][d][16]`.
pub(crate) fn panels(rows: Rows<'_>) -> Vec<Lane> {
    let d = rows.dim();
    let mut panels = vec![[0.0; LANES]; rows.len().div_ceil(LANES) * d];
    panels.par_chunks_mut(d).enumerate().for_each(|(p, panel)| {
        for lane in 0..LANES.min(rows.len() - p * LANES) {
            for (group, &v) in panel.iter_mut().zip(rows.row(p * LANES + lane)) {
                group[lane] = v;
            }
        }
    });
    panels
}

/// Compares some rows, one to four, with all of the `n` rows of `panels`. For each row and each group, in order, that has a row no farther
/// from it than its limit (a squared distance), `visit` is called with the number of the row, the first row of the group, and the squared
/// distances to all rows of the group.
pub(crate) fn compare(
    rows: &[(&[f32], f32)],
    panels: &[Lane],
    n: usize,
    visit: impl FnMut(usize, usize, &[f32]),
) {
    dispatch(Compare { rows, panels, n, visit });
}

struct Compare<'a, F> {
    rows: &'a [(&'a [f32], f32)],
    panels: &'a [Lane],
    n: usize,
    visit: F,
}

impl<F: FnMut(usize, usize, &[f32])> WithSimd for Compare<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // A tile that is not full repeats its last row.
        let last = self.rows.len() - 1;
        let tile: [&[f32]; TILE] = std::array::from_fn(|t| self.rows[t.min(last)].0);
        for (p, panel) in self.panels.chunks_exact(tile[0].len()).enumerate() {
            let first = p * LANES;
            let used = LANES.min(self.n - first);
            let squared = distances(simd, tile, panel);
            for (t, (squared, (_, limit))) in squared.iter().zip(self.rows).enumerate() {
                // The least of all, which takes fewer instructions than a comparison of each.
                let nearest = squared.iter().copied().fold(f32::INFINITY, f32::min);
                if nearest <= *limit {
                    (self.visit)(t, first, &squared[..used]);
                }
            }
        }
    }
}

/// Squared distances of some rows to 16 rows, summed over the columns in order. In explicit vectors: whether the compiler makes vectors of
/// loops over so many sums depends on how often it optimises them.
#[inline(always)]
pub(crate) fn distances<S: Simd>(simd: S, rows: [&[f32]; TILE], panel: &[Lane]) -> [Lane; TILE] {
    let mut squared = [[0.0f32; LANES]; TILE];
    let d = panel.len();
    let [a, b, c, e] = rows.map(|row| &row[..d]);
    for part in 0..S::as_simd_f32s(&squared[0]).0.len() {
        let mut sums = [simd.splat_f32s(0.0); TILE];
        for (j, group) in panel.iter().enumerate() {
            let others = S::as_simd_f32s(group).0[part];
            for (sum, v) in sums.iter_mut().zip([a[j], b[j], c[j], e[j]]) {
                let difference = simd.sub_f32s(simd.splat_f32s(v), others);
                *sum = simd.mul_add_f32s(difference, difference, *sum);
            }
        }
        for (squared, sum) in squared.iter_mut().zip(sums) {
            S::as_mut_simd_f32s(squared).0[part] = sum;
        }
    }
    squared
}

/// A number that sorts by a squared distance, then by row.
pub(crate) fn key(squared: f32, row: usize) -> u64 {
    (u64::from(squared.to_bits()) << 32) | row as u64
}

/// The squared distance and the row of a [`key`].
pub(crate) fn of_key(key: u64) -> (f32, u32) {
    (f32::from_bits((key >> 32) as u32), key as u32)
}

/// The squared distance of two rows, with the bits of [`distances`].
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| (a - b).mul_add(a - b, sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers;

    #[test]
    fn distances_have_the_bits_of_one_row_beside_one() {
        for [n, d] in [[1, 1], [7, 2], [16, 15], [33, 16], [40, 17], [100, 64], [50, 111]] {
            let values = samplers::normal(n, d, 1);
            let rows = Rows::new(&values, d).unwrap();
            let panels = panels(rows);
            for count in 1..=TILE.min(n) {
                let compared: Vec<(&[f32], f32)> =
                    (0..count).map(|i| (rows.row(i), f32::INFINITY)).collect();
                let mut got = vec![vec![]; count];
                compare(&compared, &panels, n, |t, first, squared| {
                    assert_eq!(got[t].len(), first);
                    got[t].extend(squared.iter().map(|s| s.to_bits()));
                });
                for ((row, _), got) in compared.iter().zip(got) {
                    let bits = |other| squared_distance(row, other).to_bits();
                    assert_eq!(got, rows.iter().map(bits).collect::<Vec<_>>(), "{n} {d} {count}");
                }
                // Only groups with a row that is near enough are visited: each row is in its own.
                let compared: Vec<(&[f32], f32)> = (0..count).map(|i| (rows.row(i), 0.0)).collect();
                let mut visited = vec![];
                compare(&compared, &panels, n, |t, first, _| visited.push((t, first)));
                assert_eq!(visited, (0..count).map(|t| (t, 0)).collect::<Vec<_>>());
            }
        }
    }
}
