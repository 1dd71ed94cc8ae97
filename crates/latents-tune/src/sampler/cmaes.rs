//! The covariance matrix adaptation evolution strategy (CMA-ES) for the numeric parameters of a search space. Each generation of trials
//! updates the distribution from which the next one is drawn; the algorithm is in [`evolution`]. There is no state: the distribution is
//! computed from the history each time, which is fast, so any process can continue a study.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::distribution::Distribution;
use crate::sampler::random::Random;
use crate::sampler::unit::{from_unit, to_unit};
use crate::sampler::{Draws, Internal, TrialSampler};
use crate::trial::{History, TrialRecord, TrialState};

mod eigen;
mod evolution;

use evolution::Evolution;

/// Initial standard deviation, if a parameter's range is 1; as in Optuna.
const SIGMA: f64 = 1.0 / 6.0;

/// Number of draws of a point outside the bounds, before it is moved to the bounds; as in Optuna.
const ATTEMPTS: usize = 100;

/// CMA-ES over the numeric parameters that all trials have. Choices and parameters with conditions are drawn at random, as in Optuna's
/// `CmaEsSampler`. Every `population` complete trials, in the order of their numbers, are a generation. Pruned and failed trials are
/// ignored. Use it for many trials of a few numbers that depend on each other; for few trials, or for choices, TPE is better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmaEs {
    /// Number of trials that must be complete before the sampler learns; it draws at random until then, and ignores these trials. Default: 1.
    pub startup_trials: usize,
    /// Number of trials of a generation. `None`: `4 + floor(3 ln n)` for `n` parameters. Default: `None`.
    pub population: Option<usize>,
}

impl Default for CmaEs {
    fn default() -> Self {
        CmaEs { startup_trials: 1, population: None }
    }
}

impl TrialSampler for CmaEs {
    fn sample_relative(&self, history: History<'_>, draws: Draws) -> Internal {
        let mut space = history.common_space();
        space.retain(|_, distribution| {
            !distribution.is_single() && !matches!(**distribution, Distribution::Categorical { .. })
        });
        let complete: Vec<_> = history.in_states(&[TrialState::Complete]).collect();
        if space.is_empty() || complete.len() < self.startup_trials {
            return Internal::new();
        }
        let loss = |trial: &TrialRecord| {
            let loss = trial.value.map_or(f64::INFINITY, |value| history.direction.loss(value));
            if loss.is_nan() { f64::INFINITY } else { loss }
        };
        let used = complete.into_iter().skip(self.startup_trials);
        let used: Vec<_> = used.map(|trial| (point(trial, &space), loss(trial))).collect();
        let mut evolution = Evolution::new(&vec![0.5; space.len()], SIGMA, self.population);
        for generation in used.chunks_exact(evolution.population()) {
            evolution.tell(generation.to_vec());
        }
        let names: Vec<&str> = space.keys().map(String::as_str).collect();
        let mut stream = draws.stream(&format!("cma-es: {}", names.join(", ")));
        let inside = |point: &Vec<f64>| point.iter().all(|x| (0.0..=1.0).contains(x));
        let mut drawn = (0..ATTEMPTS).map(|_| evolution.draw(&mut stream));
        let drawn = drawn.find(inside).unwrap_or_else(|| evolution.draw(&mut stream));
        let values = space.iter().zip(drawn);
        values.map(|((name, d), x)| (name.clone(), from_unit(d, x.clamp(0.0, 1.0)))).collect()
    }

    fn sample_independent(
        &self,
        history: History<'_>,
        draws: Draws,
        name: &str,
        distribution: &Arc<Distribution>,
    ) -> f64 {
        Random.sample_independent(history, draws, name, distribution)
    }
}

/// The point of a trial in the unit cube of a space.
fn point(trial: &TrialRecord, space: &BTreeMap<String, Arc<Distribution>>) -> Vec<f64> {
    space.iter().map(|(name, d)| to_unit(d, trial.params[name].internal)).collect()
}

#[cfg(test)]
mod tests;
