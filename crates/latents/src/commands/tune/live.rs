//! A study while it runs: a line for each trial that is over, and on a terminal a bar for the study and one for each worker.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use latents::train;
use latents::tune::{Event, History, Schedule, Space, Study, TrialRecord, TrialState};

use crate::commands::tune::results::{parameter, rounded, state_name};
use crate::output::{Output, count, duration};

const OVERALL: &str = "{msg}  {bar:28.cyan/dim} {pos}/{len} trials  {eta} left";
const WORKER: &str = "{spinner} {msg}";

/// Shows a study. Several workers may show at once.
pub(crate) struct Live<'a> {
    output: Output,
    study: &'a Study,
    columns: Vec<Column>,
    bars: Option<Bars>,
    /// How many trials of other workers are being waited for.
    waiting: Mutex<usize>,
}

struct Column {
    name: String,
    width: usize,
}

struct Bars {
    multi: MultiProgress,
    overall: ProgressBar,
    workers: Vec<ProgressBar>,
}

impl<'a> Live<'a> {
    pub(crate) fn new(
        output: Output,
        study: &'a Study,
        space: &Space,
        schedule: Schedule,
        objective: &str,
    ) -> Result<Self> {
        let names = space.dimensions().iter().map(|d| d.name.as_str());
        let names = ["trial", "state", objective].into_iter().chain(names).chain(["time"]);
        let column = |name: &str| Column { name: name.into(), width: name.chars().count().max(9) };
        let columns: Vec<Column> = names.map(column).collect();
        let trials = study.trials()?;
        let done = trials.iter().filter(|trial| trial.state.is_finished()).count() as u64;
        if done > 0 {
            output.note(&format!("{} of the study's trials are over already", count(done)));
        }
        let live = Live {
            output,
            study,
            columns,
            bars: std::io::stderr().is_terminal().then(|| Bars::new(schedule, done)),
            waiting: Mutex::new(0),
        };
        live.note(&live.line(live.columns.iter().map(|c| c.name.clone())));
        live.show_best();
        Ok(live)
    }

    /// Shows what happens to the study.
    pub(crate) fn show(&self, event: &Event<'_>) {
        match event {
            Event::Started { .. } => {}
            Event::Finished { number, .. } => {
                // What cannot be read now cannot be shown; the study itself will complain if it matters.
                let Ok(trials) = self.study.trials() else { return };
                if let Some(trial) = trials.iter().find(|trial| trial.number == *number) {
                    self.note(&self.row(trial));
                }
                if let Some(bars) = &self.bars {
                    let done = trials.iter().filter(|trial| trial.state.is_finished()).count();
                    bars.overall.set_position(done as u64);
                }
                self.show_best();
            }
            Event::Waiting { others } => {
                let Ok(mut waiting) = self.waiting.lock() else { return };
                if *waiting != *others {
                    *waiting = *others;
                    let trials = if *others == 1 { "trial" } else { "trials" };
                    self.note(&format!("waiting for {others} {trials} of other processes"));
                }
            }
        }
    }

    /// Shows how far the training of a trial is.
    pub(crate) fn training(&self, worker: usize, number: u64, event: &train::Event<'_>) {
        let Some(bar) = self.bars.as_ref().and_then(|bars| bars.workers.get(worker)) else {
            return;
        };
        if let train::Event::Progress { epoch, loss, samples_per_second, .. } = event {
            let rate = count(*samples_per_second as u64);
            bar.set_message(format!(
                "trial {number}  epoch {epoch}  loss {loss:.5}  {rate} images/s"
            ));
        }
    }

    /// Shows a step of a trial of an outside command.
    pub(crate) fn step(&self, worker: usize, number: u64, step: i64, value: f64) {
        if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.workers.get(worker)) {
            bar.set_message(format!("trial {number}  step {step}  value {}", rounded(value)));
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bars) = &self.bars {
            for bar in bars.workers.iter().chain([&bars.overall]) {
                bar.finish_and_clear();
            }
        }
    }

    fn note(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.multi.suspend(|| self.output.note(line)),
            None => self.output.note(line),
        }
    }

    fn show_best(&self) {
        let (Some(bars), Ok(trials)) = (&self.bars, self.study.trials()) else { return };
        let history = History { direction: self.study.direction(), trials: &trials };
        if let Some((best, value)) = history.best().and_then(|trial| Some((trial, trial.value?))) {
            bars.overall.set_message(format!("best {} (trial {})", rounded(value), best.number));
        }
    }

    /// The line of a trial that is over.
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

impl Bars {
    fn new(schedule: Schedule, done: u64) -> Self {
        let multi = MultiProgress::new();
        let bar = |length, template| {
            let bar = multi.add(ProgressBar::new(length));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        };
        let workers = (0..schedule.workers).map(|_| bar(0, WORKER)).collect();
        let overall = bar(schedule.trials.unwrap_or(0), OVERALL);
        overall.set_position(done);
        overall.reset_eta();
        Bars { multi, overall, workers }
    }
}
