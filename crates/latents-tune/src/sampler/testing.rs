//! Histories for unit tests of samplers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::direction::Direction;
use crate::distribution::Distribution;
use crate::trial::{History, TrialParameter, TrialRecord, TrialState};

/// The trials of a history.
pub(super) struct Trials(pub(super) Vec<Arc<TrialRecord>>);

impl Trials {
    pub(super) fn view(&self) -> History<'_> {
        History { direction: Direction::Minimize, trials: &self.0 }
    }

    pub(super) fn push(&mut self, trial: TrialRecord) {
        self.0.push(Arc::new(trial));
    }
}

pub(super) fn study(trials: Vec<TrialRecord>) -> Trials {
    Trials(trials.into_iter().map(Arc::new).collect())
}

/// A trial without reports or attributes.
pub(super) fn trial(
    number: u64,
    state: TrialState,
    value: Option<f64>,
    params: &[(&str, f64, &Arc<Distribution>)],
) -> TrialRecord {
    let params = params.iter().map(|&(name, internal, distribution)| {
        (name.to_owned(), TrialParameter { internal, distribution: Arc::clone(distribution) })
    });
    TrialRecord {
        id: number as i64,
        number,
        state,
        value,
        params: params.collect(),
        intermediate: BTreeMap::new(),
        user_attrs: BTreeMap::new(),
        system_attrs: BTreeMap::new(),
        started: None,
        finished: None,
    }
}

/// A distribution of each type, and some with a single value or extreme ranges.
pub(super) fn kinds() -> Vec<Arc<Distribution>> {
    let kinds = [
        Distribution::float(-2.0, 3.0),
        Distribution::float(1e9, 1e9 + 1e-3),
        Distribution::float(1.5, 1.5),
        Distribution::log_float(1e-5, 0.1),
        Distribution::stepped_float(0.1, 1.0, 0.25),
        Distribution::stepped_float(-1.0, 1.0, 0.1),
        Distribution::int(-3, 4),
        Distribution::int(7, 7),
        Distribution::int(0, 1 << 40),
        Distribution::stepped_int(2, 17, 5),
        Distribution::log_int(1, 1_000),
        Distribution::categorical(["a", "b", "c"]),
        Distribution::categorical([1.5]),
    ];
    kinds.into_iter().map(|kind| Arc::new(kind.unwrap())).collect()
}
