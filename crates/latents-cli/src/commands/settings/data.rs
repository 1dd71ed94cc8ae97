//! Which images, as flags.

use clap::Args;
use latents::train::Error;
use latents::{SettingsLayer, Source};

use super::{PictureFlags, put};

/// Which images a run is trained on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataFlags {
    /// Images: a folder of pictures, an .npz file, or a name from `latents data list` [default: fashion-mnist, or else the sample of it]
    #[arg(long = "data", value_name = "SOURCE")]
    source: Option<String>,
    /// Use only N training images: the first ones, or for a folder or an .npz file N evenly spaced ones
    #[arg(long, value_name = "N")]
    train_limit: Option<usize>,
    /// Use only N test images, chosen in the same way
    #[arg(long, value_name = "N")]
    test_limit: Option<usize>,
    /// Fraction of the training images kept for validation
    #[arg(long, value_name = "FRACTION")]
    validation: Option<f64>,
    #[command(flatten)]
    pictures: PictureFlags,
}

impl DataFlags {
    pub(super) fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        // As a run's settings write it.
        let source = self.source.as_deref().map(str::parse::<Source>).transpose()?;
        put(layer, "data.source", source.as_ref())?;
        self.pictures.apply(layer)?;
        put(layer, "data.train_limit", self.train_limit.as_ref())?;
        put(layer, "data.test_limit", self.test_limit.as_ref())?;
        put(layer, "training.validation_fraction", self.validation.as_ref())
    }
}
