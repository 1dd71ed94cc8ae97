//! Tests of studies by CMA-ES. `evolution.rs` tests the update by a generation.

use super::*;
use crate::sampler::testing::{Trials, kinds, study, trial};

fn space() -> Vec<(&'static str, Arc<Distribution>)> {
    let space = [
        ("depth", Distribution::int(0, 100)),
        ("kind", Distribution::categorical(["a", "b"])),
        ("rate", Distribution::log_float(1e-6, 1.0)),
        ("x", Distribution::float(-5.0, 5.0)),
        ("y", Distribution::float(-5.0, 5.0)),
    ];
    space.map(|(name, distribution)| (name, Arc::new(distribution.unwrap()))).to_vec()
}

/// A narrow valley across two parameters, and two bowls.
fn value(values: &Internal) -> f64 {
    let [depth, rate, x, y] = ["depth", "rate", "x", "y"].map(|name| values[name]);
    ((depth - 30.0) / 20.0).powi(2)
        + (libm::log10(rate) + 4.0).powi(2)
        + 20.0 * (x + y - 1.0).powi(2)
        + (x - y - 4.0).powi(2)
}

fn values(sampler: &dyn TrialSampler, trials: &Trials, draws: Draws) -> Internal {
    let mut values = sampler.sample_relative(trials.view(), draws);
    for (name, distribution) in space() {
        if !values.contains_key(name) {
            let x = sampler.sample_independent(trials.view(), draws, name, &distribution);
            values.insert(name.to_owned(), x);
        }
    }
    values
}

fn minimize(sampler: &dyn TrialSampler, seed: u64, n: u64) -> Trials {
    let mut trials = study(Vec::new());
    for number in 0..n {
        let values = values(sampler, &trials, Draws { seed, number });
        let params = space();
        let params: Vec<_> = params.iter().map(|(n, d)| (*n, values[*n], d)).collect();
        // Some trials are ignored.
        let (state, value) = match number % 10 {
            3 => (TrialState::Pruned, Some(-1e9)),
            6 => (TrialState::Failed, None),
            _ => (TrialState::Complete, Some(value(&values))),
        };
        trials.push(trial(number, state, value, &params));
    }
    trials
}

#[test]
fn beats_random_in_a_valley() {
    let best = |sampler: &dyn TrialSampler, seed| {
        minimize(sampler, seed, 400).view().best().unwrap().value.unwrap()
    };
    for seed in 0..5 {
        let (ours, random) = (best(&CmaEs::default(), seed), best(&Random, seed));
        assert!(ours < 0.01 && 10.0 * ours < random, "{ours}, at random {random}");
    }
}

#[test]
fn the_same_history_gives_the_same_values_within_bounds() {
    let trials = minimize(&CmaEs::default(), 1, 60);
    for number in 0..50 {
        let draws = Draws { seed: 1, number };
        let drawn = CmaEs::default().sample_relative(trials.view(), draws);
        assert_eq!(drawn.keys().collect::<Vec<_>>(), ["depth", "rate", "x", "y"]);
        assert_eq!(drawn, CmaEs::default().sample_relative(trials.view(), draws));
        for (name, distribution) in space() {
            assert!(drawn.get(name).is_none_or(|&x| distribution.contains(x)), "{drawn:?}");
        }
    }
    let [one, other] =
        [1, 2].map(|number| values(&CmaEs::default(), &trials, Draws { seed: 1, number }));
    assert_ne!(one, other);
}

#[test]
fn a_generation_is_learnt_when_it_is_whole() {
    let sampler = CmaEs { population: Some(6), ..CmaEs::default() };
    let trials = minimize(&sampler, 3, 40);
    let draws = Draws { seed: 9, number: 9 };
    let mut drawn = (1..=40).map(|n| {
        let some = study(trials.view().trials[..n].iter().map(|t| (**t).clone()).collect());
        sampler.sample_relative(some.view(), draws)
    });
    let mut changes = vec![];
    let mut before = drawn.next().unwrap();
    for (n, now) in (2..).zip(drawn) {
        if now != before {
            changes.push(n);
        }
        before = now;
    }
    // The first complete trial was drawn at random and is ignored; of ten trials, two are not complete.
    assert_eq!(changes, [9, 16, 23, 31, 39]);
}

#[test]
fn every_kind_is_drawn_or_left() {
    let kinds = kinds();
    let names: Vec<String> = (0..kinds.len()).map(|i| format!("x{i:02}")).collect();
    let middle = |d: &Arc<Distribution>| from_unit(d, 0.5);
    let params = names.iter().zip(&kinds).map(|(n, d)| (n.as_str(), middle(d), d));
    let params: Vec<_> = params.collect();
    let complete = |number| trial(number, TrialState::Complete, Some(1.0), &params);
    let history = study((0..80).map(complete).collect());
    assert!(
        CmaEs::default()
            .sample_relative(study(vec![]).view(), Draws { seed: 1, number: 0 })
            .is_empty()
    );
    for number in 80..200 {
        let drawn = CmaEs::default().sample_relative(history.view(), Draws { seed: 1, number });
        for (name, distribution) in names.iter().zip(&kinds) {
            let is_choice = matches!(**distribution, Distribution::Categorical { .. });
            assert_eq!(drawn.contains_key(name), !distribution.is_single() && !is_choice);
            assert!(drawn.get(name).is_none_or(|&x| distribution.contains(x)), "{drawn:?}");
        }
    }
}
