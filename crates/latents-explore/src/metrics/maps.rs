//! Metrics of maps: whether neighbours on the map are neighbours in the original space, and vice versa.

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use crate::error::Error;
use crate::lanes::squared_distance;
use crate::neighbours::{Neighbours, search};
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
    let penalty = |i: usize| -> Result<u64, Interrupted> {
        monitor.check()?;
        let row = space.row(i);
        let key = |j: usize| {
            let squared = squared_distance(row, space.row(j));
            (u64::from(squared.to_bits()) << 32) | j as u64
        };
        // Count, for each neighbour on the map, the rows that are nearer in the space.
        let mut neighbours: Vec<u64> = near.of(i).iter().map(|&j| key(j as usize)).collect();
        neighbours.sort_unstable();
        let mut before = vec![0u64; k];
        for j in (0..n).filter(|&j| j != i) {
            let rank = neighbours.partition_point(|&other| other <= key(j));
            if let Some(count) = before.get_mut(rank) {
                *count += 1;
            }
        }
        let mut rank = 0;
        let each = before.iter().map(|count| {
            // The prefix sum is the number of rows that are nearer, or equally near with a lower index.
            rank += count;
            (rank + 1).saturating_sub(k as u64)
        });
        Ok(each.sum())
    };
    let sum = (0..n).into_par_iter().map(penalty).sum::<Result<u64, Interrupted>>()?;
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 * sum as f64 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
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
