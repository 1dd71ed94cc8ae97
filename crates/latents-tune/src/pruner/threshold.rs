//! Fixed bounds for intermediate values.

use serde::{Deserialize, Serialize};

use super::{InvalidPruner, Pruner, is_due};
use crate::trial::{History, TrialRecord};

/// Stops a trial if its last report is NaN or beyond a bound, whatever the direction of the study. Other trials are not compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    /// The smallest value that is allowed. Default: none, but one of the two bounds is required.
    pub lower: Option<f64>,
    /// The largest value that is allowed. Default: none.
    pub upper: Option<f64>,
    /// The step before which no trial is stopped. Default: 0.
    pub n_warmup_steps: u64,
    /// Number of steps in which a trial is judged once, counted from the end of the warm-up; at least 1. Default: 1.
    pub interval_steps: u64,
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold { lower: None, upper: None, n_warmup_steps: 0, interval_steps: 1 }
    }
}

impl Pruner for Threshold {
    fn prune(&self, _study: &str, _history: History<'_>, trial: &TrialRecord) -> bool {
        if self.check().is_err() || !is_due(trial, self.n_warmup_steps, self.interval_steps) {
            return false;
        }
        trial.last_report().is_some_and(|(_, value)| {
            value.is_nan()
                || self.lower.is_some_and(|lower| value < lower)
                || self.upper.is_some_and(|upper| value > upper)
        })
    }

    fn check(&self) -> Result<(), InvalidPruner> {
        let Threshold { lower, upper, interval_steps, .. } = *self;
        InvalidPruner::unless(lower.is_some() || upper.is_some(), || {
            "one of lower and upper must be given".into()
        })?;
        let (low, high) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
        InvalidPruner::unless(low <= high, || {
            format!("lower, {low}, must not be above upper, {high}")
        })?;
        InvalidPruner::unless(interval_steps > 0, || "interval_steps must be at least 1".into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trial;
    use super::*;
    use crate::direction::Direction;
    use crate::trial::TrialState;

    fn prune(pruner: Threshold, reports: &[f64]) -> bool {
        let running = trial(0, TrialState::Running, reports);
        pruner.prune("", History { direction: Direction::Minimize, trials: &[] }, &running)
    }

    #[test]
    fn bounds_are_allowed_and_nan_is_not() {
        let pruner = Threshold { lower: Some(0.0), upper: Some(1.0), ..Threshold::default() };
        for (value, stopped) in
            [(0.0, false), (1.0, false), (-0.1, true), (1.1, true), (f64::NAN, true)]
        {
            assert_eq!(prune(pruner, &[value]), stopped, "{value}");
        }
        assert!(!prune(pruner, &[9.0, 0.5]));
        assert!(!prune(Threshold { n_warmup_steps: 1, ..pruner }, &[9.0]));
        assert!(!prune(Threshold { interval_steps: 2, ..pruner }, &[0.5, 9.0]));
    }

    #[test]
    fn wrong_settings_are_named_and_stop_nothing() {
        let upper = Threshold { upper: Some(1.0), ..Threshold::default() };
        let cases = [
            (Threshold::default(), "one of lower and upper"),
            (Threshold { lower: Some(2.0), ..upper }, "lower, 2, must not be above upper, 1"),
            (Threshold { interval_steps: 0, ..upper }, "interval_steps must be at least 1"),
        ];
        for (pruner, expected) in cases {
            let said = pruner.check().unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
            assert!(!prune(pruner, &[9.0]));
        }
        assert_eq!(upper.check(), Ok(()));
    }
}
