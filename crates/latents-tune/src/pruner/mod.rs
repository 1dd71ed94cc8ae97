//! Pruners, which stop unpromising trials early. A pruner decides from the intermediate values of the trial and of other trials. It has no
//! random numbers and no state, so a study that is interrupted and resumed prunes the same trials. The rules follow Optuna 5.0.

mod halving;
mod hyperband;
mod kind;
mod patient;
mod percentile;
mod threshold;

use std::borrow::Cow;
use std::sync::Arc;

pub use crate::error::InvalidPruner;
pub use halving::SuccessiveHalving;
pub use hyperband::Hyperband;
pub use kind::PrunerKind;
pub use patient::Patient;
pub use percentile::Percentile;
pub use threshold::Threshold;

use crate::trial::{History, TrialRecord, TrialState};

/// Decides whether to stop a trial early.
///
/// ```
/// use latents_tune::pruner::{Percentile, Pruner};
///
/// let pruner = Percentile { n_startup_trials: 10, ..Percentile::median() };
/// assert!(pruner.check().is_ok());
/// assert!(Percentile { percentile: 101.0, ..pruner }.check().is_err());
/// ```
pub trait Pruner: Send + Sync {
    /// Whether to stop `trial`, which is running and has just reported an intermediate value. `study` is the name of the study, and
    /// `history` holds all its other trials, in any state. Call it after each report, and stop the trial if it returns true. A pruner
    /// that fails its [`check`](Pruner::check) stops no trial.
    fn prune(&self, study: &str, history: History<'_>, trial: &TrialRecord) -> bool;

    /// The other trials that trial `number` is compared with, and from which a sampler learns. By default all.
    fn peers<'a>(
        &self,
        _study: &str,
        history: History<'a>,
        _number: u64,
    ) -> Cow<'a, [Arc<TrialRecord>]> {
        Cow::Borrowed(history.trials)
    }

    /// Checks the settings. Call it once, before a study starts.
    ///
    /// # Errors
    /// If a setting is out of its range, or settings contradict each other.
    fn check(&self) -> Result<(), InvalidPruner> {
        Ok(())
    }
}

/// Stops no trial, like Optuna's `NopPruner`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Never;

impl Pruner for Never {
    fn prune(&self, _study: &str, _history: History<'_>, _trial: &TrialRecord) -> bool {
        false
    }
}

/// Whether to judge a trial after its last report: from step `warmup` on, and once per `interval` steps, at the first report in the
/// interval.
fn is_due(trial: &TrialRecord, warmup: u64, interval: u64) -> bool {
    // Steps below 0 are before any warm-up.
    let mut steps = trial.intermediate.keys().rev().map_while(|&step| u64::try_from(step).ok());
    let Some(since) = steps.next().and_then(|last| last.checked_sub(warmup)) else { return false };
    let begin = since / interval * interval + warmup;
    steps.next().is_none_or(|previous| previous < begin)
}

/// The trial from which the length of trials is estimated, and its last step: the first to complete of those that reported. Optuna keeps
/// the estimate that it made first; this is the same unless several trials had completed by then.
fn pacemaker(history: History<'_>) -> Option<(&TrialRecord, u64)> {
    let complete = history.in_states(&[TrialState::Complete]).map(Arc::as_ref);
    let first = complete
        .filter(|trial| !trial.intermediate.is_empty())
        .min_by_key(|trial| (trial.finished, trial.number))?;
    let (last, _) = first.last_report()?;
    Some((first, u64::try_from(last).unwrap_or(0)))
}

/// Whether a trial had not ended when `first` completed. A trial that had ended reached no rung, as there were none yet.
fn is_after(trial: &TrialRecord, first: &TrialRecord) -> bool {
    !trial.state.is_finished() || (trial.finished, trial.number) > (first.finished, first.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::{Duration, UNIX_EPOCH};

    /// A trial that reported `values` at steps 0, 1, ... and ended, if it did, at second `number`.
    pub(super) fn trial(number: u64, state: TrialState, values: &[f64]) -> TrialRecord {
        let at = UNIX_EPOCH + Duration::from_secs(number);
        TrialRecord {
            id: number as i64,
            number,
            state,
            value: None,
            params: BTreeMap::new(),
            intermediate: (0..).zip(values.iter().copied()).collect(),
            user_attrs: BTreeMap::new(),
            system_attrs: BTreeMap::new(),
            started: Some(UNIX_EPOCH),
            finished: state.is_finished().then_some(at),
        }
    }

    #[test]
    fn a_trial_is_due_once_in_an_interval() {
        let due = |steps: &[i64], warmup, interval| {
            let mut running = trial(0, TrialState::Running, &[]);
            running.intermediate = steps.iter().map(|&step| (step, 0.0)).collect();
            is_due(&running, warmup, interval)
        };
        assert!(!due(&[], 0, 1));
        assert!(due(&[0], 0, 1));
        assert!(!due(&[4], 5, 1));
        assert!(due(&[4, 5], 5, 3));
        assert!(!due(&[5, 6], 5, 3));
        assert!(due(&[5, 9], 5, 3));
        assert!(!due(&[5, 9, 10], 5, 3));
        assert!(!due(&[-1], 0, 1));
        assert!(due(&[-1, 0], 0, 7));
        assert!(due(&[3, i64::MAX], 0, 1 << 60));
    }
}
