//! The kernel of the search: the squared distances of a block of queries to rows in groups of 16, and the nearest of them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::lanes::{LANES, Lane};
use crate::panels::{TILE, distances, key, of_key};
use crate::rows::Rows;

/// The `k` nearest rows to a query so far, as keys that sort by distance, then by row.
struct Best {
    k: usize,
    keys: Vec<u64>,
    /// Rows at a larger distance are not among the nearest `k`.
    limit: f32,
}

impl Best {
    fn new(k: usize) -> Self {
        Best { k, keys: Vec::with_capacity(3 * k + LANES), limit: f32::INFINITY }
    }

    #[inline(always)]
    fn add(&mut self, squared: f32, row: usize) {
        self.keys.push(key(squared, row));
        if self.keys.len() > 3 * self.k {
            self.cut();
        }
    }

    #[inline(never)]
    fn cut(&mut self) {
        let (_, last, _) = self.keys.select_nth_unstable(self.k - 1);
        self.limit = of_key(*last).0;
        self.keys.truncate(self.k);
    }

    fn sorted(mut self) -> Vec<u64> {
        self.keys.sort_unstable();
        self.keys.truncate(self.k);
        self.keys
    }
}

/// Compares some queries with the rows of some panels.
pub(super) struct Block<'a> {
    pub(super) queries: Rows<'a>,
    /// `[ceil(rows / 16)][d][16]`.
    pub(super) panels: &'a [Lane],
    /// The panels to search.
    pub(super) slice: Range<usize>,
    /// The number of all rows.
    pub(super) rows: usize,
    pub(super) k: usize,
    /// The row of each query that is not its neighbour.
    pub(super) own: Option<&'a [usize]>,
}

impl WithSimd for Block<'_> {
    type Output = Vec<Vec<u64>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Vec<u64>> {
        let (d, count) = (self.queries.dim(), self.queries.len());
        let mut best: Vec<Best> = (0..count).map(|_| Best::new(self.k)).collect();
        for p in self.slice {
            let panel = &self.panels[p * d..(p + 1) * d];
            let used = LANES.min(self.rows - p * LANES);
            for tile in (0..count).step_by(TILE) {
                // The last tile repeats its last query, so that all tiles have the same size.
                let query = |t: usize| self.queries.row((tile + t).min(count - 1));
                let squared = distances(simd, [query(0), query(1), query(2), query(3)], panel);
                for (t, squared) in squared.iter().enumerate().take(count - tile) {
                    let best = &mut best[tile + t];
                    if squared[..used].iter().all(|&s| s > best.limit) {
                        continue;
                    }
                    for (lane, &s) in squared[..used].iter().enumerate() {
                        let row = p * LANES + lane;
                        if s <= best.limit && self.own.is_none_or(|own| own[tile + t] != row) {
                            best.add(s, row);
                        }
                    }
                }
            }
        }
        best.into_iter().map(Best::sorted).collect()
    }
}

/// The `k` lowest keys of each query over all slices.
pub(super) fn merged(slices: Vec<Vec<Vec<u64>>>, k: usize) -> Vec<Vec<u64>> {
    let mut slices = slices.into_iter();
    let mut all = slices.next().unwrap_or_default();
    for slice in slices {
        for (best, more) in all.iter_mut().zip(slice) {
            best.extend(more);
        }
    }
    for best in &mut all {
        best.sort_unstable();
        best.truncate(k);
    }
    all
}
