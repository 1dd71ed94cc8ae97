//! Which images, as flags.

use clap::Args;
use latents::train::RunConfig;

use super::{PictureFlags, set, set_some};

/// Which images a run is trained on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataFlags {
    /// Images: a folder of pictures, an .npz file, or a name that `latents data list` has [default: fashion-mnist, or else the sample of it]
    #[arg(long = "data", value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// Use only N training images: the first, or of a folder or an .npz file N that are spread over all
    #[arg(long, value_name = "N")]
    train_limit: Option<usize>,
    /// Use only N test images, chosen alike
    #[arg(long, value_name = "N")]
    test_limit: Option<usize>,
    /// Part of the training images kept for validation
    #[arg(long, value_name = "FRACTION")]
    validation: Option<f64>,
    #[command(flatten)]
    pictures: PictureFlags,
}

impl DataFlags {
    pub(super) fn apply(&self, config: &mut RunConfig) {
        self.pictures.apply(&mut config.data.pictures);
        set_some(&mut config.data.train_limit, self.train_limit.as_ref());
        set_some(&mut config.data.test_limit, self.test_limit.as_ref());
        set(&mut config.training.validation_fraction, self.validation.as_ref());
    }

    pub(super) fn gives(&self, name: &str) -> bool {
        name == "validation_fraction" && self.validation.is_some()
    }
}
