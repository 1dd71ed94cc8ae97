//! Tests of storages that several processes can open.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::thread;

use latents_tune::storage::{Start, Storage};
use latents_tune::{Direction, Distribution, TrialState};
use serde_json::json;

use crate::suite::{alive, claim, is_lost, start, study};

type Open<'a> = &'a (dyn Fn() -> Arc<dyn Storage> + Sync);

/// Each sees at once what the other has written.
pub(crate) fn two_see_each_other(open: Open<'_>) {
    let (a, b) = (open(), open());
    let id = study(&*a);
    assert_eq!(study(&*b), id);
    let trial = start(&*a, id, "a");
    assert_eq!(*b.trials(id).unwrap()[0], trial);
    let range = Distribution::float(0.0, 1.0).unwrap();
    a.set_params(claim(&trial, "a"), &[("x", 0.5, &range)]).unwrap();
    assert_eq!(b.trials(id).unwrap()[0].params["x"].internal, 0.5);
    a.finish(claim(&trial, "a"), TrialState::Complete, Some(1.0)).unwrap();
    assert_eq!(b.trials(id).unwrap()[0].value, Some(1.0));
    assert_eq!(b.init_study_attr(id, "k", &json!("b")).unwrap(), json!("b"));
    assert_eq!(a.init_study_attr(id, "k", &json!("a")).unwrap(), json!("b"));

    let second = start(&*b, id, "b");
    let int = Distribution::int(0, 1).unwrap();
    assert!(b.set_params(claim(&second, "b"), &[("x", 1.0, &int)]).is_err());
    let Start::Trial(taken) = a.start_trial(id, "a", None, &|owner, _| owner == "b").unwrap()
    else {
        panic!("there is no limit");
    };
    assert_eq!(taken.id, second.id);
    assert!(is_lost(b.report(claim(&second, "b"), 0, 0.0), 1));
    a.report(claim(&second, "a"), 0, 0.0).unwrap();
    assert_eq!(b.trials(id).unwrap(), a.trials(id).unwrap());
}

/// Workers that start at the same instant, on a storage that does not exist yet, share one study and run each trial once.
pub(crate) fn many_begin_at_once(open: Open<'_>) {
    const WORKERS: usize = 6;
    const TRIALS: u64 = 60;
    let ready = Barrier::new(WORKERS);
    let worker = |name: String| {
        ready.wait();
        let storage = open();
        let id = storage.create_study("study", Direction::Maximize).unwrap().id;
        let seed = storage.init_study_attr(id, "seed", &json!(name)).unwrap();
        let mut mine = Vec::new();
        loop {
            match storage.start_trial(id, &name, Some(TRIALS), &alive).unwrap() {
                Start::Full { .. } => return (id, seed, mine),
                Start::Trial(trial) => {
                    storage.report(claim(&trial, &name), 0, 1.0).unwrap();
                    let end = claim(&trial, &name);
                    storage.finish(end, TrialState::Complete, Some(1.0)).unwrap();
                    mine.push((trial.number, trial.id));
                }
            }
        }
    };
    let done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..WORKERS).map(|i| scope.spawn(move || worker(format!("worker {i}")))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert!(done.iter().all(|(id, seed, _)| (id, seed) == (&done[0].0, &done[0].1)));
    let all: Vec<_> = done.iter().flat_map(|(_, _, mine)| mine.iter().copied()).collect();
    assert_eq!(all.len() as u64, TRIALS);
    let numbers: BTreeSet<u64> = all.iter().map(|(number, _)| *number).collect();
    assert!(numbers.into_iter().eq(0..TRIALS));
    let storage = open();
    let trials = storage.trials(done[0].0).unwrap();
    let keys: BTreeSet<_> = trials.iter().map(|trial| (trial.number, trial.id)).collect();
    assert_eq!(keys, all.into_iter().collect());
    assert!(trials.iter().all(|trial| trial.state == TrialState::Complete));
    assert_eq!(storage.studies().unwrap().len(), 1);
}

/// If several workers find the same abandoned trial, one gets it.
pub(crate) fn one_heir(open: Open<'_>) {
    const WORKERS: usize = 6;
    let storage = open();
    let id = study(&*storage);
    let trial = start(&*storage, id, "dead");
    let ready = Barrier::new(WORKERS);
    let heir = |name: String| {
        let storage = open();
        ready.wait();
        let started = storage.start_trial(id, &name, Some(1), &|owner, _| owner == "dead");
        matches!(started.unwrap(), Start::Trial(taken) if taken.id == trial.id)
    };
    let heirs = thread::scope(|scope| {
        let heirs: Vec<_> =
            (0..WORKERS).map(|i| scope.spawn(move || heir(format!("heir {i}")))).collect();
        heirs.into_iter().map(|heir| usize::from(heir.join().unwrap())).sum::<usize>()
    });
    assert_eq!(heirs, 1);
}
