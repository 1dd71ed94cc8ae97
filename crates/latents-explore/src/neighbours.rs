//! Exact nearest neighbours by Euclidean or cosine distance. Compares all queries with all rows in blocks that fit the caches and the
//! vector units, which is fast enough for collections of a million rows. The kernel is in `kernel`.

mod kernel;

use std::ops::Range;

use latents_progress::Monitor;
use rayon::prelude::*;

use self::kernel::{Block, merged};
use crate::error::Error;
use crate::lanes::{LANES, Lane, dispatch};
use crate::panels::{compare, of_key, panels};
use crate::rows::Rows;

/// Queries per pass over all rows.
const BLOCK: usize = 128;
/// Queries between two checks for cancellation.
const STRETCH: usize = 32 * BLOCK;
/// Least panels of a slice: below that, sharing a query out among threads costs more than it saves.
const SLICE: usize = 256;

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

/// How far two vectors are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The Euclidean distance.
    #[default]
    Euclidean,
    /// One minus the cosine of the angle, from 0 (same direction) to 2 (opposite).
    Cosine,
}

impl Metric {
    /// The distance for a value of [`Neighbours::squared`].
    #[must_use]
    pub fn distance(self, squared: f32) -> f32 {
        match self {
            Metric::Euclidean => squared.sqrt(),
            // For unit vectors |a - b|^2 = 2 - 2 cos. Unlike 1 - cos, it is exact for directions that are nearly the same.
            Metric::Cosine => squared / 2.0,
        }
    }
}

/// Rows prepared for searches: made once, queried many times. It holds a copy of the rows, of the same size.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::neighbours::{Metric, NeighbourIndex};
/// use latents_progress::Monitor;
///
/// let monitor = Monitor::default();
/// let rows = [1.0, 0.0, 0.0, 2.0, 3.0, 3.0];
/// let index = NeighbourIndex::new(Rows::new(&rows, 2)?, Metric::Cosine)?;
/// let found = index.nearest(Rows::new(&[9.0, 1.0], 2)?, 2, &monitor)?;
/// assert_eq!(found.of(0), [0, 2]);
/// assert_eq!(index.nearest_others(&[0], 1, &monitor)?.of(0), [2]); // row 0 is not its own neighbour
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NeighbourIndex {
    metric: Metric,
    len: usize,
    dim: usize,
    /// `[ceil(len / 16)][dim][16]`; of unit length for [`Metric::Cosine`].
    panels: Vec<Lane>,
}

impl NeighbourIndex {
    /// Prepares rows `[m, d]`.
    ///
    /// # Errors
    /// If there are more than `u32::MAX` rows, or a row has no direction, as [`Metric::Cosine`] needs.
    pub fn new(rows: Rows<'_>, metric: Metric) -> Result<Self, Error> {
        if u32::try_from(rows.len()).is_err() {
            return Err(Error::Invalid(format!(
                "{} rows cannot be searched: use at most {}",
                rows.len(),
                u32::MAX
            )));
        }
        let unit;
        let rows = match metric {
            Metric::Euclidean => rows,
            Metric::Cosine => {
                unit = directions(rows)?;
                Rows::new(&unit, rows.dim())?
            }
        };
        Ok(NeighbourIndex { metric, len: rows.len(), dim: rows.dim(), panels: panels(rows) })
    }

    /// The number of rows, `m`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of columns, `d`.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How distances are measured.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The `k` nearest rows to each of `queries` `[n, d]`.
    ///
    /// # Errors
    /// If there are fewer than `k` rows, `k` is 0, queries and rows have different numbers of columns, a query has no direction, as
    /// [`Metric::Cosine`] needs, or a distance overflows `f32`.
    pub fn nearest(
        &self,
        queries: Rows<'_>,
        k: usize,
        monitor: &Monitor,
    ) -> Result<Neighbours, Error> {
        if queries.dim() != self.dim {
            let (expected, got) = (self.dim, queries.dim());
            return Err(Error::Size { what: "each query", expected, got });
        }
        self.at_least(k)?;
        match self.metric {
            Metric::Euclidean => self.search(queries, k, None, monitor),
            Metric::Cosine => {
                let unit = directions(queries)?;
                self.search(Rows::new(&unit, self.dim)?, k, None, monitor)
            }
        }
    }

    /// The `k` nearest other rows to each of the rows with the given numbers `[n]`. A row is not its own neighbour, but other rows with the same
    /// values are.
    ///
    /// # Errors
    /// If there are fewer than `k + 1` rows, `k` is 0, there is no row of a number, a distance overflows `f32`, or `monitor` is cancelled.
    pub fn nearest_others(
        &self,
        numbers: &[usize],
        k: usize,
        monitor: &Monitor,
    ) -> Result<Neighbours, Error> {
        self.at_least(k + 1)?;
        if let Some(wrong) = numbers.iter().find(|&&i| i >= self.len) {
            return Err(Error::Invalid(format!("there is no row {wrong} among {}", self.len)));
        }
        let queries: Vec<f32> = numbers.iter().flat_map(|&i| self.row(i)).collect();
        self.search(Rows::new(&queries, self.dim)?, k, Some(numbers), monitor)
    }

    /// Compares some rows with all rows of the index, as [`compare`](crate::panels::compare) does.
    pub(crate) fn compare(&self, rows: &[(&[f32], f32)], visit: impl FnMut(usize, usize, &[f32])) {
        compare(rows, &self.panels, self.len, visit);
    }

    /// The values of row `i`.
    fn row(&self, i: usize) -> impl Iterator<Item = f32> + '_ {
        let panel = &self.panels[i / LANES * self.dim..][..self.dim];
        panel.iter().map(move |group| group[i % LANES])
    }

    fn at_least(&self, needed: usize) -> Result<(), Error> {
        let (what, got) = ("a search for neighbours", self.len);
        if got < needed { Err(Error::TooFew { what, needed, got }) } else { Ok(()) }
    }

    /// The nearest rows to each query but the row of its own number, if `own` has one for each. Queries are of unit length for
    /// [`Metric::Cosine`]. Reports the number of queries that are done as the task `nearest neighbours`.
    pub(crate) fn search(
        &self,
        queries: Rows<'_>,
        k: usize,
        own: Option<&[usize]>,
        monitor: &Monitor,
    ) -> Result<Neighbours, Error> {
        if k == 0 {
            return Err(Error::Range { what: "neighbours", range: "at least 1", got: 0.0 });
        }
        let n = queries.len();
        let mut found = Neighbours { k, index: vec![0; n * k], squared: vec![0.0; n * k] };
        let stretches =
            found.index.chunks_mut(STRETCH * k).zip(found.squared.chunks_mut(STRETCH * k));
        for (stretch, (index, squared)) in stretches.enumerate() {
            monitor.progress("nearest neighbours", (stretch * STRETCH) as u64, n as u64, "");
            monitor.check()?;
            let count = index.len() / k;
            let slices = self.slices(count);
            let blocks = index.par_chunks_mut(BLOCK * k).zip(squared.par_chunks_mut(BLOCK * k));
            blocks.enumerate().for_each(|(b, (index, squared))| {
                let first = stretch * STRETCH + b * BLOCK;
                let queries = queries.slice(first..first + index.len() / k);
                let own = own.map(|own| &own[first..first + queries.len()]);
                let (panels, rows) = (&self.panels[..], self.len);
                let block = |slice| Block { queries, panels, slice, rows, k, own };
                let best = match &slices[..] {
                    [all] => dispatch(block(all.clone())),
                    slices => merged(
                        slices.par_iter().map(|slice| dispatch(block(slice.clone()))).collect(),
                        k,
                    ),
                };
                for (i, best) in best.into_iter().enumerate() {
                    for (j, key) in best.into_iter().enumerate() {
                        (squared[i * k + j], index[i * k + j]) = of_key(key);
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

    /// The panels in as many slices as keep all threads busy with `count` queries.
    fn slices(&self, count: usize) -> Vec<Range<usize>> {
        let panels = self.panels.len() / self.dim;
        let wanted = rayon::current_num_threads().div_ceil(count.div_ceil(BLOCK).max(1));
        let size = panels.div_ceil(wanted).max(SLICE).min(panels).max(1);
        let starts = (0..panels.max(1)).step_by(size);
        starts.map(|start| start..(start + size).min(panels)).collect()
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

/// The `k` nearest of `rows` `[m, d]` to each of `queries` `[n, d]`. To search the same rows again, make a [`NeighbourIndex`].
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
    let own: Option<Vec<usize>> = others.then(|| (0..rows.len()).collect());
    NeighbourIndex::new(rows, Metric::Euclidean)?.search(queries, k, own.as_deref(), monitor)
}

/// The rows scaled to unit length.
fn directions(rows: Rows<'_>) -> Result<Vec<f32>, Error> {
    let mut unit = rows.values().to_vec();
    let zero = unit.par_chunks_mut(rows.dim()).enumerate().filter_map(|(i, row)| {
        let norm = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        for v in row.iter_mut() {
            *v = (f64::from(*v) / norm) as f32;
        }
        (norm == 0.0).then_some(i)
    });
    match zero.min() {
        Some(row) => Err(Error::Invalid(format!(
            "row {row} is zero and has no direction: use the Euclidean distance"
        ))),
        None => Ok(unit),
    }
}

#[cfg(test)]
mod tests;
