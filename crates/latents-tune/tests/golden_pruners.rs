//! Compares decisions of pruners with Optuna 5.0's, in `golden/pruners*.json`, which `xtask/python/golden_pruners.py` writes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use latents_tune::pruner::{Hyperband, Patient, Percentile, Pruner, SuccessiveHalving, Threshold};
use latents_tune::{Direction, History, TrialRecord, TrialState};
use serde_json::Value as Json;

fn load(text: &str) -> Vec<Json> {
    serde_json::from_str(text).unwrap()
}

fn make(settings: &Json) -> Box<dyn Pruner> {
    let mut settings = settings.clone();
    let fields = settings.as_object_mut().unwrap();
    let kind = fields.remove("kind").unwrap();
    match kind.as_str().unwrap() {
        "median" | "percentile" => read::<Percentile>(settings),
        "threshold" => read::<Threshold>(settings),
        "halving" => read::<SuccessiveHalving>(settings),
        "hyperband" => read::<Hyperband>(settings),
        "patient" => Box::new(Patient {
            wrapped: fields.get("wrapped").map(make),
            patience: fields["patience"].as_u64().unwrap() as usize,
            min_delta: fields.get("min_delta").map_or(0.0, number),
        }),
        other => panic!("{other}"),
    }
}

fn read<P: Pruner + serde::de::DeserializeOwned + 'static>(settings: Json) -> Box<dyn Pruner> {
    let pruner: P = serde_json::from_value(settings).unwrap();
    assert_eq!(pruner.check(), Ok(()));
    Box::new(pruner)
}

fn number(json: &Json) -> f64 {
    match json {
        Json::Null => f64::NAN,
        Json::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

fn reports(json: &Json) -> Vec<(i64, f64)> {
    let pairs = json.as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_i64().unwrap(), number(&pair[1]))).collect()
}

fn state(json: &Json) -> TrialState {
    serde_json::from_value(json.clone()).unwrap()
}

fn trial(number: usize, state: TrialState, reports: &[(i64, f64)]) -> TrialRecord {
    TrialRecord {
        id: number as i64,
        number: number as u64,
        state,
        value: (state == TrialState::Complete).then_some(0.0),
        params: BTreeMap::new(),
        intermediate: reports.iter().copied().collect(),
        user_attrs: BTreeMap::new(),
        system_attrs: BTreeMap::new(),
        started: None,
        finished: None,
    }
}

#[test]
fn pruners_that_remember_nothing() {
    for case in load(include_str!("golden/pruners.json")) {
        let direction: Direction = serde_json::from_value(case["direction"].clone()).unwrap();
        let known = case["trials"].as_array().unwrap().iter().enumerate();
        let trials: Vec<_> = known
            .map(|(i, known)| Arc::new(trial(i, state(&known[0]), &reports(&known[1]))))
            .collect();
        let history = History { direction, trials: &trials };
        for pruner in case["pruners"].as_array().unwrap() {
            let (settings, made) = (&pruner["pruner"], make(&pruner["pruner"]));
            let mut expected = pruner["stopped"].as_str().unwrap().chars();
            for judged in case["judged"].as_array().unwrap() {
                let judged = reports(judged);
                for end in 1..=judged.len() {
                    let running = trial(trials.len(), TrialState::Running, &judged[..end]);
                    let stopped = made.prune("", history, &running);
                    let expected = expected.next().unwrap() == '1';
                    assert_eq!(stopped, expected, "{settings} {direction:?} {:?}", &judged[..end]);
                }
            }
            assert_eq!(expected.next(), None);
        }
    }
}

#[test]
fn pruners_that_optuna_lets_note_things_down() {
    for case in load(include_str!("golden/pruners_rungs.json")) {
        let direction: Direction = serde_json::from_value(case["direction"].clone()).unwrap();
        let (study, settings) = (case["study"].as_str().unwrap(), &case["pruner"]);
        let pruner = make(settings);
        let mut trials: Vec<Arc<TrialRecord>> = Vec::new();
        let events = case["events"].as_array().unwrap();
        for (time, event) in events.iter().enumerate() {
            let index = event[0].as_u64().unwrap() as usize;
            for number in trials.len()..=index {
                trials.push(Arc::new(trial(number, TrialState::Running, &[])));
            }
            let record = Arc::make_mut(&mut trials[index]);
            let Some(step) = event[1].as_i64() else {
                record.state = state(&event[1]);
                record.finished = Some(UNIX_EPOCH + Duration::from_secs(time as u64));
                continue;
            };
            record.intermediate.insert(step, number(&event[2]));
            let mut others = trials.clone();
            let record = others.remove(index);
            let stopped = pruner.prune(study, History { direction, trials: &others }, &record);
            assert_eq!(stopped, event[3] == 1, "{study} {settings} {direction:?} {event}");
        }
        let Some(brackets) = case.get("brackets") else { continue };
        let brackets = serde_json::from_value::<Vec<u32>>(brackets.clone()).unwrap();
        check_peers(pruner.as_ref(), study, History { direction, trials: &trials }, &brackets);
    }
}

#[test]
fn brackets_of_hyperband() {
    let trials: Vec<_> = (0..64).map(|i| Arc::new(trial(i, TrialState::Running, &[]))).collect();
    let history = History { direction: Direction::Minimize, trials: &trials };
    for case in load(include_str!("golden/pruners_brackets.json")) {
        let (settings, brackets): (Hyperband, Vec<u32>) = serde_json::from_value(case).unwrap();
        check_peers(&settings, "Größe", history, &brackets);
    }
}

/// Checks that the peers of each trial are the trials of its bracket.
fn check_peers(pruner: &dyn Pruner, study: &str, history: History<'_>, brackets: &[u32]) {
    assert_eq!(history.trials.len(), brackets.len());
    for trial in history.trials {
        let peers = pruner.peers(study, history, trial.number);
        let own = brackets[trial.number as usize];
        let same = brackets.iter().enumerate().filter(|(_, bracket)| **bracket == own);
        let expected: Vec<u64> = same.map(|(number, _)| number as u64).collect();
        let found: Vec<u64> = peers.iter().map(|peer| peer.number).collect();
        assert_eq!(found, expected, "{study} trial {}", trial.number);
    }
}
