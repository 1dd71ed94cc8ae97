//! Asynchronous successive halving, ASHA (L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{InvalidPruner, Pruner, is_after, pacemaker};
use crate::direction::Direction;
use crate::trial::{History, TrialRecord, TrialState};

/// Asynchronous successive halving. It judges trials at rungs; each rung is at `reduction_factor` times the step of the one before it. A
/// trial is promoted if it is among the best `1 / reduction_factor` of all trials that have reached the rung so far; of fewer than
/// `reduction_factor` trials only the best is. A trial that reports NaN at a rung is stopped.
///
/// Optuna stores the values of a trial at its rungs when it reports them. Here they are derived from the reports: the value at a rung is
/// that of the first report, except NaN, at or beyond the rung's step. The result is the same, whatever the order in which trials
/// report, as long as a report reaches at most one rung, for example if every step from 1 on is reported. A trial whose report reaches
/// several rungs may have failed at the first of them. That is computed from the trials with lower numbers, and is the same if trials run
/// one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuccessiveHalving {
    /// Step of the first rung at rate 0, at least 1. `None`: a hundredth of the steps of the first trial to complete; until then no
    /// trial is stopped, and trials that had ended by then are not compared. Default: `None`.
    pub min_resource: Option<u64>,
    /// Ratio of the steps of neighbouring rungs, and number of trials of which one is promoted; at least 2. Default: 4.
    pub reduction_factor: u64,
    /// Number of rungs that are left out at the beginning. Default: 0.
    pub min_early_stopping_rate: u32,
    /// Number of trials that are stopped at each rung before one is promoted; must be 0 without `min_resource`. Default: 0.
    pub bootstrap_count: usize,
}

impl Default for SuccessiveHalving {
    fn default() -> Self {
        SuccessiveHalving {
            min_resource: None,
            reduction_factor: 4,
            min_early_stopping_rate: 0,
            bootstrap_count: 0,
        }
    }
}

impl Pruner for SuccessiveHalving {
    fn prune(&self, _study: &str, history: History<'_>, trial: &TrialRecord) -> bool {
        if self.check().is_err() {
            return false;
        }
        let History { direction, trials } = history;
        if self.min_resource.is_some() {
            return self.loses(direction, trials.iter(), trial);
        }
        let Some((first, steps)) = pacemaker(history) else { return false };
        let paced = SuccessiveHalving { min_resource: Some((steps / 100).max(1)), ..*self };
        paced.loses(direction, trials.iter().filter(|other| is_after(other, first)), trial)
    }

    fn check(&self) -> Result<(), InvalidPruner> {
        check(self.min_resource, self.reduction_factor)?;
        InvalidPruner::unless(self.bootstrap_count == 0 || self.min_resource.is_some(), || {
            "bootstrap_count needs min_resource".into()
        })
    }
}

impl SuccessiveHalving {
    /// Whether `trial` fails at a rung that its last report reaches, compared with `others`, which are in the order of their numbers.
    pub(super) fn loses<'a>(
        &self,
        direction: Direction,
        others: impl Iterator<Item = &'a Arc<TrialRecord>>,
        trial: &TrialRecord,
    ) -> bool {
        let Some((step, value)) = trial.last_report() else { return false };
        let mut before = trial.intermediate.range(..step).rev();
        let passed = before.find(|(_, value)| !value.is_nan());
        let below = |step| (0..=64).find(|&rung| !self.reaches(step, rung)).unwrap_or(0);
        let rung = passed.map_or(0, |(&step, _)| below(step));
        if !self.reaches(step, rung) {
            return false;
        }
        if value.is_nan() {
            return true;
        }
        let mut rungs = Rungs { rule: self, direction, losses: Vec::new() };
        for other in others {
            rungs.add(other);
        }
        let end = rungs.climb(rung, step, value, false);
        !rungs.is_promoted(end - 1, direction.loss(value))
    }

    /// Whether `step` reaches a rung.
    fn reaches(&self, step: i64, rung: usize) -> bool {
        let rungs =
            u32::try_from(rung).ok().and_then(|r| r.checked_add(self.min_early_stopping_rate));
        let factor = rungs.and_then(|rungs| self.reduction_factor.checked_pow(rungs));
        let needed = factor.and_then(|factor| factor.checked_mul(self.min_resource?));
        needed.is_some_and(|needed| u64::try_from(step).is_ok_and(|step| step >= needed))
    }
}

/// The values of trials at their rungs.
struct Rungs<'a> {
    rule: &'a SuccessiveHalving,
    direction: Direction,
    /// For each rung, the losses of all trials that have reached it.
    losses: Vec<Vec<f64>>,
}

impl Rungs<'_> {
    /// Adds the reports of another trial.
    fn add(&mut self, trial: &TrialRecord) {
        let last = trial.last_report().map(|(step, _)| step);
        let mut rung = 0;
        for (&step, &value) in &trial.intermediate {
            // If it had not been promoted, it would not have reported again or completed.
            let is_promoted = trial.state == TrialState::Complete || Some(step) != last;
            rung = self.climb(rung, step, value, is_promoted);
        }
    }

    /// Adds a report of a trial whose next rung is `rung`, and returns its next rung after the report.
    fn climb(&mut self, mut rung: usize, step: i64, value: f64, is_promoted: bool) -> usize {
        let loss = self.direction.loss(value);
        while !value.is_nan() && self.rule.reaches(step, rung) {
            if self.losses.len() <= rung {
                self.losses.resize(rung + 1, Vec::new());
            }
            self.losses[rung].push(loss);
            rung += 1;
            if !is_promoted && !self.is_promoted(rung - 1, loss) {
                break;
            }
        }
        rung
    }

    /// Whether a trial with this loss, which is included in the rung, is promoted.
    fn is_promoted(&self, rung: usize, loss: f64) -> bool {
        let rivals = &self.losses[rung];
        let places = (rivals.len() as u64 / self.rule.reduction_factor).max(1);
        let better = rivals.iter().filter(|rival| **rival < loss).count();
        rivals.len() > self.rule.bootstrap_count && (better as u64) < places
    }
}

/// Checks the settings that successive halving and Hyperband share.
pub(super) fn check(min_resource: Option<u64>, reduction_factor: u64) -> Result<(), InvalidPruner> {
    InvalidPruner::unless(min_resource != Some(0), || "min_resource must be at least 1".into())?;
    InvalidPruner::unless(reduction_factor >= 2, || {
        format!("reduction_factor must be at least 2, but is {reduction_factor}")
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::trial;
    use super::*;

    /// Rungs at steps 1, 2, 4, ...
    const HALVES: SuccessiveHalving = SuccessiveHalving {
        min_resource: Some(1),
        reduction_factor: 2,
        min_early_stopping_rate: 0,
        bootstrap_count: 0,
    };

    fn reports(number: u64, state: TrialState, reports: &[(i64, f64)]) -> Arc<TrialRecord> {
        let mut made = trial(number, state, &[]);
        made.intermediate = reports.iter().copied().collect();
        Arc::new(made)
    }

    fn prune(pruner: SuccessiveHalving, trials: &[Arc<TrialRecord>], own: &[(i64, f64)]) -> bool {
        let running = reports(99, TrialState::Running, own);
        pruner.prune("", History { direction: Direction::Minimize, trials }, &running)
    }

    #[test]
    fn the_best_of_too_few_goes_on_and_equals_are_as_good() {
        let slow = SuccessiveHalving { reduction_factor: 4, ..HALVES };
        let others = [1.0, 2.0].map(|x| reports(0, TrialState::Running, &[(1, x)]));
        assert!(!prune(slow, &others, &[(1, 1.0)]));
        assert!(prune(slow, &others, &[(1, 1.1)]));
        assert!(!prune(slow, &others, &[(0, 9.0)]));
        assert!(!prune(slow, &[], &[(1, f64::INFINITY)]));
        assert!(prune(slow, &[], &[(1, f64::NAN)]));
        // Between rungs no trial is judged.
        assert!(!prune(slow, &others, &[(1, 1.0), (2, 9.0)]));
        assert!(!prune(slow, &others, &[(1, 1.0), (2, f64::NAN)]));
    }

    #[test]
    fn a_report_may_reach_several_rungs() {
        // The first passes all rungs; the second fails at the first rung and does not reach the others.
        let first = reports(0, TrialState::Complete, &[(9, 2.0)]);
        let second = reports(1, TrialState::Pruned, &[(9, 3.0)]);
        let third = reports(2, TrialState::Pruned, &[(2, 4.0)]);
        let trials = [first, second, third];
        // Of 4 trials at the first rung, 2 are promoted; at the next ones, the better of 2.
        assert!(!prune(HALVES, &trials, &[(9, 1.0)]));
        assert!(prune(HALVES, &trials, &[(9, 2.5)]));
        assert!(!prune(HALVES, &trials, &[(1, 2.5)]));
        // With the second among them there were 3 at the rung of step 2, and 1 place as well.
        assert!(prune(HALVES, &trials, &[(1, 2.5), (2, 2.1)]));
    }

    #[test]
    fn nan_reaches_no_rung() {
        let other = reports(0, TrialState::Failed, &[(1, f64::NAN), (2, 1.0)]);
        let trials = std::slice::from_ref(&other);
        assert!(prune(HALVES, trials, &[(1, 2.0)]));
        assert!(prune(HALVES, trials, &[(1, f64::NAN), (2, 2.0)]));
        assert!(!prune(HALVES, trials, &[(1, f64::NAN), (2, 0.5)]));
    }

    #[test]
    fn the_first_rungs_may_be_left_out_and_the_first_trials_stopped() {
        let late = SuccessiveHalving { min_early_stopping_rate: 2, ..HALVES };
        let other = reports(0, TrialState::Running, &[(4, 1.0)]);
        let trials = std::slice::from_ref(&other);
        assert!(!prune(late, trials, &[(3, 2.0)]));
        assert!(prune(late, trials, &[(4, 2.0)]));
        let few = |bootstrap_count| SuccessiveHalving { bootstrap_count, ..late };
        assert!(!prune(few(1), trials, &[(4, 0.0)]));
        assert!(prune(few(2), trials, &[(4, 0.0)]));
    }

    #[test]
    fn the_first_trial_to_complete_sets_the_pace() {
        let estimated = SuccessiveHalving { min_resource: None, ..HALVES };
        let at = |number, state, step| reports(number, state, &[(200, 0.0), (step, 0.0)]);
        let running = at(0, TrialState::Running, 300);
        let failed = at(1, TrialState::Failed, 300);
        assert!(!prune(estimated, &[running.clone(), failed.clone()], &[(300, 9.0)]));
        let (first, second) = (at(2, TrialState::Complete, 200), at(3, TrialState::Complete, 900));
        // The rungs are at 2, 4, ...; only the running trial and the second one compete.
        let trials = [running, failed.clone(), first.clone(), second];
        assert!(!prune(estimated, &trials, &[(1, 9.0)]));
        assert!(prune(estimated, &trials, &[(2, 9.0)]));
        assert!(!prune(estimated, &[failed, first], &[(2, 9.0)]));
    }

    #[test]
    fn rungs_end_where_numbers_do() {
        let vast = SuccessiveHalving { min_resource: Some(1 << 62), ..HALVES };
        assert!(!prune(vast, &[], &[(i64::MAX, 0.0)]));
        assert!(!prune(HALVES, &[], &[(i64::MAX, 0.0)]));
    }

    #[test]
    fn wrong_settings_are_named_and_stop_nothing() {
        let cases = [
            (SuccessiveHalving { min_resource: Some(0), ..HALVES }, "min_resource must be"),
            (SuccessiveHalving { reduction_factor: 1, ..HALVES }, "at least 2, but is 1"),
            (
                SuccessiveHalving { min_resource: None, bootstrap_count: 1, ..HALVES },
                "bootstrap_count needs min_resource",
            ),
        ];
        for (pruner, expected) in cases {
            let said = pruner.check().unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
            assert!(!prune(pruner, &[], &[(1, f64::NAN)]));
        }
        assert_eq!(SuccessiveHalving::default().check(), Ok(()));
    }
}
