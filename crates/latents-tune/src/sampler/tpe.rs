//! The tree-structured Parzen estimator (J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011), as Optuna 5.0's
//! `TPESampler` implements it for one objective. Trials are split into good ones and others. Candidates are drawn from the density of the
//! good ones, and the candidate with the largest ratio of the two densities is tried next. The densities are in
//! [`parzen`](crate::sampler::parzen).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::distribution::Distribution;
use crate::sampler::parzen::Parzen;
use crate::sampler::random::Random;
use crate::sampler::unit::from_unit;
use crate::sampler::{Draws, Internal, TrialSampler};
use crate::trial::{History, TrialRecord, TrialState};
use crate::value::Value;

/// States of the trials from which the sampler learns.
const DONE: &[TrialState] = &[TrialState::Complete, TrialState::Pruned];

/// Maximum number of good trials.
const MAX_GOOD: usize = 25;

/// System attribute of a trial that holds its jointly sampled values, in parts numbered from 0. The name is Optuna's.
const RELATIVE: &str = "tpe:relative_params";

/// Maximum number of characters of JSON in a part.
const PART_LENGTH: usize = 2045;

/// Distributions of parameters, by name.
type Space = BTreeMap<String, Arc<Distribution>>;

/// Tree-structured Parzen estimator. Settings that are not here have Optuna's defaults.
///
/// ```
/// use latents_tune::{Direction, Strategy, Study, pruner, sampler, storage};
///
/// let sampler = sampler::Tpe { startup_trials: 20, ..sampler::Tpe::default() };
/// let (sampler, pruner) = (Box::new(sampler), Box::new(pruner::Never));
/// let strategy = Strategy { sampler, pruner, seed: Some(1), lockstep: None };
/// let study = Study::open(storage::open("memory:")?, "mine", Direction::Minimize, strategy)?;
/// assert!(study.best()?.is_none());
/// # Ok::<(), latents_tune::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tpe {
    /// Number of trials that must be complete or pruned before the sampler learns from them; it draws at random until then. Default: 10.
    pub startup_trials: usize,
    /// Number of candidates that are drawn from the density of the good trials. Default: 24.
    pub candidates: usize,
    /// Whether parameters that all trials have are sampled jointly, instead of each parameter independently. Default: true.
    pub multivariate: bool,
    /// Whether parameters that occur in the same trials are sampled jointly, so that those that only some trials have are, too. Needs
    /// `multivariate`. Default: false.
    pub group: bool,
    /// Whether running trials count as bad, so that workers do not try similar values at the same time. Default: true.
    pub constant_liar: bool,
}

impl Default for Tpe {
    fn default() -> Self {
        Tpe {
            startup_trials: 10,
            candidates: 24,
            multivariate: true,
            group: false,
            constant_liar: true,
        }
    }
}

/// Trials, split into good ones and others. Each part is in the order of numbers.
#[derive(Clone, Debug)]
pub struct Split<'a> {
    /// The best tenth of the complete and pruned trials, at most 25.
    pub good: Vec<&'a TrialRecord>,
    /// The other ones, and with `constant_liar` the running trials.
    pub others: Vec<&'a TrialRecord>,
}

impl Tpe {
    /// The spaces whose parameters are sampled jointly.
    #[must_use]
    pub fn spaces(&self, history: History<'_>) -> Vec<Space> {
        let mut spaces = match (self.multivariate, self.group) {
            (false, _) => Vec::new(),
            (true, false) => vec![history.common_space()],
            (true, true) => groups(history),
        };
        for space in &mut spaces {
            space.retain(|_, distribution| !distribution.is_single());
        }
        spaces.retain(|space| !space.is_empty());
        spaces
    }

    /// Splits the trials of a history.
    #[must_use]
    pub fn split<'a>(&self, history: History<'a>) -> Split<'a> {
        let in_state =
            |state| history.trials.iter().filter(move |t| t.state == state).map(|trial| &**trial);
        let mut ranked: Vec<_> = in_state(TrialState::Complete).collect();
        ranked.sort_by(|a, b| loss(history, a.value).total_cmp(&loss(history, b.value)));
        // Pruned trials are ranked by their last step, later ones first, and then by the value reported there.
        let rank = |trial: &TrialRecord| match trial.last_report() {
            Some((step, value)) => (step.saturating_neg(), loss(history, Some(value))),
            None => (1, 0.0),
        };
        let mut pruned: Vec<_> = in_state(TrialState::Pruned).collect();
        pruned.sort_by(|a, b| {
            let ((a, x), (b, y)) = (rank(a), rank(b));
            a.cmp(&b).then(x.total_cmp(&y))
        });
        ranked.append(&mut pruned);
        let mut others = ranked.split_off(ranked.len().div_ceil(10).min(MAX_GOOD));
        let mut good = ranked;
        if self.constant_liar {
            others.extend(in_state(TrialState::Running));
        }
        good.sort_by_key(|trial| trial.number);
        others.sort_by_key(|trial| trial.number);
        Split { good, others }
    }

    /// The density of the values of `trials` over `space`. Trials that lack one of its parameters are left out.
    #[must_use]
    pub fn density(&self, space: &Space, trials: &[&TrialRecord]) -> Parzen {
        let mut observations = Vec::with_capacity(trials.len() * space.len());
        for trial in trials {
            let is_joint = self.multivariate && trial.state == TrialState::Running;
            let relative = if is_joint { relative_params(trial) } else { BTreeMap::new() };
            let begin = observations.len();
            observations.extend(space.iter().map_while(|(name, distribution)| {
                let own = trial.params.get(name).map(|param| param.internal);
                let sampled = || distribution.internal(relative.get(name)?).ok();
                own.or_else(sampled).filter(|&x| is_usable(distribution, x))
            }));
            if observations.len() - begin < space.len() {
                observations.truncate(begin);
            }
        }
        Parzen::new(space, &observations)
    }

    /// Samples the parameters of `space`, in the order of their names.
    fn sample(&self, history: History<'_>, draws: Draws, space: &Space, purpose: &str) -> Vec<f64> {
        let split = self.split(history);
        let good = self.density(space, &split.good);
        let others = self.density(space, &split.others);
        let points = good.sample(&mut draws.stream(purpose), self.candidates.max(1));
        let gains = good.log_densities(&points).into_iter().zip(others.log_densities(&points));
        let mut best = (0, f64::NEG_INFINITY);
        for (i, gain) in gains.map(|(good, others)| good - others).enumerate() {
            if gain > best.1 {
                best = (i, gain);
            }
        }
        points.chunks_exact(space.len()).nth(best.0).map(<[f64]>::to_vec).unwrap_or_default()
    }

    fn is_starting(&self, history: History<'_>) -> bool {
        history.in_states(DONE).count() < self.startup_trials
    }
}

impl TrialSampler for Tpe {
    fn sample_relative(&self, history: History<'_>, draws: Draws) -> Internal {
        let mut values = Internal::new();
        if self.is_starting(history) {
            return values;
        }
        for space in self.spaces(history) {
            let names: Vec<&str> = space.keys().map(String::as_str).collect();
            let purpose = format!("relative: {}", names.join(", "));
            let sampled = self.sample(history, draws, &space, &purpose);
            values.extend(space.into_keys().zip(sampled));
        }
        values
    }

    fn sample_independent(
        &self,
        history: History<'_>,
        draws: Draws,
        name: &str,
        distribution: &Arc<Distribution>,
    ) -> f64 {
        if distribution.is_single() {
            return from_unit(distribution, 0.0);
        }
        if self.is_starting(history) {
            return Random.sample_independent(history, draws, name, distribution);
        }
        let space = Space::from([(name.to_owned(), Arc::clone(distribution))]);
        self.sample(history, draws, &space, name)[0]
    }
}

/// The quantity to minimise. A missing value and NaN are worst; both zeros are equal.
fn loss(history: History<'_>, value: Option<f64>) -> f64 {
    let loss = value.map_or(f64::INFINITY, |value| history.direction.loss(value));
    if loss.is_nan() { f64::INFINITY } else { loss + 0.0 }
}

/// Whether a kernel can be placed at `x`. An earlier trial may have had other bounds, so `x` may be outside of these.
fn is_usable(distribution: &Distribution, x: f64) -> bool {
    match distribution {
        Distribution::Categorical { .. } => distribution.contains(x),
        Distribution::Float { log, .. } | Distribution::Int { log, .. } => {
            x.is_finite() && (!log || x > 0.0)
        }
    }
}

/// Groups of parameters that occur in exactly the same complete and pruned trials. Follows Optuna's `_GroupDecomposedSearchSpace`.
fn groups(history: History<'_>) -> Vec<Space> {
    let mut holders: BTreeMap<&String, (&Arc<Distribution>, Vec<u64>)> = BTreeMap::new();
    for trial in history.in_states(DONE) {
        for (name, param) in &trial.params {
            let entry = holders.entry(name).or_insert((&param.distribution, Vec::new()));
            entry.1.push(trial.number);
        }
    }
    let mut groups: BTreeMap<Vec<u64>, Space> = BTreeMap::new();
    for (name, (distribution, trials)) in holders {
        groups.entry(trials).or_default().insert(name.clone(), Arc::clone(distribution));
    }
    groups.into_values().collect()
}

/// System attributes that tell other workers the jointly sampled values of a trial, so that they can avoid them before the trial has
/// requested all of them. [`Tpe`] and Optuna read them.
#[must_use]
pub fn relative_attrs(values: &BTreeMap<String, Value>) -> Vec<(String, Json)> {
    // JSON has no infinite numbers. The densities leave out a trial without the parameter.
    let finite = |value: &Value| value.as_f64().is_none_or(f64::is_finite);
    let values: BTreeMap<_, _> = values.iter().filter(|(_, value)| finite(value)).collect();
    if values.is_empty() {
        return Vec::new();
    }
    let text: Vec<char> = serde_json::json!(values).to_string().chars().collect();
    let part = |(i, part): (usize, &[char])| {
        (format!("{RELATIVE}:{i}"), Json::String(part.iter().collect()))
    };
    text.chunks(PART_LENGTH).enumerate().map(part).collect()
}

/// The values in the attributes of [`relative_attrs`]; none if a part is missing.
fn relative_params(trial: &TrialRecord) -> BTreeMap<String, Value> {
    let parts = (0..).map_while(|i| trial.system_attrs.get(&format!("{RELATIVE}:{i}"))?.as_str());
    serde_json::from_str(&parts.collect::<String>()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
