//! Uniform random sampling, which ignores earlier trials.

use std::sync::Arc;

use crate::distribution::Distribution;
use crate::sampler::unit::from_unit;
use crate::sampler::{Draws, Internal, TrialSampler};
use crate::trial::History;

/// Draws each parameter independently and uniformly: numbers on their scale, choices with equal probabilities. Follows Optuna's
/// `RandomSampler`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl TrialSampler for Random {
    fn sample_relative(&self, _history: History<'_>, _draws: Draws) -> Internal {
        Internal::new()
    }

    fn sample_independent(
        &self,
        _history: History<'_>,
        draws: Draws,
        name: &str,
        distribution: &Arc<Distribution>,
    ) -> f64 {
        from_unit(distribution, draws.stream(name).uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::testing::{kinds, study};

    fn draw(distribution: &Arc<Distribution>, number: u64) -> f64 {
        let history = study(Vec::new());
        let draws = Draws { seed: 5, number };
        Random.sample_independent(history.view(), draws, "x", distribution)
    }

    #[test]
    fn values_are_within_bounds_and_on_steps() {
        for distribution in kinds() {
            let drawn: Vec<f64> = (0..500).map(|number| draw(&distribution, number)).collect();
            assert!(drawn.iter().all(|&x| distribution.contains(x)), "{distribution}: {drawn:?}");
            if !distribution.is_single() {
                assert!(drawn.iter().any(|&x| x != drawn[0]), "{distribution}");
            }
            assert!(distribution.contains(from_unit(&distribution, 0.0)));
            assert!(distribution.contains(from_unit(&distribution, 1.0f64.next_down())));
        }
    }

    #[test]
    fn finite_values_are_equally_likely() {
        let distributions = [
            Distribution::int(-1, 2).unwrap(),
            Distribution::stepped_int(0, 9, 3).unwrap(),
            Distribution::stepped_float(0.0, 0.3, 0.1).unwrap(),
            Distribution::categorical(["a", "b", "c", "d"]).unwrap(),
        ];
        for distribution in distributions {
            let distribution = Arc::new(distribution);
            let mut counts = std::collections::BTreeMap::new();
            for number in 0..4_000 {
                let x = draw(&distribution, number);
                *counts.entry((x * 1e6).round() as i64).or_insert(0) += 1;
            }
            assert_eq!(counts.len(), 4, "{distribution}: {counts:?}");
            assert!(
                counts.values().all(|c| (900..1_100).contains(c)),
                "{distribution}: {counts:?}"
            );
        }
    }

    #[test]
    fn logarithmic_ranges_are_even_by_logarithm() {
        let float = Arc::new(Distribution::log_float(1e-4, 1.0).unwrap());
        let below = (0..4_000).filter(|&n| draw(&float, n) < 1e-2).count();
        assert!((1_900..2_100).contains(&below), "{below}");
        // 1 has ln(1.5 / 0.5) of the ln(8.5 / 0.5) there are: 0.388.
        let int = Arc::new(Distribution::log_int(1, 8).unwrap());
        let ones = (0..4_000).filter(|&n| draw(&int, n) == 1.0).count();
        assert!((1_450..1_650).contains(&ones), "{ones}");
    }
}
