//! Tuning: searches for the settings of a model, or of any program, that give the best value.

mod live;
mod results;
mod runs;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use latents_data::Dataset;
use latents_engine::Shape;
use latents_models::{ModelConfig, Tuning};
use latents_train::{RunConfig, SettingsLayer, TrainingImages};
use latents_tune::command::{Program, Template};
use latents_tune::{
    Dimension, Direction, History, Space, Study, StudyConfig, StudySettings, StudyTarget, Value,
    optimize, storage,
};

pub use results::{BestTrial, TuneResults, TuneSummary, parameter_cell};

use crate::error::{Error, Result};
use crate::recipe::{ASSUMED_SHAPE, Recipe, check_out_of, epochs_in, minutes_problem};
use crate::session::Session;
use live::{Live, TrialReporter, report_step};
use runs::{Runs, with_params};

/// The setting that is the number of dimensions of a latent vector.
const LATENT_DIM: &str = "latent_dim";
/// The kind of a study of an outside program, and what its values are called.
const PROGRAM: &str = "command";
const PROGRAM_LABEL: &str = "value";

/// A finished or interrupted search.
#[derive(Clone, Debug)]
pub struct TunedStudy {
    /// Its trials.
    pub results: TuneResults,
    /// Its address, `URL#NAME`.
    pub address: String,
}

/// How a model is tuned.
fn tuning(model: &ModelConfig) -> Result<Tuning> {
    let not_tunable = || Error::NotTunable { kind: model.kind().to_owned() };
    model.own_tuning().ok_or_else(not_tunable)
}

/// The default search space of a model for images of a shape `[c, h, w]`: for small images, latents of no more than half of an image's
/// numbers, since more would compress nothing.
///
/// # Errors
/// If the model cannot be tuned.
pub fn default_space(model: &ModelConfig, image: Shape) -> Result<Space> {
    let space: Space = parse_space(tuning(model)?.space, "the default search space")?;
    let most = image.iter().product::<usize>() as i64 / 2;
    Ok(space.clamped(LATENT_DIM, most.max(1))?)
}

/// Reads a search space in TOML; `origin` names it in messages.
///
/// # Errors
/// If it is not TOML, or no search space.
pub fn parse_space(text: &str, origin: &str) -> Result<Space> {
    toml::from_str(text).map_err(|e| Error::Invalid(format!("{origin}: {e}")))
}

/// A search for the settings of a model: what is tuned, where, and how it is searched.
///
/// ```no_run
/// use latents::{Dataset, Recipe, Session, StudyConfig, Tuner};
///
/// let session = Session::default();
/// let data = Dataset::open("./photos", &session)?;
/// let study = StudyConfig { trials: 50, ..StudyConfig::default() };
/// let tuner = Tuner::new(Recipe::vae(&data).epochs(5)).study(study);
/// let found = tuner.tune(&data, "runs/tune", &session)?;
/// println!("{}", found.results.text("runs/tune".as_ref()));
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tuner {
    recipe: Recipe,
    study: StudyConfig,
    space: Option<Space>,
    minutes: Option<f64>,
}

impl Tuner {
    /// Tunes models of a recipe. Settings that the recipe sets are not tuned.
    #[must_use]
    pub fn new(recipe: Recipe) -> Self {
        Tuner { recipe: recipe.trial(), study: StudyConfig::default(), space: None, minutes: None }
    }

    /// Where the study is kept and how it is searched.
    #[must_use]
    pub fn study(self, study: StudyConfig) -> Self {
        Tuner { study, ..self }
    }

    /// A search space in place of the kind's own.
    #[must_use]
    pub fn space(self, space: Space) -> Self {
        Tuner { space: Some(space), ..self }
    }

    /// The time of the whole search, in minutes, if no trial is pruned. It becomes a number of epochs of each trial by the measured time of a
    /// step with the settings that are not tuned. A study that was begun keeps its number.
    #[must_use]
    pub fn minutes(self, minutes: f64) -> Self {
        Tuner { minutes: Some(minutes), ..self }
    }

    /// The recipe of the trials.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The search space for some images, or if they are not open yet: the given one, or the model's own without the settings that the recipe
    /// sets.
    ///
    /// # Errors
    /// If nothing is left to tune, or a setting is both searched and set.
    pub fn space_for(&self, data: Option<&Dataset>) -> Result<Space> {
        let Some(space) = &self.space else {
            let image = data.map_or(ASSUMED_SHAPE, Dataset::shape);
            let default = default_space(&self.recipe.default_model(data)?, image)?;
            return default
                .without(|name| self.recipe.sets(name))
                .map_err(|_| Error::NothingToTune);
        };
        match space.dimensions().iter().find(|d| self.recipe.sets(&d.name)) {
            Some(Dimension { name, .. }) => Err(Error::SearchedAndSet { name: name.clone() }),
            None => Ok(space.clone()),
        }
    }

    /// The search space that is the default, as TOML with its comments.
    ///
    /// # Errors
    /// If the model cannot be tuned.
    pub fn default_space_text(&self) -> Result<&'static str> {
        Ok(tuning(&self.recipe.default_model(None)?)?.space)
    }

    /// Tunes on a data set and keeps trials, tables and figures in the folder `out`. A study that was begun is continued.
    ///
    /// # Errors
    /// If a setting is wrong, `out` lies among the pictures, the study was begun with other settings, or a trial fails for a reason that others would meet too. If interrupted, after
    /// writing tables and figures.
    pub fn tune(
        &self,
        data: &Dataset,
        out: impl AsRef<Path>,
        session: &Session,
    ) -> Result<TunedStudy> {
        check_out_of(data, out.as_ref())?;
        let (mut base, space) = (self.recipe.config(data, session)?, self.space_for(Some(data))?);
        if let Some(minutes) = self.minutes {
            base.training.epochs =
                self.trial_epochs(minutes, &base, data, out.as_ref(), session)?;
        }
        check(&base, &space)?;
        search(&base, &space, &self.study, out.as_ref(), data.into(), false, session)
    }

    /// The number of epochs of a trial for a search of some minutes: that of the study, if it was begun.
    fn trial_epochs(
        &self,
        minutes: f64,
        base: &RunConfig,
        data: &Dataset,
        out: &Path,
        session: &Session,
    ) -> Result<u64> {
        if let Some(problem) = minutes_problem(minutes) {
            return Err(Error::Invalid(problem));
        }
        let kind = base.model.kind();
        if let Some(begun) = self.study.begun(out, kind)? {
            let epochs = &begun.objective[kind]["training"]["epochs"];
            return Ok(epochs.as_u64().unwrap_or(base.training.epochs));
        }
        epochs_in(minutes / self.study.trials.max(1) as f64, base, data, session)
    }
}

/// Tunes models that have all settings of `base` but those that the space names. `untuned` begins with the settings that are not tuned.
///
/// # Errors
/// As [`Tuner::tune`].
pub fn search(
    base: &RunConfig,
    space: &Space,
    config: &StudyConfig,
    out: &Path,
    data: TrainingImages<'_>,
    untuned: bool,
    session: &Session,
) -> Result<TunedStudy> {
    let kind = base.model.kind();
    let Tuning { label, metric, lower_is_better, .. } = tuning(&base.model)?;
    let target = StudyTarget {
        label: label.into(),
        direction: if lower_is_better { Direction::Minimize } else { Direction::Maximize },
        seed: Some(base.training.seed),
        settings: serde_json::to_value(base)?,
        ..StudyTarget::new(kind)
    };
    let study = config.open(out, &target, space)?;
    TuneResults::sweep(out);
    if untuned && study.trials()?.is_empty() {
        study.enqueue(&untuned_settings(base, space)?)?;
    }
    let options = config.options();
    let live = Live::new(session, &study, space, options, label)?;
    let objective = Runs {
        metric,
        base: base.clone(),
        trials: out.join("trials"),
        data,
        sessions: if options.workers > 1 {
            session.split(options.workers)
        } else {
            vec![session.clone()]
        },
    };
    let done =
        optimize(&study, space, options, &objective, session, &mut |event| live.show(&event));
    finish(done, &study, space, label, out, session)
}

/// A program that is tuned.
#[derive(Clone, Debug, Default)]
pub struct ProgramTarget {
    /// The program and its arguments, with the ranges of parameters in braces (see [`Template`]).
    pub words: Vec<String>,
    /// The name of the value among what the program prints; without it, the last line with a number has the value (see [`Program`]).
    pub value: Option<String>,
    /// Which values are better.
    pub direction: Direction,
    /// Seed of all random draws. Without it, the study's own, or 0 for a new study.
    pub seed: Option<u64>,
}

impl ProgramTarget {
    /// All that the values depend on besides a trial's parameters.
    fn settings(&self) -> serde_json::Value {
        match &self.value {
            None => serde_json::json!(self.words),
            Some(name) => serde_json::json!({"program": self.words, "value": name}),
        }
    }
}

/// Tunes a program: each trial runs it once, with values in the template's braces. Results go to the folder `out`. The first line that a value
/// is read from, if it is more than the number, is reported as a note, and the first trial that fails as a warning.
///
/// # Errors
/// If the study was begun with other settings, or the program cannot be run. [`Error::ProgramFails`] if it fails in every trial, after the first
/// [`MAX_FAILURES`](latents_tune::MAX_FAILURES) of them. If interrupted or failing, after writing tables and figures.
pub fn tune_program(
    program: &ProgramTarget,
    space: Option<&Space>,
    config: &StudyConfig,
    out: &Path,
    session: &Session,
) -> Result<TunedStudy> {
    let template = Template::parse(&program.words)?;
    let space = template.space(space)?;
    let target = StudyTarget {
        label: PROGRAM_LABEL.into(),
        direction: program.direction,
        seed: program.seed,
        settings: program.settings(),
        ..StudyTarget::new(PROGRAM)
    };
    let study = config.open(out, &target, &space)?;
    TuneResults::sweep(out);
    let options = config.options();
    let live = Live::new(session, &study, &space, options, PROGRAM_LABEL)?;
    let is_told = AtomicBool::new(false);
    let objective = Program {
        template,
        folder: out.join("trials"),
        value: program.value.clone(),
        on_step: &|_, number, step, value| report_step(session, number, step, value),
        on_value: &|number, value, line| {
            if let Some(line) = line
                && !is_told.swap(true, Ordering::Relaxed)
            {
                session.note(&format!("trial {number}: value {value}, read from `{line}`"));
            }
        },
    };
    let done = optimize(&study, &space, options, &objective, session, &mut |event| {
        if let latents_tune::StudyEvent::Finished { number, .. } = &event {
            TrialReporter::finish(session, *number);
        }
        live.show(&event);
    });
    let finished = finish(done, &study, &space, PROGRAM_LABEL, out, session);
    finished.map_err(|error| match error {
        Error::Tune(error @ latents_tune::Error::AllFailed { .. }) => Error::ProgramFails(error),
        error => error,
    })
}

/// Writes the tables and figures of a search that ended, was interrupted, or was given up.
fn finish(
    done: Result<(), latents_tune::Error>,
    study: &Study,
    space: &Space,
    label: &str,
    out: &Path,
    session: &Session,
) -> Result<TunedStudy> {
    use latents_tune::Error as E;
    let failed = match done {
        Err(error @ E::AllFailed { .. }) => Some(error),
        Ok(()) | Err(E::Interrupted(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let results = TuneResults::of(study, space, label)?;
    results.save(out)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    session.check()?;
    let address = format!("{}#{}", study.storage().url(), study.name());
    Ok(TunedStudy { results, address })
}

/// The settings of the best run of a study of a kind of model, by the study's address `URL` or `URL#NAME`.
///
/// # Errors
/// If there is no such study, it is of another kind, or no trial is complete.
pub fn best_settings(kind: &str, address: &str) -> Result<RunConfig> {
    let (storage, record) = storage::find(address)?;
    let settings = StudySettings::of(&*storage, &record)?;
    let base = settings.as_ref().and_then(|settings| settings.objective.get(kind));
    let base = base
        .ok_or_else(|| Error::OtherStudy { study: record.name.clone(), kind: kind.to_owned() })?;
    let base: RunConfig = serde_json::from_value(base.clone())?;
    let trials = storage.trials(record.id)?;
    let history = History { direction: record.direction, trials: &trials };
    let best = history.best().ok_or_else(|| {
        Error::Invalid(format!("no trial of study `{}` is complete", record.name))
    })?;
    let params = best.params.keys().filter_map(|name| Some((name.clone(), best.param(name)?)));
    Ok(with_params(&base, &params.collect())?)
}

/// The settings with which the best of a study is trained again, as a layer over the best trial's, which `trial` resembles.
///
/// # Errors
/// If the model cannot be tuned.
pub fn refit_layer(trial: &RunConfig) -> Result<SettingsLayer> {
    let Tuning { refit, trial_share, .. } = tuning(&trial.model)?;
    let mut layer = SettingsLayer::parse("the settings for the final model", refit)?;
    // A trial that has all epochs has those of its final model, unless the layer says otherwise.
    if trial_share < 1.0 {
        let epochs = (trial.training.epochs as f64 / trial_share).round() as u64;
        layer.set("training.epochs", &epochs)?;
    }
    Ok(layer)
}

/// Checks before the first trial that runs can have the settings that the space names, and the values at its ends.
fn check(base: &RunConfig, space: &Space) -> Result<()> {
    if base.training.validation_fraction <= 0.0 {
        return Err(Error::NoValidation);
    }
    for (name, value, params) in space.extremes() {
        with_params(base, &params)
            .and_then(|config| config.check())
            .map_err(|e| Error::from(e).context(format!("search space: `{name}` = {value}")))?;
    }
    Ok(())
}

/// The settings of a run that a space would search, as they are, if the space has them.
fn untuned_settings(base: &RunConfig, space: &Space) -> Result<Vec<(String, Value)>> {
    let settings = serde_json::to_value(base)?;
    let value = |dimension: &Dimension| {
        let name = &dimension.name;
        let place = name.replace('.', "/");
        let of = |section: &str| settings.pointer(&format!("/{section}/{place}"));
        let setting = ["model", "training"].into_iter().filter_map(of).find(|s| !s.is_null())?;
        let value: Value = serde_json::from_value(setting.clone()).ok()?;
        let distribution = &dimension.distribution;
        let is_there = distribution.internal(&value).is_ok_and(|x| distribution.contains(x));
        is_there.then(|| (name.clone(), value))
    };
    Ok(space.dimensions().iter().filter_map(value).collect())
}

/// The folder of a study of a kind of model if none is named.
#[must_use]
pub fn default_folder(kind: &str) -> PathBuf {
    PathBuf::from(format!("runs/tune-{kind}"))
}

#[cfg(test)]
mod tests {
    use latents_tune::Distribution;

    use super::*;

    #[test]
    fn small_images_have_fewer_latents() {
        let latents = |image| {
            let model = ModelConfig::for_images("ae", image).unwrap();
            let space = default_space(&model, image).unwrap();
            space.dimensions().iter().find(|d| d.name == LATENT_DIM).unwrap().distribution.clone()
        };
        assert_eq!(latents([1, 28, 28]), Distribution::int(8, 256).unwrap());
        assert_eq!(latents([1, 8, 8]), Distribution::int(8, 32).unwrap());
        assert_eq!(latents([1, 3, 3]), Distribution::int(4, 4).unwrap());
        let model = ModelConfig::default();
        let default: Space = toml::from_str(tuning(&model).unwrap().space).unwrap();
        assert_eq!(default_space(&model, ASSUMED_SHAPE).unwrap(), default);
    }

    #[test]
    fn a_search_of_a_small_set_begins_with_what_is_not_tuned() {
        let untuned = |kind: &str, change: fn(&mut ModelConfig)| {
            let mut base = RunConfig::of_kind(kind, [1, 8, 8]).unwrap();
            change(&mut base.model);
            let space = default_space(&base.model, [1, 8, 8]).unwrap();
            untuned_settings(&base, &space).unwrap()
        };
        let names = |found: Vec<(String, Value)>| -> Vec<String> {
            found.into_iter().map(|(name, _)| name).collect()
        };
        let ae = untuned("ae", |_| {});
        assert!(ae.contains(&("optimizer".into(), Value::Text("adam".into()))), "{ae:?}");
        assert!(ae.contains(&("dropout".into(), Value::Float(0.2))), "{ae:?}");
        assert_eq!(
            names(ae),
            ["dropout", "latent_dim", "learning_rate", "optimizer", "weight_decay"]
        );
        // A latent vector that is too long for the space is left to be drawn.
        let long = untuned("vae", |model| {
            if let ModelConfig::Vae(vae) = model {
                vae.autoencoder.latent_dim = 44;
            }
        });
        assert_eq!(names(long), ["learning_rate", "optimizer", "weight_decay"]);
    }
}
