//! Compares the TPE sampler's split of trials and its densities with Optuna's, over the histories of `xtask/python/golden_tpe.py`. Draws from
//! the densities differ, because the random numbers do.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use latents_tune::sampler::parzen::{Marginal, Parzen};
use latents_tune::sampler::{Draws, Tpe, TrialSampler};
use latents_tune::{Direction, Distribution, History, TrialParameter, TrialRecord, TrialState};
use serde::Deserialize;

type Space = BTreeMap<String, Distribution>;

#[derive(Deserialize)]
struct Golden {
    distributions: Space,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    direction: Direction,
    settings: Tpe,
    trials: Vec<Trial>,
    spaces: Vec<Vec<String>>,
    space: Space,
    points: Vec<f64>,
    good: Half,
    others: Half,
    gains: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Trial {
    state: TrialState,
    value: Option<f64>,
    params: BTreeMap<String, f64>,
    distributions: Space,
    reports: Vec<Option<f64>>,
    notes: BTreeMap<String, serde_json::Value>,
}

impl Default for Trial {
    fn default() -> Self {
        Trial {
            state: TrialState::Waiting,
            value: None,
            params: BTreeMap::new(),
            distributions: BTreeMap::new(),
            reports: Vec::new(),
            notes: BTreeMap::new(),
        }
    }
}

#[derive(Deserialize)]
struct Half {
    trials: Vec<u64>,
    weights: Vec<f64>,
    marginals: Vec<Kernels>,
    log_densities: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Kernels {
    Numeric { means: Vec<f64>, deviations: Vec<f64> },
    Categorical { chances: Vec<f64> },
}

fn record(golden: &Golden, number: usize, trial: &Trial) -> Arc<TrialRecord> {
    let param = |(name, &internal): (&String, &f64)| {
        let distribution = trial.distributions.get(name).unwrap_or(&golden.distributions[name]);
        (name.clone(), TrialParameter { internal, distribution: Arc::new(distribution.clone()) })
    };
    let reports = trial.reports.iter().map(|report| report.unwrap_or(f64::NAN));
    Arc::new(TrialRecord {
        id: 100 + number as i64,
        number: number as u64,
        state: trial.state,
        value: trial.value,
        params: trial.params.iter().map(param).collect(),
        intermediate: (0..).zip(reports).collect(),
        user_attrs: BTreeMap::new(),
        system_attrs: trial.notes.clone(),
        started: None,
        finished: None,
    })
}

fn assert_near(what: &str, got: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let got: Vec<f64> = got.into_iter().collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let near = (got - expected).abs() <= 1e-9 * expected.abs().max(1.0);
        assert!(near, "{what} {i}: {got} for {expected}");
    }
}

fn assert_density(what: &str, density: &Parzen, case: &Case, half: &Half) {
    assert_near(&format!("{what}: weight"), density.weights().iter().copied(), &half.weights);
    assert_eq!(density.marginals().len(), case.space.len());
    for ((name, ours), golden) in case.space.keys().zip(density.marginals()).zip(&half.marginals) {
        match (ours, golden) {
            (Marginal::Numeric(ours), Kernels::Numeric { means, deviations }) => {
                assert_near(&format!("{what}: mean of {name}"), ours.means(), means);
                assert_near(&format!("{what}: deviation of {name}"), ours.deviations(), deviations);
            }
            (Marginal::Categorical(ours), Kernels::Categorical { chances }) => {
                let kernels = half.weights.len();
                let choices = chances.len() / kernels;
                let each =
                    (0..kernels).flat_map(|k| (0..choices).map(move |c| ours.probability(k, c)));
                assert_near(&format!("{what}: chance of {name}"), each, chances);
            }
            _ => panic!("{what}: {name} is of another kind"),
        }
    }
    let log_densities = density.log_densities(&case.points);
    assert_near(&format!("{what}: log density"), log_densities, &half.log_densities);
}

#[test]
fn splits_and_densities_are_optunas() {
    let golden: Golden = serde_json::from_str(include_str!("golden/tpe.json")).unwrap();
    assert_eq!(golden.cases.len(), 12);
    for case in &golden.cases {
        let name = &case.name;
        let trials = case.trials.iter().enumerate();
        let trials: Vec<_> = trials.map(|(number, trial)| record(&golden, number, trial)).collect();
        let history = History { direction: case.direction, trials: &trials };
        let tpe = &case.settings;

        let spaces = tpe.spaces(history).into_iter();
        let mut spaces: Vec<Vec<String>> = spaces.map(|s| s.into_keys().collect()).collect();
        spaces.sort();
        assert_eq!(spaces, case.spaces, "{name}");

        let split = tpe.split(history);
        let numbers = |half: &[&TrialRecord]| half.iter().map(|t| t.number).collect::<Vec<_>>();
        assert_eq!(numbers(&split.good), case.good.trials, "{name}");
        assert_eq!(numbers(&split.others), case.others.trials, "{name}");

        let space =
            case.space.iter().map(|(name, d)| (name.clone(), Arc::new(d.clone()))).collect();
        let good = tpe.density(&space, &split.good);
        let others = tpe.density(&space, &split.others);
        assert_density(&format!("{name}, good"), &good, case, &case.good);
        assert_density(&format!("{name}, others"), &others, case, &case.others);
        let gains = good.log_densities(&case.points).into_iter();
        let gains = gains.zip(others.log_densities(&case.points)).map(|(a, b)| a - b);
        assert_near(&format!("{name}: gain"), gains, &case.gains);

        let draws = Draws { seed: 1, number: trials.len() as u64 };
        let sampled = tpe.sample_relative(history, draws);
        let mut together: Vec<&String> = case.spaces.iter().flatten().collect();
        together.sort();
        assert_eq!(sampled.keys().collect::<Vec<_>>(), together, "{name}");
    }
}
