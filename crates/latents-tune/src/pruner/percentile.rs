//! The percentile rule; the median rule is its most common case (D. Golovin et al., "Google Vizier: A Service for Black-Box
//! Optimization", KDD 2017).

use serde::{Deserialize, Serialize};

use super::{InvalidPruner, Pruner, is_due};
use crate::direction::Direction;
use crate::trial::{History, TrialRecord, TrialState};

/// Stops a trial if its best intermediate value so far is worse than a percentile of those of the complete trials at the same step. The
/// default is the median, as in Optuna's `MedianPruner`. A trial that has reported only NaN is stopped; NaNs of other trials are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Percentile {
    /// Percentage of trials that continue, 0 to 100. Default: 50.
    pub percentile: f64,
    /// Number of trials that must be complete before a trial is stopped. Default: 5.
    pub n_startup_trials: usize,
    /// The step before which no trial is stopped. Default: 0.
    pub n_warmup_steps: u64,
    /// Number of steps in which a trial is judged once, counted from the end of the warm-up; at least 1. Default: 1.
    pub interval_steps: u64,
    /// Number of complete trials that must have reported a step before a trial is stopped at it; at least 1. Default: 1.
    pub n_min_trials: usize,
}

impl Percentile {
    /// The median rule with its defaults.
    #[must_use]
    pub fn median() -> Self {
        Percentile {
            percentile: 50.0,
            n_startup_trials: 5,
            n_warmup_steps: 0,
            interval_steps: 1,
            n_min_trials: 1,
        }
    }
}

impl Default for Percentile {
    fn default() -> Self {
        Percentile::median()
    }
}

impl Pruner for Percentile {
    fn prune(&self, _study: &str, history: History<'_>, trial: &TrialRecord) -> bool {
        if self.check().is_err() || !is_due(trial, self.n_warmup_steps, self.interval_steps) {
            return false;
        }
        let complete = history.in_states(&[TrialState::Complete]);
        if complete.clone().count() < self.n_startup_trials.max(1) {
            return false;
        }
        let losses = trial.intermediate.values().map(|&value| history.direction.loss(value));
        let Some(best) = losses.filter(|loss| !loss.is_nan()).min_by(f64::total_cmp) else {
            return true;
        };
        let Some((step, _)) = trial.last_report() else { return false };
        let rivals: Vec<f64> =
            complete.filter_map(|other| other.intermediate.get(&step)).copied().collect();
        if rivals.len() < self.n_min_trials {
            return false;
        }
        let percent = match history.direction {
            Direction::Minimize => self.percentile,
            Direction::Maximize => 100.0 - self.percentile,
        };
        percentile(rivals, percent).is_some_and(|bar| best > history.direction.loss(bar))
    }

    fn check(&self) -> Result<(), InvalidPruner> {
        let Percentile { percentile, interval_steps, n_min_trials, .. } = *self;
        InvalidPruner::unless((0.0..=100.0).contains(&percentile), || {
            format!("percentile must be between 0 and 100, but is {percentile}")
        })?;
        InvalidPruner::unless(interval_steps > 0, || "interval_steps must be at least 1".into())?;
        InvalidPruner::unless(n_min_trials > 0, || "n_min_trials must be at least 1".into())
    }
}

/// The percentile of the values that are not NaN, with linear interpolation, rounded like `numpy.nanpercentile`. It is NaN between
/// infinities.
fn percentile(mut values: Vec<f64>, percent: f64) -> Option<f64> {
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let place = last as f64 * (percent / 100.0);
    let below = (place as usize).min(last);
    let (a, b) = (values[below], values[(below + 1).min(last)]);
    let (gap, t) = (b - a, place - below as f64);
    Some(if t >= 0.5 { b - gap * (1.0 - t) } else { a + gap * t })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::trial;
    use super::*;

    fn prune(pruner: Percentile, direction: Direction, reports: &[f64]) -> bool {
        let trials: Vec<_> = [[1.0, 5.0], [2.0, 4.0], [3.0, 3.0], [4.0, 2.0], [5.0, 1.0]]
            .iter()
            .enumerate()
            .map(|(i, values)| Arc::new(trial(i as u64, TrialState::Complete, values)))
            .collect();
        let running = trial(5, TrialState::Running, reports);
        pruner.prune("", History { direction, trials: &trials }, &running)
    }

    #[test]
    fn the_bar_itself_is_good_enough() {
        let median = Percentile::median();
        for direction in [Direction::Minimize, Direction::Maximize] {
            assert!(!prune(median, direction, &[3.0]));
            assert_eq!(prune(median, direction, &[3.1]), direction == Direction::Minimize);
            assert_eq!(prune(median, direction, &[2.9]), direction == Direction::Maximize);
        }
        // The best value so far counts, not the last; at a step that no other trial reached, no trial is stopped.
        assert!(!prune(median, Direction::Minimize, &[2.0, 9.0]));
        assert!(!prune(median, Direction::Minimize, &[9.0, 9.0, 9.0]));
        assert!(prune(median, Direction::Minimize, &[f64::NAN, f64::NAN, f64::NAN]));
        assert!(!prune(median, Direction::Minimize, &[]));
    }

    #[test]
    fn few_trials_judge_nothing() {
        let lenient = |n_startup_trials, n_min_trials| Percentile {
            n_startup_trials,
            n_min_trials,
            ..Percentile::median()
        };
        assert!(prune(lenient(5, 5), Direction::Minimize, &[9.0]));
        assert!(!prune(lenient(6, 1), Direction::Minimize, &[9.0]));
        assert!(!prune(lenient(0, 6), Direction::Minimize, &[9.0]));
        let running = trial(0, TrialState::Running, &[9.0]);
        let nobody = History { direction: Direction::Minimize, trials: &[] };
        assert!(!lenient(0, 1).prune("", nobody, &running));
    }

    #[test]
    fn percentiles_are_linear_between_values() {
        assert_eq!(percentile(vec![4.0, 1.0, f64::NAN], 25.0), Some(1.75));
        assert_eq!(percentile(vec![4.0, 1.0], 75.0), Some(3.25));
        assert_eq!(percentile(vec![4.0, 1.0], 100.0), Some(4.0));
        assert_eq!(percentile(vec![f64::NAN], 50.0), None);
        assert!(percentile(vec![f64::INFINITY], 50.0).is_some_and(f64::is_nan));
    }

    #[test]
    fn wrong_settings_are_named_and_stop_nothing() {
        let median = Percentile::median();
        let cases = [
            (Percentile { percentile: 101.0, ..median }, "between 0 and 100, but is 101"),
            (Percentile { percentile: f64::NAN, ..median }, "but is NaN"),
            (Percentile { interval_steps: 0, ..median }, "interval_steps must be at least 1"),
            (Percentile { n_min_trials: 0, ..median }, "n_min_trials must be at least 1"),
        ];
        for (pruner, expected) in cases {
            let said = pruner.check().unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
            assert!(!prune(pruner, Direction::Minimize, &[9.0]));
        }
        assert_eq!(median.check(), Ok(()));
    }
}
