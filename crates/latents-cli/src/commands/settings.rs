//! The settings of a run as flags, for every command that trains: which images, which model, how it is trained. Flags become a layer of settings, which the
//! library merges with the others; a kind of model brings its flags by [`ModelFlags`].

mod augmentation;
mod autoencoder;
mod classifier;
mod cnn;
mod data;
mod default_help;
mod images;
mod pictures;
mod training;
mod vqvae;

/// The list of the kinds of models that the command has flags for: hands their names and their flags to a macro. To add one, write its file and add it
/// here; `latents train` and `latents tune` then have it.
macro_rules! with_kinds {
    ($each:ident) => {
        $each! {
            Ae(crate::commands::settings::AutoencoderFlags),
            Classifier(crate::commands::settings::ClassifierFlags),
            Cnn(crate::commands::settings::CnnFlags),
            Vae(crate::commands::settings::VaeFlags),
            Vqvae(crate::commands::settings::VqvaeFlags),
        }
    };
}

use clap::Args;
use latents::train::Error;
use latents::{Recipe, SettingsLayer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use augmentation::AugmentationFlags;
pub(crate) use autoencoder::{AutoencoderFlags, VaeFlags};
pub(crate) use classifier::ClassifierFlags;
pub(crate) use cnn::CnnFlags;
pub(crate) use data::DataFlags;
pub(crate) use default_help::{default_help, trial_help};
pub(crate) use images::ImageFlags;
pub(crate) use pictures::PictureFlags;
pub(crate) use training::TrainingFlags;
pub(crate) use vqvae::VqvaeFlags;
pub(crate) use with_kinds;

/// The flags of one kind of model.
pub(crate) trait ModelFlags: Args {
    /// The kind, as the library names it.
    const KIND: &'static str;
    /// One line about it, for `latents help train`.
    const ABOUT: &'static str;
    /// The end of the help of `latents train KIND`: what its defaults are, its loss, and examples.
    const EXAMPLES: &'static str;

    /// Adds the flags that were given to a layer of settings.
    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error>;

    /// Adds what is no setting, such as a trained encoder, to a recipe.
    fn prepare(&self, recipe: Recipe) -> Recipe {
        recipe
    }
}

/// Settings of a run. A flag that is not given leaves the setting as it is.
#[derive(Debug, Args)]
pub(crate) struct Settings<M: ModelFlags> {
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    model: M,
    #[command(flatten)]
    training: TrainingFlags,
    #[command(flatten)]
    augmentation: AugmentationFlags,
}

impl<M: ModelFlags> Settings<M> {
    /// The recipe of the kind with the flags that were given.
    pub(crate) fn recipe(&self) -> latents::Result<Recipe> {
        let mut layer = SettingsLayer::default();
        self.data.apply(&mut layer)?;
        self.model.apply(&mut layer)?;
        self.training.apply(&mut layer)?;
        self.augmentation.apply(&mut layer)?;
        Ok(self.model.prepare(Recipe::new(M::KIND)?.set_all(layer)))
    }
}

/// Sets the setting at a path if its flag was given.
fn put<T: Serialize>(layer: &mut SettingsLayer, path: &str, flag: Option<&T>) -> Result<(), Error> {
    flag.map_or(Ok(()), |value| layer.set(path, value))
}

/// Sets the switch at a path if its flag was given.
fn put_switch(layer: &mut SettingsLayer, path: &str, flag: bool) -> Result<(), Error> {
    put(layer, path, flag.then_some(&true))
}

/// Reads a name as the configuration file has it, so that there is one list of names.
fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl clap::builder::TypedValueParser<Value = T> {
    use clap::builder::TypedValueParser;
    clap::builder::PossibleValuesParser::new(names)
        .try_map(|name| serde_json::from_value::<T>(serde_json::Value::String(name)))
}
