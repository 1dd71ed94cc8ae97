//! What a study is made of: stages, each of which leaves a result in a file of its own. A stage that has left it is never done again; one
//! that was cut off is begun again, and goes on from the checkpoints that its runs left. What the stages compute is told elsewhere.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::results::{Left, read};

/// Results of stages, a JSON file for each.
#[derive(Clone, Debug)]
pub(crate) struct Results(PathBuf);

impl Results {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Results(folder)
    }

    fn path(&self, stage: &str) -> PathBuf {
        self.0.join(format!("{stage}.json"))
    }

    pub(crate) fn has(&self, stage: &str) -> bool {
        self.path(stage).exists()
    }

    /// What a stage found; none where it has not been done.
    pub(crate) fn get<T: Left>(&self, stage: &str) -> Result<Option<T>> {
        let path = self.path(stage);
        if !path.exists() {
            return Ok(None);
        }
        let text = latents_files::read_text(&path)?;
        let left = read(&text).map(Some);
        left.map_err(anyhow::Error::msg)
            .with_context(|| format!("{}: delete it, and the stage is done again", path.display()))
    }

    pub(crate) fn put(&self, stage: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)? + "\n";
        latents_files::write(&self.path(stage), text.as_bytes())?;
        Ok(())
    }
}

/// A piece of the work. `C` is what stages are given.
pub(crate) struct Stage<C> {
    /// Of its result.
    pub(crate) name: &'static str,
    /// For people, such as "tuning the autoencoder".
    pub(crate) title: &'static str,
    /// The part of the study that wants it.
    pub(crate) part: &'static str,
    /// Roughly how long it takes beside the others, in any unit.
    pub(crate) cost: f64,
    /// Stages that must have been done.
    pub(crate) after: &'static [&'static str],
    /// Does it, and leaves its result.
    pub(crate) run: fn(&C) -> Result<()>,
}

/// The stages that some parts want, with those before them, in their order.
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

/// What is being done, and what has been.
struct Board {
    done: BTreeSet<&'static str>,
    taken: BTreeSet<&'static str>,
    failed: bool,
}

/// Runs stages in as many threads as there are contexts, each stage after those that it needs; calls `begun` and `done` around each.
/// The first error ends it, once the others' stages have stopped.
pub(crate) fn run<C: Send>(
    stages: &[Stage<C>],
    results: &Results,
    contexts: Vec<C>,
    stop: &AtomicBool,
    begun: &(dyn Fn(&Stage<C>) + Sync),
    done: &(dyn Fn(&Stage<C>) + Sync),
) -> Result<()>
where
    Stage<C>: Sync,
{
    let over: BTreeSet<_> =
        stages.iter().map(|s| s.name).filter(|name| results.has(name)).collect();
    let board = Mutex::new(Board { taken: over.clone(), done: over, failed: false });
    let changed = Condvar::new();
    let lock = || -> MutexGuard<'_, Board> { board.lock().unwrap_or_else(PoisonError::into_inner) };
    let next = || -> Option<&Stage<C>> {
        let mut state = lock();
        loop {
            let left = stages.iter().filter(|s| !state.taken.contains(s.name));
            let ready = |s: &&Stage<C>| {
                // A stage that is not among these has been left out on purpose.
                let known = |name: &&&str| stages.iter().any(|s| s.name == **name);
                s.after.iter().filter(known).all(|name| state.done.contains(name))
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
    let work = |context: C| -> Result<()> {
        while let Some(stage) = next() {
            begun(stage);
            let outcome = (stage.run)(&context).with_context(|| stage.title);
            let mut state = lock();
            if let Ok(()) = &outcome {
                state.done.insert(stage.name);
            } else {
                state.failed = true;
                stop.store(true, Ordering::Relaxed);
            }
            drop(state);
            changed.notify_all();
            outcome?;
            done(stage);
        }
        Ok(())
    };
    let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = contexts.into_iter().map(|c| scope.spawn(|| work(c))).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    // What stopped the others comes first; that they were stopped is no news.
    let mut errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(anyhow::Error::is::<Stopped>);
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// Somebody asked for an end; everything is saved.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    impl Left for i32 {}

    fn stage(
        name: &'static str,
        part: &'static str,
        after: &'static [&'static str],
        run: fn(&Results) -> Result<()>,
    ) -> Stage<Results> {
        Stage { name, title: name, part, cost: 1.0, after, run }
    }

    fn sum(results: &Results, names: &[&str]) -> Result<i32> {
        names.iter().map(|name| results.get::<i32>(name)?.context("it is not there")).sum()
    }

    /// Each stage adds up what those before it left.
    fn diamond() -> Vec<Stage<Results>> {
        vec![
            stage("a", "S1", &[], |r| r.put("a", &1)),
            stage("b", "S1", &["a"], |r| r.put("b", &(10 + sum(r, &["a"])?))),
            stage("c", "S2", &["a"], |r| r.put("c", &(100 + sum(r, &["a"])?))),
            stage("d", "S3", &["b", "c"], |r| r.put("d", &sum(r, &["b", "c"])?)),
        ]
    }

    fn go(stages: &[Stage<Results>], folder: &Path, lanes: usize) -> Result<Vec<String>> {
        let results = Results::at(folder.to_owned());
        let begun = Mutex::new(vec![]);
        let note = |stage: &Stage<Results>| begun.lock().unwrap().push(stage.name.to_owned());
        let lanes = vec![results.clone(); lanes];
        run(stages, &results, lanes, &AtomicBool::new(false), &note, &|_| {})?;
        Ok(begun.into_inner().unwrap())
    }

    #[test]
    fn stages_follow_those_they_need_and_are_done_once() {
        for lanes in [1, 3] {
            let folder = tempfile::tempdir().unwrap();
            let begun = go(&diamond(), folder.path(), lanes).unwrap();
            assert_eq!(begun.len(), 4);
            assert_eq!(Results::at(folder.path().into()).get::<i32>("d").unwrap(), Some(112));
            assert!(go(&diamond(), folder.path(), lanes).unwrap().is_empty(), "nothing is left");
            std::fs::remove_file(folder.path().join("c.json")).unwrap();
            assert_eq!(go(&diamond(), folder.path(), lanes).unwrap(), ["c"]);
        }
    }

    #[test]
    fn a_failure_ends_it_and_leaves_what_was_done() {
        for lanes in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let mut stages = diamond();
            stages[1].run = |_| anyhow::bail!("no room");
            let error = go(&stages, folder.path(), lanes).unwrap_err();
            assert_eq!(format!("{error:#}"), "b: no room");
            assert!(!folder.path().join("d.json").exists());
            let begun = go(&diamond(), folder.path(), lanes).unwrap();
            assert!(!begun.contains(&"a".to_owned()) && begun.contains(&"d".to_owned()));
        }
    }

    #[test]
    fn what_no_stage_leaves_is_not_read() {
        use super::super::results::{Mapped, Scores};
        let folder = tempfile::tempdir().unwrap();
        let results = Results::at(folder.path().to_owned());
        results.put("map", &Mapped { images: 0, kl: 0.5 }).unwrap();
        let said = format!("{:#}", results.get::<Mapped>("map").unwrap_err());
        assert!(
            said.ends_with("map.json: delete it, and the stage is done again: no image is mapped")
        );
        results.put("classifier", &Vec::<Scores>::new()).unwrap();
        let said = format!("{:#}", results.get::<Vec<Scores>>("classifier").unwrap_err());
        assert!(said.contains("there are no scores in it"), "{said}");
        assert!(results.get::<Mapped>("another").unwrap().is_none());
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
