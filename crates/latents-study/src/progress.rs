//! The progress of a whole study as one task. Each stage has its share of it by its cost; what the work inside a stage reports (training, trials,
//! t-SNE, measures) becomes the fraction of the stage that is done, and its notes are dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use latents::{Monitor, Progress, Reporter, duration};
use serde::Serialize;

use crate::stages::Stage;

/// The task of the whole study.
pub(crate) const TASK: &str = "study";
/// Units of the task.
const UNITS: u64 = 1000;
/// Steps that the measures of a model report as stages of the work, about.
const MEASURES: f64 = 12.0;
/// The part of t-SNE that is the search for nearest neighbours.
const NEIGHBOURS: f64 = 0.2;

/// How long a stage took.
#[derive(Clone, Debug, Serialize)]
pub struct StageTime {
    /// The stage's name, such as `ae-adam`.
    pub stage: String,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The progress of a study. Stages on several threads report to it at the same time.
pub(crate) struct StudyProgress {
    monitor: Monitor,
    state: Mutex<State>,
}

struct State {
    /// Costs: of all stages, and of the finished ones.
    total: f64,
    finished: f64,
    /// Numbers of all stages, and of the finished ones.
    stages: usize,
    count: usize,
    /// The stages that were finished since the start, in that order.
    times: Vec<StageTime>,
    current: BTreeMap<&'static str, Current>,
}

/// A stage that runs.
struct Current {
    title: &'static str,
    cost: f64,
    /// The fraction that is done.
    fraction: f64,
    message: String,
    began: Instant,
}

impl StudyProgress {
    /// Before the first stage; `is_finished` tells which stages are finished already.
    pub(crate) fn new<C>(
        monitor: &Monitor,
        stages: &[Stage<C>],
        is_finished: impl Fn(&Stage<C>) -> bool,
    ) -> Self {
        let cost = |stages: &mut dyn Iterator<Item = &Stage<C>>| stages.map(|s| s.cost).sum();
        let state = State {
            total: cost(&mut stages.iter()),
            finished: cost(&mut stages.iter().filter(|s| is_finished(s))),
            stages: stages.len(),
            count: stages.iter().filter(|s| is_finished(s)).count(),
            times: vec![],
            current: BTreeMap::new(),
        };
        if state.count > 0 {
            let State { count, stages, .. } = state;
            monitor.note(&format!("{count} of {stages} stages are finished already"));
        }
        StudyProgress { monitor: monitor.clone(), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stage begins.
    pub(crate) fn begin<C>(&self, stage: &Stage<C>) {
        let current = Current {
            title: stage.title,
            cost: stage.cost,
            fraction: 0.0,
            message: String::new(),
            began: Instant::now(),
        };
        let mut state = self.lock();
        state.current.insert(stage.name, current);
        self.report(&state);
    }

    /// A stage has advanced to a fraction from 0 to 1.
    fn update(&self, stage: &str, fraction: f64, message: &str) {
        let mut state = self.lock();
        let Some(current) = state.current.get_mut(stage) else { return };
        current.fraction = current.fraction.max(fraction.clamp(0.0, 1.0));
        message.clone_into(&mut current.message);
        self.report(&state);
    }

    /// A stage is finished.
    pub(crate) fn finish<C>(&self, stage: &Stage<C>) {
        let mut state = self.lock();
        let Some(current) = state.current.remove(stage.name) else { return };
        state.finished += current.cost;
        state.count += 1;
        let seconds = current.began.elapsed().as_secs_f64();
        state.times.push(StageTime { stage: stage.name.into(), seconds });
        let count = format!("[{}/{}]", state.count, state.stages);
        let time = duration(seconds);
        self.monitor.note(&format!("{count:>8} {}  {}  {time}", stage.part, stage.title));
        self.report(&state);
    }

    /// The study is finished.
    pub(crate) fn end(&self) {
        self.monitor.progress(TASK, UNITS, UNITS, "");
    }

    /// How long each stage took that was finished since the start.
    pub(crate) fn times(&self) -> Vec<StageTime> {
        self.lock().times.clone()
    }

    /// Reports the whole study, under the lock, so that it never goes back.
    fn report(&self, state: &State) {
        let running: f64 = state.current.values().map(|c| c.cost * c.fraction).sum();
        let fraction = (state.finished + running) / state.total.max(1e-9);
        let messages: Vec<String> = state
            .current
            .values()
            .map(|c| match c.message.as_str() {
                "" => c.title.to_owned(),
                message => format!("{}: {message}", c.title),
            })
            .collect();
        // Only `end` ends the task.
        let done = ((UNITS as f64 * fraction) as u64).min(UNITS - 1);
        self.monitor.progress(TASK, done, UNITS, &messages.join("  |  "));
    }
}

/// Receives the reports of the work inside a stage.
pub(crate) struct StageReporter {
    study: Arc<StudyProgress>,
    monitor: Monitor,
    stage: &'static str,
    title: &'static str,
    inside: Mutex<Inside>,
}

/// How far the work inside a stage is.
#[derive(Clone, Copy, Default)]
struct Inside {
    /// Trials of a search: finished, and in all.
    trials: (u64, u64),
    /// The measures that have begun.
    measures: u64,
}

impl Inside {
    /// The fraction that is done, given that of the measure that runs.
    fn fraction(self, of_measure: f64) -> f64 {
        match self.measures {
            0 => of_measure,
            begun => ((begun - 1) as f64 + of_measure) / MEASURES,
        }
    }
}

impl StageReporter {
    pub(crate) fn new<C>(study: &Arc<StudyProgress>, stage: &Stage<C>) -> Self {
        StageReporter {
            study: Arc::clone(study),
            monitor: study.monitor.clone(),
            stage: stage.name,
            title: stage.title,
            inside: Mutex::default(),
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for StageReporter {
    fn stage(&self, name: &str) {
        let mut inside = self.inside();
        inside.measures += 1;
        let fraction = inside.fraction(0.0);
        drop(inside);
        self.study.update(self.stage, fraction, name);
    }

    fn progress(&self, progress: &Progress<'_>) {
        let Progress { task, done, total, message } = *progress;
        let part = done as f64 / total.max(1) as f64;
        let mut inside = self.inside();
        let (fraction, message) = if task == "trials" {
            inside.trials = (done, total);
            (part, message.to_owned())
        } else if let Some(number) = task.strip_prefix("trial ") {
            let (finished, trials) = inside.trials;
            let number = number.parse::<u64>().unwrap_or(finished) + 1;
            let message = format!("trial {number} of {trials}  {message}");
            ((finished as f64 + part) / trials.max(1) as f64, message.trim_end().to_owned())
        } else {
            let part = match task {
                "nearest neighbours" => NEIGHBOURS * part,
                "t-SNE" => NEIGHBOURS + (1.0 - NEIGHBOURS) * part,
                _ => part,
            };
            let message = if message.is_empty() { task } else { message };
            (inside.fraction(part), message.to_owned())
        };
        drop(inside);
        self.study.update(self.stage, fraction, &message);
    }

    fn warning(&self, text: &str) {
        self.monitor.warning(&format!("{}: {text}", self.title));
    }
}

/// Receives the progress of one of several equal parts of a stage, and reports it as that of the whole.
pub(crate) struct PartReporter {
    pub(crate) whole: Arc<dyn Reporter>,
    /// Which part, from 0, of how many.
    pub(crate) part: u64,
    pub(crate) parts: u64,
}

impl Reporter for PartReporter {
    fn stage(&self, name: &str) {
        self.whole.stage(name);
    }

    fn progress(&self, progress: &Progress<'_>) {
        let Progress { task, done, total, message } = *progress;
        let (done, total) = (self.part * total + done, self.parts * total);
        self.whole.progress(&Progress { task, done, total, message });
    }

    fn note(&self, text: &str) {
        self.whole.note(text);
    }

    fn warning(&self, text: &str) {
        self.whole.warning(text);
    }
}

#[cfg(test)]
mod tests {
    use latents::Cancel;

    use super::*;

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Reporter for Log {
        fn progress(&self, progress: &Progress<'_>) {
            let Progress { task, done, total, message } = progress;
            self.0.lock().unwrap().push(format!("{task} {done}/{total} {message}"));
        }

        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }

        fn warning(&self, text: &str) {
            self.0.lock().unwrap().push(format!("warning: {text}"));
        }
    }

    fn stage(name: &'static str, cost: f64) -> Stage<()> {
        Stage { name, title: name, part: "S1", cost, after: &[], run: |()| Ok(()) }
    }

    fn report(reporter: &dyn Reporter, task: &str, done: u64, total: u64, message: &str) {
        reporter.progress(&Progress { task, done, total, message });
    }

    #[test]
    fn the_work_inside_a_stage_is_its_share_of_the_whole() {
        let log = Arc::new(Log::default());
        let monitor = Monitor::new(log.clone(), Cancel::default());
        let stages = [stage("before", 20.0), stage("train", 20.0), stage("tune", 60.0)];
        let study = StudyProgress::new(&monitor, &stages, |s| s.name == "before");
        let study = Arc::new(study);
        let [_, train, tune] = &stages;
        let said = || std::mem::take(&mut *log.0.lock().unwrap());
        assert_eq!(said(), ["1 of 3 stages are finished already"]);

        study.begin(train);
        let reporter = Arc::new(StageReporter::new(&study, train));
        reporter.note("dropped");
        reporter.warning("a loss");
        let first = PartReporter { whole: reporter.clone(), part: 0, parts: 2 };
        let second = PartReporter { whole: reporter, part: 1, parts: 2 };
        report(&first, "training", 5, 10, "epoch 1/2");
        report(&second, "training", 5, 10, "");
        assert_eq!(
            said(),
            [
                "study 200/1000 train",
                "warning: train: a loss",
                "study 250/1000 train: epoch 1/2",
                "study 350/1000 train: training",
            ]
        );

        study.begin(tune);
        let reporter = StageReporter::new(&study, tune);
        report(&reporter, "trials", 1, 4, "best 0.5 (trial 0)");
        report(&reporter, "trial 1", 2, 4, "epoch 2/4");
        assert_eq!(
            said(),
            [
                "study 350/1000 train: training  |  tune",
                "study 500/1000 train: training  |  tune: best 0.5 (trial 0)",
                "study 575/1000 train: training  |  tune: trial 2 of 4  epoch 2/4",
            ]
        );
        study.finish(train);
        let last = said();
        assert!(last[0].starts_with("   [2/3] S1  train  0."), "{last:?}");
        assert_eq!(last[1], "study 625/1000 tune: trial 2 of 4  epoch 2/4");
        study.finish(tune);
        said();
        study.end();
        assert_eq!(said(), ["study 1000/1000 "]);
        let times = study.times();
        assert_eq!(times.iter().map(|t| t.stage.as_str()).collect::<Vec<_>>(), ["train", "tune"]);
    }

    #[test]
    fn maps_and_measures_are_steps_of_a_stage() {
        let log = Arc::new(Log::default());
        let stages = [stage("card", 1.0)];
        let monitor = Monitor::new(log.clone(), Cancel::default());
        let study = Arc::new(StudyProgress::new(&monitor, &stages, |_| false));
        study.begin(&stages[0]);
        let reporter = StageReporter::new(&study, &stages[0]);
        report(&reporter, "nearest neighbours", 1, 2, "");
        report(&reporter, "t-SNE", 1, 2, "");
        assert_eq!(
            log.0.lock().unwrap()[1..],
            ["study 100/1000 card: nearest neighbours", "study 600/1000 card: t-SNE",]
        );
        study.finish(&stages[0]);
        study.begin(&stages[0]);
        let reporter = StageReporter::new(&study, &stages[0]);
        log.0.lock().unwrap().clear();
        for name in ["reconstructions", "latents", "maps", "outliers"] {
            reporter.stage(name);
        }
        report(&reporter, "t-SNE", 1, 1, "");
        let last = log.0.lock().unwrap();
        assert_eq!(last.last().unwrap(), "study 999/1000 card: t-SNE");
    }
}
