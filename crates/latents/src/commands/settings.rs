//! The settings of a run as flags, for every command that trains: which images, which model, how it is trained. A kind of model
//! brings its flags by [`ModelFlags`].

mod augmentation;
mod autoencoder;
mod classifier;
mod cnn;
mod commented;
mod data;
mod pictures;
mod training;

use anyhow::Result;
use clap::Args;
use latents::engine::Shape;
use latents::models::ModelConfig;
use latents::train::{RunConfig, TrainingConfig};
use serde::de::DeserializeOwned;

use augmentation::AugmentationFlags;
pub(crate) use autoencoder::{AutoencoderFlags, VaeFlags};
pub(crate) use classifier::ClassifierFlags;
pub(crate) use cnn::CnnFlags;
pub(crate) use commented::commented;
pub(crate) use data::DataFlags;
pub(crate) use pictures::PictureFlags;
pub(crate) use training::TrainingFlags;

/// The flags of one kind of model.
pub(crate) trait ModelFlags: Args {
    /// The kind, as [`ModelConfig::kind`] has it.
    const KIND: &'static str;

    /// The model for images of a shape `[c, h, w]` where no flag is given.
    fn base(image: Shape) -> ModelConfig;

    /// All settings of a run on images of a shape `[c, h, w]` where no flag is given, but which images.
    fn base_run(image: Shape) -> RunConfig {
        RunConfig { model: Self::base(image), ..RunConfig::default() }
    }

    /// Puts the flags that were given over the settings of a model of this kind.
    fn apply(&self, model: &mut ModelConfig);

    /// Settings of a new run that depend on what is on disk, such as a trained encoder; flags of data and training come after.
    fn prepare(&self, _config: &mut RunConfig) -> Result<()> {
        Ok(())
    }

    /// Puts the flags that concern more than the model over the settings.
    fn apply_to_training(&self, _training: &mut TrainingConfig) {}

    /// Whether a setting, by its name in `config.toml`, is given by a flag.
    fn gives(&self, name: &str) -> bool;
}

/// Settings of a run. A flag that is not given leaves what was there before.
#[derive(Debug, Args)]
pub(crate) struct Settings<M: ModelFlags> {
    #[command(flatten)]
    pub(crate) data: DataFlags,
    #[command(flatten)]
    pub(crate) model: M,
    #[command(flatten)]
    pub(crate) training: TrainingFlags,
    #[command(flatten)]
    pub(crate) augmentation: AugmentationFlags,
}

impl<M: ModelFlags> Settings<M> {
    /// Puts the flags that were given over the settings.
    pub(crate) fn apply(&self, config: &mut RunConfig) {
        self.data.apply(config);
        self.model.apply(&mut config.model);
        self.training.apply(&mut config.training);
        self.augmentation.apply(&mut config.training.augmentation);
        self.model.apply_to_training(&mut config.training);
    }

    /// Whether a setting, by its name in `config.toml`, is given by a flag.
    pub(crate) fn gives(&self, name: &str) -> bool {
        self.data.gives(name) || self.model.gives(name) || self.training.gives(name)
    }
}

fn set<T: Clone>(setting: &mut T, flag: Option<&T>) {
    if let Some(flag) = flag {
        *setting = flag.clone();
    }
}

fn set_some<T: Clone>(setting: &mut Option<T>, flag: Option<&T>) {
    if flag.is_some() {
        *setting = flag.cloned();
    }
}

/// Reads a name as the configuration file has it, so that there is one list of names.
fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl clap::builder::TypedValueParser<Value = T> {
    use clap::builder::TypedValueParser;
    clap::builder::PossibleValuesParser::new(names)
        .try_map(|name| serde_json::from_value::<T>(serde_json::Value::String(name)))
}
