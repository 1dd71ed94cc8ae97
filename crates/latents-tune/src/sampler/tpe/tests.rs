//! Tests of the draws of TPE, and of what it reads from running trials. `tests/golden_tpe.rs` compares its densities with Optuna's.

use super::*;
use crate::sampler::parzen::Marginal;
use crate::sampler::testing::{Trials, kinds, study, trial};
use crate::trial::TrialParameter;

/// The smallest value of a quadratic after 60 trials.
fn minimize(sampler: &dyn TrialSampler, seed: u64) -> f64 {
    let space: Space = [
        ("depth", Distribution::int(0, 20)),
        ("kind", Distribution::categorical(["a", "b", "c"])),
        ("rate", Distribution::log_float(1e-6, 1.0)),
        ("x", Distribution::float(-5.0, 5.0)),
    ]
    .into_iter()
    .map(|(name, distribution)| (name.to_owned(), Arc::new(distribution.unwrap())))
    .collect();
    let mut trials = study(Vec::new());
    for number in 0..60 {
        let draws = Draws { seed, number };
        let mut values = sampler.sample_relative(trials.view(), draws);
        for (name, distribution) in &space {
            let draw = || sampler.sample_independent(trials.view(), draws, name, distribution);
            if !values.contains_key(name) {
                values.insert(name.clone(), draw());
            }
        }
        let [depth, kind, rate, x] = ["depth", "kind", "rate", "x"].map(|name| values[name]);
        let value = ((depth - 13.0) / 4.0).powi(2)
            + if kind == 1.0 { 0.0 } else { 1.0 }
            + (libm::log10(rate) + 3.0).powi(2)
            + (x - 1.5).powi(2);
        let params: Vec<_> = space.iter().map(|(n, d)| (n.as_str(), values[n], d)).collect();
        trials.push(trial(number, TrialState::Complete, Some(value), &params));
    }
    trials.view().best().unwrap().value.unwrap()
}

/// Twelve trials with a parameter of each type; the last is running.
fn twelve() -> Trials {
    let kinds = kinds();
    let names: Vec<String> = (0..kinds.len()).map(|i| format!("x{i:02}")).collect();
    let one = |number| {
        let draws = Draws { seed: 2, number };
        let params = names.iter().zip(&kinds);
        let params = params.map(|(n, d)| (n.as_str(), from_unit(d, draws.stream(n).uniform()), d));
        let state = if number == 11 { TrialState::Running } else { TrialState::Complete };
        trial(number, state, Some(number as f64), &params.collect::<Vec<_>>())
    };
    study((0..12).map(one).collect())
}

#[test]
fn beats_random_on_a_quadratic() {
    let modes = [
        Tpe::default(),
        Tpe { multivariate: false, ..Tpe::default() },
        Tpe { group: true, ..Tpe::default() },
    ];
    let sum = |sampler: &dyn TrialSampler| (0..10).map(|seed| minimize(sampler, seed)).sum::<f64>();
    let random = sum(&Random);
    for tpe in modes {
        let sum = sum(&tpe);
        assert!(sum < 0.5 * random, "{tpe:?}: {sum}, at random {random}");
    }
}

#[test]
fn values_are_within_bounds_and_repeatable() {
    let trials = twelve();
    let space = &trials.0[0].params;
    for number in 12..40 {
        let draws = Draws { seed: 6, number };
        let sampled = Tpe::default().sample_relative(trials.view(), draws);
        let single = space.values().filter(|p| p.distribution.is_single()).count();
        assert_eq!(sampled.len(), space.len() - single);
        assert!(sampled.iter().all(|(name, &x)| space[name].distribution.contains(x)));
        assert_eq!(Tpe::default().sample_relative(trials.view(), draws), sampled);
        for (name, TrialParameter { distribution, .. }) in space {
            let x = Tpe::default().sample_independent(trials.view(), draws, name, distribution);
            assert!(distribution.contains(x), "{x:?} of {distribution}");
        }
    }
}

#[test]
fn draws_at_random_until_enough_trials_are_over() {
    let trials = twelve();
    let draws = Draws { seed: 3, number: 12 };
    let unit = Arc::new(Distribution::float(0.0, 1.0).unwrap());
    let draw = |tpe: Tpe| {
        let together = tpe.sample_relative(trials.view(), draws).len();
        (together, tpe.sample_independent(trials.view(), draws, "y", &unit))
    };
    let random = Random.sample_independent(trials.view(), draws, "y", &unit);
    let starting = draw(Tpe { startup_trials: 12, ..Tpe::default() });
    assert_eq!(starting, (0, random));
    let started = draw(Tpe { startup_trials: 11, ..Tpe::default() });
    assert_eq!(started.0, 10);
    assert_ne!(started.1, random);
}

#[test]
fn values_of_running_trials_are_read_from_their_notes() {
    let float = Arc::new(Distribution::float(0.0, 1.0).unwrap());
    let kind = Arc::new(Distribution::categorical(["a", "ä"]).unwrap());
    let space = Space::from([("kind".into(), Arc::clone(&kind)), ("x".into(), float.clone())]);
    let values = BTreeMap::from([
        ("kind".to_owned(), Value::from("ä")),
        ("note".to_owned(), Value::from("é".repeat(3_000).as_str())),
        ("x".to_owned(), Value::Float(0.25)),
        ("y".to_owned(), Value::Float(f64::INFINITY)),
    ]);
    let attrs = relative_attrs(&values);
    assert_eq!(attrs[0].0, "tpe:relative_params:0");
    let lengths: Vec<_> = attrs.iter().map(|a| a.1.as_str().unwrap().chars().count()).collect();
    assert_eq!(lengths, [2045, 986]);
    assert!(relative_attrs(&BTreeMap::new()).is_empty());

    let means = |attrs: &[(String, Json)], params: &[(&str, f64, &Arc<Distribution>)]| {
        let mut running = trial(0, TrialState::Running, None, params);
        running.system_attrs = attrs.iter().cloned().collect();
        let density = Tpe::default().density(&space, &[&running]);
        match &density.marginals()[1] {
            Marginal::Numeric(numeric) => numeric.means().collect::<Vec<_>>(),
            Marginal::Categorical(_) => panic!("a number is no choice"),
        }
    };
    assert_eq!(means(&attrs, &[]), [0.25, 0.5]);
    // The trial's own parameters take precedence.
    assert_eq!(means(&attrs, &[("x", 0.75, &float)]), [0.75, 0.5]);
    // Half of the JSON cannot be parsed.
    assert_eq!(means(&attrs[..1], &[("x", 0.75, &float)]), [0.5]);
    assert_eq!(means(&[], &[("x", 0.75, &float), ("kind", 1.0, &kind)]), [0.75, 0.5]);
    // There is no third choice.
    assert_eq!(means(&[], &[("x", 0.75, &float), ("kind", 2.0, &kind)]), [0.5]);
}

#[test]
fn of_pruned_trials_those_without_reports_are_worst() {
    let pruned = |number| {
        let mut trial = trial(number, TrialState::Pruned, None, &[]);
        trial.intermediate = match number {
            9 => BTreeMap::from([(0, f64::NAN)]),
            10 => BTreeMap::from([(0, 5.0)]),
            11 => BTreeMap::from([(0, 1.0), (4, 9.0)]),
            _ => BTreeMap::new(),
        };
        trial
    };
    let good = |n: u64| {
        let trials = study((12 - n..12).map(pruned).collect());
        let split = Tpe::default().split(trials.view());
        split.good.iter().map(|trial| trial.number).collect::<Vec<_>>()
    };
    assert_eq!(good(10), [11]);
    assert_eq!(good(12), [10, 11]);
    let mut trials = study((0..12).map(pruned).collect());
    for number in 12..21 {
        trials.push(trial(number, TrialState::Failed, None, &[]));
    }
    (0..9).for_each(|number| trials.push(pruned(100 + number)));
    let split = Tpe::default().split(trials.view());
    assert_eq!(split.good.iter().map(|trial| trial.number).collect::<Vec<_>>(), [9, 10, 11]);
    assert_eq!(split.others.len(), 18);
}
