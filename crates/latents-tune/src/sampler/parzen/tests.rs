//! Tests that draws are within bounds and follow their density, and that densities sum to 1. `tests/golden_tpe.rs` compares the densities
//! with Optuna's.

use latents_random::{Purpose, stream};

use super::*;
use crate::sampler::testing::kinds;
use crate::sampler::unit::from_unit;

fn space(distributions: &[Arc<Distribution>]) -> BTreeMap<String, Arc<Distribution>> {
    let named = distributions.iter().enumerate();
    named.map(|(i, d)| (format!("x{i:02}"), Arc::clone(d))).collect()
}

/// A density around `n` values drawn at random.
fn estimate(distributions: &[Arc<Distribution>], n: usize, seed: u64) -> Parzen {
    let mut random = stream(seed, Purpose::Synthetic, 0, 0);
    let rows = std::iter::repeat_n(distributions, n).flatten();
    let observations: Vec<f64> = rows.map(|d| from_unit(d, random.uniform())).collect();
    Parzen::new(&space(distributions), &observations)
}

fn chances(parzen: &Parzen, points: &[f64]) -> Vec<f64> {
    parzen.log_densities(points).into_iter().map(libm::exp).collect()
}

#[test]
fn draws_are_within_bounds_and_on_steps_and_repeatable() {
    let kinds: Vec<_> = kinds().into_iter().filter(|d| !d.is_single()).collect();
    for (seed, n) in [(1, 0), (2, 1), (3, 2), (4, 30), (5, 200)] {
        let parzen = estimate(&kinds, n, seed);
        let draw = || parzen.sample(&mut stream(seed, Purpose::Synthetic, 1, 0), 300);
        let points = draw();
        assert_eq!(points.len(), 300 * kinds.len());
        for point in points.chunks(kinds.len()) {
            for (x, distribution) in point.iter().zip(&kinds) {
                assert!(distribution.contains(*x), "{x:?} of {distribution}");
            }
        }
        assert!(parzen.log_densities(&points).iter().all(|d| d.is_finite()), "{n}");
        assert_eq!(draw(), points);
    }
}

#[test]
fn finite_values_are_drawn_by_their_chances_which_sum_to_1() {
    let distributions = [
        Distribution::log_int(1, 12).unwrap(),
        Distribution::categorical(["a", "b", "c"]).unwrap(),
        Distribution::stepped_float(-0.5, 0.5, 0.25).unwrap(),
    ]
    .map(Arc::new);
    let parzen = estimate(&distributions, 40, 7);
    let mut cells = Vec::new();
    for int in 1..=12 {
        for choice in 0..3 {
            cells.extend(
                (-2..=2).flat_map(|k| [f64::from(int), f64::from(choice), f64::from(k) / 4.0]),
            );
        }
    }
    let chances = chances(&parzen, &cells);
    assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let count = 40_000;
    let drawn = parzen.sample(&mut stream(8, Purpose::Synthetic, 0, 0), count);
    for (cell, chance) in cells.chunks(3).zip(&chances) {
        let hits = drawn.chunks(3).filter(|point| point == &cell).count() as f64;
        let expected = chance * count as f64;
        assert!(
            (hits - expected).abs() < 5.0 * expected.sqrt() + 1.0,
            "{cell:?}: {hits} {expected}"
        );
    }
}

#[test]
fn numbers_are_drawn_by_their_density_which_integrates_to_1() {
    let linear = Arc::new(Distribution::float(-1.0, 3.0).unwrap());
    let log = Arc::new(Distribution::log_float(1e-3, 10.0).unwrap());
    for (distribution, low, high) in [(linear, -1.0, 3.0), (log, libm::log(1e-3), libm::log(10.0))]
    {
        let parzen = estimate(std::slice::from_ref(&distribution), 6, 9);
        let is_log = low < -2.0;
        let count = 20_000;
        let drawn = parzen.sample(&mut stream(10, Purpose::Synthetic, 0, 0), count);
        let width = (high - low) / 16.0;
        let mut total = 0.0;
        for bin in 0..16 {
            let from = low + f64::from(bin) * width;
            let middles = (0..64).map(|i| from + (f64::from(i) + 0.5) / 64.0 * width);
            let points: Vec<f64> = middles.map(|x| if is_log { libm::exp(x) } else { x }).collect();
            let mass = chances(&parzen, &points).iter().sum::<f64>() * width / 64.0;
            let inside = |&x: &f64| {
                let x = if is_log { libm::log(x) } else { x };
                (from..from + width).contains(&x)
            };
            let hits = drawn.iter().copied().filter(inside).count() as f64;
            let expected = mass * count as f64;
            assert!((hits - expected).abs() < 5.0 * expected.sqrt() + 1.0, "{hits} {expected}");
            total += mass;
        }
        assert!((total - 1.0).abs() < 1e-3, "{total}");
    }
}

#[test]
fn flat_cells_have_the_mass_that_they_would_have_anyway() {
    let normal = Normal::new(0.3, 0.5, [-40.0, 60.0]);
    for (left, width) in [(0.29, 0.09), (0.3, 1e-9), (-0.2, 0.04), (2.0, 0.02), (8.0, 5e-3)] {
        let cell = Cell::new(left, left + width);
        let [a, b] = [left, left + width].map(|x| (x - 0.3) / 0.5);
        let exact = log_mass(a, b) - normal.log_total;
        let series = cell.log_share(&normal);
        let tolerance = if width < 1e-6 { 1e-6 } else { 1e-12 };
        assert!((series - exact).abs() < tolerance, "{left}: {series} {exact}");
    }
}

#[test]
fn weights_of_old_observations_rise_to_those_of_the_latest() {
    let weights: Vec<f64> = weights(28).collect();
    let first = 1.0 / 28.0;
    assert_eq!(weights[..4], [first, first + (1.0 - first) / 2.0, 1.0, 1.0]);
    assert_eq!(weights.len(), 29);
    assert_eq!(super::weights(26).next(), Some(1.0 / 26.0));
}
