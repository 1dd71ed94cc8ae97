//! What a study knows of a trial. The record is data; what happens to a trial while it runs is in `study.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::distribution::Distribution;
use crate::value::Value;

/// Whether a study looks for the least or the greatest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The least.
    #[default]
    Minimize,
    /// The greatest.
    Maximize,
}

impl Direction {
    /// `value` where less is better, its negative where more is.
    #[must_use]
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }
}

/// What has become of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialState {
    /// A worker is at it, or was when it died.
    Running,
    /// It has its value.
    Complete,
    /// It was stopped early, as unpromising.
    Pruned,
    /// It ended without a value.
    Failed,
    /// It is queued, with some or all of its values fixed.
    Waiting,
}

impl TrialState {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, TrialState::Complete | TrialState::Pruned | TrialState::Failed)
    }
}

/// A parameter of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The number that stands for its value.
    pub internal: f64,
    /// What it was drawn from.
    pub distribution: Arc<Distribution>,
}

/// What a study knows of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRecord {
    /// Key in the storage, unique over its studies.
    pub id: i64,
    /// From 0, in the order in which the study's trials began.
    pub number: u64,
    /// What has become of it.
    pub state: TrialState,
    /// Its value: of a complete trial always; of a pruned one the last reported, where that is a number.
    pub value: Option<f64>,
    /// Its parameters by name.
    pub params: BTreeMap<String, Parameter>,
    /// What it reported on the way, by step.
    pub intermediate: BTreeMap<i64, f64>,
    /// Notes of the objective's.
    pub user_attrs: BTreeMap<String, Json>,
    /// Notes of samplers, pruners and workers.
    pub system_attrs: BTreeMap<String, Json>,
    /// When it began.
    pub started: Option<SystemTime>,
    /// When it was finished.
    pub finished: Option<SystemTime>,
}

impl TrialRecord {
    /// The value of a parameter; none where the trial has no such parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Value> {
        let Parameter { internal, distribution } = self.params.get(name)?;
        distribution.value(*internal).ok()
    }

    /// The last step that was reported, and what.
    #[must_use]
    pub fn last_report(&self) -> Option<(i64, f64)> {
        self.intermediate.last_key_value().map(|(&step, &value)| (step, value))
    }

    /// How long it took, in seconds, where it is over.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        Some(self.finished?.duration_since(self.started?).ok()?.as_secs_f64())
    }
}

/// The trials of a study that a sampler or a pruner may learn from, in the order of their numbers.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Which values are better.
    pub direction: Direction,
    /// All but the trial in question.
    pub trials: &'a [Arc<TrialRecord>],
}

impl<'a> History<'a> {
    /// The trials in some states.
    pub fn in_states(
        self,
        states: &'a [TrialState],
    ) -> impl Iterator<Item = &'a Arc<TrialRecord>> + Clone {
        self.trials.iter().filter(move |trial| states.contains(&trial.state))
    }

    /// The complete trial with the best value; of equals the first.
    #[must_use]
    pub fn best(self) -> Option<&'a Arc<TrialRecord>> {
        let loss = |t: &TrialRecord| t.value.map_or(f64::INFINITY, |v| self.direction.loss(v));
        self.in_states(&[TrialState::Complete]).min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }

    /// Parameters that all complete and pruned trials have with equal distributions, by name: what can be sampled together.
    /// Follows Optuna's `IntersectionSearchSpace(include_pruned=True)`.
    #[must_use]
    pub fn common_space(self) -> BTreeMap<String, Arc<Distribution>> {
        let mut done = self.in_states(&[TrialState::Complete, TrialState::Pruned]);
        let Some(first) = done.next() else { return BTreeMap::new() };
        let mut space: BTreeMap<String, Arc<Distribution>> = first
            .params
            .iter()
            .map(|(name, param)| (name.clone(), Arc::clone(&param.distribution)))
            .collect();
        for trial in done {
            space.retain(|name, distribution| {
                trial.params.get(name).is_some_and(|p| p.distribution == *distribution)
            });
        }
        space
    }
}
