//! A study while it runs, as notes and progress: a line for each trial that ends, the progress of the whole study, and that of each running trial.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use latents_progress::{Monitor, Progress, Reporter, Task, count, duration};
use latents_tune::{History, OptimizeOptions, Space, Study, StudyEvent, TrialRecord, TrialState};

use super::results::{parameter, rounded, state_name};
use crate::error::Result;

/// The task of the whole study.
const TASK: &str = "trials";

/// Reports a study. Several workers may report at once.
pub(crate) struct Live<'a> {
    monitor: &'a Monitor,
    /// The whole study. It may end with fewer trials than it may have, such as those of a grid.
    task: Task<'a>,
    study: &'a Study,
    columns: Vec<Column>,
    total: u64,
    /// Whether the reason of a failure has been reported.
    has_failed: AtomicBool,
    /// How many trials of other workers are being waited for.
    waiting: Mutex<usize>,
}

struct Column {
    name: String,
    width: usize,
}

impl<'a> Live<'a> {
    pub(crate) fn new(
        monitor: &'a Monitor,
        study: &'a Study,
        space: &Space,
        options: OptimizeOptions,
        objective: &str,
    ) -> Result<Self> {
        let names = space.dimensions().iter().map(|d| d.name.as_str());
        let names = ["trial", "state", objective].into_iter().chain(names).chain(["time"]);
        let column = |name: &str| Column { name: name.into(), width: name.chars().count().max(9) };
        let columns: Vec<Column> = names.map(column).collect();
        let trials = study.trials()?;
        let done = trials.iter().filter(|trial| trial.state.is_finished()).count() as u64;
        if done > 0 {
            monitor.note(&format!("{} of the study's trials are finished already", count(done)));
        }
        let foreign = trials.iter().filter(|trial| trial.is_foreign()).count() as u64;
        if foreign > 0 {
            let trials = if foreign == 1 { "trial that is" } else { "trials that are" };
            monitor.note(&format!(
                "{} {trials} marked as running by another program count as trials and are not \
                 waited for",
                count(foreign)
            ));
        }
        let total = options.trials.unwrap_or(0);
        let task = monitor.task(TASK);
        let (has_failed, waiting) = (AtomicBool::new(false), Mutex::new(0));
        let live = Live { monitor, task, study, columns, total, has_failed, waiting };
        monitor.note(&live.line(live.columns.iter().map(|c| c.name.clone())));
        live.progress(&trials);
        Ok(live)
    }

    /// Reports an event of the study.
    pub(crate) fn show(&self, event: &StudyEvent<'_>) {
        match event {
            StudyEvent::Started { .. } => {}
            StudyEvent::Finished { number, .. } => {
                // If it cannot be read now it cannot be shown; the study itself fails if that matters.
                let Ok(trials) = self.study.trials() else { return };
                if let Some(trial) = trials.iter().find(|trial| trial.number == *number) {
                    self.monitor.note(&self.row(trial));
                    self.tell_failure(trial);
                }
                self.progress(&trials);
            }
            StudyEvent::Waiting { others } => {
                let Ok(mut waiting) = self.waiting.lock() else { return };
                if *waiting != *others {
                    *waiting = *others;
                    let trials = if *others == 1 { "trial" } else { "trials" };
                    self.monitor.note(&format!("waiting for {others} {trials} of other processes"));
                }
            }
        }
    }

    /// Reports why a trial failed, once: the others fail for the same reason as a rule.
    fn tell_failure(&self, trial: &TrialRecord) {
        if let Some(reason) = trial.failure()
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            self.monitor.warning(&format!("trial {} failed: {reason}", trial.number));
        }
    }

    /// Reports how many trials are finished, and the best one.
    fn progress(&self, trials: &[Arc<TrialRecord>]) {
        let done = trials.iter().filter(|trial| trial.state.is_finished()).count() as u64;
        let history = History { direction: self.study.direction(), trials };
        let best = history.best().and_then(|trial| Some((trial.number, trial.value?)));
        let message = best.map_or_else(String::new, |(number, value)| {
            format!("best {} (trial {number})", rounded(value))
        });
        self.task.progress(done, self.total, &message);
    }

    /// The line of a finished trial.
    fn row(&self, trial: &TrialRecord) -> String {
        let value = trial.value.map_or_else(|| "-".into(), rounded);
        let state = match trial.last_report() {
            Some((step, _)) if trial.state == TrialState::Pruned => format!("pruned@{step}"),
            _ => state_name(trial.state).into(),
        };
        let params = self.columns[3..self.columns.len() - 1].iter();
        let params =
            params.map(|column| trial.params.get(&column.name).map_or("-".into(), parameter));
        let time = trial.seconds().map_or_else(|| "-".into(), duration);
        let first = [trial.number.to_string(), state, value];
        self.line(first.into_iter().chain(params).chain([time]))
    }

    fn line(&self, cells: impl Iterator<Item = String>) -> String {
        let cells = self.columns.iter().zip(cells);
        let cells: Vec<String> =
            cells.map(|(column, text)| format!("{text:>width$}", width = column.width)).collect();
        cells.join("  ")
    }
}

/// Reports the training of a trial as the trial's progress, without its notes.
pub(crate) struct TrialReporter {
    inner: Arc<dyn Reporter>,
    task: String,
}

fn task(number: u64) -> String {
    format!("trial {number}")
}

impl TrialReporter {
    /// A monitor for the training of a trial, which can be cancelled by itself.
    pub(crate) fn monitor(monitor: &Monitor, number: u64) -> Monitor {
        let inner = Arc::clone(monitor.reporter());
        monitor.child().with_reporter(Arc::new(TrialReporter { inner, task: task(number) }))
    }

    /// Reports that the trial has ended.
    pub(crate) fn finish(monitor: &Monitor, number: u64) {
        monitor.progress(&task(number), 1, 1, "");
        monitor.reporter().end(&task(number));
    }
}

impl Reporter for TrialReporter {
    fn progress(&self, progress: &Progress<'_>) {
        self.inner.progress(&Progress { task: &self.task, ..*progress });
    }

    fn end(&self, _: &str) {
        self.inner.end(&self.task);
    }

    fn warning(&self, text: &str) {
        self.inner.warning(&format!("{}: {text}", self.task));
    }
}

/// Reports a step of a trial of an outside program.
pub(crate) fn report_step(monitor: &Monitor, number: u64, step: i64, value: f64) {
    // How many steps there will be is not known.
    monitor.progress(&task(number), 0, 0, &format!("step {step}  value {}", rounded(value)));
}
