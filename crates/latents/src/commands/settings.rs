//! The settings of a run as flags, for every command that trains: which images, which model, how it is trained. A kind of model
//! brings its flags by [`ModelFlags`].

mod augmentation;
mod autoencoder;
mod classifier;
mod cnn;
mod commented;
mod data;
mod pictures;
mod told;
mod training;

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;
use latents::engine::Shape;
use latents::models::ModelConfig;
use latents::train::{RunConfig, TrainingConfig};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use augmentation::AugmentationFlags;
pub(crate) use autoencoder::{AutoencoderFlags, VaeFlags};
pub(crate) use classifier::ClassifierFlags;
pub(crate) use cnn::CnnFlags;
pub(crate) use commented::commented;
pub(crate) use data::DataFlags;
pub(crate) use pictures::PictureFlags;
pub(crate) use told::told;
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

    /// Puts over the base what a flag brings from the disk, such as a trained encoder's own settings; those of a file come after. `source` is that of
    /// the images, where it is given.
    fn begin(&self, _base: &mut RunConfig, _source: Option<&str>) -> Result<()> {
        Ok(())
    }

    /// What only the flag can tell of it, whatever a file says; flags of data and training come after. The shape `[c, h, w]` of the images is there
    /// once they are known.
    fn prepare(&self, _config: &mut RunConfig, _image: Option<Shape>) -> Result<()> {
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

/// Where two settings differ, by their paths, a line for each: how it was, and how it is.
pub(crate) fn differences(was: &Value, is: &Value) -> Vec<String> {
    let mut notes = vec![];
    differ("", was, is, &mut notes);
    notes
}

fn differ(path: &str, was: &Value, is: &Value, notes: &mut Vec<String>) {
    /// More of a value than this nobody reads.
    const MOST: usize = 60;
    let shown = |value: &Value| match value {
        Value::Null => "not there".to_owned(),
        value => {
            let text = value.to_string();
            let start: String = text.chars().take(MOST).collect();
            if start == text { text } else { start + "..." }
        }
    };
    if let (Value::Object(a), Value::Object(b)) = (was, is) {
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let of = |table: &Map<String, Value>| table.get(key).cloned().unwrap_or_default();
            differ(&path, &of(a), &of(b), notes);
        }
    } else if was != is {
        notes.push(format!("{path} was {}, is {}", shown(was), shown(is)));
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
