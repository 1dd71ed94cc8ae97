//! Recipes: how a model is trained on given data. A recipe collects settings in layers (the kind's defaults, a study's best trial, files, values that are
//! set). The images are opened with their section `data`; when their shape is known, `recipe/resolve.rs` merges all sections once, and
//! `recipe/train.rs` trains with them.

mod images;
mod resolve;
mod runs;
mod train;

use std::path::{Path, PathBuf};

use latents_data::Dataset;
use latents_engine::Shape;
use latents_models::ModelConfig;
use latents_train::{RunConfig, SettingsLayer};
use serde::Serialize;

pub use images::open_for;
pub use runs::{FinishedRun, SEED_PREFIX, train_run, train_seeds};

pub(crate) use images::check_out_of;
pub(crate) use train::epochs_in;

use crate::error::{Error, Result};

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
        self.check_kind(config.model.kind(), origin)?;
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

    fn check_kind(&self, found: &str, origin: &str) -> Result<()> {
        if found == self.kind {
            return Ok(());
        }
        let (origin, found) = (origin.to_owned(), found.to_owned());
        Err(Error::OtherKind { origin, found, wanted: self.kind.clone() })
    }
}

/// What is wrong with a number of minutes, if anything is.
pub(crate) fn minutes_problem(minutes: f64) -> Option<String> {
    let is_right = minutes > 0.0 && minutes.is_finite();
    (!is_right).then(|| format!("minutes = {minutes} must be more than 0"))
}
