//! Tests of whole studies: requesting trials, sampling, several workers, interruption, and reproducibility.

#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use latents_progress::Monitor;
use latents_tune::TrialState::{Complete, Failed, Pruned};
use latents_tune::pruner::{Hyperband, Never, Percentile, Pruner};
use latents_tune::sampler::{Tpe, TrialSampler};
use latents_tune::storage::{self, Storage};
use latents_tune::{
    AskResult, Direction, Distribution, Error, MAX_FAILURES, Objective, OptimizeOptions, Outcome,
    Params, Space, Strategy, Study, StudyEvent, Trial, TrialRecord, TrialState, Value, optimize,
};

fn memory() -> Arc<dyn Storage> {
    storage::open("memory:").unwrap()
}

fn tpe() -> Box<dyn TrialSampler> {
    Box::new(Tpe { startup_trials: 5, ..Tpe::default() })
}

fn strategy(seed: u64, pruner: impl Pruner + 'static) -> Strategy {
    Strategy { sampler: tpe(), pruner: Box::new(pruner), seed: Some(seed), lockstep: None }
}

fn open(storage: &Arc<dyn Storage>, strategy: Strategy) -> Study {
    Study::open(Arc::clone(storage), "study", Direction::Minimize, strategy).unwrap()
}

fn space() -> Space {
    let json = r#"{
        "kind": {"choices": ["round", "flat"]},
        "x": {"float": [-3, 3]},
        "width": {"int": [1, 9], "when": {"kind": "flat"}}
    }"#;
    serde_json::from_str(json).unwrap()
}

fn number(params: &Params, name: &str) -> f64 {
    params.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}

/// A quadratic that is reported in steps, after pauses that may differ in each run.
struct Bowl<'a> {
    naps: &'a (dyn Fn(u64, i64) -> u64 + Sync),
}

impl Objective for Bowl<'_> {
    fn run(
        &self,
        trial: &mut Trial,
        params: &Params,
        _worker: usize,
        monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        let value = (number(params, "x") - 1.0).powi(2) + 0.1 * number(params, "width");
        for step in 1..=4 {
            std::thread::sleep(Duration::from_millis((self.naps)(trial.number(), step)));
            if monitor.is_cancelled() {
                return Ok(Outcome::Interrupted);
            }
            trial.report(step, value + 1.0 / step as f64)?;
            if trial.should_prune()? {
                return Ok(Outcome::Pruned);
            }
        }
        Ok(Outcome::Value(value))
    }
}

fn run(study: &Study, workers: usize, trials: u64, naps: &(dyn Fn(u64, i64) -> u64 + Sync)) {
    let options = OptimizeOptions { trials: Some(trials), workers, ..OptimizeOptions::default() };
    let monitor = Monitor::default();
    optimize(study, &space(), options, &Bowl { naps }, &monitor, &mut |_| {}).unwrap();
}

/// Ends each trial at once, by its number.
struct Ends<F>(F);

impl<F: Fn(u64) -> Outcome + Sync> Objective for Ends<F> {
    fn run(
        &self,
        trial: &mut Trial,
        _params: &Params,
        _worker: usize,
        _monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        Ok((self.0)(trial.number()))
    }
}

/// The result of a trial, without its times.
fn essence(trial: &TrialRecord) -> String {
    let TrialRecord { number, state, value, params, intermediate, .. } = trial;
    let params: Vec<_> = params.iter().map(|(name, p)| (name, p.internal)).collect();
    format!("{number} {state:?} {value:?} {params:?} {intermediate:?}")
}

fn essences(study: &Study) -> Vec<String> {
    study.trials().unwrap().iter().map(|trial| essence(trial)).collect()
}

#[test]
fn the_same_seed_gives_the_same_trials() {
    let trials = |seed| {
        let study = open(&memory(), strategy(seed, Percentile::median()));
        run(&study, 1, 40, &|_, _| 0);
        essences(&study)
    };
    let first = trials(7);
    assert_eq!(first.len(), 40);
    assert_eq!(trials(7), first);
    assert_ne!(trials(8), first);
    // Both kinds are tried, and only one has a width.
    assert!(
        first.iter().any(|t| t.contains("width")) && first.iter().any(|t| !t.contains("width"))
    );
    assert!(first.iter().any(|t| t.contains("Pruned")));
}

#[test]
fn the_best_is_found_and_either_way() {
    let storage = memory();
    let study = open(&storage, strategy(1, Never));
    run(&study, 1, 60, &|_, _| 0);
    let best = study.best().unwrap().unwrap();
    assert!(best.value.unwrap() < 0.05, "{best:?}");
    let all = study.trials().unwrap();
    assert_eq!(best.value, all.iter().filter_map(|t| t.value).min_by(f64::total_cmp));

    let up = Study::open(storage, "up", Direction::Maximize, strategy(1, Never)).unwrap();
    run(&up, 1, 60, &|_, _| 0);
    let best = up.best().unwrap().unwrap();
    assert!(best.value.unwrap() > 15.0, "the far end of the bowl: {best:?}");
}

#[test]
fn workers_in_lockstep_give_the_same_trials_whatever_their_pace() {
    let trials = |pruner: &dyn Fn() -> Box<dyn Pruner>, naps: &(dyn Fn(u64, i64) -> u64 + Sync)| {
        let strategy =
            Strategy { sampler: tpe(), pruner: pruner(), seed: Some(3), lockstep: Some(3) };
        let study = open(&memory(), strategy);
        run(&study, 3, 30, naps);
        essences(&study)
    };
    let median: &dyn Fn() -> Box<dyn Pruner> = &|| Box::new(Percentile::median());
    let band: &dyn Fn() -> Box<dyn Pruner> = &|| Box::new(Hyperband::default());
    for pruner in [median, band] {
        let even = trials(pruner, &|_, _| 1);
        let first_slow = trials(pruner, &|number, _| u64::from(number % 3 == 0) * 5);
        let jumpy = trials(pruner, &|number, step| (number * 7 + step as u64 * 5) % 4);
        assert_eq!(first_slow, even);
        assert_eq!(jumpy, even);
    }
}

#[test]
fn a_study_that_is_stopped_again_and_again_ends_like_one_that_is_not() {
    for (workers, lockstep) in [(1, None), (3, Some(3))] {
        let make = || Strategy {
            sampler: tpe(),
            pruner: Box::new(Percentile::median()),
            seed: Some(5),
            lockstep,
        };
        let whole = open(&memory(), make());
        run(&whole, workers, 25, &|_, _| 0);
        let storage = memory();
        let mut stops = 0;
        loop {
            // Another worker each time, as after a restart.
            let study = open(&storage, make());
            let (monitor, steps) = (Monitor::default(), AtomicUsize::new(0));
            let naps = |_, _| {
                if steps.fetch_add(1, Ordering::Relaxed) == 6 + stops {
                    monitor.cancel().cancel();
                }
                0
            };
            let options =
                OptimizeOptions { trials: Some(25), workers, ..OptimizeOptions::default() };
            let objective = Bowl { naps: &naps };
            match optimize(&study, &space(), options, &objective, &monitor, &mut |_| {}) {
                Ok(()) => break,
                Err(Error::Interrupted(_)) => stops += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(stops > 5, "{stops}");
        assert_eq!(essences(&open(&storage, make())), essences(&whole), "{workers} workers");
    }
}

#[test]
fn a_trial_that_is_dropped_is_taken_up_with_what_it_had() {
    let storage = memory();
    let (first, second) = (open(&storage, strategy(1, Never)), open(&storage, strategy(1, Never)));
    let AskResult::Trial(mut trial) = first.ask(Some(1)).unwrap() else { panic!("a trial") };
    let params = trial.suggest_all(&space()).unwrap();
    trial.report(1, 0.5).unwrap();
    assert!(matches!(second.ask(Some(1)).unwrap(), AskResult::Full { running: 1 }));
    drop(trial);
    let AskResult::Trial(mut trial) = second.ask(Some(1)).unwrap() else { panic!("a trial") };
    assert_eq!((trial.number(), trial.record().last_report()), (0, Some((1, 0.5))));
    assert_eq!(trial.suggest_all(&space()).unwrap(), params);
    trial.complete(0.25).unwrap();
    assert!(matches!(first.ask(Some(1)).unwrap(), AskResult::Full { running: 0 }));
    assert_eq!(first.best().unwrap().unwrap().value, Some(0.25));
}

#[test]
fn parameters_may_be_asked_for_one_by_one() {
    let storage = memory();
    let study = open(&storage, strategy(1, Never));
    let (x, y) = (Distribution::float(0.0, 1.0).unwrap(), Distribution::int(5, 5).unwrap());
    for _ in 0..12 {
        let AskResult::Trial(mut trial) = study.ask(None).unwrap() else { panic!("a trial") };
        let value = trial.suggest("x", &x).unwrap().as_f64().unwrap();
        assert_eq!(trial.suggest("x", &x).unwrap(), Value::Float(value), "chosen once");
        assert_eq!(trial.suggest("y", &y).unwrap(), Value::Int(5));
        trial.complete(value).unwrap();
    }
    // From the sixth trial on, values are sampled jointly and published to other workers.
    let trials = study.trials().unwrap();
    let is_told = |t: &TrialRecord| t.system_attrs.contains_key("tpe:relative_params:0");
    assert_eq!(
        trials.iter().map(|t| is_told(t)).collect::<Vec<_>>(),
        [[false; 5].as_slice(), &[true; 7]].concat()
    );
    assert!(study.best().unwrap().unwrap().value.unwrap() < 0.2);

    let AskResult::Trial(mut trial) = study.ask(None).unwrap() else { panic!("a trial") };
    let said = trial.suggest("x", &Distribution::log_float(1.0, 2.0).unwrap()).unwrap_err();
    assert!(matches!(said, Error::Incompatible { ref name, .. } if name == "x"), "{said}");
}

#[test]
fn queued_trials_come_first_with_their_values() {
    let storage = memory();
    let study = open(&storage, strategy(1, Never));
    study.enqueue(&[("x".into(), 2.5.into()), ("kind".into(), "flat".into())]).unwrap();
    run(&study, 1, 3, &|_, _| 0);
    let first = Arc::clone(&study.trials().unwrap()[0]);
    assert_eq!(first.param("x"), Some(Value::Float(2.5)));
    assert_eq!(first.param("kind"), Some("flat".into()));
    assert!(first.params.contains_key("width") && first.state == TrialState::Complete);
    assert_eq!(study.trials().unwrap().len(), 3);
}

#[test]
fn a_queued_trial_that_cannot_be_fails_and_the_next_goes_on() {
    let study = open(&memory(), strategy(1, Never));
    for (name, value) in [("kind", Value::from("oval")), ("x", "far".into()), ("x", 2.0.into())] {
        study.enqueue(&[(name.into(), value)]).unwrap();
    }
    run(&study, 1, 5, &|_, _| 0);
    let trials = study.trials().unwrap();
    let states: Vec<_> = trials.iter().map(|t| t.state).collect();
    assert_eq!(states, [Failed, Failed, Complete, Complete, Complete]);
    let said = trials[0].user_attrs["error"].as_str().unwrap();
    assert!(said.starts_with("trial 0 was queued with a value that `kind` cannot have"), "{said}");
    assert!(said.contains("oval"), "{said}");
}

#[test]
fn a_panic_ends_all_workers_also_those_that_wait_for_its_trial() {
    let panics = Ends(|number| {
        // The other worker then waits, with the trial after the next, for this one.
        std::thread::sleep(Duration::from_millis(if number == 0 { 300 } else { 1 }));
        assert!(number > 0, "a fault of the program");
        Outcome::Value(1.0)
    });
    let strategy = Strategy { lockstep: Some(2), ..strategy(1, Never) };
    let study = open(&memory(), strategy);
    let monitor = Monitor::default();
    let options = OptimizeOptions { trials: Some(10), workers: 2, ..OptimizeOptions::default() };
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        optimize(&study, &space(), options, &panics, &monitor, &mut |_| {})
    }));
    assert!(ended.is_err() && study.trials().unwrap().len() < 10);
    assert!(!monitor.is_cancelled(), "only this study ends");
}

#[test]
fn a_parameter_that_is_asked_for_again_keeps_what_it_was_chosen_from() {
    let study = open(&memory(), strategy(1, Never));
    let AskResult::Trial(mut trial) = study.ask(None).unwrap() else { panic!("a trial") };
    let wide = Distribution::float(0.0, 1.0).unwrap();
    let value = trial.suggest("x", &wide).unwrap();
    assert_eq!(trial.suggest("x", &Distribution::float(0.0, 0.5).unwrap()).unwrap(), value);
    trial.complete(1.0).unwrap();
    assert_eq!(*study.trials().unwrap()[0].params["x"].distribution, wide);
}

#[test]
fn values_that_are_no_numbers_fail_the_trial() {
    let strange = Ends(|number| match number {
        0 => Outcome::Value(f64::NAN),
        1 => Outcome::Value(f64::INFINITY),
        2 => Outcome::Failed("it exploded".into()),
        3 => Outcome::Pruned,
        _ => Outcome::Value(1.0),
    });
    let study = open(&memory(), strategy(1, Never));
    let mut ends = vec![];
    let options = OptimizeOptions { trials: Some(5), workers: 1, ..OptimizeOptions::default() };
    optimize(&study, &space(), options, &strange, &Monitor::default(), &mut |event| {
        if let StudyEvent::Finished { number, state } = event {
            ends.push((number, state));
        }
    })
    .unwrap();
    assert_eq!(ends, [(0, Failed), (1, Complete), (2, Failed), (3, Pruned), (4, Complete)]);
    let trials = study.trials().unwrap();
    assert_eq!(trials[2].user_attrs["error"], "it exploded");
    assert_eq!((trials[0].value, trials[3].value), (None, None));
    assert_eq!(study.best().unwrap().unwrap().number, 4);
}

#[test]
fn a_search_that_only_fails_ends_and_can_be_continued() {
    let study = open(&memory(), strategy(1, Never));
    let run = |trials, workers, fails: fn(u64) -> bool| {
        let objective = Ends(move |number| {
            if fails(number) {
                Outcome::Failed(format!("it exploded at {number}"))
            } else {
                Outcome::Value(1.0)
            }
        });
        let options =
            OptimizeOptions { trials: Some(trials), workers, ..OptimizeOptions::default() };
        optimize(&study, &space(), options, &objective, &Monitor::default(), &mut |_| {})
    };
    let ends = |done: Result<(), Error>, wanted: (u64, u64)| match done {
        Err(Error::AllFailed { failed, number, reason, .. }) => {
            assert_eq!((failed, number), wanted);
            assert_eq!(reason, format!("it exploded at {number}"));
        }
        other => panic!("{other:?}"),
    };
    // The last of the trials that may run also ends it.
    ends(run(2, 1, |_| true), (2, 0));
    ends(run(2, 1, |_| true), (2, 0));
    // A later call runs some more, and tells of its own.
    ends(run(20, 1, |_| true), (2 + MAX_FAILURES, 2));
    assert_eq!(study.trials().unwrap().len() as u64, 2 + MAX_FAILURES);
    // One value is enough, whoever finds it.
    run(20, 1, |number| number != 9).unwrap();
    run(40, 1, |_| true).unwrap();
    assert_eq!(study.trials().unwrap().len(), 40);

    let never = OptimizeOptions { trials: Some(9), max_failures: None, workers: 2 };
    let study = open(&memory(), strategy(1, Never));
    let fails = Ends(|_| Outcome::Failed("ever".into()));
    optimize(&study, &space(), never, &fails, &Monitor::default(), &mut |_| {}).unwrap();
    assert_eq!(study.trials().unwrap().len(), 9);
}

#[test]
fn an_objective_that_cannot_go_on_ends_the_study_and_loses_nothing() {
    struct Full;
    impl Objective for Full {
        fn run(
            &self,
            trial: &mut Trial,
            _params: &Params,
            _worker: usize,
            monitor: &Monitor,
        ) -> Result<Outcome, Error> {
            while trial.number() != 2 && !monitor.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            match trial.number() {
                2 => Err(Error::Objective { number: 2, reason: "disk full".into() }),
                _ => Ok(Outcome::Interrupted),
            }
        }
    }
    let storage = memory();
    let study = open(&storage, strategy(1, Never));
    let options = OptimizeOptions { trials: Some(9), workers: 3, ..OptimizeOptions::default() };
    let monitor = Monitor::default();
    let said = optimize(&study, &space(), options, &Full, &monitor, &mut |_| {}).unwrap_err();
    assert_eq!(said.to_string(), "trial 2: disk full");
    assert!(!monitor.is_cancelled(), "only this study ends");
    assert!(study.trials().unwrap().iter().all(|t| t.state == TrialState::Running));
    run(&open(&storage, strategy(1, Never)), 2, 9, &|_, _| 0);
    let trials = study.trials().unwrap();
    assert_eq!(trials.len(), 9);
    assert!(trials.iter().all(|t| t.state == TrialState::Complete));
}

/// Is interrupted the first time.
struct Impatient<'a>(&'a AtomicUsize);
impl Objective for Impatient<'_> {
    fn run(
        &self,
        _trial: &mut Trial,
        _params: &Params,
        _worker: usize,
        _monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err(latents_progress::Interrupted.into()),
            _ => Ok(Outcome::Value(2.0)),
        }
    }
}

#[test]
fn a_study_that_is_cancelled_is_interrupted_and_a_complete_one_is_not() {
    let study = open(&memory(), strategy(1, Never));
    let monitor = Monitor::default();
    let options = OptimizeOptions { trials: Some(3), workers: 2, ..OptimizeOptions::default() };
    let tries = AtomicUsize::new(0);
    let go = |monitor: &Monitor| {
        let ends = Ends(|_| Outcome::Value(1.0));
        let mut finished = 0;
        let ended = optimize(&study, &space(), options, &ends, monitor, &mut |event| {
            finished += u64::from(matches!(event, StudyEvent::Finished { .. }));
        });
        (ended, finished)
    };
    monitor.cancel().cancel();
    assert!(matches!(go(&monitor), (Err(Error::Interrupted(_)), 0)));
    assert!(study.trials().unwrap().is_empty());
    assert!(matches!(go(&Monitor::default()), (Ok(()), 3)));

    // An objective may also pass on the error of its own work; the trial is then resumed, here at once.
    let options = OptimizeOptions { trials: Some(4), workers: 1, ..OptimizeOptions::default() };
    let objective = Impatient(&tries);
    optimize(&study, &space(), options, &objective, &Monitor::default(), &mut |_| {}).unwrap();
    assert_eq!((study.trials().unwrap()[3].value, tries.into_inner()), (Some(2.0), 2));
}

#[test]
fn a_study_of_another_kind_is_refused() {
    let storage = memory();
    drop(open(&storage, strategy(1, Never)));
    let reopen = |direction, seed| {
        let strategy = Strategy { seed, ..strategy(0, Never) };
        Study::open(Arc::clone(&storage), "study", direction, strategy).map(|study| study.seed())
    };
    let said = |result: Result<u64, Error>| {
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::OtherDirection { .. } | Error::OtherSeed { .. }),
            "{error:?}"
        );
        error.to_string()
    };
    assert!(
        said(reopen(Direction::Maximize, None)).contains("it minimises, but is asked to maximise")
    );
    assert!(said(reopen(Direction::Minimize, Some(2))).contains("its seed is 1"));
    assert_eq!(reopen(Direction::Minimize, None).unwrap(), 1);
}
