//! Patience: a trial that still improves is not stopped.

use super::{InvalidPruner, Pruner};
use crate::trial::{History, TrialRecord};

/// Stops a trial if another pruner would, but only if the best of its last `patience + 1` reports is worse than the best before them. NaNs
/// are ignored; if there is no other report in either part, the trial is not stopped. Successive halving sees the reports, and not when it
/// was consulted: a rung at which patience has spared a trial counts as passed, whereas Optuna judges it later.
#[derive(Default)]
pub struct Patient {
    /// The other pruner. `None`: patience alone decides. A sampler learns from all trials, as in Optuna, whatever the other pruner's
    /// [`peers`](Pruner::peers) are. Default: `None`.
    pub wrapped: Option<Box<dyn Pruner>>,
    /// Number of reports for which a trial may fail to improve. Default: 0.
    pub patience: usize,
    /// Amount by which the reports must be worse; at least 0. Default: 0.
    pub min_delta: f64,
}

impl Pruner for Patient {
    fn prune(&self, study: &str, history: History<'_>, trial: &TrialRecord) -> bool {
        let before = trial.intermediate.len().saturating_sub(self.patience.saturating_add(1));
        if self.check().is_err() || before == 0 {
            return false;
        }
        let losses = trial.intermediate.values().map(|&value| history.direction.loss(value));
        // `f64::min` ignores NaN, and a comparison with NaN is false.
        let earlier = losses.clone().take(before).fold(f64::NAN, f64::min);
        let recent = losses.skip(before).fold(f64::NAN, f64::min);
        earlier + self.min_delta < recent
            && self.wrapped.as_ref().is_none_or(|pruner| pruner.prune(study, history, trial))
    }

    fn check(&self) -> Result<(), InvalidPruner> {
        let min_delta = self.min_delta;
        InvalidPruner::unless(min_delta >= 0.0, || {
            format!("min_delta must be at least 0, but is {min_delta}")
        })?;
        self.wrapped.as_ref().map_or(Ok(()), |pruner| pruner.check())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trial;
    use super::super::{Never, Percentile};
    use super::*;
    use crate::direction::Direction;
    use crate::trial::TrialState;

    fn prune(pruner: &Patient, direction: Direction, reports: &[f64]) -> bool {
        let running = trial(0, TrialState::Running, reports);
        pruner.prune("", History { direction, trials: &[] }, &running)
    }

    #[test]
    fn only_what_has_got_worse_for_long_enough_is_stopped() {
        let pruner = Patient { patience: 1, min_delta: 0.5, ..Patient::default() };
        let cases: [(&[f64], bool); 6] = [
            (&[1.0, 2.0], false),
            (&[1.0, 2.0, 2.0], true),
            (&[1.0, 2.0, 1.5], false),
            (&[1.0, f64::NAN, 2.0], true),
            (&[f64::NAN, 2.0, 2.0], false),
            (&[1.0, f64::NAN, f64::NAN], false),
        ];
        for (reports, stopped) in cases {
            assert_eq!(prune(&pruner, Direction::Minimize, reports), stopped, "{reports:?}");
            let mirrored: Vec<f64> = reports.iter().map(|value| -value).collect();
            assert_eq!(prune(&pruner, Direction::Maximize, &mirrored), stopped, "{reports:?}");
        }
        let patient = Patient { patience: usize::MAX, ..Patient::default() };
        assert!(!prune(&patient, Direction::Minimize, &[1.0, 2.0]));
    }

    #[test]
    fn the_other_pruner_has_the_last_word() {
        let pruner = Patient { wrapped: Some(Box::new(Never)), ..Patient::default() };
        assert!(!prune(&pruner, Direction::Minimize, &[1.0, 2.0]));
    }

    #[test]
    fn wrong_settings_are_named_and_stop_nothing() {
        let pruner = Patient { min_delta: -0.5, ..Patient::default() };
        let said = pruner.check().unwrap_err().to_string();
        assert!(said.contains("min_delta must be at least 0, but is -0.5"), "{said}");
        assert!(!prune(&pruner, Direction::Minimize, &[1.0, 2.0]));
        let wrong = Percentile { interval_steps: 0, ..Percentile::median() };
        let pruner = Patient { wrapped: Some(Box::new(wrong)), ..Patient::default() };
        assert!(pruner.check().unwrap_err().to_string().contains("interval_steps"));
    }
}
