//! k-means clustering: Lloyd's algorithm from the initialisation of Arthur and Vassilvitskii, "k-means++: the advantages of careful
//! seeding", 2007.

use latents_progress::{Interrupted, Monitor};
use latents_random::{Purpose, Stream, stream};
use rayon::prelude::*;

use crate::error::Error;
use crate::rows::Rows;

/// Settings of [`kmeans_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KmeansConfig {
    /// Number of clusters, `k`.
    pub clusters: usize,
    /// Seed of the initial centres.
    pub seed: u64,
    /// The number of the first initialisation; others of the same seed have other numbers.
    pub first: u64,
    /// Number of runs, each from an initialisation of its own, of which the one with the least inertia is kept.
    pub starts: u64,
    /// Maximum number of iterations; nearly all runs converge earlier.
    pub iterations: usize,
    /// Rows that are drawn for each initial centre, of which the one that leaves the least inertia is taken; with 1, as in the paper. scikit-learn draws 2 + ln k.
    pub candidates: usize,
}

impl Default for KmeansConfig {
    fn default() -> Self {
        KmeansConfig { clusters: 8, seed: 0, first: 0, starts: 1, iterations: 300, candidates: 1 }
    }
}

/// The result of [`kmeans`].
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// Centre of each cluster `[k, d]`.
    pub centres: Vec<f32>,
    /// Cluster of each row `[n]`.
    pub labels: Vec<u32>,
    /// Sum of the squared distances of the rows to their centres.
    pub inertia: f64,
    /// Number of iterations.
    pub iterations: usize,
}

/// Groups rows `[n, d]` into `k` clusters, from one initialisation that depends on `seed`.
///
/// ```
/// use latents_explore::{Rows, kmeans};
/// use latents_progress::Monitor;
///
/// let values = [0.0, 0.1, 9.0, 9.1];
/// let found = kmeans(Rows::new(&values, 1)?, 2, 1, &Monitor::default())?;
/// assert_eq!(found.labels[0], found.labels[1]);
/// assert_ne!(found.labels[0], found.labels[2]);
/// assert!((found.inertia - 0.01).abs() < 1e-6);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If `k` is 0, there are fewer than `k` rows, or `monitor` is cancelled.
pub fn kmeans(rows: Rows<'_>, k: usize, seed: u64, monitor: &Monitor) -> Result<Clusters, Error> {
    kmeans_with(rows, &KmeansConfig { clusters: k, seed, ..KmeansConfig::default() }, monitor)
}

/// Groups rows `[n, d]` into clusters.
///
/// # Errors
/// If the number of clusters is 0, there are fewer rows than that, or `monitor` is cancelled.
pub fn kmeans_with(
    rows: Rows<'_>,
    config: &KmeansConfig,
    monitor: &Monitor,
) -> Result<Clusters, Error> {
    if config.clusters == 0 {
        return Err(Error::Range { what: "number of clusters", range: "at least 1", got: 0.0 });
    }
    rows.at_least(config.clusters, "k-means with so many clusters")?;
    let mut best = once(rows, config, config.first, monitor)?;
    for start in 1..config.starts {
        let next = once(rows, config, config.first + start, monitor)?;
        if next.inertia < best.inertia {
            best = next;
        }
    }
    Ok(best)
}

/// One run.
fn once(
    rows: Rows<'_>,
    config: &KmeansConfig,
    start: u64,
    monitor: &Monitor,
) -> Result<Clusters, Error> {
    let mut draws = stream(config.seed, Purpose::Clusters, start, 0);
    let mut centres = plus_plus(rows, config, &mut draws, monitor)?;
    let mut nearest = assign(rows, &centres);
    let mut iterations = 0;
    while iterations < config.iterations {
        monitor.check()?;
        iterations += 1;
        centres = means(rows, &centres, &nearest);
        let next = assign(rows, &centres);
        let converged = next.iter().zip(&nearest).all(|(a, b)| a.0 == b.0);
        nearest = next;
        if converged {
            break;
        }
    }
    let inertia = nearest.iter().map(|n| n.1).sum();
    let centres = centres.iter().map(|&c| c as f32).collect();
    let labels = nearest.into_iter().map(|n| n.0).collect();
    Ok(Clusters { centres, labels, inertia, iterations })
}

/// The distance of each row `[n, d]` to each of some centres `[k, d]`, `[n, k]`.
///
/// # Errors
/// If rows and centres have different numbers of columns.
pub fn distances(rows: Rows<'_>, centres: Rows<'_>) -> Result<Vec<f32>, Error> {
    rows.like(centres)?;
    let k = centres.len();
    let mut out = vec![0.0f32; rows.len() * k];
    out.par_chunks_mut(k.max(1)).enumerate().for_each(|(i, out)| {
        for (out, centre) in out.iter_mut().zip(centres.iter()) {
            let square = |(&a, &b): (&f32, &f32)| (f64::from(a) - f64::from(b)).powi(2);
            *out = rows.row(i).iter().zip(centre).map(square).sum::<f64>().sqrt() as f32;
        }
    });
    Ok(out)
}

fn squared(row: &[f32], centre: &[f64]) -> f64 {
    row.iter().zip(centre).map(|(&v, c)| (f64::from(v) - c) * (f64::from(v) - c)).sum()
}

/// Draws rows as initial centres, each with a probability proportional to the squared distance to the nearest centre before it.
fn plus_plus(
    rows: Rows<'_>,
    config: &KmeansConfig,
    draws: &mut Stream,
    monitor: &Monitor,
) -> Result<Vec<f64>, Interrupted> {
    let wide = |i: usize| rows.row(i).iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let nearer = |distances: &[f64], centre: &[f64]| -> Vec<f64> {
        let squares = distances.par_iter().enumerate();
        squares.map(|(i, d)| d.min(squared(rows.row(i), centre))).collect()
    };
    let first = (draws.uniform() * rows.len() as f64) as usize;
    let mut centres = wide(first);
    let mut distances = nearer(&vec![f64::INFINITY; rows.len()], &centres);
    for _ in 1..config.clusters {
        let total: f64 = distances.iter().sum();
        let mut best: Option<(f64, Vec<f64>, Vec<f64>)> = None;
        for _ in 0..config.candidates.max(1) {
            monitor.check()?;
            let mut rest = draws.uniform() * total;
            // If every row equals a centre, any row will do.
            let pick = distances.iter().position(|&d| {
                rest -= d;
                rest < 0.0
            });
            let centre = wide(pick.unwrap_or(rows.len() - 1));
            let left = nearer(&distances, &centre);
            let inertia = left.iter().sum();
            if best.as_ref().is_none_or(|best| inertia < best.0) {
                best = Some((inertia, centre, left));
            }
        }
        if let Some((_, centre, left)) = best {
            centres.extend(centre);
            distances = left;
        }
    }
    Ok(centres)
}

/// Nearest centre of each row and the squared distance to it `[n]`.
fn assign(rows: Rows<'_>, centres: &[f64]) -> Vec<(u32, f64)> {
    let nearest = |i: usize| {
        let each = centres.chunks_exact(rows.dim()).map(|c| squared(rows.row(i), c)).enumerate();
        let best = each.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
        (best.0 as u32, best.1)
    };
    (0..rows.len()).into_par_iter().map(nearest).collect()
}

/// Mean of each cluster. The centre of an empty cluster moves to the row that is farthest from its own centre.
fn means(rows: Rows<'_>, centres: &[f64], nearest: &[(u32, f64)]) -> Vec<f64> {
    let d = rows.dim();
    let k = centres.len() / d;
    let (mut sums, mut counts) = (vec![0.0; k * d], vec![0usize; k]);
    for (row, n) in rows.iter().zip(nearest) {
        let c = n.0 as usize;
        counts[c] += 1;
        for (sum, &v) in sums[c * d..(c + 1) * d].iter_mut().zip(row) {
            *sum += f64::from(v);
        }
    }
    let mut farthest: Vec<usize> = vec![];
    if counts.contains(&0) {
        farthest = (0..rows.len()).collect();
        farthest.sort_by(|&a, &b| nearest[a].1.total_cmp(&nearest[b].1));
    }
    for c in 0..k {
        let sum = &mut sums[c * d..(c + 1) * d];
        if counts[c] > 0 {
            for s in sum.iter_mut() {
                *s /= counts[c] as f64;
            }
        } else if let Some(i) = farthest.pop() {
            sum.iter_mut().zip(rows.row(i)).for_each(|(s, &v)| *s = f64::from(v));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_clusters_are_found() {
        let mut s = stream(1, Purpose::Synthetic, 0, 0);
        let x: Vec<f32> = (0..300)
            .flat_map(|i| [f64::from(i % 3) * 10.0 + s.normal(), s.normal()].map(|v| v as f32))
            .collect();
        let found = kmeans(Rows::new(&x, 2).unwrap(), 3, 4, &Monitor::default()).unwrap();
        assert!((3..300).all(|i| found.labels[i] == found.labels[i - 3]));
        let mut at: Vec<f32> = found.centres.iter().step_by(2).copied().collect();
        at.sort_by(f32::total_cmp);
        assert!(at.iter().zip([0.0, 10.0, 20.0]).all(|(a, b)| (a - b).abs() < 0.4), "{at:?}");
        // About 300 rows times two unit variances.
        assert!((480.0..720.0).contains(&found.inertia), "{}", found.inertia);
    }

    #[test]
    fn several_candidates_miss_fewer_clusters() {
        let mut s = stream(3, Purpose::Synthetic, 0, 0);
        let x: Vec<f32> =
            (0..400).map(|i| (f64::from(i % 20) * 50.0 + s.normal()) as f32).collect();
        let rows = Rows::new(&x, 1).unwrap();
        let missed = |candidates| {
            let found = |seed| {
                let config = KmeansConfig { clusters: 20, seed, candidates, ..Default::default() };
                kmeans_with(rows, &config, &Monitor::default()).unwrap().inertia > 1_000.0
            };
            (0..20).filter(|&seed| found(seed)).count()
        };
        let (one, five) = (missed(1), missed(5));
        assert!(five < one, "{five} of 20 with five candidates, {one} with one");
    }

    #[test]
    fn the_best_of_several_starts_is_kept() {
        let mut s = stream(2, Purpose::Synthetic, 0, 0);
        let x: Vec<f32> = (0..400).map(|i| (f64::from(i % 8) * 3.0 + s.normal()) as f32).collect();
        let rows = Rows::new(&x, 1).unwrap();
        let of = |first, starts| {
            let config = KmeansConfig { first, starts, ..KmeansConfig::default() };
            kmeans_with(rows, &config, &Monitor::default()).unwrap()
        };
        let each: Vec<f64> = (0..5).map(|first| of(first, 1).inertia).collect();
        let best = of(0, 5);
        assert!(each.iter().all(|inertia| best.inertia <= *inertia), "{each:?}");
        assert!(each.contains(&best.inertia) && each.iter().any(|i| *i > best.inertia));
        let near = distances(rows, Rows::new(&best.centres, 1).unwrap()).unwrap();
        let sum: f64 = near
            .chunks_exact(8)
            .zip(&best.labels)
            .map(|(d, &l)| f64::from(d[l as usize]).powi(2))
            .sum();
        assert!((sum - best.inertia).abs() < 1e-3 * best.inertia);
    }

    #[test]
    fn equal_rows_are_clustered() {
        let x = [2.0; 10];
        let found = kmeans(Rows::new(&x, 2).unwrap(), 3, 1, &Monitor::default()).unwrap();
        assert!(found.inertia.abs() < 1e-12);
        assert!(kmeans(Rows::new(&x, 2).unwrap(), 6, 1, &Monitor::default()).is_err());
    }
}
