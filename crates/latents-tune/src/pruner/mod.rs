//! Whether a trial is worth going on with. A pruner decides from what the trial and those before it have reported; it draws nothing
//! and writes nothing down.

use crate::trial::{History, TrialRecord};

/// Decides whether a trial is to be stopped early.
pub trait Pruner: Send + Sync {
    /// Whether `trial`, which has just reported, is to be stopped. `history` holds the study's other trials.
    fn prune(&self, history: History<'_>, trial: &TrialRecord) -> bool;

    /// Whether the trials with numbers `a` and `b` of a study are to be compared, and one sampled from the other.
    fn same_bracket(&self, _study: &str, _a: u64, _b: u64) -> bool {
        true
    }
}
