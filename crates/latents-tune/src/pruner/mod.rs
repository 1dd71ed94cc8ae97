//! Whether a trial is worth going on with. A pruner decides from what the trial and those before it have reported; it draws nothing,
//! keeps nothing and writes nothing down, so a study that was stopped goes on as if it had not been. The rules are Optuna 5.0's.
//! Who asks, and when, is the study's business.

mod halving;
mod hyperband;
mod patient;
mod percentile;
mod threshold;

use std::borrow::Cow;
use std::sync::Arc;

pub use halving::SuccessiveHalving;
pub use hyperband::Hyperband;
pub use patient::Patient;
pub use percentile::Percentile;
pub use threshold::Threshold;

use crate::trial::{History, TrialRecord, TrialState};

/// Decides whether a trial is to be stopped early.
pub trait Pruner: Send + Sync {
    /// Whether `trial`, which is running and has just reported, is to be stopped. `history` holds all other trials of the study of the
    /// name `study`, in whatever state. It is meant to be asked after each report, and heeded. A pruner that fails its
    /// [`check`](Pruner::check) stops nothing.
    fn prune(&self, study: &str, history: History<'_>, trial: &TrialRecord) -> bool;

    /// Those of the study's other trials that the trial of a number is compared with, and that a sampler is to learn from.
    fn peers<'a>(
        &self,
        _study: &str,
        history: History<'a>,
        _number: u64,
    ) -> Cow<'a, [Arc<TrialRecord>]> {
        Cow::Borrowed(history.trials)
    }

    /// Whether its settings make sense. To be called once, before a study begins.
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}

/// A setting of a pruner's that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pruner: {0}")]
pub struct Invalid(String);

impl Invalid {
    /// An error with `message` unless `holds`.
    fn unless(holds: bool, message: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Invalid(message())) }
    }
}

/// Stops nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Never;

impl Pruner for Never {
    fn prune(&self, _study: &str, _history: History<'_>, _trial: &TrialRecord) -> bool {
        false
    }
}

/// Whether a trial is to be looked at after its last report: from step `warmup` on, and once in each `interval` of steps, at the first
/// report that falls into it.
fn is_due(trial: &TrialRecord, warmup: u64, interval: u64) -> bool {
    // Steps below 0 precede any warm-up.
    let mut steps = trial.intermediate.keys().rev().map_while(|&step| u64::try_from(step).ok());
    let Some(since) = steps.next().and_then(|last| last.checked_sub(warmup)) else { return false };
    let begin = since / interval * interval + warmup;
    steps.next().is_none_or(|previous| previous < begin)
}

/// The trial that says how long trials are, where that is to be estimated, and its last step: the first to complete, of those that
/// reported. Optuna keeps what it found when it first looked; this is the same unless several had completed by then.
fn pacemaker(history: History<'_>) -> Option<(&TrialRecord, u64)> {
    let complete = history.in_states(&[TrialState::Complete]).map(Arc::as_ref);
    let first = complete
        .filter(|trial| !trial.intermediate.is_empty())
        .min_by_key(|trial| (trial.finished, trial.number))?;
    let (last, _) = first.last_report()?;
    Some((first, u64::try_from(last).unwrap_or(0)))
}

/// Whether a trial was not yet over when `first` completed. What was over had met no rung, as there were none yet.
fn is_after(trial: &TrialRecord, first: &TrialRecord) -> bool {
    !trial.state.is_finished() || (trial.finished, trial.number) > (first.finished, first.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::{Duration, UNIX_EPOCH};

    /// A trial that reported `values` at steps 0, 1, ... and was over, if it was, at second `number`.
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
