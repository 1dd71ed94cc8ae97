//! Exact nearest neighbours by Euclidean distance. Compares all queries with all rows in blocks that fit the caches and the vector units;
//! up to a hundred thousand rows this takes less time than an exact index would.

use latents_progress::Monitor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::error::Error;
use crate::lanes::{LANES, Lane, dispatch};
use crate::rows::Rows;

/// Queries per pass over all rows.
const BLOCK: usize = 128;
/// Queries between two checks for cancellation.
const STRETCH: usize = 32 * BLOCK;
/// Queries whose distances are summed together.
const TILE: usize = 4;

/// The nearest rows to each query, nearest first.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::neighbours::nearest;
///
/// let rows = [0.0, 1.0, 5.0, 6.0];
/// let found = nearest(Rows::new(&[0.2, 5.6], 1)?, Rows::new(&rows, 1)?, 2)?;
/// assert_eq!(found.of(0), [0, 1]);
/// assert_eq!(found.of(1), [3, 2]);
/// assert_eq!(found.vote(&[7, 7, 8, 8]), [7, 8]); // k-nearest-neighbour classification
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// The number of neighbours of each query.
    pub k: usize,
    /// `[n, k]`: indices of rows. If rows are equally near, the lower index comes first.
    pub index: Vec<u32>,
    /// `[n, k]`: squared distances.
    pub squared: Vec<f32>,
}

impl Neighbours {
    /// Indices of the neighbours of query `i` `[k]`.
    #[must_use]
    pub fn of(&self, i: usize) -> &[u32] {
        &self.index[i * self.k..(i + 1) * self.k]
    }

    /// Squared distances of the neighbours of query `i` `[k]`.
    #[must_use]
    pub fn squared_of(&self, i: usize) -> &[f32] {
        &self.squared[i * self.k..(i + 1) * self.k]
    }

    /// The most frequent label among the neighbours of each query `[n]`; in a tie, the lowest. `labels` are the labels of the searched rows.
    ///
    /// # Panics
    /// If there are fewer labels than searched rows.
    #[must_use]
    pub fn vote(&self, labels: &[u16]) -> Vec<u16> {
        let winner = |near: &[u32]| {
            let mut near: Vec<u16> = near.iter().map(|&j| labels[j as usize]).collect();
            near.sort_unstable();
            // Groups come in ascending order of their labels, and a later one wins only if it is larger.
            let larger = |a: &&[u16], b: &&[u16]| a.len().cmp(&b.len()).then(b[0].cmp(&a[0]));
            near.chunk_by(|a, b| a == b).max_by(larger).map_or(0, |group| group[0])
        };
        self.index.chunks_exact(self.k).map(winner).collect()
    }
}

/// The `k` nearest neighbours of each row among the other rows.
///
/// # Errors
/// If there are fewer than `k + 1` rows, `k` is 0, or a distance overflows `f32`.
pub fn nearest_others(rows: Rows<'_>, k: usize) -> Result<Neighbours, Error> {
    rows.at_least(k + 1, "a search for neighbours")?;
    search(rows, rows, k, true, &Monitor::default())
}

/// The `k` nearest of `rows` `[m, d]` to each of `queries` `[n, d]`.
///
/// # Errors
/// If there are fewer than `k` rows, `k` is 0, queries and rows have different numbers of columns, or a distance overflows `f32`.
pub fn nearest(queries: Rows<'_>, rows: Rows<'_>, k: usize) -> Result<Neighbours, Error> {
    queries.like(rows)?;
    rows.at_least(k, "a search for neighbours")?;
    search(queries, rows, k, false, &Monitor::default())
}

/// Implements [`nearest`] and, if `others`, [`nearest_others`], where query `i` is row `i` and not its own neighbour. Reports the number
/// of queries that are done as the task `nearest neighbours`.
pub(crate) fn search(
    queries: Rows<'_>,
    rows: Rows<'_>,
    k: usize,
    others: bool,
    monitor: &Monitor,
) -> Result<Neighbours, Error> {
    if k == 0 {
        return Err(Error::Range { what: "neighbours", range: "at least 1", got: 0.0 });
    }
    let panels = panels(rows);
    let n = queries.len();
    let mut found = Neighbours { k, index: vec![0; n * k], squared: vec![0.0; n * k] };
    let stretches = found.index.chunks_mut(STRETCH * k).zip(found.squared.chunks_mut(STRETCH * k));
    for (stretch, (index, squared)) in stretches.enumerate() {
        monitor.progress("nearest neighbours", (stretch * STRETCH) as u64, n as u64, "");
        monitor.check()?;
        let blocks = index.par_chunks_mut(BLOCK * k).zip(squared.par_chunks_mut(BLOCK * k));
        blocks.enumerate().for_each(|(b, (index, squared))| {
            let first = stretch * STRETCH + b * BLOCK;
            let count = index.len() / k;
            let block =
                Block { queries, first, count, panels: &panels, rows: rows.len(), k, others };
            for (i, best) in dispatch(block).into_iter().enumerate() {
                for (j, key) in best.into_iter().enumerate() {
                    index[i * k + j] = key as u32;
                    squared[i * k + j] = f32::from_bits((key >> 32) as u32);
                }
            }
        });
    }
    monitor.progress("nearest neighbours", n as u64, n as u64, "");
    if let Some(far) = found.squared.iter().position(|squared| !squared.is_finite()) {
        return Err(Error::Invalid(format!(
            "row {} has a distance to another row that overflows a 32-bit number: scale the values down",
            far / k
        )));
    }
    Ok(found)
}

/// The rows in groups of 16, column by column: `[ceil(n / 16)][d][16]`.
fn panels(rows: Rows<'_>) -> Vec<Lane> {
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
        self.keys.push((u64::from(squared.to_bits()) << 32) | row as u64);
        if self.keys.len() > 3 * self.k {
            self.cut();
        }
    }

    #[inline(never)]
    fn cut(&mut self) {
        let (_, last, _) = self.keys.select_nth_unstable(self.k - 1);
        self.limit = f32::from_bits((*last >> 32) as u32);
        self.keys.truncate(self.k);
    }

    fn sorted(mut self) -> Vec<u64> {
        self.keys.sort_unstable();
        self.keys.truncate(self.k);
        self.keys
    }
}

/// Compares some queries with all rows.
struct Block<'a> {
    queries: Rows<'a>,
    first: usize,
    count: usize,
    panels: &'a [Lane],
    rows: usize,
    k: usize,
    others: bool,
}

impl WithSimd for Block<'_> {
    type Output = Vec<Vec<u64>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<Vec<u64>> {
        let d = self.queries.dim();
        let mut best: Vec<Best> = (0..self.count).map(|_| Best::new(self.k)).collect();
        for (p, panel) in self.panels.chunks_exact(d).enumerate() {
            let used = LANES.min(self.rows - p * LANES);
            for tile in (0..self.count).step_by(TILE) {
                // The last tile repeats its last query, so that all tiles have the same size.
                let query =
                    |t: usize| self.queries.row(self.first + (tile + t).min(self.count - 1));
                let squared = distances([query(0), query(1), query(2), query(3)], panel);
                for (t, squared) in squared.iter().enumerate().take(self.count - tile) {
                    let best = &mut best[tile + t];
                    if squared[..used].iter().all(|&s| s > best.limit) {
                        continue;
                    }
                    for (lane, &s) in squared[..used].iter().enumerate() {
                        let row = p * LANES + lane;
                        if s <= best.limit && !(self.others && row == self.first + tile + t) {
                            best.add(s, row);
                        }
                    }
                }
            }
        }
        best.into_iter().map(Best::sorted).collect()
    }
}

/// Squared distances of some queries to 16 rows, summed over the columns in order.
#[inline(always)]
fn distances(queries: [&[f32]; TILE], panel: &[Lane]) -> [Lane; TILE] {
    let mut sums = [[0.0f32; LANES]; TILE];
    let d = panel.len();
    let [a, b, c, e] = queries.map(|q| &q[..d]);
    for (j, group) in panel.iter().enumerate() {
        for (sum, q) in sums.iter_mut().zip([a[j], b[j], c[j], e[j]]) {
            for (sum, v) in sum.iter_mut().zip(group) {
                let difference = q - v;
                *sum = difference.mul_add(difference, *sum);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use latents_random::{Purpose, stream};

    fn cloud(n: usize, d: usize, coarse: bool) -> Vec<f32> {
        let mut s = stream(3, Purpose::Synthetic, n as u64, d as u64);
        let value = |x: f64| if coarse { x.round() } else { x };
        (0..n * d).map(|_| value(s.normal()) as f32).collect()
    }

    #[test]
    fn neighbours_are_those_of_a_full_sort() {
        // Coarse numbers tie often; sizes fall between the blocks.
        for (n, m, d, k, coarse) in [
            (33, 200, 3, 5, true),
            (131, 17, 7, 17, false),
            (1, 1, 1, 1, false),
            (300, 450, 2, 90, true),
        ] {
            let (queries, rows) = (cloud(n, d, coarse), cloud(m, d, coarse));
            let (queries, rows) = (Rows::new(&queries, d).unwrap(), Rows::new(&rows, d).unwrap());
            let found = nearest(queries, rows, k).unwrap();
            for (i, q) in queries.iter().enumerate() {
                let distance =
                    |r: &[f32]| q.iter().zip(r).fold(0.0f32, |s, (a, b)| (a - b).mul_add(a - b, s));
                let mut all: Vec<(f32, u32)> =
                    rows.iter().enumerate().map(|(j, r)| (distance(r), j as u32)).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let expected: Vec<u32> = all[..k].iter().map(|a| a.1).collect();
                assert_eq!(found.of(i), expected, "{n} {m} {d} {k}: query {i}");
                assert_eq!(found.squared_of(i)[k - 1].to_bits(), all[k - 1].0.to_bits());
            }
        }
    }

    #[test]
    fn distances_that_overflow_are_an_error() {
        let rows = [0.0, 0.0, 1.0, 1.0, 1e20, 0.0];
        let rows = Rows::new(&rows, 2).unwrap();
        assert!(nearest(rows, rows, 1).is_ok());
        let said = nearest_others(rows, 2).unwrap_err().to_string();
        assert!(said.contains("row 0 has a distance") && said.contains("scale"), "{said}");
    }

    #[test]
    fn a_row_is_not_its_own_neighbour_but_a_duplicate_is() {
        let rows = [0.0, 0.0, 5.0, 5.0, 0.0, 0.0, 9.0, 9.0];
        let found = nearest_others(Rows::new(&rows, 2).unwrap(), 1).unwrap();
        assert_eq!(found.index, [2, 3, 0, 1]);
        assert!(nearest_others(Rows::new(&rows, 2).unwrap(), 4).is_err());
    }
}
