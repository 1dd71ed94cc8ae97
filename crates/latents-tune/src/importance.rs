//! The importance of each parameter for a study's value, by PED-ANOVA (S. Watanabe et al., "PED-ANOVA: Efficiently Quantifying
//! Hyperparameter Importance in Arbitrary Subspaces", IJCAI 2023) with its extension to parameters that only some trials have
//! (K. Ito et al., "Conditional PED-ANOVA", 2026). Follows Optuna 5.0's `PedAnovaImportanceEvaluator` with its defaults.

use std::collections::BTreeSet;
use std::f64::consts::SQRT_2;

use crate::distribution::Distribution;
use crate::trial::{History, TrialRecord, TrialState};

/// Share of the trials that counts as good.
const GOOD: f64 = 0.1;
/// Maximum number of cells into which a range of numbers is divided.
const MAX_CELLS: usize = 50;
/// Weight of the flat prior, in trials.
const PRIOR: f64 = 1.0;

/// The importance of each parameter: how much it matters for being among the best tenth of the complete trials with a finite value, rather
/// than among all of them. The list is in descending order, with equal ones by name, and the importances sum to 1. If all are 0, they are
/// set equal. The result is stable from about 50 trials on. With fewer than two trials the list is empty.
///
/// ```
/// use latents_tune::importance::ped_anova;
/// use latents_tune::{AskResult, Space, StudyConfig, StudyTarget};
/// use latents_tune::{History, SamplerKind};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let space: Space = serde_json::from_str(r#"{"cause": {"int": [1, 9]}, "noise": {"int": [1, 9]}}"#)?;
/// let sampler = SamplerKind::Random;
/// let config = StudyConfig { url: Some("memory:".into()), sampler, ..StudyConfig::default() };
/// let study = config.open(".".as_ref(), &StudyTarget::new("mine"), &space)?;
/// while let AskResult::Trial(mut trial) = study.ask(Some(100))? {
///     let cause = trial.suggest_all(&space)?["cause"].as_f64().unwrap_or(0.0);
///     trial.complete(cause)?;
/// }
/// let trials = study.trials()?;
/// let importances = ped_anova(History { direction: study.direction(), trials: &trials });
/// assert_eq!(importances[0].0, "cause");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn ped_anova(history: History<'_>) -> Vec<(String, f64)> {
    let complete = history.in_states(&[TrialState::Complete]);
    let finite = complete.clone().filter_map(|trial| {
        let value = trial.value.filter(|value| value.is_finite())?;
        Some((trial.as_ref(), history.direction.loss(value)))
    });
    let mut losses: Vec<f64> = finite.clone().map(|(_, loss)| loss).collect();
    if losses.len() < 2 {
        return Vec::new();
    }
    losses.sort_by(f64::total_cmp);
    let bar = losses[(GOOD * losses.len() as f64).ceil() as usize - 1];
    let trials: Vec<(&TrialRecord, bool)> =
        finite.map(|(trial, loss)| (trial, loss <= bar)).collect();

    let names: BTreeSet<&String> = complete.flat_map(|trial| trial.params.keys()).collect();
    let mut importances: Vec<(String, f64)> =
        names.into_iter().map(|name| (name.clone(), importance(name, &trials))).collect();
    let total: f64 = importances.iter().map(|(_, importance)| importance).sum();
    let equal = 1.0 / importances.len() as f64;
    for (_, importance) in &mut importances {
        *importance = if total == 0.0 { equal } else { *importance / total };
    }
    importances.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    importances
}

/// The importance of a parameter, up to a factor that all parameters share. `trials` tells which trials are good.
fn importance(name: &str, trials: &[(&TrialRecord, bool)]) -> f64 {
    let n_good = trials.iter().filter(|(_, good)| *good).count() as f64;
    regimes(name, trials)
        .into_iter()
        .filter(|regime| regime.all.len() >= 2 && !regime.good.is_empty())
        .filter(|regime| !regime.distribution.is_single())
        .map(|Regime { distribution, all, good }| {
            let good_part = good.len() as f64 / n_good;
            let part = all.len() as f64 / trials.len() as f64;
            let densities =
                density(distribution, &good).into_iter().zip(density(distribution, &all));
            let divergence: f64 = densities
                .map(|(good, all)| (good + 1e-12, all + 1e-12))
                .map(|(good, all)| all * (good / all - 1.0).powi(2))
                .sum();
            good_part.powi(2) / part * divergence
        })
        .sum()
}

/// The trials that drew a parameter from the same distribution: its internal numbers.
struct Regime<'a> {
    distribution: &'a Distribution,
    all: Vec<f64>,
    good: Vec<f64>,
}

fn regimes<'a>(name: &str, trials: &[(&'a TrialRecord, bool)]) -> Vec<Regime<'a>> {
    let mut regimes: Vec<Regime<'a>> = Vec::new();
    for (trial, good) in trials {
        let Some(param) = trial.params.get(name) else { continue };
        let distribution = param.distribution.as_ref();
        let known = regimes.iter().position(|regime| regime.distribution == distribution);
        let place = known.unwrap_or_else(|| {
            regimes.push(Regime { distribution, all: Vec::new(), good: Vec::new() });
            regimes.len() - 1
        });
        regimes[place].all.push(param.internal);
        if *good {
            regimes[place].good.push(param.internal);
        }
    }
    regimes
}

/// The probability of each cell of a parameter's range, estimated from values and a flat prior.
fn density(distribution: &Distribution, values: &[f64]) -> Vec<f64> {
    match *distribution {
        Distribution::Categorical { ref choices } => {
            let cells = values.iter().map(|&value| value as usize);
            choice_density(&count(cells, choices.len()))
        }
        Distribution::Float { low, high, step, log } => {
            let n_cells =
                step.map_or(MAX_CELLS, |step| ((high - low) / step).round_ties_even() as usize + 1);
            range_density(low, high, log, n_cells.min(MAX_CELLS), values)
        }
        Distribution::Int { low, high, step, log } => {
            let n_cells = if log {
                (libm::log((high - low + 1) as f64) / libm::log(2.0)).ceil() as usize + 1
            } else {
                ((high - low) / step) as usize + 1
            };
            range_density(low as f64, high as f64, log, n_cells.min(MAX_CELLS), values)
        }
    }
}

fn count(cells: impl Iterator<Item = usize>, n_cells: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n_cells];
    for cell in cells {
        if let Some(count) = counts.get_mut(cell) {
            *count += 1.0;
        }
    }
    counts
}

/// The density of choices. Each choice that occurs has a kernel, which includes a part of the prior.
fn choice_density(counts: &[f64]) -> Vec<f64> {
    let n_kernels = 1.0 + counts.iter().filter(|count| **count > 0.0).count() as f64;
    let total: f64 = counts.iter().sum();
    let n = counts.len() as f64;
    let elsewhere = PRIOR / n_kernels;
    let here = |count: &f64| (count + total * elsewhere) / (1.0 + n * elsewhere);
    counts.iter().map(|count| (here(count) + PRIOR / n) / (total + PRIOR)).collect()
}

/// The density of a range, which is divided into equal cells, on a logarithmic scale if `log`.
fn range_density(low: f64, high: f64, log: bool, n_cells: usize, values: &[f64]) -> Vec<f64> {
    let scale = |x: f64| if log { libm::log(x) } else { x };
    let (low, width) = (scale(low), (scale(high) - scale(low)) / (n_cells - 1) as f64);
    // A value between two cells belongs to the lower one.
    let cell = |&value: &f64| ((scale(value) - low) / width - 0.5).ceil();
    let cells = values.iter().map(|value| cell(value).clamp(0.0, (n_cells - 1) as f64) as usize);
    let counts = count(cells, n_cells);
    let total: f64 = counts.iter().sum();

    let bandwidth = bandwidth(&counts);
    let mut kernels: Vec<(f64, f64, f64)> = Vec::new();
    for (cell, &count) in counts.iter().enumerate() {
        if count > 0.0 {
            kernels.push((count, cell as f64, bandwidth));
        }
    }
    kernels.push((PRIOR, (n_cells - 1) as f64 / 2.0, n_cells as f64));
    let mut density = vec![0.0; n_cells];
    for (weight, mean, bandwidth) in kernels {
        let mass =
            |from: f64, to: f64| normal_mass((from - mean) / bandwidth, (to - mean) / bandwidth);
        let share = weight / (total + PRIOR) / mass(-0.5, n_cells as f64 - 0.5);
        for (cell, sum) in density.iter_mut().enumerate() {
            *sum += share * mass(cell as f64 - 0.5, cell as f64 + 0.5);
        }
    }
    density
}

/// The bandwidth of a kernel, in cells, by Scott's rule. `counts` are the numbers of values in the cells.
fn bandwidth(counts: &[f64]) -> f64 {
    let filled: Vec<(f64, f64)> = (0..)
        .map(f64::from)
        .zip(counts.iter().copied())
        .filter(|(_, count)| *count > 0.0)
        .collect();
    let total: f64 = counts.iter().sum();
    let mean = filled.iter().map(|(cell, count)| cell * count).sum::<f64>() / total;
    let squares: f64 = filled.iter().map(|(cell, count)| (cell - mean).powi(2) * count).sum();
    let deviation = (squares / (total - 1.0).max(1.0)).sqrt();
    // Quartiles, rounded to whole numbers of values.
    let up_to: Vec<f64> = filled
        .iter()
        .scan(0.0, |sum, (_, count)| {
            *sum += count;
            Some(*sum)
        })
        .collect();
    let lower = up_to.partition_point(|sum| *sum < (total / 4.0).floor());
    let upper = up_to.partition_point(|sum| *sum <= (total * 3.0 / 4.0).floor());
    let between = filled[upper.min(filled.len() - 1)].0 - filled[lower].0;
    let bandwidth = 1.059 * (between / 1.34).min(deviation) * libm::pow(total, -0.2);
    // At most nine tenths of a kernel lie in its own cell.
    bandwidth.max(0.5 / 1.64)
}

/// The probability that a standard normal variable is between two numbers.
fn normal_mass(from: f64, to: f64) -> f64 {
    // The tail that is far from 1 is more precise.
    let (from, to) = if from > 0.0 { (-to, -from) } else { (from, to) };
    0.5 * (libm::erfc(-to / SQRT_2) - libm::erfc(-from / SQRT_2))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::direction::Direction;
    use crate::trial::TrialParameter;

    /// A value, and parameters in 0..9 by name.
    type Made<'a> = (f64, &'a [(&'a str, f64)]);

    /// A study of complete trials.
    fn study(trials: &[Made<'_>]) -> Vec<(String, f64)> {
        let distribution = Arc::new(Distribution::int(0, 9).unwrap());
        let record = |(number, (value, params)): (usize, &Made<'_>)| {
            let params = params.iter().map(|&(name, internal)| {
                let distribution = Arc::clone(&distribution);
                (name.to_string(), TrialParameter { internal, distribution })
            });
            Arc::new(TrialRecord {
                id: number as i64,
                number: number as u64,
                state: TrialState::Complete,
                value: Some(*value),
                params: params.collect(),
                intermediate: BTreeMap::new(),
                user_attrs: BTreeMap::new(),
                system_attrs: BTreeMap::new(),
                started: None,
                finished: None,
            })
        };
        let trials: Vec<_> = trials.iter().enumerate().map(record).collect();
        ped_anova(History { direction: Direction::Minimize, trials: &trials })
    }

    #[test]
    fn too_few_trials_tell_nothing() {
        assert_eq!(study(&[]), []);
        assert_eq!(study(&[(1.0, &[("a", 1.0)])]), []);
        assert_eq!(study(&[(1.0, &[("a", 1.0)]), (f64::INFINITY, &[("a", 2.0)])]), []);
        assert_eq!(study(&[(1.0, &[]), (2.0, &[])]), []);
    }

    #[test]
    fn equals_are_in_order_of_their_names() {
        let same: &[(&str, f64)] = &[("b", 3.0), ("a", 3.0), ("c", 3.0)];
        let third = |name: &str| (name.to_string(), 1.0 / 3.0);
        assert_eq!(study(&[(1.0, same); 4]), [third("a"), third("b"), third("c")]);
    }

    #[test]
    fn what_makes_trials_good_is_important() {
        let trials: Vec<(f64, [(&str, f64); 2])> = (0..100)
            .map(|i| {
                (f64::from(i / 10), [("noise", f64::from(i % 10)), ("cause", f64::from(i / 10))])
            })
            .collect();
        let trials: Vec<(f64, &[(&str, f64)])> =
            trials.iter().map(|(value, params)| (*value, params.as_slice())).collect();
        let found = study(&trials);
        assert_eq!(found[0].0, "cause");
        assert!(found[0].1 > 0.99, "{found:?}");
    }

    #[test]
    fn the_kernels_are_probabilities() {
        let cases = [
            (Distribution::float(0.0, 1.0), vec![0.1, 0.1, 0.9], 50),
            (Distribution::log_float(1e-3, 1.0), vec![1e-3, 1.0], 50),
            (Distribution::stepped_float(0.0, 0.3, 0.1), vec![0.1], 4),
            (Distribution::log_int(1, 8), vec![2.0, 8.0], 4),
            (Distribution::log_int(1, 9), vec![2.0, 8.0], 5),
            (Distribution::stepped_int(0, 500, 5), vec![20.0], 50),
            (Distribution::categorical([1.0, 2.0, 4.0]), vec![0.0, 2.0, 2.0, 7.0], 3),
        ];
        for (distribution, values, n_cells) in cases {
            let distribution = distribution.unwrap();
            let density = density(&distribution, &values);
            assert_eq!(density.len(), n_cells, "{distribution}");
            assert!((density.iter().sum::<f64>() - 1.0).abs() < 1e-14, "{distribution}");
        }
    }
}
