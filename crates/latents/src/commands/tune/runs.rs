//! The objective of a study of models: a trial is a run in a folder of its own, so one that was cut off goes on from its checkpoint,
//! whoever takes it up.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latents::data::Labelled;
use latents::engine::Runtime;
use latents::train::{self, EpochMetrics, Event, Outcome as Trained, Run, RunConfig, train};
use latents::tune::{Error, Objective, Outcome, Params, Trial, Value};

/// Runs of a model.
pub(crate) struct Runs<'a> {
    /// What is reported after an epoch.
    pub(crate) value: fn(&EpochMetrics) -> Option<f64>,
    /// All settings but a trial's own.
    pub(crate) base: RunConfig,
    /// Folder of the trials' folders.
    pub(crate) trials: PathBuf,
    pub(crate) data: &'a Labelled,
    /// One for each worker.
    pub(crate) runtimes: Vec<Arc<Runtime>>,
    /// Told of the training of a worker's trial.
    pub(crate) report: &'a (dyn Fn(usize, u64, &Event<'_>) + Sync),
}

/// `base` with a trial's parameters.
pub(crate) fn with(base: &RunConfig, params: &Params) -> Result<RunConfig, train::Error> {
    let toml = |value: &Value| match value {
        Value::None => toml::Value::from("none"),
        Value::Bool(x) => (*x).into(),
        Value::Int(x) => (*x).into(),
        Value::Float(x) => (*x).into(),
        Value::Text(x) => x.as_str().into(),
    };
    base.with(params.iter().map(|(name, value)| (name.clone(), toml(value))))
}

impl Objective for Runs<'_> {
    fn run(
        &self,
        trial: &mut Trial<'_>,
        params: &Params,
        worker: usize,
        stop: &AtomicBool,
    ) -> Result<Outcome, Error> {
        let number = trial.number();
        let config = match with(&self.base, params) {
            Ok(config) => config,
            Err(e) => return Ok(Outcome::Failed(e.to_string())),
        };
        let run = Run::at(&self.trials.join(format!("{number:05}")));
        if run.exists() {
            if run.config().map_err(|e| fatal(number, &e))? != config {
                let other =
                    format!("{} holds another run; take another --out", run.dir().display());
                return Err(fatal(number, &other));
            }
            if self.catch_up(trial, &run)? {
                return Ok(Outcome::Pruned);
            }
        }
        let halt = AtomicBool::new(false);
        let mut verdict = Ok(false);
        let runtime = &self.runtimes[worker];
        let trained = train(&run, &config, self.data, runtime, &halt, &mut |event| {
            (self.report)(worker, number, &event);
            if let Event::Epoch(metrics) = event {
                let reported = trial.report(metrics.epoch as i64, self.value(metrics));
                verdict = reported.and_then(|()| trial.should_prune());
            }
            if !matches!(verdict, Ok(false)) || stop.load(Ordering::Relaxed) {
                halt.store(true, Ordering::Relaxed);
            }
        });
        if verdict? {
            return Ok(Outcome::Pruned);
        }
        match trained {
            Ok(Trained::Finished { kept, .. }) => {
                let reports = &trial.record().intermediate;
                let missing = || fatal(number, &format!("epoch {kept} was not reported"));
                Ok(Outcome::Value(*reports.get(&(kept as i64)).ok_or_else(missing)?))
            }
            Ok(Trained::Interrupted { .. }) => Ok(Outcome::Interrupted),
            Err(e) => {
                let busy = matches!(e, train::Error::Busy { .. });
                let error = anyhow::Error::from(e);
                let reason = format!("{error:#}");
                // The disk, not the parameters: no trial must be lost by it.
                let disk = error.chain().any(<dyn std::error::Error>::is::<std::io::Error>);
                if disk || busy { Err(fatal(number, &reason)) } else { Ok(Outcome::Failed(reason)) }
            }
        }
    }
}

impl Runs<'_> {
    /// What is reported after an epoch; without a value, which only a run that does not validate lacks, the trial fails.
    fn value(&self, metrics: &EpochMetrics) -> f64 {
        (self.value)(metrics).unwrap_or(f64::NAN)
    }

    /// Reports the epochs that a worker before had run but not reported any more; true where the trial is to be pruned by one.
    fn catch_up(&self, trial: &mut Trial<'_>, run: &Run) -> Result<bool, Error> {
        let known = trial.record().last_report();
        if known.is_some() && trial.should_prune()? {
            return Ok(true);
        }
        if !run.has_metrics() {
            return Ok(false);
        }
        for metrics in run.metrics().map_err(|e| fatal(trial.number(), &e))? {
            let step = metrics.epoch as i64;
            if known.is_none_or(|(last, _)| step > last) {
                trial.report(step, self.value(&metrics))?;
                if trial.should_prune()? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What ends the study, not only the trial.
fn fatal(number: u64, reason: &dyn Display) -> Error {
    Error::Objective { number, reason: reason.to_string() }
}
