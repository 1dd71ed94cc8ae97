//! Compares importances of parameters with Optuna 5.0's, in `golden/importance.json`, which `xtask/python/golden_importance.py` writes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use latents_tune::importance::ped_anova;
use latents_tune::{Direction, Distribution, History, TrialParameter, TrialRecord, TrialState};
use serde::Deserialize;
use serde_json::Value as Json;

/// State, value, and for each parameter the index of its distribution and its internal number.
type Trial = (TrialState, Json, BTreeMap<String, (usize, f64)>);

#[derive(Deserialize)]
struct Case {
    direction: Direction,
    distributions: Vec<Json>,
    trials: Vec<Trial>,
    importances: BTreeMap<String, f64>,
}

#[test]
fn importances_are_optunas() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden/importance.json")).unwrap();
    assert_eq!(cases.len(), 14);
    for (index, case) in cases.into_iter().enumerate() {
        let distributions: Vec<Arc<Distribution>> = case
            .distributions
            .iter()
            .map(|json| Arc::new(Distribution::from_json(&json.to_string()).unwrap()))
            .collect();
        let trial = |(number, (state, value, params)): (usize, &(_, Json, BTreeMap<_, _>))| {
            let params =
                params.iter().map(|(name, (distribution, internal)): (&String, &(usize, f64))| {
                    let distribution = Arc::clone(&distributions[*distribution]);
                    (name.clone(), TrialParameter { internal: *internal, distribution })
                });
            Arc::new(TrialRecord {
                id: number as i64,
                number: number as u64,
                state: *state,
                value: value.as_str().map_or(value.as_f64(), |text| text.parse().ok()),
                params: params.collect(),
                intermediate: BTreeMap::new(),
                user_attrs: BTreeMap::new(),
                system_attrs: BTreeMap::new(),
                started: None,
                finished: None,
            })
        };
        let trials: Vec<_> = case.trials.iter().enumerate().map(trial).collect();
        let found = ped_anova(History { direction: case.direction, trials: &trials });
        assert!(found.is_sorted_by(|(a, x), (b, y)| (y, a) < (x, b)), "case {index}: {found:?}");
        assert_eq!(found.len(), case.importances.len());
        for (name, importance) in found {
            let expected = case.importances[&name];
            let difference = (importance - expected).abs();
            assert!(difference <= 1e-9 * expected, "case {index} {name}: {importance} {expected}");
        }
    }
}
