//! The tree-structured Parzen estimator (J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011), as Optuna 5.0's
//! `TPESampler` has it for one objective. Trials are split into good ones and others; of some points drawn like the good ones, the one
//! least like the others is tried next. What the densities are is in [`parzen`](crate::sampler::parzen).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::distribution::Distribution;
use crate::sampler::parzen::Parzen;
use crate::sampler::random::Random;
use crate::sampler::unit::from_unit;
use crate::sampler::{Draws, Internal, Sampler};
use crate::trial::{History, TrialRecord, TrialState};
use crate::value::Value;

/// States of trials that something can be learnt from.
const DONE: &[TrialState] = &[TrialState::Complete, TrialState::Pruned];

/// At most so many trials count as good.
const MOST_GOOD: usize = 25;

/// Note of a trial that holds the values that were sampled together, in parts numbered from 0 (Optuna's own).
const RELATIVE: &str = "tpe:relative_params";

/// So many characters of JSON there are at most in a part.
const PART: usize = 2045;

/// Parameters and what they are drawn from, by name.
type Space = BTreeMap<String, Arc<Distribution>>;

/// Tree-structured Parzen estimator. What is left out of the settings is as in Optuna.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tpe {
    /// Draws at random until so many trials are complete or pruned.
    pub startup_trials: usize,
    /// Points drawn from the density of the good trials, of which the best is taken.
    pub candidates: usize,
    /// Whether parameters that all trials have are sampled together, or all parameters one by one.
    pub multivariate: bool,
    /// Whether parameters that the same trials have are sampled together, so that parameters that only some trials have are, too. It
    /// needs `multivariate`.
    pub group: bool,
    /// Whether running trials count as bad ones, so that workers do not try the same values at once.
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

/// Trials, each half by number.
#[derive(Clone, Debug)]
pub struct Split<'a> {
    /// The best tenth of those that are complete or pruned, at most 25.
    pub good: Vec<&'a TrialRecord>,
    /// The others, and with `constant_liar` those that are running.
    pub others: Vec<&'a TrialRecord>,
}

impl Tpe {
    /// The spaces whose parameters are sampled together.
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

    /// Splits the trials.
    #[must_use]
    pub fn split<'a>(&self, history: History<'a>) -> Split<'a> {
        let in_state =
            |state| history.trials.iter().filter(move |t| t.state == state).map(|trial| &**trial);
        let mut ranked: Vec<_> = in_state(TrialState::Complete).collect();
        ranked.sort_by(|a, b| loss(history, a.value).total_cmp(&loss(history, b.value)));
        // A pruned trial is better the farther it came, and by what it reported there.
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
        let mut others = ranked.split_off(ranked.len().div_ceil(10).min(MOST_GOOD));
        let mut good = ranked;
        if self.constant_liar {
            others.extend(in_state(TrialState::Running));
        }
        good.sort_by_key(|trial| trial.number);
        others.sort_by_key(|trial| trial.number);
        Split { good, others }
    }

    /// The density of some trials' values over a space. Trials that lack a parameter of it are left out.
    #[must_use]
    pub fn density(&self, space: &Space, trials: &[&TrialRecord]) -> Parzen {
        let mut observations = Vec::with_capacity(trials.len() * space.len());
        for trial in trials {
            let asked = self.multivariate && trial.state == TrialState::Running;
            let relative = if asked { relative_params(trial) } else { BTreeMap::new() };
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

    /// Values for the parameters of `space`, in the order of their names.
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

impl Sampler for Tpe {
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

/// What is to be small. What is no number is worst; the zeros are equal.
fn loss(history: History<'_>, value: Option<f64>) -> f64 {
    let loss = value.map_or(f64::INFINITY, |value| history.direction.loss(value));
    if loss.is_nan() { f64::INFINITY } else { loss + 0.0 }
}

/// Whether a kernel can be put there. Bounds may have been others in earlier trials, so a number may be beyond them.
fn is_usable(distribution: &Distribution, x: f64) -> bool {
    match distribution {
        Distribution::Categorical { .. } => distribution.contains(x),
        Distribution::Float { log, .. } | Distribution::Int { log, .. } => {
            x.is_finite() && (!log || x > 0.0)
        }
    }
}

/// Parameters that exactly the same complete and pruned trials have. Follows Optuna's `_GroupDecomposedSearchSpace`.
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

/// Notes that tell other workers which values were sampled together for a trial, so that they can keep away from them before the trial
/// has asked for all of them. Read by [`Tpe`] and by Optuna.
#[must_use]
pub fn relative_attrs(values: &BTreeMap<String, Value>) -> Vec<(String, Json)> {
    // JSON has no infinite numbers; a trial without the parameter is left out of the densities.
    let finite = |value: &Value| value.as_f64().is_none_or(f64::is_finite);
    let values: BTreeMap<_, _> = values.iter().filter(|(_, value)| finite(value)).collect();
    if values.is_empty() {
        return Vec::new();
    }
    let text: Vec<char> = serde_json::json!(values).to_string().chars().collect();
    let part = |(i, part): (usize, &[char])| {
        (format!("{RELATIVE}:{i}"), Json::String(part.iter().collect()))
    };
    text.chunks(PART).enumerate().map(part).collect()
}

/// What [`relative_attrs`] has noted; nothing where a part is not there yet.
fn relative_params(trial: &TrialRecord) -> BTreeMap<String, Value> {
    let parts = (0..).map_while(|i| trial.system_attrs.get(&format!("{RELATIVE}:{i}"))?.as_str());
    serde_json::from_str(&parts.collect::<String>()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
