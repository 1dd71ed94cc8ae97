//! `latents tune ae`: trials are runs of an autoencoder, one folder for each, so a trial that was cut off goes on from its
//! checkpoint, whoever takes it up.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use clap::Args;
use latents::data::Images;
use latents::engine::Runtime;
use latents::train::{Event, Outcome as Trained, Run, RunConfig, train};
use latents::tune::{
    Dimension, Direction, Error, Objective, Outcome, Params, Space, Trial, Value, optimize,
};

use crate::Shared;
use crate::commands::settings::Settings;
use crate::commands::tune::live::Live;
use crate::commands::tune::results::Results;
use crate::commands::tune::strategy::{StudyFlags, Target, agreed, find};
use crate::commands::{load_new_data, stop_on_ctrl_c};
use crate::output::{Output, shell_word};

/// What is searched where the user names no space.
const SPACE: &str = include_str!("ae.toml");
/// Epochs of a trial where the user names none.
const EPOCHS: u64 = 10;
/// The objective's name in studies.
const KIND: &str = "ae";
/// What its values are called.
const LABEL: &str = "validation loss";

/// Settings of the study, and of the runs that are its trials. A setting that is given by a flag is not tuned.
#[derive(Debug, Args)]
pub(crate) struct TuneAe {
    /// Folder for the trials' runs, the tables and the figures; workers that share it go on with each other's trials mid-training
    #[arg(long, value_name = "DIR", default_value = "runs/tune-ae")]
    out: PathBuf,
    /// Print the default search space, to edit for --space, and do nothing else
    #[arg(long)]
    print_space: bool,
    #[command(flatten)]
    study: StudyFlags,
    #[command(flatten)]
    settings: Settings,
}

impl TuneAe {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        if self.print_space {
            output.result(SPACE, &self.space()?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let space = self.space()?;
        let mut base = RunConfig::default();
        base.training.epochs = EPOCHS;
        self.settings.apply(&mut base);
        let dataset = load_new_data(self.settings.data.as_deref(), &mut base.data, output)?;
        // What no trial could have is said before the first.
        check(&base, &space)?;
        output.note(&format!("{}: {}", dataset.name, dataset.origin));
        let target = Target {
            kind: KIND,
            label: LABEL,
            direction: Direction::Minimize,
            seed: Some(base.training.seed),
            settings: serde_json::to_value(&base)?,
        };
        let study = self.study.open(&self.out, &target, &space)?;

        let schedule = self.study.schedule();
        let live = Live::new(output, &study, &space, schedule, LABEL)?;
        let objective = Autoencoders {
            base,
            trials: self.out.join("trials"),
            images: &dataset.train.images,
            runtimes: runtimes(shared, schedule.workers)?,
            live: &live,
        };
        let stop = stop_on_ctrl_c()?;
        let done =
            optimize(&study, &space, schedule, &objective, &stop, &mut |event| live.show(&event));
        live.finish();
        done?;
        let results = Results::of(&study, &space, LABEL)?;
        let folder = results.save(&self.out)?;
        if stop.load(Ordering::Relaxed) {
            output.note("Stopped and saved. The same command goes on.");
            return Ok(ExitCode::from(130));
        }
        results.print(output, &folder)?;
        if results.has_best() {
            let study = format!("{}#{}", study.storage().url(), study.name());
            output.note(&format!(
                "Train with the best:\n  latents train ae --from-study {} --epochs 42 --out runs/best",
                shell_word(&study)
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The user's search space, or the default one less the settings that are given by flags.
    fn space(&self) -> Result<Space> {
        let Some(space) = self.study.space()? else {
            let default: Space = toml::from_str(SPACE)?;
            let dimensions = default.dimensions().iter().cloned();
            let rest = dimensions.filter(|d| !self.settings.gives(&d.name)).collect();
            return Space::new(rest)
                .context("all settings that are tuned by default are given by flags");
        };
        for dimension in space.dimensions() {
            let name = &dimension.name;
            ensure!(
                !self.settings.gives(name),
                "`{name}` is in --space and given by a flag: leave one out"
            );
        }
        Ok(space)
    }
}

/// The settings of the best run of a study that was tuned by `latents tune ae`.
pub(crate) fn best(address: &str) -> Result<RunConfig> {
    let (storage, record) = find(address)?;
    let agreed = agreed(&*storage, &record)?;
    let base = agreed.as_ref().and_then(|agreed| agreed.objective.get(KIND));
    let base =
        base.with_context(|| format!("study `{}` is not one of autoencoders", record.name))?;
    let base: RunConfig = serde_json::from_value(base.clone())?;
    let trials = storage.trials(record.id)?;
    let history = latents::tune::History { direction: record.direction, trials: &trials };
    let best = history.best();
    let best = best.with_context(|| format!("no trial of study `{}` is complete", record.name))?;
    let params = best.params.keys().filter_map(|name| Some((name.clone(), best.param(name)?)));
    Ok(with(&base, &params.collect())?)
}

/// `base` with a trial's parameters.
fn with(base: &RunConfig, params: &Params) -> Result<RunConfig, latents::train::Error> {
    let toml = |value: &Value| match value {
        Value::None => toml::Value::from("none"),
        Value::Bool(x) => (*x).into(),
        Value::Int(x) => (*x).into(),
        Value::Float(x) => (*x).into(),
        Value::Text(x) => x.as_str().into(),
    };
    base.with(params.iter().map(|(name, value)| (name.clone(), toml(value))))
}

/// Whether runs have the settings that the space names, and can have the values at its ends.
fn check(base: &RunConfig, space: &Space) -> Result<()> {
    for dimension in space.dimensions() {
        for value in dimension.distribution.extremes() {
            let mut params = Params::new();
            suppose(space, dimension, &value, &mut params);
            let checked = with(base, &params).and_then(|config| config.check());
            checked.with_context(|| format!("search space: `{}` = {value}", dimension.name))?;
        }
    }
    Ok(())
}

/// Gives a parameter a value, and those that it depends on one under which it is there.
fn suppose(space: &Space, dimension: &Dimension, value: &Value, params: &mut Params) {
    params.insert(dimension.name.clone(), value.clone());
    for condition in &dimension.when {
        let parent = space.dimensions().iter().find(|d| d.name == condition.parameter);
        if let (Some(parent), Some(value)) = (parent, condition.values.first()) {
            suppose(space, parent, value, params);
        }
    }
}

/// The threads, shared out evenly among the workers.
fn runtimes(shared: &Shared, workers: usize) -> Result<Vec<Arc<Runtime>>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = shared.threads.map_or(cores, usize::from);
    let share = |worker| (threads / workers + usize::from(worker < threads % workers)).max(1);
    (0..workers).map(|w| Ok(Arc::new(Runtime::new(Some(share(w)), shared.isa)?))).collect()
}

/// The objective: the validation loss of a run.
struct Autoencoders<'a> {
    base: RunConfig,
    trials: PathBuf,
    images: &'a Images,
    /// One for each worker.
    runtimes: Vec<Arc<Runtime>>,
    live: &'a Live<'a>,
}

impl Objective for Autoencoders<'_> {
    fn run(
        &self,
        trial: &mut Trial<'_>,
        params: &Params,
        worker: usize,
        stop: &AtomicBool,
    ) -> Result<Outcome, Error> {
        let number = trial.number();
        let fatal = |e: &dyn std::fmt::Display| Error::Objective { number, reason: e.to_string() };
        let config = match with(&self.base, params) {
            Ok(config) => config,
            Err(e) => return Ok(Outcome::Failed(e.to_string())),
        };
        let run = Run::at(&self.trials.join(format!("{number:05}")));
        if run.exists() {
            if run.config().map_err(|e| fatal(&e))? != config {
                return Err(fatal(&format!(
                    "{} holds another run; take another --out",
                    run.dir().display()
                )));
            }
            if catch_up(trial, &run, &fatal)? {
                return Ok(Outcome::Pruned);
            }
        }
        let halt = AtomicBool::new(false);
        let mut verdict = Ok(false);
        let runtime = &self.runtimes[worker];
        let trained = train(&run, &config, self.images, runtime, &halt, &mut |event| {
            self.live.training(worker, number, &event);
            if let Event::Epoch(metrics) = event {
                let reported = trial.report(metrics.epoch as i64, metrics.val_loss);
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
            Ok(Trained::Finished { val_loss, .. }) => Ok(Outcome::Value(val_loss)),
            Ok(Trained::Interrupted { .. }) => Ok(Outcome::Interrupted),
            // The disk, not the parameters.
            Err(e @ (latents::train::Error::File(_) | latents::train::Error::Busy { .. })) => {
                Err(fatal(&format!("{:#}", anyhow::Error::from(e))))
            }
            Err(e) => Ok(Outcome::Failed(e.to_string())),
        }
    }
}

/// Reports the epochs that a worker before had run but not reported any more; true where the trial is to be pruned by one.
fn catch_up(
    trial: &mut Trial<'_>,
    run: &Run,
    fatal: &dyn Fn(&dyn std::fmt::Display) -> Error,
) -> Result<bool, Error> {
    let known = trial.record().last_report();
    if known.is_some() && trial.should_prune()? {
        return Ok(true);
    }
    if !run.has_metrics() {
        return Ok(false);
    }
    for metrics in run.metrics().map_err(|e| fatal(&e))? {
        let step = metrics.epoch as i64;
        if known.is_none_or(|(last, _)| step > last) {
            trial.report(step, metrics.val_loss)?;
            if trial.should_prune()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
