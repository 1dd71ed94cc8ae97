//! The record of a trial, and the history of a study's trials. A trial that is running is in `study.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::direction::Direction;
use crate::distribution::Distribution;
use crate::value::Value;

/// System attribute of a trial: the worker that runs it.
pub const OWNER: &str = "latents:owner";

/// The state of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialState {
    /// A worker runs it, or ran it and was killed or interrupted.
    Running,
    /// It ended with a value.
    Complete,
    /// The pruner stopped it early.
    Pruned,
    /// It ended without a value.
    Failed,
    /// It is queued; some or all of its parameters may be fixed.
    Waiting,
}

impl TrialState {
    /// Whether the trial has ended: complete, pruned or failed.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, TrialState::Complete | TrialState::Pruned | TrialState::Failed)
    }
}

/// A parameter of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialParameter {
    /// Its value, as the number by which the distribution represents it.
    pub internal: f64,
    /// The distribution that it was drawn from.
    pub distribution: Arc<Distribution>,
}

/// User attribute of a failed trial: the reason.
pub(crate) const FAILURE: &str = "error";

/// The record of a trial in a study.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRecord {
    /// Key in the storage, unique over all its studies.
    pub id: i64,
    /// Number within the study, from 0, in the order in which trials were created.
    pub number: u64,
    /// Its state.
    pub state: TrialState,
    /// Its value. A complete trial always has one; a pruned trial has its last reported value, unless that is NaN.
    pub value: Option<f64>,
    /// Its parameters by name.
    pub params: BTreeMap<String, TrialParameter>,
    /// Its intermediate values, by step.
    pub intermediate: BTreeMap<i64, f64>,
    /// Attributes set by the objective.
    pub user_attrs: BTreeMap<String, Json>,
    /// Attributes set by samplers, pruners and workers.
    pub system_attrs: BTreeMap<String, Json>,
    /// When it started.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub finished: Option<SystemTime>,
}

impl TrialRecord {
    /// The value of a parameter, if the trial has that parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Value> {
        let TrialParameter { internal, distribution } = self.params.get(name)?;
        distribution.value(*internal).ok()
    }

    /// The last reported step and its value.
    #[must_use]
    pub fn last_report(&self) -> Option<(i64, f64)> {
        self.intermediate.last_key_value().map(|(&step, &value)| (step, value))
    }

    /// Whether another program, such as Optuna, runs it, or began it and left it so: it is running and no worker of this library owns it.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.state == TrialState::Running && !self.system_attrs.contains_key(OWNER)
    }

    /// Why it failed, if it has failed and left a reason.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        let reason = self.user_attrs.get(FAILURE)?.as_str();
        reason.filter(|_| self.state == TrialState::Failed)
    }

    /// How long it took, in seconds, if it has ended.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        Some(self.finished?.duration_since(self.started?).ok()?.as_secs_f64())
    }
}

/// The trials of a study that a sampler or a pruner may use, in the order of their numbers.
///
/// ```
/// use latents_tune::{AskResult, History, StudyConfig, StudyTarget, Space, Value};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let space: Space = serde_json::from_str(r#"{"n": {"int": [1, 9]}}"#)?;
/// let config = StudyConfig { url: Some("memory:".into()), ..StudyConfig::default() };
/// let study = config.open(".".as_ref(), &StudyTarget::new("mine"), &space)?;
/// while let AskResult::Trial(mut trial) = study.ask(Some(5))? {
///     let n = trial.suggest_all(&space)?["n"].as_f64().unwrap_or(0.0);
///     trial.complete(n)?;
/// }
/// let trials = study.trials()?;
/// let history = History { direction: study.direction(), trials: &trials };
/// let best = history.best().ok_or("no trial is complete")?;
/// assert_eq!(best.param("n").and_then(|n| n.as_f64()), best.value);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Which values are better.
    pub direction: Direction,
    /// All trials but the one that is to be sampled or judged.
    pub trials: &'a [Arc<TrialRecord>],
}

impl<'a> History<'a> {
    /// The trials that are in one of `states`.
    pub fn in_states(
        self,
        states: &'a [TrialState],
    ) -> impl Iterator<Item = &'a Arc<TrialRecord>> + Clone {
        self.trials.iter().filter(move |trial| states.contains(&trial.state))
    }

    /// The complete trial with the best value; the first of them if several are equal.
    #[must_use]
    pub fn best(self) -> Option<&'a Arc<TrialRecord>> {
        let loss = |t: &TrialRecord| t.value.map_or(f64::INFINITY, |v| self.direction.loss(v));
        self.in_states(&[TrialState::Complete]).min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }

    /// The parameters that all complete and pruned trials have with equal distributions, by name. They can be sampled jointly.
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
