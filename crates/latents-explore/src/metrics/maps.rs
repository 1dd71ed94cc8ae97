//! Metrics of maps: whether neighbours on the map are neighbours in the original space, and vice versa.

use rayon::prelude::*;

use crate::error::Error;
use crate::lanes::squared_distance;
use crate::neighbours::nearest_others;
use crate::rows::Rows;

/// Trustworthiness of a map `[n, 2]` of `space` `[n, d]`: 1 if the `k` nearest neighbours of every row on the map are among its `k` nearest
/// in the space; every other neighbour lowers it by its rank in the space (Venna and Kaski, "Neighborhood preservation in nonlinear
/// projection methods", 2001; as scikit-learn's `trustworthiness`). The time grows with the square of `n`.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::maps::trustworthiness;
///
/// let space: Vec<f32> = (0..20u8).map(f32::from).collect();
/// let folded: Vec<f32> = space.iter().map(|x| (x - 10.0).abs()).collect();
/// let (space, folded) = (Rows::new(&space, 1)?, Rows::new(&folded, 1)?);
/// assert!((trustworthiness(space, space, 3)? - 1.0).abs() < 1e-12);
/// assert!(trustworthiness(space, folded, 3)? < 0.9);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If the two have different numbers of rows, or `2 k >= n`.
pub fn trustworthiness(space: Rows<'_>, map: Rows<'_>, k: usize) -> Result<f64, Error> {
    let n = space.len();
    if map.len() != n {
        return Err(Error::Size { what: "the map", expected: n, got: map.len() });
    }
    if 2 * k >= n {
        let range = "less than half the number of rows";
        return Err(Error::Range { what: "neighbours", range, got: k as f64 });
    }
    let near = nearest_others(map, k)?;
    let penalty = |i: usize| -> u64 {
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
        before
            .iter()
            .map(|count| {
                // The prefix sum is the number of rows that are nearer, or equally near with a lower index.
                rank += count;
                (rank + 1).saturating_sub(k as u64)
            })
            .sum()
    };
    let sum: u64 = (0..n).into_par_iter().map(penalty).sum();
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 * sum as f64 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
}

/// Continuity of a map: 1 if the `k` nearest neighbours of every row in the space are among its `k` nearest on the map. This is
/// [`trustworthiness`] with the two arrays exchanged.
///
/// # Errors
/// As for [`trustworthiness`].
pub fn continuity(space: Rows<'_>, map: Rows<'_>, k: usize) -> Result<f64, Error> {
    trustworthiness(map, space, k)
}

/// Leave-one-out accuracy of `k`-nearest-neighbour classification of rows `[n, d]` with `labels` `[n]`; in a tie, the lowest label wins.
///
/// # Errors
/// If the number of labels is not `n`, or `n` is at most `k`.
pub fn neighbour_accuracy(rows: Rows<'_>, labels: &[u16], k: usize) -> Result<f64, Error> {
    if labels.len() != rows.len() {
        let (expected, got) = (rows.len(), labels.len());
        return Err(Error::Size { what: "the list of labels", expected, got });
    }
    let voted = nearest_others(rows, k)?.vote(labels);
    let count = voted.iter().zip(labels).filter(|(v, l)| v == l).count();
    Ok(count as f64 / rows.len() as f64)
}
