//! What is the same in tuning every kind of model: the search space is settled and checked, the study is opened, trials are run, tables
//! and figures are drawn, and the best is found again. A kind is a [`Kind`] and a file with its flags; a trial is in `runs.rs`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use clap::Args;
use latents::engine::{Runtime, Shape};
use latents::train::{EpochMetrics, RunConfig};
use latents::tune::{
    Dimension, Direction, Distribution, History, Params, Space, Study, Value, optimize,
};

use crate::Shared;
use crate::commands::tune::live::Live;
use crate::commands::tune::results::Results;
use crate::commands::tune::runs::{Runs, with};
use crate::commands::tune::strategy::{StudyFlags, Target, agreed, find};
use crate::commands::{USUAL, new_run, stop_on_ctrl_c};
use crate::output::{Output, shell_word};

/// The setting that says how many numbers a latent vector has.
const LATENT_DIM: &str = "latent_dim";

/// A kind of model, as it is tuned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Its name in commands and in studies.
    pub(crate) name: &'static str,
    /// What a trial's value is called.
    pub(crate) label: &'static str,
    /// Which values are better.
    pub(crate) direction: Direction,
    /// What is reported after an epoch. A trial's value is that of the epoch whose weights are kept.
    pub(crate) value: fn(&EpochMetrics) -> Option<f64>,
    /// The search space where the user names none, in TOML.
    pub(crate) space: &'static str,
    /// Flags with which to train the best again.
    pub(crate) refit: &'static str,
}

impl Kind {
    /// What the short help ends with.
    pub(crate) fn help(&self) -> String {
        let Kind { name, refit, .. } = self;
        format!(
            "A study is a file that any number of these commands may work on at once, and that Optuna and optuna-dashboard can open. \
             Stopped or killed, the same command goes on: no trial is lost, none is run twice.\n\n\
             latents tune {name} --out runs/tune                       search, or go on\n\
             latents tune {name} --print-space > space.toml            the search space, to edit\n\
             latents tune {name} --space space.toml --batch-size 128   search in it, with settings of your own\n\
             latents train {name} --from-study sqlite:///runs/tune/study.db {refit} --out runs/best"
        )
    }

    /// What the long help ends with: the default search space besides.
    pub(crate) fn long_help(&self) -> String {
        format!("{}\n\nSearched by default:\n\n{}", self.help(), self.space)
    }

    /// The default search space for images of a shape `[c, h, w]`: where they are small, latents of no more than half of an image's numbers, for more would
    /// compress nothing.
    pub(crate) fn space_for(&self, image: Shape) -> Result<Space> {
        let default: Space = toml::from_str(self.space).context("the default search space")?;
        let most = image.iter().product::<usize>() as i64 / 2;
        let fitted = default.dimensions().iter().cloned().map(|mut dimension| {
            if let (LATENT_DIM, Distribution::Int { low, high, .. }) =
                (dimension.name.as_str(), &mut dimension.distribution)
            {
                *high = most.clamp(1, *high);
                *low = (*low).min(*high);
            }
            dimension
        });
        Ok(Space::new(fitted.collect())?)
    }
}

/// Flags of a study of models, whatever their kind.
#[derive(Debug, Args)]
pub(crate) struct TuneFlags {
    /// Folder for the trials' runs, the tables and the figures; workers that share it go on with each other's trials mid-training
    /// [default: runs/tune-KIND]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the default search space, to edit for --space, and do nothing else
    #[arg(long)]
    print_space: bool,
    #[command(flatten)]
    study: StudyFlags,
}

impl TuneFlags {
    /// Tunes models of a kind. `base` gives, for images of a shape `[c, h, w]` or where it is not known yet, all settings but those that are tuned; `given` tells which settings, by their names
    /// in `config.toml`, flags name, so that they are not tuned.
    pub(crate) fn run(
        &self,
        kind: &Kind,
        base: &dyn Fn(Option<Shape>) -> Result<RunConfig>,
        data: Option<&str>,
        given: &dyn Fn(&str) -> bool,
        shared: &Shared,
        output: Output,
    ) -> Result<ExitCode> {
        let space = self.space(kind, USUAL, given)?;
        if self.print_space {
            output.result(kind.space, &space)?;
            return Ok(ExitCode::SUCCESS);
        }
        let out =
            self.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/tune-{}", kind.name)));
        let (base, dataset) = new_run(&out, data, base, output)?;
        let space = self.space(kind, base.data.shape, given)?;
        // What no trial could have is said before the first.
        check(&base, &space)?;
        let study = open(kind, &base, &self.study, &out, &space)?;

        let schedule = self.study.schedule();
        let live = Live::new(output, &study, &space, schedule, kind.label)?;
        let objective = Runs {
            value: kind.value,
            base,
            trials: out.join("trials"),
            data: &dataset.train,
            runtimes: runtimes(shared, schedule.workers)?,
            report: &|worker, number, event| live.training(worker, number, event),
        };
        let stop = stop_on_ctrl_c()?;
        let done =
            optimize(&study, &space, schedule, &objective, &stop, &mut |event| live.show(&event));
        live.finish();
        done?;
        let results = Results::of(&study, &space, kind.label)?;
        let folder = results.save(&out)?;
        if stop.load(Ordering::Relaxed) {
            output.note("Stopped and saved. The same command goes on.");
            return Ok(ExitCode::from(130));
        }
        results.print(output, &folder)?;
        if results.has_best() {
            let study = format!("{}#{}", study.storage().url(), study.name());
            output.note(&format!(
                "Train with the best:\n  latents train {} --from-study {} {} --out runs/best",
                kind.name,
                shell_word(&study),
                kind.refit
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The user's search space, or the default one less the settings that are given by flags.
    fn space(&self, kind: &Kind, image: Shape, given: &dyn Fn(&str) -> bool) -> Result<Space> {
        let Some(space) = self.study.space()? else {
            let default = kind.space_for(image)?;
            let dimensions = default.dimensions().iter().cloned();
            let rest = dimensions.filter(|d| !given(&d.name)).collect();
            return Space::new(rest)
                .context("all settings that are tuned by default are given by flags");
        };
        for dimension in space.dimensions() {
            let name = &dimension.name;
            ensure!(!given(name), "`{name}` is in --space and given by a flag: leave one out");
        }
        Ok(space)
    }
}

/// The study of a kind of model in the folder `out`; see [`StudyFlags::open`].
pub(crate) fn open(
    kind: &Kind,
    base: &RunConfig,
    flags: &StudyFlags,
    out: &Path,
    space: &Space,
) -> Result<Study> {
    let target = Target {
        kind: kind.name,
        label: kind.label,
        direction: kind.direction,
        seed: Some(base.training.seed),
        settings: serde_json::to_value(base)?,
    };
    flags.open(out, &target, space)
}

/// The settings of the best run of a study of a kind of model.
pub(crate) fn best(kind: &str, address: &str) -> Result<RunConfig> {
    let (storage, record) = find(address)?;
    let agreed = agreed(&*storage, &record)?;
    let base = agreed.as_ref().and_then(|agreed| agreed.objective.get(kind));
    let base = base
        .with_context(|| format!("study `{}` is not one of `latents tune {kind}`", record.name))?;
    let base: RunConfig = serde_json::from_value(base.clone())?;
    let trials = storage.trials(record.id)?;
    let history = History { direction: record.direction, trials: &trials };
    let best = history.best();
    let best = best.with_context(|| format!("no trial of study `{}` is complete", record.name))?;
    let params = best.params.keys().filter_map(|name| Some((name.clone(), best.param(name)?)));
    Ok(with(&base, &params.collect())?)
}

/// Whether runs have the settings that the space names, and can have the values at its ends.
fn check(base: &RunConfig, space: &Space) -> Result<()> {
    ensure!(
        base.training.validation_fraction > 0.0,
        "trials are judged by images that validate: --validation must be more than 0"
    );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tune::ae::AE;

    #[test]
    fn small_images_have_fewer_latents() {
        let latents = |image| {
            let space = AE.space_for(image).unwrap();
            space.dimensions().iter().find(|d| d.name == LATENT_DIM).unwrap().distribution.clone()
        };
        assert_eq!(latents([1, 28, 28]), Distribution::int(8, 256).unwrap());
        assert_eq!(latents([1, 8, 8]), Distribution::int(8, 32).unwrap());
        assert_eq!(latents([1, 3, 3]), Distribution::int(4, 4).unwrap());
        let default: Space = toml::from_str(AE.space).unwrap();
        assert_eq!(AE.space_for(USUAL).unwrap(), default);
    }
}
