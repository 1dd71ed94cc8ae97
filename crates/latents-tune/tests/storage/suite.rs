//! Tests that every storage must pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use latents_tune::storage::{Claim, FIXED, OWNER, Start, Storage};
use latents_tune::{
    Direction, Distribution, Error, TrialParameter, TrialRecord, TrialState, Value,
};
use serde_json::{Value as Json, json};

/// No trial is abandoned.
pub(crate) fn alive(_: &str, _: f64) -> bool {
    false
}

pub(crate) fn study(storage: &dyn Storage) -> i64 {
    storage.create_study("study", Direction::Minimize).unwrap().id
}

/// Starts a trial for a worker.
pub(crate) fn start(storage: &dyn Storage, study: i64, owner: &str) -> TrialRecord {
    match storage.start_trial(study, owner, None, &alive).unwrap() {
        Start::Trial(trial) => trial,
        Start::Full { .. } => panic!("there is no limit"),
    }
}

pub(crate) fn claim<'a>(trial: &TrialRecord, owner: &'a str) -> Claim<'a> {
    Claim { trial: trial.id, number: trial.number, owner }
}

fn only(storage: &dyn Storage, study: i64) -> TrialRecord {
    let trials = storage.trials(study).unwrap();
    assert_eq!(trials.len(), 1);
    (*trials[0]).clone()
}

pub(crate) fn is_lost<T>(result: Result<T, Error>, number: u64) -> bool {
    matches!(result, Err(Error::Lost { number: n }) if n == number)
}

pub(crate) fn studies(storage: &dyn Storage) {
    assert!(storage.study("a").unwrap().is_none());
    let a = storage.create_study("a", Direction::Minimize).unwrap();
    let b = storage.create_study("b's \"study\"", Direction::Maximize).unwrap();
    assert_eq!((a.name.as_str(), a.direction), ("a", Direction::Minimize));
    assert_eq!((b.name.as_str(), b.direction), ("b's \"study\"", Direction::Maximize));
    assert_ne!(a.id, b.id);
    assert_eq!(storage.create_study("a", Direction::Maximize).unwrap(), a);
    assert_eq!(storage.study("b's \"study\"").unwrap().unwrap(), b);
    assert!(storage.study("c").unwrap().is_none());
    assert_eq!(storage.studies().unwrap(), [a, b]);
}

pub(crate) fn study_notes(storage: &dyn Storage) {
    let id = study(storage);
    let other = storage.create_study("other", Direction::Minimize).unwrap().id;
    assert_eq!(storage.study_attr(id, "seed").unwrap(), None);
    let first = json!({"seed": u64::MAX, "of": ["a", null]});
    assert_eq!(storage.init_study_attr(id, "seed", &first).unwrap(), first);
    assert_eq!(storage.init_study_attr(id, "seed", &json!(2)).unwrap(), first);
    assert_eq!(storage.study_attr(id, "seed").unwrap(), Some(first));
    assert_eq!(storage.study_attr(id, "other").unwrap(), None);
    assert_eq!(storage.init_study_attr(other, "seed", &json!(2)).unwrap(), json!(2));
}

pub(crate) fn life_of_a_trial(storage: &dyn Storage) {
    let id = study(storage);
    assert!(storage.trials(id).unwrap().is_empty());
    let before = SystemTime::now() - Duration::from_millis(2);
    let trial = start(storage, id, "me");
    assert_eq!((trial.number, trial.state), (0, TrialState::Running));
    assert_eq!(trial.system_attrs, BTreeMap::from([(OWNER.to_string(), json!("me"))]));
    assert_eq!(only(storage, id), trial);

    let me = claim(&trial, "me");
    let x = Distribution::log_float(1e-5, 0.1).unwrap();
    let n = Distribution::stepped_int(2, 8, 2).unwrap();
    let kind =
        Distribution::categorical([Value::None, true.into(), 3.into(), 0.5.into(), "a".into()])
            .unwrap();
    storage.set_params(me, &[("x", 0.1 + 0.2, &x), ("n", 4.0, &n)]).unwrap();
    storage.set_params(me, &[("kind", 4.0, &kind)]).unwrap();
    storage.report(me, 10, 0.25).unwrap();
    storage.report(me, -3, 1.0).unwrap();
    storage.set_user_attr(me, "loss", &json!([1.5, "a"])).unwrap();
    storage.set_system_attr(me, "bracket", &json!(2)).unwrap();
    storage.record_heartbeat(me).unwrap();
    let parameter = |internal, distribution: &Distribution| TrialParameter {
        internal,
        distribution: Arc::new(distribution.clone()),
    };
    let mut expected = TrialRecord {
        params: [
            ("x".to_string(), parameter(0.1 + 0.2, &x)),
            ("n".to_string(), parameter(4.0, &n)),
            ("kind".to_string(), parameter(4.0, &kind)),
        ]
        .into(),
        intermediate: [(-3, 1.0), (10, 0.25)].into(),
        user_attrs: [("loss".to_string(), json!([1.5, "a"]))].into(),
        ..trial.clone()
    };
    expected.system_attrs.insert("bracket".into(), json!(2));
    assert_eq!(only(storage, id), expected);

    storage.finish(me, TrialState::Complete, Some(0.125)).unwrap();
    let after = SystemTime::now() + Duration::from_millis(2);
    let done = only(storage, id);
    assert!(before <= done.started.unwrap() && done.finished.unwrap() <= after);
    assert!(done.started <= done.finished);
    expected.state = TrialState::Complete;
    expected.value = Some(0.125);
    expected.finished = done.finished;
    assert_eq!(done, expected);

    for (state, value) in
        [(TrialState::Pruned, Some(7.0)), (TrialState::Pruned, None), (TrialState::Failed, None)]
    {
        let trial = start(storage, id, "me");
        storage.finish(claim(&trial, "me"), state, value).unwrap();
        let done = Arc::clone(storage.trials(id).unwrap().last().unwrap());
        assert_eq!((done.id, done.state, done.value), (trial.id, state, value));
    }
}

pub(crate) fn the_last_write_counts(storage: &dyn Storage) {
    let id = study(storage);
    let trial = start(storage, id, "me");
    let me = claim(&trial, "me");
    let (narrow, wide) =
        (Distribution::float(0.0, 1.0).unwrap(), Distribution::float(0.0, 2.0).unwrap());
    for (round, range) in [(0, &narrow), (1, &wide)] {
        storage.report(me, 1, f64::from(round)).unwrap();
        storage.set_user_attr(me, "note", &json!(round)).unwrap();
        storage.set_system_attr(me, "note", &json!(-round)).unwrap();
        storage.set_params(me, &[("x", f64::from(round), range)]).unwrap();
    }
    let read = only(storage, id);
    assert_eq!(read.intermediate, BTreeMap::from([(1, 1.0)]));
    assert_eq!(read.user_attrs["note"], json!(1));
    assert_eq!(read.system_attrs["note"], json!(-1));
    assert_eq!(read.params["x"], TrialParameter { internal: 1.0, distribution: Arc::new(wide) });
}

pub(crate) fn special_numbers(storage: &dyn Storage) {
    let id = study(storage);
    let numbers = [
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        -0.1,
        0.1 + 0.2,
        1.0 / 3.0,
        9_007_199_254_740_993.0,
    ];
    for (step, &number) in numbers.iter().enumerate() {
        let trial = start(storage, id, "me");
        let me = claim(&trial, "me");
        storage.report(me, step as i64, number).unwrap();
        storage.report(me, 100, f64::NAN).unwrap();
        storage.finish(me, TrialState::Complete, Some(number)).unwrap();
    }
    for (step, (trial, number)) in storage.trials(id).unwrap().iter().zip(numbers).enumerate() {
        assert_eq!(trial.value.unwrap().to_bits(), number.to_bits());
        assert_eq!(trial.intermediate[&(step as i64)].to_bits(), number.to_bits());
        assert!(trial.intermediate[&100].is_nan());
    }
    let trial = start(storage, id, "me");
    let any = Distribution::float(-1e300, 1e300).unwrap();
    let params = [("a", 5e-324, &any), ("b", -1e300, &any), ("c", 0.0, &any)];
    storage.set_params(claim(&trial, "me"), &params).unwrap();
    let said = storage.set_params(claim(&trial, "me"), &[("d", f64::NAN, &any)]).unwrap_err();
    assert!(said.to_string().contains("parameter `d`: NaN is not a value"), "{said}");
    let read = storage.trials(id).unwrap().pop().unwrap();
    let kept: Vec<f64> = read.params.values().map(|parameter| parameter.internal).collect();
    assert_eq!(kept, [5e-324, -1e300, 0.0]);
}

pub(crate) fn odd_notes(storage: &dyn Storage) {
    let id = study(storage);
    let trial = start(storage, id, "a worker's \"name\" \\ ü");
    let me = claim(&trial, "a worker's \"name\" \\ ü");
    let notes = [
        ("", json!(null)),
        ("it's; DROP TABLE trials; --", json!("' OR 1=1; --")),
        ("日本", json!({"": [true, -1, 1.0e-7, "\u{0}\n\"\\", "🦀"]})),
        ("$1", json!([])),
    ];
    for (key, note) in &notes {
        storage.set_user_attr(me, key, note).unwrap();
        storage.set_system_attr(me, key, note).unwrap();
    }
    let range = Distribution::categorical(["ü'\"", "b"]).unwrap();
    storage.set_params(me, &[("a.b['c']", 1.0, &range)]).unwrap();
    let read = only(storage, id);
    let expected: BTreeMap<String, Json> =
        notes.iter().map(|(key, note)| ((*key).to_string(), note.clone())).collect();
    assert_eq!(read.user_attrs, expected);
    assert_eq!(read.system_attrs.len(), expected.len() + 1);
    assert!(expected.iter().all(|(key, note)| read.system_attrs[key] == *note));
    assert_eq!(read.param("a.b['c']"), Some("b".into()));
}

pub(crate) fn claims(storage: &dyn Storage) {
    let id = study(storage);
    let range = Distribution::float(0.0, 1.0).unwrap();
    // Without a valid claim, each of these calls fails and writes nothing.
    let powerless = |claim: Claim<'_>| {
        let before = storage.trials(id).unwrap();
        let note = json!(1);
        let tried = [
            storage.set_params(claim, &[("x", 0.5, &range)]),
            storage.report(claim, 0, 1.0),
            storage.set_user_attr(claim, "a", &note),
            storage.set_system_attr(claim, "a", &note),
            storage.set_system_attr(claim, OWNER, &json!("thief")),
            storage.record_heartbeat(claim),
            storage.release(claim),
            storage.finish(claim, TrialState::Complete, Some(1.0)),
            storage.finish(claim, TrialState::Failed, None),
        ];
        for result in tried {
            assert!(is_lost(result, claim.number));
        }
        assert_eq!(storage.trials(id).unwrap(), before);
    };
    let trial = start(storage, id, "me");
    let me = claim(&trial, "me");
    powerless(claim(&trial, "you"));
    powerless(claim(&trial, ""));
    powerless(Claim { trial: trial.id + 1000, number: 1000, owner: "me" });

    storage.release(me).unwrap();
    powerless(me);
    let again = start(storage, id, "you");
    assert_eq!(again.id, trial.id);
    powerless(me);

    storage.finish(claim(&trial, "you"), TrialState::Complete, Some(1.0)).unwrap();
    powerless(claim(&trial, "you"));
    powerless(me);

    storage.enqueue(id, &[]).unwrap();
    let queued = (*storage.trials(id).unwrap()[1]).clone();
    powerless(claim(&queued, "me"));
}

pub(crate) fn limits(storage: &dyn Storage) {
    let id = study(storage);
    let ask = |limit, is_abandoned: &dyn Fn(&str, f64) -> bool| match storage
        .start_trial(id, "me", Some(limit), is_abandoned)
        .unwrap()
    {
        Start::Trial(trial) => Ok(trial),
        Start::Full { running } => Err(running),
    };
    assert_eq!(ask(0, &alive), Err(0));
    let first = ask(2, &alive).unwrap();
    let second = ask(2, &alive).unwrap();
    assert_eq!(ask(2, &alive), Err(2));
    storage.finish(claim(&first, "me"), TrialState::Failed, None).unwrap();
    assert_eq!(ask(2, &alive), Err(1));
    // A limit does not apply to trials that exist already.
    assert_eq!(ask(2, &|_, _| true).unwrap().id, second.id);
    assert_eq!(storage.enqueue(id, &[]).unwrap(), 2);
    let third = ask(2, &alive).unwrap();
    assert_eq!(third.number, 2);
    storage.finish(claim(&second, "me"), TrialState::Pruned, None).unwrap();
    storage.finish(claim(&third, "me"), TrialState::Complete, Some(0.0)).unwrap();
    assert_eq!(ask(3, &alive), Err(0));
    assert_eq!(ask(4, &alive).unwrap().number, 3);
}

pub(crate) fn numbers(storage: &dyn Storage) {
    let a = storage.create_study("a", Direction::Minimize).unwrap().id;
    let b = storage.create_study("b", Direction::Minimize).unwrap().id;
    let mut keys = Vec::new();
    for (study, number) in [(a, 0), (b, 0), (b, 1), (a, 1), (b, 2), (a, 2)] {
        let trial = start(storage, study, "me");
        assert_eq!(trial.number, number);
        keys.push(trial.id);
    }
    let of = |study| storage.trials(study).unwrap().iter().map(|t| t.id).collect::<Vec<_>>();
    assert_eq!(of(a), [keys[0], keys[3], keys[5]]);
    assert_eq!(of(b), [keys[1], keys[2], keys[4]]);
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), 6);
}

pub(crate) fn abandoned_trials(storage: &dyn Storage) {
    let id = study(storage);
    let trial = start(storage, id, "dead");
    let dead = claim(&trial, "dead");
    let range = Distribution::float(0.0, 1.0).unwrap();
    storage.set_params(dead, &[("x", 0.5, &range)]).unwrap();
    storage.report(dead, 1, 2.0).unwrap();
    storage.set_user_attr(dead, "note", &json!("kept")).unwrap();
    start(storage, id, "busy");
    let left = (*storage.trials(id).unwrap()[0]).clone();

    let asked = std::cell::RefCell::new(Vec::new());
    let is_abandoned = |owner: &str, age: f64| {
        asked.borrow_mut().push((owner.to_string(), age));
        owner == "dead"
    };
    let Start::Trial(taken) = storage.start_trial(id, "heir", Some(2), &is_abandoned).unwrap()
    else {
        panic!("a trial was abandoned");
    };
    assert_eq!(asked.borrow()[0].0, "dead");
    assert!((-1.0..5.0).contains(&asked.borrow()[0].1), "{asked:?}");
    let mut expected = left;
    expected.system_attrs.insert(OWNER.into(), json!("heir"));
    assert_eq!(taken, expected);
    assert_eq!(*storage.trials(id).unwrap()[0], expected);
    assert!(is_lost(storage.record_heartbeat(dead), 0));
    storage.finish(claim(&taken, "heir"), TrialState::Complete, Some(1.0)).unwrap();

    asked.borrow_mut().clear();
    let full = storage.start_trial(id, "heir", Some(2), &is_abandoned).unwrap();
    assert_eq!(full, Start::Full { running: 1 });
    let owners: Vec<_> = asked.borrow().iter().map(|(owner, _)| owner.clone()).collect();
    assert_eq!(owners, ["busy"]);
}

pub(crate) fn released_trials(storage: &dyn Storage) {
    let id = study(storage);
    let first = start(storage, id, "a");
    let second = start(storage, id, "b");
    storage.release(claim(&second, "b")).unwrap();
    assert_eq!(storage.trials(id).unwrap()[1].state, TrialState::Running);
    let is_abandoned = |owner: &str, _| {
        assert_eq!(owner, "a", "a trial that was released has no owner to ask about");
        false
    };
    let Start::Trial(taken) = storage.start_trial(id, "c", Some(2), &is_abandoned).unwrap() else {
        panic!("a trial was released");
    };
    assert_eq!((taken.id, taken.number, taken.started), (second.id, 1, second.started));
    storage.record_heartbeat(claim(&first, "a")).unwrap();
    storage.record_heartbeat(claim(&second, "c")).unwrap();
}

pub(crate) fn queued_trials(storage: &dyn Storage) {
    let id = study(storage);
    start(storage, id, "me");
    let fixed = [
        ("x".to_string(), Value::Float(0.5)),
        ("n".to_string(), Value::Int(3)),
        ("kind".to_string(), "b".into()),
        ("none".to_string(), Value::None),
    ];
    assert_eq!(storage.enqueue(id, &fixed).unwrap(), 1);
    assert_eq!(storage.enqueue(id, &[]).unwrap(), 2);
    let queued = (*storage.trials(id).unwrap()[1]).clone();
    let note = json!({"x": 0.5, "n": 3, "kind": "b", "none": null});
    assert_eq!((queued.state, queued.started), (TrialState::Waiting, None));
    assert_eq!(queued.system_attrs, BTreeMap::from([(FIXED.to_string(), note.clone())]));

    let taken = start(storage, id, "me");
    assert_eq!((taken.id, taken.number, taken.state), (queued.id, 1, TrialState::Running));
    assert!(taken.started.is_some());
    let notes = BTreeMap::from([(FIXED.to_string(), note), (OWNER.to_string(), json!("me"))]);
    assert_eq!(taken.system_attrs, notes);
    assert_eq!(*storage.trials(id).unwrap()[1], taken);
    assert_eq!(start(storage, id, "me").number, 2);
    assert_eq!(start(storage, id, "me").number, 3);
}

pub(crate) fn what_comes_first(storage: &dyn Storage) {
    let id = study(storage);
    storage.enqueue(id, &[]).unwrap();
    let waiting = start(storage, id, "dead");
    storage.enqueue(id, &[]).unwrap();
    let running = start(storage, id, "dead");
    storage.enqueue(id, &[]).unwrap();
    let numbers: Vec<u64> = (0..4)
        .map(|_| match storage.start_trial(id, "me", None, &|owner, _| owner == "dead").unwrap() {
            Start::Trial(trial) => trial.number,
            Start::Full { .. } => panic!("there is no limit"),
        })
        .collect();
    assert_eq!((waiting.number, running.number), (0, 1));
    assert_eq!(numbers, [0, 1, 2, 3]);
}

pub(crate) fn incompatible_parameters(storage: &dyn Storage) {
    let id = study(storage);
    let float = Distribution::float(0.0, 1.0).unwrap();
    let wide = Distribution::stepped_float(-8.0, 8.0, 0.5).unwrap();
    let log = Distribution::log_float(0.5, 1.0).unwrap();
    let int = Distribution::int(0, 1).unwrap();
    let first = start(storage, id, "me");
    storage.set_params(claim(&first, "me"), &[("x", 0.5, &float)]).unwrap();
    storage.finish(claim(&first, "me"), TrialState::Failed, None).unwrap();

    let second = start(storage, id, "me");
    let me = claim(&second, "me");
    for other in [&log, &int] {
        let refused = storage.set_params(me, &[("y", 0.5, &float), ("x", 1.0, other)]);
        let Err(Error::Incompatible { name, now, before }) = refused else { panic!("{refused:?}") };
        assert_eq!((name, now, before), ("x".into(), other.to_string(), float.to_string()));
    }
    assert!(storage.trials(id).unwrap()[1].params.is_empty());
    storage.set_params(me, &[("x", 1.0, &wide), ("y", 1.0, &int)]).unwrap();
    assert!(storage.set_params(me, &[("y", 0.5, &float)]).is_err());

    let other = storage.create_study("other", Direction::Minimize).unwrap().id;
    let third = start(storage, other, "me");
    storage.set_params(claim(&third, "me"), &[("x", 1.0, &int)]).unwrap();
}

pub(crate) fn impossible_ends(storage: &dyn Storage) {
    let id = study(storage);
    let trial = start(storage, id, "me");
    let cases = [
        (TrialState::Complete, None, "cannot be complete without a value"),
        (TrialState::Complete, Some(f64::NAN), "not a number"),
        (TrialState::Pruned, Some(f64::NAN), "not a number"),
        (TrialState::Running, Some(1.0), "cannot end as Running"),
        (TrialState::Waiting, None, "cannot end as Waiting"),
    ];
    for (state, value, expected) in cases {
        let said = storage.finish(claim(&trial, "me"), state, value).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(only(storage, id), trial);
}

pub(crate) fn finished_trials_are_kept(storage: &dyn Storage) {
    let id = study(storage);
    let trials: Vec<TrialRecord> = (0..600).map(|_| start(storage, id, "me")).collect();
    for trial in &trials[..599] {
        storage
            .finish(claim(trial, "me"), TrialState::Complete, Some(trial.number as f64))
            .unwrap();
    }
    let before = storage.trials(id).unwrap();
    storage.report(claim(&trials[599], "me"), 1, 1.0).unwrap();
    let after = storage.trials(id).unwrap();
    assert_eq!(after.len(), 600);
    for (number, (a, b)) in before.iter().zip(&after).enumerate() {
        assert_eq!(a.number, number as u64);
        assert_eq!(Arc::ptr_eq(a, b), number < 599);
    }
    assert_eq!(after[599].intermediate[&1], 1.0);
    assert_eq!(after[17].value, Some(17.0));
}
