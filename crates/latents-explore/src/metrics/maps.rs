//! Metrics of maps: whether neighbours on the map are neighbours in the original space, and vice versa.

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use crate::error::Error;
use crate::neighbours::{Metric, NeighbourIndex, Neighbours, search};
use crate::panels::{TILE, key, of_key, squared_distance};
use crate::rows::Rows;

/// Trustworthiness of a map `[n, 2]` of `space` `[n, d]`: 1 if the `k` nearest neighbours of every row on the map are among its `k` nearest
/// in the space; every other neighbour lowers it by its rank in the space (Venna and Kaski, "Neighborhood preservation in nonlinear
/// projection methods", 2001; as scikit-learn's `trustworthiness`). The time grows with the square of `n`.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::maps::trustworthiness;
/// use latents_progress::Monitor;
///
/// let space: Vec<f32> = (0..20u8).map(f32::from).collect();
/// let folded: Vec<f32> = space.iter().map(|x| (x - 10.0).abs()).collect();
/// let (space, folded) = (Rows::new(&space, 1)?, Rows::new(&folded, 1)?);
/// let monitor = Monitor::default();
/// assert!((trustworthiness(space, space, 3, &monitor)? - 1.0).abs() < 1e-12);
/// assert!(trustworthiness(space, folded, 3, &monitor)? < 0.9);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If the two have different numbers of rows, `2 k >= n`, or `monitor` is cancelled.
pub fn trustworthiness(
    space: Rows<'_>,
    map: Rows<'_>,
    k: usize,
    monitor: &Monitor,
) -> Result<f64, Error> {
    let n = space.len();
    if map.len() != n {
        return Err(Error::Size { what: "the map", expected: n, got: map.len() });
    }
    if 2 * k >= n {
        let range = "less than half the number of rows";
        return Err(Error::Range { what: "neighbours", range, got: k as f64 });
    }
    let near = others(map, k, monitor)?;
    let index = NeighbourIndex::new(space, Metric::Euclidean)?;
    let block = |block: usize| -> Result<u64, Interrupted> {
        monitor.check()?;
        let first = block * TILE;
        let tile = first..n.min(first + TILE);
        let mut ranks: Vec<Ranks> =
            tile.clone().map(|i| Ranks::new(space, i, near.of(i))).collect();
        let rows: Vec<(&[f32], f32)> =
            tile.zip(&ranks).map(|(i, ranks)| (space.row(i), ranks.farthest())).collect();
        index.compare(&rows, |t, begin, squared| {
            ranks[t].count(first + t, begin, squared);
        });
        Ok(ranks.iter().map(Ranks::penalty).sum())
    };
    let blocks = (0..n.div_ceil(TILE)).into_par_iter();
    let sum = blocks.map(block).sum::<Result<u64, Interrupted>>()?;
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 * sum as f64 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
}

/// How many rows are nearer to a row in the space than each of its neighbours on the map.
struct Ranks {
    /// The neighbours by distance in the space, then by row.
    neighbours: Vec<u64>,
    /// The rows between each neighbour and the one before it `[k]`.
    before: Vec<u64>,
}

impl Ranks {
    /// Of row `i`, whose neighbours on the map are `near`.
    fn new(space: Rows<'_>, i: usize, near: &[u32]) -> Self {
        let squared = |j: u32| squared_distance(space.row(i), space.row(j as usize));
        let mut neighbours: Vec<u64> = near.iter().map(|&j| key(squared(j), j as usize)).collect();
        neighbours.sort_unstable();
        Self { before: vec![0; near.len()], neighbours }
    }

    /// The squared distance of the last neighbour.
    fn farthest(&self) -> f32 {
        self.neighbours.last().map_or(0.0, |&last| of_key(last).0)
    }

    /// Counts the rows of a group, of which `own` is the row itself.
    fn count(&mut self, own: usize, begin: usize, squared: &[f32]) {
        for (j, &squared) in (begin..).zip(squared).filter(|&(j, _)| j != own) {
            let rank = self.neighbours.partition_point(|&other| other <= key(squared, j));
            if let Some(count) = self.before.get_mut(rank) {
                *count += 1;
            }
        }
    }

    /// The sum of the neighbours' ranks less `k`, where they are larger.
    fn penalty(&self) -> u64 {
        let (mut rank, k) = (0, self.before.len() as u64);
        let each = self.before.iter().map(|count| {
            // The prefix sum is the number of rows that are nearer, or equally near with a lower index.
            rank += count;
            (rank + 1).saturating_sub(k)
        });
        each.sum()
    }
}

/// Continuity of a map: 1 if the `k` nearest neighbours of every row in the space are among its `k` nearest on the map. This is
/// [`trustworthiness`] with the two arrays exchanged.
///
/// # Errors
/// As for [`trustworthiness`].
pub fn continuity(
    space: Rows<'_>,
    map: Rows<'_>,
    k: usize,
    monitor: &Monitor,
) -> Result<f64, Error> {
    trustworthiness(map, space, k, monitor)
}

/// The `k` nearest others of each row.
fn others(rows: Rows<'_>, k: usize, monitor: &Monitor) -> Result<Neighbours, Error> {
    rows.at_least(k + 1, "a search for neighbours")?;
    search(rows, rows, k, true, monitor)
}

/// Leave-one-out accuracy of `k`-nearest-neighbour classification of rows `[n, d]` with `labels` `[n]`; in a tie, the lowest label wins.
///
/// # Errors
/// If the number of labels is not `n`, `n` is at most `k`, or `monitor` is cancelled.
pub fn neighbour_accuracy(
    rows: Rows<'_>,
    labels: &[u16],
    k: usize,
    monitor: &Monitor,
) -> Result<f64, Error> {
    if labels.len() != rows.len() {
        let (expected, got) = (rows.len(), labels.len());
        return Err(Error::Size { what: "the list of labels", expected, got });
    }
    let voted = others(rows, k, monitor)?.vote(labels);
    let count = voted.iter().zip(labels).filter(|(v, l)| v == l).count();
    Ok(count as f64 / rows.len() as f64)
}
