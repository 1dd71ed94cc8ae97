//! Stages and their scheduler. A stage leaves its result in a file and is never repeated once it has; one that was cut off begins again and resumes
//! from the checkpoints of its runs. What the stages compute is in `s1` to `s5`.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use latents::Cancel;

use crate::error::{Error, Result};
use crate::results::StageResults;

/// The stage and the run of the autoencoder with the best settings, which later stages build on.
pub(crate) const BEST_AE: &str = "ae-best";

/// A piece of the work. `C` is what stages are given.
pub(crate) struct Stage<C> {
    /// The name of its result.
    pub(crate) name: &'static str,
    /// For people, such as "tuning the autoencoder".
    pub(crate) title: &'static str,
    /// The part of the study that it belongs to.
    pub(crate) part: &'static str,
    /// Roughly how long it takes compared with the others, in any unit.
    pub(crate) cost: f64,
    /// Stages that must be finished before it.
    pub(crate) after: &'static [&'static str],
    /// Computes its result and writes it.
    pub(crate) run: fn(&C) -> Result<()>,
}

/// The stages of some parts, or of all if none is named, with those that they need, in their order.
pub(crate) fn wanted<C>(all: Vec<Stage<C>>, parts: &[String]) -> Vec<Stage<C>> {
    let mut names: BTreeSet<&str> = all
        .iter()
        .filter(|s| parts.is_empty() || parts.iter().any(|p| p == s.part))
        .map(|s| s.name)
        .collect();
    for stage in all.iter().rev() {
        if names.contains(stage.name) {
            names.extend(stage.after);
        }
    }
    all.into_iter().filter(|stage| names.contains(stage.name)).collect()
}

/// Which stages are finished, and which are taken by a worker or finished.
struct SchedulerState {
    finished: BTreeSet<&'static str>,
    taken: BTreeSet<&'static str>,
    failed: bool,
}

/// Runs stages on as many threads as there are workers, each stage after those that it needs. `work` runs a stage on a worker. The first error,
/// or panic, cancels the other stages through `cancel` and is returned when they have stopped.
pub(crate) fn run<C: Send>(
    stages: &[Stage<C>],
    results: &StageResults,
    workers: Vec<C>,
    cancel: &Cancel,
    work: &(dyn Fn(&C, &Stage<C>) -> Result<()> + Sync),
) -> Result<()> {
    let finished: BTreeSet<_> =
        stages.iter().map(|s| s.name).filter(|name| results.has(name)).collect();
    let state = SchedulerState { taken: finished.clone(), finished, failed: false };
    let (state, changed) = (Mutex::new(state), Condvar::new());
    let lock = || -> MutexGuard<'_, SchedulerState> {
        state.lock().unwrap_or_else(PoisonError::into_inner)
    };
    let next = || -> Option<&Stage<C>> {
        let mut state = lock();
        loop {
            let left = stages.iter().filter(|s| !state.taken.contains(s.name));
            let ready = |s: &&Stage<C>| {
                // A stage that is not among these was left out on purpose.
                let known = |name: &&&str| stages.iter().any(|s| s.name == **name);
                s.after.iter().filter(known).all(|name| state.finished.contains(name))
            };
            let mut left = left.peekable();
            if state.failed || left.peek().is_none() {
                return None;
            }
            if let Some(stage) = left.find(ready) {
                state.taken.insert(stage.name);
                return Some(stage);
            }
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    };
    let run = |worker: C| -> Result<()> {
        while let Some(stage) = next() {
            // The other workers may be waiting for this stage, so a panic is an error like any other.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&worker, stage)));
            let outcome = outcome.unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
            let outcome = outcome.map_err(|e| e.in_stage(stage.name, stage.title));
            let mut state = lock();
            if outcome.is_ok() {
                state.finished.insert(stage.name);
            } else {
                state.failed = true;
                cancel.cancel();
            }
            drop(state);
            changed.notify_all();
            outcome?;
        }
        Ok(())
    };
    let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = workers.into_iter().map(|w| scope.spawn(|| run(w))).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    // The error that stopped the others comes before their interruption.
    let mut errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(Error::is_interrupted);
    errors.into_iter().next().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::results::StageOutput;

    use super::*;

    impl StageOutput for i32 {}

    fn stage(
        name: &'static str,
        part: &'static str,
        after: &'static [&'static str],
        run: fn(&StageResults) -> Result<()>,
    ) -> Stage<StageResults> {
        Stage { name, title: name, part, cost: 1.0, after, run }
    }

    fn sum(results: &StageResults, names: &[&str]) -> Result<i32> {
        let one = |name: &&str| Ok(results.get::<i32>(name)?.expect("it is there"));
        names.iter().map(one).sum()
    }

    /// Each stage adds up the results of those before it.
    fn diamond() -> Vec<Stage<StageResults>> {
        vec![
            stage("a", "S1", &[], |r| r.put("a", &1)),
            stage("b", "S1", &["a"], |r| r.put("b", &(10 + sum(r, &["a"])?))),
            stage("c", "S2", &["a"], |r| r.put("c", &(100 + sum(r, &["a"])?))),
            stage("d", "S3", &["b", "c"], |r| r.put("d", &sum(r, &["b", "c"])?)),
        ]
    }

    fn go(stages: &[Stage<StageResults>], folder: &Path, workers: usize) -> Result<Vec<String>> {
        let results = StageResults::at(folder.to_owned());
        let begun = Mutex::new(vec![]);
        let work = |results: &StageResults, stage: &Stage<StageResults>| {
            begun.lock().unwrap().push(stage.name.to_owned());
            (stage.run)(results)
        };
        let workers = vec![results.clone(); workers];
        run(stages, &results, workers, &Cancel::default(), &work)?;
        Ok(begun.into_inner().unwrap())
    }

    #[test]
    fn stages_follow_those_they_need_and_run_once() {
        for workers in [1, 3] {
            let folder = tempfile::tempdir().unwrap();
            let begun = go(&diamond(), folder.path(), workers).unwrap();
            assert_eq!(begun.len(), 4);
            let results = StageResults::at(folder.path().into());
            assert_eq!(results.get::<i32>("d").unwrap(), Some(112));
            assert!(go(&diamond(), folder.path(), workers).unwrap().is_empty(), "nothing is left");
            std::fs::remove_file(folder.path().join("c.json")).unwrap();
            assert_eq!(go(&diamond(), folder.path(), workers).unwrap(), ["c"]);
        }
    }

    #[test]
    fn a_failure_ends_it_and_keeps_what_is_finished() {
        for workers in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let mut stages = diamond();
            stages[1].run = |_| Err(Error::NoCompleteTrial { folder: "x".into() });
            let error = go(&stages, folder.path(), workers).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(
                (error.to_string().as_str(), source.as_str()),
                ("b", "no trial of the search in x is complete")
            );
            assert!(!folder.path().join("d.json").exists());
            let begun = go(&diamond(), folder.path(), workers).unwrap();
            assert!(!begun.contains(&"a".to_owned()) && begun.contains(&"d".to_owned()));
        }
    }

    #[test]
    fn a_panic_ends_it_and_names_the_stage() {
        for workers in [1, 2, 3] {
            let folder = tempfile::tempdir().unwrap();
            let mut stages = diamond();
            // With several workers, one waits for this stage.
            stages[0].run = |_| panic!("index {} is out of range", 7);
            let error = go(&stages, folder.path(), workers).unwrap_err();
            assert!(matches!(error, Error::Stage { stage: "a", .. }), "{error}");
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("index 7 is out of range"), "{source}");
            assert_eq!(go(&diamond(), folder.path(), workers).unwrap().len(), 4, "it continues");
        }
    }

    #[test]
    fn a_failure_interrupts_the_others_and_is_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let results = StageResults::at(folder.path().to_owned());
        let cancel = Cancel::default();
        let stages = [
            stage("waits", "S1", &[], |_| Ok(())),
            stage("fails", "S1", &[], |_| Err(Error::UnknownPart { part: "S9".into() })),
        ];
        let work = |results: &StageResults, stage: &Stage<StageResults>| {
            if stage.name == "waits" {
                while !cancel.is_cancelled() {
                    std::thread::yield_now();
                }
                return Err(latents::Interrupted.into());
            }
            (stage.run)(results)
        };
        let error = run(&stages, &results, vec![results.clone(); 2], &cancel, &work).unwrap_err();
        assert!(matches!(error, Error::Stage { stage: "fails", .. }), "{error}");
    }

    #[test]
    fn parts_bring_what_they_need() {
        let names = |parts: &[&str]| -> Vec<&str> {
            let parts: Vec<String> = parts.iter().map(|&p| p.to_owned()).collect();
            wanted(diamond(), &parts).iter().map(|stage| stage.name).collect()
        };
        assert_eq!(names(&[]), ["a", "b", "c", "d"]);
        assert_eq!(names(&["S2"]), ["a", "c"]);
        assert_eq!(names(&["S3"]), ["a", "b", "c", "d"]);
    }
}
