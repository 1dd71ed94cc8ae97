//! The objective of a study of models: a trial is a run in a folder of its own, so one that was cut off is resumed from its checkpoint by whoever
//! takes it up.

use std::fmt::Display;
use std::path::PathBuf;

use latents_progress::{Interrupted, Monitor, chain};
use latents_train::{EpochMetrics, Run, RunConfig, TrainingImages, train};
use latents_tune::{Error, Objective, Outcome, Params, Trial, Value};

use crate::session::Session;
use crate::tuner::live::TrialReporter;

/// Runs of a model.
pub(crate) struct Runs<'a> {
    /// The metric that is a trial's value.
    pub(crate) metric: &'static str,
    /// All settings but a trial's own.
    pub(crate) base: RunConfig,
    /// Folder of the trials' folders.
    pub(crate) trials: PathBuf,
    pub(crate) data: TrainingImages<'a>,
    /// One for each worker.
    pub(crate) sessions: Vec<Session>,
}

/// `base` with a trial's parameters.
pub(crate) fn with_params(
    base: &RunConfig,
    params: &Params,
) -> Result<RunConfig, latents_train::Error> {
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
        trial: &mut Trial,
        params: &Params,
        worker: usize,
        monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        let number = trial.number();
        let config = match with_params(&self.base, params) {
            Ok(config) => config,
            Err(e) => return Ok(Outcome::Failed(e.to_string())),
        };
        let run = Run::at(self.trials.join(format!("{number:05}")));
        let begun = run.exists();
        if begun && run.config().map_err(|e| broken(number, &e))? != config {
            let other =
                format!("{} is of another run; use another folder", run.config_path().display());
            return Err(fatal(number, &other));
        }
        let mut trained = self.train(trial, &run, &config, worker, monitor)?;
        if begun
            && let Err(damage) = trained.as_ref()
            && damage.is_damage()
        {
            let damage = chain(damage);
            monitor.warning(&format!(
                "trial {number}: {damage}; it is trained again from its beginning"
            ));
            latents_files::remove_folder(run.dir()).map_err(|e| broken(number, &e))?;
            trained = self.train(trial, &run, &config, worker, monitor)?;
        }
        trained.or_else(|e| match e {
            latents_train::Error::Interrupted(Interrupted) => Ok(Outcome::Interrupted),
            // The disk, not the parameters: no trial must be lost by it.
            latents_train::Error::Busy { .. } => Err(broken(number, &e)),
            e if is_of_the_disk(&e) => Err(broken(number, &e)),
            e => Ok(Outcome::Failed(chain(&e))),
        })
    }
}

impl Runs<'_> {
    /// Trains a trial's run, or goes on with it. The inner error is of the run.
    fn train(
        &self,
        trial: &mut Trial,
        run: &Run,
        config: &RunConfig,
        worker: usize,
        monitor: &Monitor,
    ) -> Result<Result<Outcome, latents_train::Error>, Error> {
        let number = trial.number();
        match self.catch_up(trial, run)? {
            Ok(true) => return Ok(Ok(Outcome::Pruned)),
            Ok(false) => {}
            Err(e) => return Ok(Err(e)),
        }
        let runtime = self.sessions[worker].runtime().map_err(|e| broken(number, &e))?;
        let shown = TrialReporter::monitor(monitor, number);
        let mut verdict = Ok(false);
        let trained = train(run, config, self.data, &runtime, &shown, &mut |metrics| {
            let reported = trial.report(metrics.epoch as i64, self.value(metrics));
            verdict = reported.and_then(|()| trial.should_prune());
            if !matches!(verdict, Ok(false)) {
                shown.cancel().cancel();
            }
        });
        TrialReporter::finish(monitor, number);
        if verdict? {
            run.forget_checkpoints().map_err(|e| broken(number, &e))?;
            return Ok(Ok(Outcome::Pruned));
        }
        let kept = match trained {
            Ok(summary) => summary.kept_epoch,
            Err(e) => return Ok(Err(e)),
        };
        run.forget_checkpoints().map_err(|e| broken(number, &e))?;
        let reports = &trial.record().intermediate;
        let missing = || fatal(number, &format!("epoch {kept} was not reported"));
        Ok(Ok(Outcome::Value(*reports.get(&(kept as i64)).ok_or_else(missing)?)))
    }

    /// What is reported after an epoch; without a value, which only a run that does not validate lacks, the trial fails.
    fn value(&self, metrics: &EpochMetrics) -> f64 {
        metrics.get(self.metric).unwrap_or(f64::NAN)
    }

    /// Reports the epochs that an earlier worker ran and did not report; true if the trial is to be pruned by one of them. The inner error is of the run.
    fn catch_up(
        &self,
        trial: &mut Trial,
        run: &Run,
    ) -> Result<Result<bool, latents_train::Error>, Error> {
        let known = trial.record().last_report();
        if known.is_some() && trial.should_prune()? {
            return Ok(Ok(true));
        }
        let metrics = match run.metrics_until_checkpoint() {
            Ok(metrics) => metrics,
            Err(e) => return Ok(Err(e)),
        };
        for metrics in metrics {
            let step = metrics.epoch as i64;
            if known.is_none_or(|(last, _)| step > last) {
                trial.report(step, self.value(&metrics))?;
                if trial.should_prune()? {
                    return Ok(Ok(true));
                }
            }
        }
        Ok(Ok(false))
    }
}

/// Whether a file operation that the system refused is among an error's sources.
fn is_of_the_disk(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source())
        .any(<dyn std::error::Error>::is::<std::io::Error>)
}

/// As [`fatal`], for an error with sources.
fn broken(number: u64, error: &(dyn std::error::Error + 'static)) -> Error {
    fatal(number, &chain(error))
}

/// An error that ends the study, not only the trial.
fn fatal(number: u64, reason: &dyn Display) -> Error {
    Error::Objective { number, reason: reason.to_string() }
}
