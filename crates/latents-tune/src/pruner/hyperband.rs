//! Hyperband (L. Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR 18, 2018).

use std::borrow::Cow;
use std::f64::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{InvalidPruner, Pruner, SuccessiveHalving, halving, is_after, pacemaker};
use crate::trial::{History, TrialRecord};

/// Assigns trials to brackets. Each bracket applies [`SuccessiveHalving`] to its own trials, and starts one rung later than the bracket
/// before it. A hash of the study's name and the trial's number chooses the bracket, in such proportions that brackets that start earlier
/// get more trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperband {
    /// Step of the first bracket's first rung, at least 1. Default: 1.
    pub min_resource: u64,
    /// Number of steps of a whole trial. If it is below `min_resource`, there are no brackets and no trial is stopped. `None`: one more
    /// than the last step of the first trial to complete; until then there are no brackets and no trial is stopped, and trials that had
    /// ended by then are not compared. Default: `None`.
    pub max_resource: Option<u64>,
    /// Ratio of the steps of neighbouring rungs, and number of trials of which one is promoted; at least 2. Default: 3.
    pub reduction_factor: u64,
    /// Number of trials of a bracket that are stopped at each rung before one is promoted; must be 0 without `max_resource`. Default: 0.
    pub bootstrap_count: usize,
}

impl Default for Hyperband {
    fn default() -> Self {
        Hyperband { min_resource: 1, max_resource: None, reduction_factor: 3, bootstrap_count: 0 }
    }
}

impl Pruner for Hyperband {
    fn prune(&self, study: &str, history: History<'_>, trial: &TrialRecord) -> bool {
        if self.check().is_err() {
            return false;
        }
        let first = pacemaker(history).filter(|_| self.max_resource.is_none());
        let brackets = self.brackets(history);
        let Some(own) = brackets.of(study, trial.number) else { return false };
        let halving = SuccessiveHalving {
            min_resource: Some(self.min_resource),
            reduction_factor: self.reduction_factor,
            min_early_stopping_rate: own,
            bootstrap_count: self.bootstrap_count,
        };
        let rivals = history.trials.iter().filter(|other| {
            first.is_none_or(|(first, _)| is_after(other, first))
                && brackets.of(study, other.number) == Some(own)
        });
        halving.loses(history.direction, rivals, trial)
    }

    /// The other trials of the same bracket.
    fn peers<'a>(
        &self,
        study: &str,
        history: History<'a>,
        number: u64,
    ) -> Cow<'a, [Arc<TrialRecord>]> {
        let brackets = self.brackets(history);
        let own = brackets.of(study, number);
        let mut peers = history.trials.to_vec();
        peers.retain(|other| brackets.of(study, other.number) == own);
        Cow::Owned(peers)
    }

    fn check(&self) -> Result<(), InvalidPruner> {
        halving::check(Some(self.min_resource), self.reduction_factor)?;
        InvalidPruner::unless(self.max_resource != Some(0), || {
            "max_resource must be at least 1".into()
        })?;
        InvalidPruner::unless(self.bootstrap_count == 0 || self.max_resource.is_some(), || {
            "bootstrap_count needs max_resource".into()
        })
    }
}

impl Hyperband {
    /// The brackets. There are none as long as the length of trials is unknown.
    fn brackets(&self, history: History<'_>) -> Brackets {
        let estimated = || pacemaker(history).map(|(_, last)| last.saturating_add(1));
        let max_resource = self.max_resource.or_else(estimated);
        let (Some(max_resource), Ok(())) = (max_resource, self.check()) else {
            return Brackets { shares: Vec::new() };
        };
        // With Optuna's rounding, where log(243) / log(3) is just below 5.
        let levels =
            ln(max_resource as f64 / self.min_resource as f64) / ln(self.reduction_factor as f64);
        let count = (levels.floor() + 1.0).max(0.0) as u32;
        let share = |s| {
            let trials = u128::from(self.reduction_factor).pow(s) * u128::from(count);
            trials.div_ceil(u128::from(s + 1))
        };
        Brackets { shares: (0..count).rev().map(share).collect() }
    }
}

/// The proportions in which trials are assigned to brackets.
struct Brackets {
    /// Relative share of the trials, for each bracket.
    shares: Vec<u128>,
}

impl Brackets {
    /// The bracket of a trial, if there are any.
    fn of(&self, study: &str, number: u64) -> Option<u32> {
        let total = self.shares.iter().sum();
        let hash = crc32fast::hash(format!("{study}_{number}").as_bytes());
        let mut place = u128::from(hash).checked_rem(total)?;
        let mut bracket = 0;
        for share in &self.shares {
            let Some(rest) = place.checked_sub(*share) else { break };
            place = rest;
            bracket += 1;
        }
        Some(bracket)
    }
}

/// The natural logarithm of a positive number, correctly rounded, like Python's. `libm::log` is off by one unit in the last place for some
/// numbers, such as 3, which would change the number of brackets.
fn ln(x: f64) -> f64 {
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    let (mut m, mut exponent) = libm::frexp(x);
    if m < FRAC_1_SQRT_2 {
        (m, exponent) = (2.0 * m, exponent - 1);
    }
    // ln m is twice the inverse hyperbolic tangent of s = (m - 1) / (m + 1), computed with its rounding error.
    let (sum, sum_error) = exact_sum(m, 1.0);
    let s = (m - 1.0) / sum;
    let s_error = (libm::fma(-s, sum, m - 1.0) - s * sum_error) / sum;
    let series = (1..16).rev().fold(0.0, |rest, k| s * s * (rest + 1.0 / f64::from(2 * k + 1)));
    let k = f64::from(exponent);
    let (high, low) = exact_sum(k * LN_2[0], 2.0 * s);
    high + (low + (k * LN_2[1] + 2.0 * (s_error + s * series)))
}

/// A sum, and its rounding error.
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use super::super::tests::trial;
    use super::*;
    use crate::direction::Direction;
    use crate::trial::TrialState;

    fn shares(min_resource: u64, max_resource: u64, reduction_factor: u64) -> Vec<u128> {
        let pruner = Hyperband {
            min_resource,
            max_resource: Some(max_resource),
            reduction_factor,
            ..Hyperband::default()
        };
        pruner.brackets(History { direction: Direction::Minimize, trials: &[] }).shares
    }

    #[test]
    fn shares_are_those_of_the_paper() {
        assert_eq!(shares(1, 81, 3), [81, 34, 15, 8, 5]);
        assert_eq!(shares(1, 100, 3), [81, 34, 15, 8, 5]);
        assert_eq!(shares(3, 30, 3), [9, 5, 3]);
        assert_eq!(shares(1, 1, 2), [1]);
        assert_eq!(shares(2, 1, 2), []);
        assert_eq!(shares(1, u64::MAX, 2).len(), 65);
    }

    #[test]
    fn logarithms_are_rounded_to_the_nearest() {
        let cases = [
            (1.0, 0.0),
            (3.0, 1.098_612_288_668_109_8),
            (10.0, std::f64::consts::LN_10),
            (243.0, 5.493_061_443_340_548),
            (1000.0, 6.907_755_278_982_137),
            (1e16, 36.841_361_487_904_734),
            (0.3, -1.203_972_804_325_936_1),
        ];
        for (x, nearest) in cases {
            assert_eq!(ln(x), nearest, "{x}");
        }
    }

    #[test]
    fn without_brackets_all_trials_are_peers_and_go_on() {
        let pruner = Hyperband::default();
        let running = trial(0, TrialState::Running, &[0.0, 0.0, 0.0]);
        let trials = [Arc::new(trial(1, TrialState::Pruned, &[0.0, 0.0]))];
        let history = History { direction: Direction::Minimize, trials: &trials };
        assert_eq!(pruner.peers("s", history, 0).len(), 1);
        let worse = trial(0, TrialState::Running, &[f64::NAN, f64::NAN]);
        assert!(!pruner.prune("s", history, &worse));
        // A trial with steps 0 to 2 leaves one bracket, with rungs at 1, 3, ...
        let trials = [Arc::new(trial(1, TrialState::Complete, &[0.0, 0.0, 0.0]))];
        let history = History { direction: Direction::Minimize, trials: &trials };
        assert!(pruner.prune("s", history, &worse));
        assert!(!pruner.prune("s", history, &running));
        assert!(!Hyperband { min_resource: 4, ..pruner }.prune("s", history, &worse));
    }

    #[test]
    fn wrong_settings_are_named_and_stop_nothing() {
        let good = Hyperband { max_resource: Some(9), ..Hyperband::default() };
        let cases = [
            (Hyperband { min_resource: 0, ..good }, "min_resource must be at least 1"),
            (Hyperband { max_resource: Some(0), ..good }, "max_resource must be at least 1"),
            (Hyperband { reduction_factor: 0, ..good }, "at least 2, but is 0"),
            (
                Hyperband { max_resource: None, bootstrap_count: 1, ..good },
                "bootstrap_count needs max_resource",
            ),
        ];
        let running = trial(0, TrialState::Running, &[f64::NAN; 12]);
        let history = History { direction: Direction::Minimize, trials: &[] };
        assert!(good.prune("", history, &running));
        for (pruner, expected) in cases {
            let said = pruner.check().unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
            assert!(!pruner.prune("", history, &running));
        }
        assert_eq!(good.check(), Ok(()));
    }
}
