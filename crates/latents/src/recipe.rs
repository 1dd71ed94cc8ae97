//! Recipes: how a model is trained on given data. A recipe collects settings in layers (the kind's defaults, a study's best trial, files, values that are
//! set) and merges them once, when the shape of the images is known.

mod images;
mod runs;

use std::path::{Path, PathBuf};

use latents_data::{Dataset, Source};
use latents_engine::Shape;
use latents_models::ModelConfig;
use latents_train::{
    DataConfig, Run, RunConfig, SettingsLayer, TrainingConfig, choose_augmentation,
    seconds_per_epoch,
};
use latents_tune::differences;
use serde::Serialize;

pub use images::open_for;
pub use runs::{FinishedRun, train_run, train_seeds};

pub(crate) use images::check_out_of;
use images::{check_open, is_same_source};
use runs::train_model;

use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::session::Session;

/// The images of the reference study, and the sample of them.
const STUDIED: [&str; 2] = ["fashion-mnist", "fashion-mnist-sample"];

/// The shape that images are assumed to have as long as it is not known.
pub const ASSUMED_SHAPE: Shape = [1, 28, 28];

/// How a model is trained: its kind, and the settings that differ from the kind's defaults.
///
/// ```
/// use latents::{Dataset, Recipe, Session};
///
/// # let folder = std::env::temp_dir().join(format!("latents-recipe-doc-{}", std::process::id()));
/// let session = Session::default();
/// let data = Dataset::open("fashion-mnist-sample", &session)?;
/// let mut model = Recipe::ae(&data).latent_dim(8).epochs(1).train(&data, &folder, &session)?;
/// assert_eq!(model.encode(&data.test)?.dim, 8);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recipe {
    kind: String,
    /// All settings but those that are set, if they come from elsewhere.
    base: Option<RunConfig>,
    /// Whether it is for the trials of a search.
    trial: bool,
    files: Vec<SettingsLayer>,
    set: SettingsLayer,
    encoder: Option<PathBuf>,
    from_scratch: bool,
    freeze_encoder: bool,
    /// Minutes to train for, instead of a number of epochs.
    minutes: Option<f64>,
    /// What is wrong with a value that was set.
    fault: Option<String>,
}

impl Recipe {
    /// The defaults of a kind of model, such as `vae`.
    ///
    /// # Errors
    /// If there is no such kind.
    pub fn new(kind: &str) -> Result<Self> {
        ModelConfig::about(kind)?;
        Ok(Self::of(kind))
    }

    fn of(kind: &str) -> Self {
        Recipe {
            kind: kind.to_owned(),
            base: None,
            trial: false,
            files: vec![],
            set: SettingsLayer::default(),
            encoder: None,
            from_scratch: false,
            freeze_encoder: false,
            minutes: None,
            fault: None,
        }
    }

    /// A convolutional autoencoder for these images.
    #[must_use]
    pub fn ae(data: &Dataset) -> Self {
        Self::of("ae").on(data)
    }

    /// A variational autoencoder for these images.
    #[must_use]
    pub fn vae(data: &Dataset) -> Self {
        Self::of("vae").on(data)
    }

    /// A VQ-VAE for these images.
    #[must_use]
    pub fn vqvae(data: &Dataset) -> Self {
        Self::of("vqvae").on(data)
    }

    /// A convolutional classifier for these images.
    #[must_use]
    pub fn cnn(data: &Dataset) -> Self {
        Self::of("cnn").on(data)
    }

    /// A classifier for these images, on the encoder of a trained run.
    #[must_use]
    pub fn classifier(data: &Dataset, encoder: impl AsRef<Path>) -> Self {
        Self::of("classifier").on(data).encoder(encoder)
    }

    /// Takes the source and the picture settings of a data set.
    fn on(self, data: &Dataset) -> Self {
        let recipe = self.set("data.source", &data.name);
        if data.pictures.is_default() {
            recipe
        } else {
            recipe.set("data.pictures", &data.pictures)
        }
    }

    /// The kind of model.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Takes all settings from a complete configuration, such as a study's best trial; `origin` names it in messages.
    ///
    /// # Errors
    /// If it is for another kind of model.
    pub fn base(self, config: RunConfig, origin: &str) -> Result<Self> {
        self.check_kind(&config, origin)?;
        Ok(Recipe { base: Some(config), ..self })
    }

    /// Puts a layer of settings, such as a file's, over those so far.
    #[must_use]
    pub fn layer(mut self, layer: SettingsLayer) -> Self {
        self.files.push(layer);
        self
    }

    /// Sets a setting, by its path in `config.toml`, such as `training.schedule.kind`. What is set goes before every layer.
    #[must_use]
    pub fn set(mut self, path: &str, value: &impl Serialize) -> Self {
        if let Err(error) = self.set.set(path, value) {
            self.fault.get_or_insert(error.to_string());
        }
        self
    }

    /// Takes the settings that are set from a layer.
    #[must_use]
    pub fn set_all(mut self, layer: SettingsLayer) -> Self {
        self.set = layer;
        self
    }

    /// Whether a setting of the model or of training is set, by its name.
    #[must_use]
    pub fn sets(&self, name: &str) -> bool {
        ["model", "training"].iter().any(|section| self.set.has(&format!("{section}.{name}")))
    }

    /// The number of dimensions of a latent vector.
    #[must_use]
    pub fn latent_dim(self, dim: usize) -> Self {
        self.set("model.latent_dim", &dim)
    }

    /// The seed of everything random.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.set("training.seed", &seed)
    }

    /// The number of passes over the training images.
    #[must_use]
    pub fn epochs(self, epochs: u64) -> Self {
        self.set("training.epochs", &epochs)
    }

    /// The time to train for, in minutes, instead of a number of epochs. It becomes a number of epochs by the measured time of a step, so the
    /// schedule of the learning rate ends with it; the settings keep that number, which repeats the run.
    #[must_use]
    pub fn minutes(mut self, minutes: f64) -> Self {
        if let Some(problem) = minutes_problem(minutes) {
            self.fault.get_or_insert(problem);
        }
        Recipe { minutes: Some(minutes), ..self }
    }

    /// The number of images in a step.
    #[must_use]
    pub fn batch_size(self, images: usize) -> Self {
        self.set("training.batch_size", &images)
    }

    /// The base learning rate.
    #[must_use]
    pub fn learning_rate(self, rate: f64) -> Self {
        self.set("training.learning_rate", &rate)
    }

    /// The part of the training images that is kept for validation.
    #[must_use]
    pub fn validation(self, fraction: f64) -> Self {
        self.set("training.validation_fraction", &fraction)
    }

    /// The run whose trained encoder a classifier starts from.
    #[must_use]
    pub fn encoder(self, run: impl AsRef<Path>) -> Self {
        Recipe { encoder: Some(run.as_ref().to_owned()), ..self }
    }

    /// Starts a classifier's encoder from initial weights too.
    #[must_use]
    pub fn from_scratch(self) -> Self {
        Recipe { from_scratch: true, ..self }
    }

    /// Keeps a classifier's encoder as it is and trains only the head.
    #[must_use]
    pub fn freeze_encoder(self) -> Self {
        Recipe { freeze_encoder: true, ..self }
    }

    /// Uses the settings of the trials of a search, such as fewer epochs.
    #[must_use]
    pub(crate) fn trial(self) -> Self {
        Recipe { trial: true, ..self }
    }

    fn check_kind(&self, config: &RunConfig, origin: &str) -> Result<()> {
        let found = config.model.kind();
        if found == self.kind {
            return Ok(());
        }
        Err(Error::OtherKind { origin: origin.to_owned(), found, wanted: self.kind.clone() })
    }

    /// The kind's defaults: those of the reference study for its images, or if its design is set; otherwise those
    /// that suit the collection.
    fn defaults(&self, data: Option<&Dataset>) -> Result<RunConfig> {
        let layers = || self.files.iter().chain([&self.set]).rev();
        let design = layers().find_map(|layer| layer.text("model.design"));
        let source = match data {
            Some(data) => Some(data.name.as_str()),
            None => layers().find_map(SettingsLayer::source),
        };
        let is_studied = match design {
            Some(design) => design == "study",
            None => source.is_none_or(|source| STUDIED.contains(&source)),
        };
        let shape = data.map_or(ASSUMED_SHAPE, Dataset::shape);
        let studied = RunConfig::of_kind(&self.kind, shape)?;
        if is_studied {
            return Ok(studied);
        }
        let images = data.map_or(0, |data| data.train.len());
        let collection = RunConfig::for_collection(&self.kind, shape, images)?;
        let starts = |config: &RunConfig| config.model.linear_start(shape).is_some();
        // Some settings, such as another likelihood, are of the other design alone.
        let is_other = |whole: &RunConfig| starts(&collection) && !starts(whole);
        let whole = collection.with_layers(self.files.iter().chain([&self.set]));
        Ok(if design.is_none() && whole.is_ok_and(|whole| is_other(&whole)) {
            studied
        } else {
            collection
        })
    }

    /// The model with its default settings.
    pub(crate) fn default_model(&self, data: Option<&Dataset>) -> Result<ModelConfig> {
        match &self.base {
            Some(base) => Ok(base.model.clone()),
            None => Ok(self.defaults(data)?.model),
        }
    }

    /// All settings for some images, but for what only their pixels can tell. Without images, [`ASSUMED_SHAPE`] and no check of the encoder's.
    fn resolve(&self, data: Option<&Dataset>, session: &Session) -> Result<RunConfig> {
        let image = data.map(Dataset::shape);
        if let Some(fault) = &self.fault {
            return Err(Error::Invalid(fault.clone()));
        }
        let encoder = self.encoder.as_ref().map(|run| session.run(run));
        let mut config = if let Some(base) = &self.base {
            base.clone()
        } else {
            let mut defaults = self.defaults(data)?;
            let mut layers = vec![];
            if let Some(tuning) = defaults.model.own_tuning().filter(|_| self.trial) {
                let epochs = defaults.training.epochs as f64 * tuning.trial_share;
                defaults.training.epochs = (epochs as u64).max(1);
                layers.push(SettingsLayer::parse("the settings of a trial", tuning.trial)?);
            }
            if let Some(run) = &encoder {
                layers.push(self.encoder_layer(run, &defaults.training)?);
            }
            defaults.with_layers(layers.iter().chain(&self.files))?
        };
        if let Some(file) = self.files.last() {
            self.check_kind(&config, file.origin())?;
        }
        if let Some(run) = &encoder {
            self.take_encoder(&mut config, run, image)?;
        } else if let Some(training) = &config.training.encoder
            && training.weights.is_none()
            && !self.from_scratch
        {
            return Err(Error::EncoderNeeded);
        }
        let mut config = config.with_layers([&self.set])?;
        self.apply_encoder_switches(&mut config);
        Ok(config)
    }

    /// Applies what is asked of the encoder: whether it begins from scratch, and whether it stays frozen.
    fn apply_encoder_switches(&self, config: &mut RunConfig) {
        let epochs = config.training.epochs;
        if let Some(training) = &mut config.training.encoder {
            if self.from_scratch {
                (training.weights, training.weights_digest) = (None, String::new());
            }
            if self.freeze_encoder {
                training.frozen_epochs = epochs;
            }
        }
    }

    /// What an encoder's run says of the images and of its training; files and values that are set go before it.
    fn encoder_layer(&self, run: &Run, head: &TrainingConfig) -> Result<SettingsLayer> {
        let of_run = run.config()?.data;
        let mut layer = SettingsLayer::default();
        layer.set("training.encoder", &run.fine_tuning(head)?)?;
        let ours =
            self.set.source().or_else(|| self.files.iter().rev().find_map(SettingsLayer::source));
        match ours {
            Some(ours) if !is_same_source(ours, &of_run.source) => {
                // Other pictures are resized to the shape that the encoder knows.
                if ours.parse::<Source>().is_ok_and(|source| !source.is_fixed()) {
                    let [channels, h, w] = of_run.shape;
                    layer.set("data.pictures.size", &[h, w])?;
                    layer.set("data.pictures.grey", &(channels == 1))?;
                    layer.set("data.pictures.fit", &of_run.pictures.fit)?;
                    layer.set("data.pictures.background", &of_run.pictures.background)?;
                }
                return Ok(layer);
            }
            Some(_) => {}
            None => layer.set("data.source", &of_run.source)?,
        }
        layer.set("data.pictures", &of_run.pictures)?;
        Ok(layer)
    }

    /// The encoder's model, without dropout, and weights, whatever a file says.
    fn take_encoder(&self, config: &mut RunConfig, run: &Run, image: Option<Shape>) -> Result<()> {
        let of_run = run.config()?;
        let kind = of_run.model.kind();
        if of_run.model.latents(of_run.data.shape).is_none() {
            return Err(Error::NoEncoder { run: run.dir().to_owned(), kind });
        }
        if let Some(images) =
            image.filter(|images| *images != of_run.data.shape && !self.from_scratch)
        {
            let encoder = of_run.data.shape;
            return Err(Error::EncoderShape { run: run.dir().to_owned(), encoder, images });
        }
        if let Some(encoder) = config.model.encoder_mut() {
            *encoder = of_run.model.fine_tuned();
        }
        let of_run = run.encoder_training()?;
        let training = config.training.encoder.get_or_insert_with(|| of_run.clone());
        (training.weights, training.weights_digest) = (of_run.weights, of_run.weights_digest);
        Ok(())
    }

    /// Opens the images that the settings name, for results that go to `out`. With no source named: Fashion-MNIST, or else the built-in sample of it.
    ///
    /// # Errors
    /// If the images cannot be read, or `out` lies among the pictures.
    pub fn open_data(&self, out: &Path, session: &Session) -> Result<Dataset> {
        open_for(&self.resolve(None, session)?.data, out, session)
    }

    /// All settings of a run on these images.
    ///
    /// # Errors
    /// If a setting is wrong, an encoder does not fit the images, or [`Error::ImagesOpen`] if a setting of the images is not the one that these were
    /// opened with: [`Recipe::open_data`] opens them with the recipe's settings.
    pub fn config(&self, data: &Dataset, session: &Session) -> Result<RunConfig> {
        let (config, of_data) = (self.resolve(Some(data), session)?, DataConfig::of(data));
        let layers = self.files.iter().chain([&self.set]);
        check_open(&layers, &config.data, &of_data)?;
        let mut config = RunConfig { data: of_data, ..config };
        let mut layers = self.files.iter().chain([&self.set]);
        let is_chosen = self.base.is_some() || layers.any(|l| l.has("training.augmentation"));
        if !is_chosen && config.model.linear_start(config.data.shape).is_some() {
            // Components of images too large would be computed first.
            config.check_memory(session.thread_count())?;
            let chosen =
                session.runtime()?.run(|| choose_augmentation(&config, data, session.monitor()))?;
            if let Some(augmentation) = chosen {
                config.training.augmentation = augmentation;
            }
        }
        if let Some(minutes) = self.minutes {
            config.training.epochs = epochs_in(minutes, &config, data, session)?;
        }
        Ok(config)
    }

    /// All settings of a run in a folder. If it was begun there for some minutes, it keeps its number of epochs, so that the same call resumes it.
    ///
    /// # Errors
    /// As [`Recipe::config`].
    pub fn config_in(&self, run: &Run, data: &Dataset, session: &Session) -> Result<RunConfig> {
        if self.minutes.is_none() || !run.exists() {
            return self.config(data, session);
        }
        let epochs = run.config()?.training.epochs;
        Recipe { minutes: None, ..self.clone() }.epochs(epochs).config(data, session)
    }

    /// Trains the model and keeps everything in the folder `out`. A run with the same settings that was stopped there is resumed; a finished one is opened.
    ///
    /// # Errors
    /// As [`Recipe::config`]; if the folder lies among the pictures or holds a run with other settings, or training fails or is interrupted.
    pub fn train(
        &self,
        data: &Dataset,
        out: impl AsRef<Path>,
        session: &Session,
    ) -> Result<TrainedModel> {
        let run = Run::at(out);
        check_out_of(data, run.dir())?;
        match train_model(&run, &self.config_in(&run, data, session)?, data.into(), session)?.1 {
            Some(model) => Ok(model),
            None => TrainedModel::open(run.dir(), session),
        }
    }

    /// The settings of a run that is resumed, and its images, after checking that neither differs from what the run began with.
    ///
    /// # Errors
    /// If there is no run, it is of another kind, or the images or a setting that may not change differ ([`RunConfig::continued_as`]).
    pub fn resume(&self, run: &Run, session: &Session) -> Result<(RunConfig, Dataset)> {
        let kept = run.config()?;
        kept.check().map_err(|e| latents_train::Error::Settings {
            origin: run.config_path().display().to_string(),
            problem: e.to_string(),
        })?;
        // `config.toml` may have been edited; the checkpoint has the settings that the run began with.
        let began = run.begun_with().unwrap_or_else(|| kept.clone());
        self.check_kind(&began, &run.dir().display().to_string())?;
        let mut config = kept.with_layers([&self.set])?;
        self.apply_encoder_switches(&mut config);
        if let Some(source) = self.set.source() {
            config.data.source = source.parse::<Source>()?.to_string();
        }
        check_continued(run, &began, &config)?;
        let data = config.data.open(session)?;
        if data.digest() != config.data.digest {
            let (origin, run) = (config.data.source, run.dir().to_owned());
            return Err(Error::OtherImages { origin, run });
        }
        Ok((config, data))
    }
}

/// Checks that a run that began with some settings may go on with others.
///
/// # Errors
/// [`Error::OtherSettings`] with both values of each setting that may not change.
pub(crate) fn check_continued(run: &Run, began: &RunConfig, now: &RunConfig) -> Result<()> {
    let continued = began.continued_as(now);
    if continued == *now {
        return Ok(());
    }
    let (was, is) = (serde_json::to_value(&continued)?, serde_json::to_value(now)?);
    let differences = differences(&was, &is);
    Err(Error::OtherSettings { run: run.dir().to_owned(), differences })
}

/// What is wrong with a number of minutes, if anything is.
pub(crate) fn minutes_problem(minutes: f64) -> Option<String> {
    let is_right = minutes > 0.0 && minutes.is_finite();
    (!is_right).then(|| format!("minutes = {minutes} must be more than 0"))
}

/// The number of epochs that some minutes are enough for, by the measured time of a step; at least 1.
///
/// # Errors
/// If the settings do not fit the data, or the call was interrupted.
pub(crate) fn epochs_in(
    minutes: f64,
    config: &RunConfig,
    data: &Dataset,
    session: &Session,
) -> Result<u64> {
    let runtime = session.runtime()?;
    let seconds = seconds_per_epoch(config, data, &runtime, session.monitor())?;
    Ok(((60.0 * minutes / seconds) as u64).max(1))
}
