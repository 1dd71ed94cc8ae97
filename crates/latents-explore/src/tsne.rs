//! t-SNE: maps of rows in the plane that keep neighbours together. Van der Maaten and Hinton, "Visualizing data using t-SNE", 2008,
//! as it is done today: exact nearest neighbours, a start from the principal components and a learning rate that grows with the rows
//! (Kobak and Berens, "The art of using t-SNE for single-cell transcriptomics", 2019; Belkina et al., "Automated optimized parameters
//! for t-distributed stochastic neighbor embedding", 2019), repulsion by Fourier transforms (`field.rs`). The same rows and settings
//! give the same bits on any number of threads and any instruction set.

mod affinities;
mod fft;
mod field;
mod place;

use std::sync::atomic::{AtomicBool, Ordering};

use latents_random::{Purpose, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use place::{PlaceConfig, place};

use self::affinities::{Affinities, conditional};
use self::field::{Place, Solver};
use crate::error::Error;
use crate::lanes::ordered_sum;
use crate::neighbours::search;
use crate::pca::Pca;
use crate::rows::Rows;

/// Settings of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TsneConfig {
    /// How many neighbours a row feels, smoothly. At most a third of the others; it is lowered to that where there are few rows.
    pub perplexity: f64,
    /// By how much attraction is multiplied at first, while clusters form.
    pub early_exaggeration: f64,
    /// Steps with early exaggeration.
    pub early_iterations: u32,
    /// Steps after them.
    pub iterations: u32,
    /// Step size; none: the number of rows over the exaggeration, at least 200.
    pub learning_rate: Option<f64>,
    /// Of the jitter that parts equal rows at the start.
    pub seed: u64,
}

impl Default for TsneConfig {
    fn default() -> Self {
        TsneConfig {
            perplexity: 30.0,
            early_exaggeration: 12.0,
            early_iterations: 250,
            iterations: 750,
            learning_rate: None,
            seed: 0,
        }
    }
}

/// How far a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Rows whose neighbours are known, of all.
    Neighbours(usize, usize),
    /// Steps that are done, of all.
    Steps(usize, usize),
}

/// A finished map.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// `[n, 2]`, centred.
    pub xy: Vec<f32>,
    /// Kullback-Leibler divergence of the map's similarities from the rows', in nats.
    pub kl: f64,
    /// The perplexity that was used.
    pub perplexity: f64,
}

/// Momentum while attraction is exaggerated, and after.
const MOMENTUM: [f32; 2] = [0.5, 0.8];
/// The longest step of a point.
const LONGEST: f32 = 5.0;
/// Deviation of the first axis at the start, and of the jitter.
const START: f32 = 1e-4;
const JITTER: f32 = 1e-6;
/// Points that a thread moves at a time; no result depends on it.
const CHUNK: usize = 512;

impl TsneConfig {
    fn check(&self, n: usize) -> Result<f64, Error> {
        let range = |what, range, got: f64| Err(Error::Range { what, range, got });
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

/// Makes a map of at least 5 rows. `progress` is told how far it is; `stop`, once true, ends it.
///
/// # Errors
/// Where there are too few rows, a setting is out of range, or it was stopped.
pub fn tsne(
    rows: Rows<'_>,
    config: &TsneConfig,
    stop: &AtomicBool,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Map, Error> {
    rows.at_least(5, "t-SNE")?;
    let n = rows.len();
    let perplexity = config.check(n)?;
    let k = ((3.0 * perplexity) as usize).clamp(1, n - 1);
    let stopped = || stop.load(Ordering::Relaxed);
    let found = search(rows, rows, k, true, &mut |done| {
        progress(Progress::Neighbours(done, n));
        stopped()
    })?;
    let affinities = Affinities::symmetric(&found, &conditional(&found, perplexity));
    drop(found);

    let mut descent = Descent::new(start(rows, config.seed)?, &affinities);
    let steps = (config.early_iterations + config.iterations) as usize;
    for step in 0..steps {
        if stopped() {
            return Err(Error::Stopped);
        }
        let early = step < config.early_iterations as usize;
        let exaggeration = if early { config.early_exaggeration } else { 1.0 };
        let rate = config.learning_rate.unwrap_or((n as f64 / exaggeration).max(200.0));
        let momentum = MOMENTUM[usize::from(!early)];
        descent.step(exaggeration as f32, rate as f32, momentum);
        progress(Progress::Steps(step + 1, steps));
    }
    let kl = descent.divergence();
    Ok(Map { xy: descent.places.into_flattened(), kl, perplexity })
}

/// The first two principal components, scaled to the smallness that t-SNE starts from, with a jitter.
fn start(rows: Rows<'_>, seed: u64) -> Result<Vec<Place>, Error> {
    let axes = rows.dim().min(2);
    let components = Pca::fit(rows, axes)?.transform(rows)?;
    let n = rows.len();
    let square = |c: &[f32]| f64::from(c[0]) * f64::from(c[0]);
    let variance = components.chunks_exact(axes).map(square).sum::<f64>() / n as f64;
    let scale = if variance > 0.0 { START / libm::sqrt(variance) as f32 } else { 0.0 };
    let mut jitter = stream(seed, Purpose::Map, 0, 0);
    let mut place = |c: &[f32]| {
        [0, 1].map(|a| {
            let component = c.get(a).copied().unwrap_or(0.0);
            component * scale + JITTER * jitter.normal() as f32
        })
    };
    Ok(components.chunks_exact(axes).map(&mut place).collect())
}

/// A point's way.
#[derive(Clone, Copy)]
struct Motion {
    velocity: Place,
    /// Grows while the gradient keeps its sign along an axis (Jacobs, "Increased rates of convergence through learning rate
    /// adaptation", 1988).
    gain: Place,
}

/// Gradient descent on the places.
struct Descent<'a> {
    places: Vec<Place>,
    next: Vec<Place>,
    motions: Vec<Motion>,
    affinities: &'a Affinities,
    solver: Solver,
}

impl<'a> Descent<'a> {
    fn new(places: Vec<Place>, affinities: &'a Affinities) -> Self {
        let motions = vec![Motion { velocity: [0.0; 2], gain: [1.0; 2] }; places.len()];
        let next = places.clone();
        Descent { places, next, motions, affinities, solver: Solver::default() }
    }

    /// One step along `sum_j (exaggeration p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)`, a fourth of the gradient.
    fn step(&mut self, exaggeration: f32, rate: f32, momentum: f32) {
        let Descent { places, next, motions, affinities, solver } = self;
        let potential = solver.potential(places);
        let pushes: Vec<(f32, Place)> =
            places.par_iter().with_min_len(CHUNK).map(|&y| potential.of_others(y)).collect();
        let z = normaliser(&pushes);
        let repulsion = (0.5 / z) as f32;
        let chunks = next.par_chunks_mut(CHUNK).zip(motions.par_chunks_mut(CHUNK));
        chunks.enumerate().for_each(|(c, (next, motions))| {
            for (l, (next, motion)) in next.iter_mut().zip(motions).enumerate() {
                let i = c * CHUNK + l;
                let y = places[i];
                let pull = pull(y, affinities.row(i), places);
                let push = pushes[i].1;
                let mut step = [0.0f32; 2];
                for a in 0..2 {
                    let gradient = exaggeration * pull[a] + repulsion * push[a];
                    let turned = (gradient > 0.0) != (motion.velocity[a] > 0.0);
                    let gain = if turned { motion.gain[a] + 0.2 } else { motion.gain[a] * 0.8 };
                    motion.gain[a] = gain.max(0.01);
                    step[a] = momentum * motion.velocity[a] - rate * motion.gain[a] * gradient;
                }
                let length = (step[0] * step[0] + step[1] * step[1]).sqrt();
                let shorten = if length > LONGEST { LONGEST / length } else { 1.0 };
                motion.velocity = step.map(|s| s * shorten);
                *next = [0, 1].map(|a| y[a] + motion.velocity[a]);
            }
        });
        let centre = [0, 1].map(|a| {
            let sum =
                ordered_sum(next, CHUNK, |_, part| part.iter().map(|y| f64::from(y[a])).sum());
            (sum / next.len() as f64) as f32
        });
        next.par_chunks_mut(CHUNK).for_each(|part| {
            for y in part {
                *y = [0, 1].map(|a| y[a] - centre[a]);
            }
        });
        std::mem::swap(places, next);
    }

    /// `sum_ij p_ij ln(p_ij / q_ij)`.
    fn divergence(&mut self) -> f64 {
        let places = &self.places;
        let potential = self.solver.potential(places);
        let pushes: Vec<(f32, Place)> =
            places.par_iter().map(|&y| potential.of_others(y)).collect();
        let far = ordered_sum(places, CHUNK, |first, part| {
            let row = |(l, y): (usize, &Place)| -> f64 {
                let entry = |&(j, p): &(u32, f32)| {
                    let squared = f64::from(squared(*y, places[j as usize]));
                    let p = f64::from(p);
                    if p > 0.0 { p * libm::log(p * (1.0 + squared)) } else { 0.0 }
                };
                self.affinities.row(first + l).iter().map(entry).sum()
            };
            part.iter().enumerate().map(row).sum()
        });
        far + libm::log(normaliser(&pushes))
    }
}

/// `sum_(i != j) 1 / (1 + |y_i - y_j|^2)` from what the others do to each point.
fn normaliser(pushes: &[(f32, Place)]) -> f64 {
    let sum = ordered_sum(pushes, CHUNK, |_, part| part.iter().map(|p| f64::from(p.0)).sum());
    sum.max(f64::MIN_POSITIVE)
}

#[inline(always)]
fn squared(a: Place, b: Place) -> f32 {
    let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
    dx * dx + dy * dy
}

/// `sum_j p_j (y - y_j) / (1 + |y - y_j|^2)`.
#[inline(always)]
fn pull(y: Place, row: &[(u32, f32)], places: &[Place]) -> Place {
    let mut sum = [0.0f32; 2];
    for &(j, p) in row {
        let other = places[j as usize];
        let [dx, dy] = [y[0] - other[0], y[1] - other[1]];
        let w = p / (1.0 + (dx * dx + dy * dy));
        sum[0] += w * dx;
        sum[1] += w * dy;
    }
    sum
}

#[cfg(test)]
mod tests {
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
        tsne(rows, &config, &AtomicBool::new(false), &mut |_| {}).unwrap()
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
        assert_ne!(one.xy, map_of(&x, 6, 2).xy, "the seed counts");
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

    /// The divergence from its definition, over all pairs.
    #[test]
    fn the_divergence_is_that_of_all_pairs() {
        let x = clusters();
        let map = map_of(&x, 6, 1);
        let rows = Rows::new(&x, 6).unwrap();
        let found = crate::neighbours::nearest_others(rows, 90).unwrap();
        let matrix = Affinities::symmetric(&found, &conditional(&found, 30.0));
        let y = |i: usize| [map.xy[2 * i], map.xy[2 * i + 1]];
        let w = |i: usize, j: usize| 1.0 / (1.0 + f64::from(squared(y(i), y(j))));
        let mut z = 0.0;
        for i in 0..120 {
            z += (0..120).filter(|&j| j != i).map(|j| w(i, j)).sum::<f64>();
        }
        let mut kl = 0.0;
        for i in 0..120 {
            for &(j, p) in matrix.row(i) {
                kl += f64::from(p) * (f64::from(p) / (w(i, j as usize) / z)).ln();
            }
        }
        assert!((kl - map.kl).abs() < 2e-3, "{kl} {}", map.kl);
    }

    #[test]
    fn what_cannot_be_mapped_is_said() {
        let x = [1.0; 24];
        let run = |n: usize, config: &TsneConfig, stop: bool| {
            let rows = Rows::new(&x[..2 * n], 2).unwrap();
            tsne(rows, config, &AtomicBool::new(stop), &mut |_| {})
        };
        let good = TsneConfig { early_iterations: 5, iterations: 5, ..Default::default() };
        let twins = run(12, &good, false).unwrap();
        assert!(twins.xy.iter().all(|v| v.is_finite()), "rows that are all the same");
        assert!((twins.perplexity - 11.0 / 3.0).abs() < 1e-9);
        assert!(matches!(run(4, &good, false), Err(Error::TooFew { needed: 5, got: 4, .. })));
        assert!(matches!(run(12, &good, true), Err(Error::Stopped)));
        let bad = TsneConfig { perplexity: f64::NAN, ..good };
        assert!(matches!(run(12, &bad, false), Err(Error::Range { what: "perplexity", .. })));
    }
}
