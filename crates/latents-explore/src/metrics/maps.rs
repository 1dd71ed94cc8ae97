//! How far a map can be trusted: whether neighbours on it are neighbours in the space it is of, and the other way round.

use rayon::prelude::*;

use crate::error::Error;
use crate::lanes::squared_distance;
use crate::neighbours::nearest_others;
use crate::rows::Rows;

/// Trustworthiness of a map: 1 where the `k` nearest on the map are all among the `k` nearest in the space, less for each intruder by
/// how far it comes from (Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", 2001; as scikit-learn's
/// `trustworthiness`). Time grows with the square of the rows.
///
/// # Errors
/// Where the two have different numbers of rows, or `k` is not less than half of it.
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
        // Ranks are only needed of rows that are not among the nearest.
        let mut intruders: Vec<u64> = near.of(i).iter().map(|&j| key(j as usize)).collect();
        intruders.sort_unstable();
        let mut before = vec![0u64; k];
        for j in (0..n).filter(|&j| j != i) {
            let place = intruders.partition_point(|&other| other <= key(j));
            if let Some(count) = before.get_mut(place) {
                *count += 1;
            }
        }
        let mut rank = 0;
        before
            .iter()
            .map(|count| {
                // Of those before it the sums so far, and the intruders before it count as well.
                rank += count;
                (rank + 1).saturating_sub(k as u64)
            })
            .sum()
    };
    let sum: u64 = (0..n).into_par_iter().map(penalty).sum();
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 * sum as f64 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
}

/// Continuity of a map: 1 where the `k` nearest in the space are all among the `k` nearest on the map, less for each that is torn away.
///
/// # Errors
/// As of [`trustworthiness`].
pub fn continuity(space: Rows<'_>, map: Rows<'_>, k: usize) -> Result<f64, Error> {
    trustworthiness(map, space, k)
}

/// Part of the rows that have the label which most of their `k` nearest others have; of labels with as many, the least.
///
/// # Errors
/// Where labels and rows differ in number, or there are not more than `k` rows.
pub fn neighbour_accuracy(rows: Rows<'_>, labels: &[u8], k: usize) -> Result<f64, Error> {
    if labels.len() != rows.len() {
        let (expected, got) = (rows.len(), labels.len());
        return Err(Error::Size { what: "the list of labels", expected, got });
    }
    let voted = nearest_others(rows, k)?.vote(labels);
    let count = voted.iter().zip(labels).filter(|(v, l)| v == l).count();
    Ok(count as f64 / rows.len() as f64)
}
