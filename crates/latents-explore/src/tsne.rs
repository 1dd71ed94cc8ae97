//! t-SNE: maps of rows in the plane that keep neighbours together (van der Maaten and Hinton, "Visualizing data using t-SNE", 2008), with
//! exact nearest neighbours, initialisation by principal components, a learning rate that grows with the number of rows (Kobak and Berens,
//! "The art of using t-SNE for single-cell transcriptomics", 2019; Belkina et al., "Automated optimized parameters for t-distributed
//! stochastic neighbor embedding", 2019), and repulsion by Fourier transforms (`field.rs`). The same rows and settings give the same bits on
//! any number of threads and any instruction set.

mod affinities;
mod descent;
mod fft;
mod field;
mod grid;
mod pairs;
mod point;
mod transform;

use latents_progress::Monitor;
use latents_random::{Purpose, stream};
use serde::{Deserialize, Serialize};

pub use transform::{TransformConfig, tsne_transform};

use self::affinities::{Affinities, conditional};
use self::descent::Descent;
use self::point::Point;
use crate::error::Error;
use crate::neighbours::search;
use crate::pca::Pca;
use crate::rows::Rows;

/// Settings of [`tsne`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TsneConfig {
    /// Dimensions of the map: 2, or 1 for a line, on which the second coordinate of every point is 0.
    pub components: usize,
    /// Perplexity: effective number of neighbours. Lowered to a third of the number of other rows if it is more than that.
    pub perplexity: f64,
    /// Factor of the attraction during the early iterations, in which clusters form.
    pub early_exaggeration: f64,
    /// Iterations with early exaggeration.
    pub early_iterations: u32,
    /// Iterations after those.
    pub iterations: u32,
    /// Learning rate; none: the number of rows divided by the exaggeration, but at least 200.
    pub learning_rate: Option<f64>,
    /// Seed of the jitter that separates equal rows in the initialisation.
    pub seed: u64,
}

impl Default for TsneConfig {
    fn default() -> Self {
        TsneConfig {
            components: 2,
            perplexity: 30.0,
            early_exaggeration: 12.0,
            early_iterations: 250,
            iterations: 750,
            learning_rate: None,
            seed: 0,
        }
    }
}

/// A map computed by [`tsne`].
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Coordinates `[n, 2]`, centred.
    pub xy: Vec<f32>,
    /// Kullback-Leibler divergence between the similarities of the rows and those of the map, in nats: the minimised objective.
    pub kl: f64,
    /// The perplexity after it was lowered for few rows.
    pub perplexity: f64,
}

/// Momentum during and after early exaggeration.
const MOMENTUM: [f32; 2] = [0.5, 0.8];
/// Standard deviation of the first axis of the initialisation, and of the jitter.
const START: f32 = 1e-4;
const JITTER: f32 = 1e-6;
/// Of so few rows, all similarities are kept.
const ALL_SIMILAR: usize = 512;
/// Maps of so few rows depend much on where they start. The best of this many is kept: one from principal components, and random ones.
const FEW_STARTS: usize = 256;
const STARTS: u64 = 5;
/// The least learning rate, unless one is set.
const LEAST_RATE: f64 = 200.0;

impl TsneConfig {
    /// Checks the settings for `n` rows; returns the perplexity to use.
    fn check(&self, n: usize) -> Result<f64, Error> {
        let range = |what, range, got: f64| Err(Error::Range { what, range, got });
        if !(1..=2).contains(&self.components) {
            return range("dimensions of the map", "1 or 2", self.components as f64);
        }
        if !(self.perplexity > 1.0 && self.perplexity.is_finite()) {
            return range("perplexity", "more than 1", self.perplexity);
        }
        if !(self.early_exaggeration >= 1.0 && self.early_exaggeration.is_finite()) {
            return range("early exaggeration", "at least 1", self.early_exaggeration);
        }
        if let Some(rate) = self.learning_rate.filter(|r| !(*r > 0.0 && r.is_finite())) {
            return range("learning rate", "more than 0", rate);
        }
        Ok(self.perplexity.min((n - 1) as f64 / 3.0))
    }
}

/// Computes a map of at least 5 rows `[n, d]`. Reports the tasks `nearest neighbours` (in rows) and `t-SNE` (in iterations).
///
/// ```
/// use latents_explore::{Rows, TsneConfig, samplers, tsne};
/// use latents_progress::Monitor;
///
/// // Two clusters of 50 rows.
/// let mut values = samplers::normal(100, 4, 1);
/// values[..200].iter_mut().for_each(|v| *v += 20.0);
/// let config = TsneConfig { perplexity: 10.0, iterations: 100, ..TsneConfig::default() };
/// let map = tsne(Rows::new(&values, 4)?, &config, &Monitor::default())?;
/// assert_eq!(map.xy.len(), 100 * 2);
/// assert!(map.kl < 2.0);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If there are too few rows, a setting is out of range, or `monitor` is cancelled.
pub fn tsne(rows: Rows<'_>, config: &TsneConfig, monitor: &Monitor) -> Result<Map, Error> {
    tsne_from(rows, None, config, monitor)
}

/// Computes a map as [`tsne`] does, from a start `[n, components]` if there is one, which is scaled so that its first axis has a standard deviation of 1e-4.
///
/// # Errors
/// As [`tsne`]; and if the start has another size or a number that is not finite.
pub fn tsne_from(
    rows: Rows<'_>,
    from: Option<&[f32]>,
    config: &TsneConfig,
    monitor: &Monitor,
) -> Result<Map, Error> {
    rows.at_least(5, "t-SNE")?;
    let n = rows.len();
    let perplexity = config.check(n)?;
    // As by scikit-learn's exact method.
    let k = if n <= ALL_SIMILAR { n - 1 } else { ((3.0 * perplexity) as usize).clamp(1, n - 1) };
    let found = search(rows, rows, k, true, monitor)?;
    let affinities = Affinities::symmetric(&found, &conditional(&found, perplexity));
    drop(found);

    let components = config.components;
    let given = from.map(|from| given_start(from, n, components)).transpose()?;
    let starts = if n <= FEW_STARTS && given.is_none() { STARTS } else { 1 };
    let task = monitor.task("t-SNE");
    let steps = u64::from(config.early_iterations + config.iterations);
    let mut best: Option<Map> = None;
    for attempt in 0..starts {
        let mut start = match (attempt, &given) {
            (_, Some(given)) => given.clone(),
            (0, None) => start(rows, config.seed, monitor)?,
            _ => random_start(n, config.seed, attempt),
        };
        if components == 1 {
            for y in &mut start {
                y[1] = 0.0;
            }
        }
        let mut descent = Descent::new(start, &affinities, components);
        // The usual least rate makes few rows overshoot; every other attempt does without.
        let least = if attempt % 2 == 0 { LEAST_RATE } else { 0.0 };
        for step in 0..steps {
            monitor.check()?;
            let early = step < u64::from(config.early_iterations);
            let exaggeration = if early { config.early_exaggeration } else { 1.0 };
            let rate = config.learning_rate.unwrap_or((n as f64 / exaggeration).max(least));
            let momentum = MOMENTUM[usize::from(!early)];
            descent.step(exaggeration as f32, rate as f32, momentum);
            task.progress(attempt * steps + step + 1, starts * steps, "");
        }
        let kl = descent.divergence();
        if best.as_ref().is_none_or(|best| kl < best.kl) {
            best = Some(Map { xy: descent.points.into_flattened(), kl, perplexity });
        }
    }
    // There is at least one attempt.
    best.ok_or(Error::TooFew { what: "t-SNE", needed: 5, got: n })
}

/// A start `[n, components]` from elsewhere, scaled down.
fn given_start(from: &[f32], n: usize, components: usize) -> Result<Vec<Point>, Error> {
    let expected = components * n;
    if from.len() != expected {
        return Err(Error::Size { what: "the start of the map", expected, got: from.len() });
    }
    Rows::new(from, components)?;
    let first = || from.iter().step_by(components).map(|&x| f64::from(x));
    let mean = first().sum::<f64>() / n as f64;
    let variance = first().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
    let scale = if variance > 0.0 { START / libm::sqrt(variance) as f32 } else { 1.0 };
    let point = |p: &[f32]| [0, 1].map(|a| p.get(a).map_or(0.0, |x| x * scale));
    Ok(from.chunks_exact(components).map(point).collect())
}

/// An initialisation of no particular order.
fn random_start(n: usize, seed: u64, attempt: u64) -> Vec<Point> {
    let mut random = stream(seed, Purpose::Map, attempt, 0);
    (0..n).map(|_| [0, 1].map(|_| START * random.normal() as f32)).collect()
}

/// Initialisation: the first two principal components, scaled down, plus jitter.
fn start(rows: Rows<'_>, seed: u64, monitor: &Monitor) -> Result<Vec<Point>, Error> {
    let axes = rows.dim().min(2);
    let components = Pca::fit(rows, axes, monitor)?.transform(rows)?;
    let n = rows.len();
    let square = |c: &[f32]| f64::from(c[0]) * f64::from(c[0]);
    let variance = components.chunks_exact(axes).map(square).sum::<f64>() / n as f64;
    let scale = if variance > 0.0 { START / libm::sqrt(variance) as f32 } else { 0.0 };
    let mut jitter = stream(seed, Purpose::Map, 0, 0);
    let mut point = |c: &[f32]| {
        [0, 1].map(|a| {
            let component = c.get(a).copied().unwrap_or(0.0);
            component * scale + JITTER * jitter.normal() as f32
        })
    };
    Ok(components.chunks_exact(axes).map(&mut point).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use latents_progress::{Cancel, Progress, Reporter};

    use super::*;

    /// Three clusters of 40 in 6 dimensions.
    pub(super) fn clusters() -> Vec<f32> {
        let mut s = stream(9, Purpose::Synthetic, 0, 0);
        let value = |s: &mut latents_random::Stream, i: usize, j: usize| {
            (s.normal() + if i / 40 == j { 12.0 } else { 0.0 }) as f32
        };
        (0..120).flat_map(|i| [0, 1, 2, 3, 4, 5].map(|j| value(&mut s, i, j))).collect()
    }

    pub(super) fn map_of(x: &[f32], dim: usize, seed: u64) -> Map {
        let config = TsneConfig { seed, iterations: 300, ..Default::default() };
        let rows = Rows::new(x, dim).unwrap();
        tsne(rows, &config, &Monitor::default()).unwrap()
    }

    fn on_threads(threads: usize, x: &[f32]) -> Map {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| map_of(x, 6, 1))
    }

    #[test]
    fn same_seed_any_threads_the_same_map() {
        let mut s = stream(9, Purpose::Synthetic, 1, 0);
        let x: Vec<f32> = (0..6 * 1500).map(|_| s.normal() as f32).collect();
        let one = on_threads(1, &x);
        for threads in [2, 3, 7] {
            let other = on_threads(threads, &x);
            assert!(one.xy.iter().zip(&other.xy).all(|(a, b)| a.to_bits() == b.to_bits()));
            assert_eq!(one.kl.to_bits(), other.kl.to_bits());
        }
        assert_ne!(one.xy, map_of(&x, 6, 2).xy, "the map depends on the seed");
    }

    #[test]
    fn few_rows_are_mapped_on_any_threads_and_equal_rows_have_no_divergence() {
        let x = clusters();
        let (one, three) = (on_threads(1, &x), on_threads(3, &x));
        assert!(one.xy.iter().zip(&three.xy).all(|(a, b)| a.to_bits() == b.to_bits()));
        let equal = map_of(&[1.0; 60], 3, 1);
        assert!((0.0..1e-5).contains(&equal.kl), "{}", equal.kl);
    }

    /// Sums over all pairs and over the grid agree.
    #[test]
    fn few_points_have_the_same_potential_as_many() {
        let map = map_of(&clusters(), 6, 1);
        let points: Vec<Point> = map.xy.chunks_exact(2).map(|y| [y[0], y[1]]).collect();
        let mut solver = field::Solver::default();
        let grid = solver.potential(&points);
        for (y, (value, gradient)) in points.iter().zip(pairs::potentials(&points)) {
            let (near, slope) = grid.of_others(*y);
            assert!((near - value).abs() < 2e-3 * value.max(1.0), "{near} {value}");
            for a in 0..2 {
                assert!((slope[a] - gradient[a]).abs() < 0.02 * value, "{slope:?} {gradient:?}");
            }
        }
    }

    #[test]
    fn clusters_stay_together_and_apart() {
        let x = clusters();
        let map = map_of(&x, 6, 1);
        let rows = Rows::new(&map.xy, 2).unwrap();
        let found = crate::neighbours::nearest_others(rows, 10).unwrap();
        let same = (0..120).flat_map(|i| found.of(i).iter().map(move |&j| (i, j as usize)));
        assert_eq!(same.filter(|&(i, j)| i / 40 != j / 40).count(), 0);
        assert!(map.kl > 0.0 && map.kl < 1.0, "{}", map.kl);
    }

    /// Compares the divergence with its definition over all pairs.
    #[test]
    fn the_divergence_is_that_of_all_pairs() {
        let x = clusters();
        let map = map_of(&x, 6, 1);
        let rows = Rows::new(&x, 6).unwrap();
        let found = crate::neighbours::nearest_others(rows, 119).unwrap();
        let matrix = Affinities::symmetric(&found, &conditional(&found, 30.0));
        let y = |i: usize| [map.xy[2 * i], map.xy[2 * i + 1]];
        let w = |i: usize, j: usize| 1.0 / (1.0 + f64::from(point::squared_distance(y(i), y(j))));
        let mut z = 0.0;
        for i in 0..120 {
            z += (0..120).filter(|&j| j != i).map(|j| w(i, j)).sum::<f64>();
        }
        let mut kl = 0.0;
        for i in 0..120 {
            for (j, p) in matrix.entries(i) {
                kl += f64::from(p) * (f64::from(p) / (w(i, j as usize) / z)).ln();
            }
        }
        assert!((kl - map.kl).abs() < 2e-3, "{kl} {}", map.kl);
    }

    #[test]
    fn a_map_may_start_from_given_points() {
        let x = clusters();
        let rows = Rows::new(&x, 6).unwrap();
        let config = TsneConfig { iterations: 300, ..Default::default() };
        let from = |points: &[f32]| tsne_from(rows, Some(points), &config, &Monitor::default());
        let start = crate::samplers::normal(120, 2, 5);
        let large: Vec<f32> = start.iter().map(|x| 64.0 * x).collect();
        let one = from(&start).unwrap();
        assert!(one.kl < 1.2, "{}", one.kl);
        assert_eq!(one.xy, from(&large).unwrap().xy, "the scale of the start does not matter");
        assert!(matches!(from(&start[2..]), Err(Error::Size { expected: 240, got: 238, .. })));
    }

    #[test]
    fn a_map_may_be_a_line() {
        let x = clusters();
        let rows = Rows::new(&x, 6).unwrap();
        let config = TsneConfig { components: 1, iterations: 300, ..Default::default() };
        let run = |from: Option<&[f32]>| tsne_from(rows, from, &config, &Monitor::default());
        let map = run(None).unwrap();
        assert!(map.xy.chunks_exact(2).all(|y| y[1] == 0.0));
        // The clusters are intervals that do not overlap.
        let mut sorted: Vec<(f32, usize)> = (0..120).map(|i| (map.xy[2 * i], i / 40)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(sorted.chunk_by(|a, b| a.1 == b.1).count(), 3);
        let many = crate::samplers::normal(1000, 6, 1);
        let map = tsne(Rows::new(&many, 6).unwrap(), &config, &Monitor::default()).unwrap();
        assert!(map.xy.chunks_exact(2).all(|y| y[1] == 0.0 && y[0].is_finite()));
        let start = crate::samplers::normal(120, 1, 5);
        assert!(run(Some(&start)).unwrap().kl.is_finite());
        assert!(matches!(run(Some(&start[1..])), Err(Error::Size { expected: 120, .. })));
        let wrong = TsneConfig { components: 3, ..config.clone() };
        assert!(matches!(tsne(rows, &wrong, &Monitor::default()), Err(Error::Range { .. })));
    }

    #[test]
    fn both_tasks_are_reported_to_their_end() {
        #[derive(Default)]
        struct Log(Mutex<Vec<(String, u64, u64)>>);

        impl Reporter for Log {
            fn progress(&self, p: &Progress<'_>) {
                self.0.lock().unwrap().push((p.task.to_owned(), p.done, p.total));
            }
        }

        let log = Arc::new(Log::default());
        let monitor = Monitor::new(log.clone(), Cancel::default());
        let config = TsneConfig { early_iterations: 1, iterations: 2, ..Default::default() };
        tsne(Rows::new(&clusters(), 6).unwrap(), &config, &monitor).unwrap();
        let steps = |task: &str, done: &[u64], total: u64| -> Vec<(String, u64, u64)> {
            done.iter().map(|&done| (task.to_owned(), done, total)).collect()
        };
        let expected = [
            steps("nearest neighbours", &[0, 120], 120),
            steps("t-SNE", &(1..=15).collect::<Vec<_>>(), 15),
        ];
        assert_eq!(*log.0.lock().unwrap(), expected.concat());
    }

    #[test]
    fn invalid_input_is_an_error() {
        let x = [1.0; 24];
        let run = |n: usize, config: &TsneConfig, stop: bool| {
            let rows = Rows::new(&x[..2 * n], 2).unwrap();
            let monitor = Monitor::default();
            if stop {
                monitor.cancel().cancel();
            }
            tsne(rows, config, &monitor)
        };
        let good = TsneConfig { early_iterations: 5, iterations: 5, ..Default::default() };
        let equal = run(12, &good, false).unwrap();
        assert!(equal.xy.iter().all(|v| v.is_finite()), "equal rows");
        assert!((equal.perplexity - 11.0 / 3.0).abs() < 1e-9);
        assert!(matches!(run(4, &good, false), Err(Error::TooFew { needed: 5, got: 4, .. })));
        assert!(matches!(run(12, &good, true), Err(Error::Interrupted(_))));
        let bad = TsneConfig { perplexity: f64::NAN, ..good };
        assert!(matches!(run(12, &bad, false), Err(Error::Range { what: "perplexity", .. })));
    }
}
