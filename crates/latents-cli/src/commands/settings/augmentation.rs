//! How images are augmented in training, as flags.

use clap::Args;
use latents::SettingsLayer;
use latents::data::{Augmentation, Mix};
use latents::train::Error;

use super::put;

/// How images are augmented in training.
#[derive(Debug, Args)]
#[command(next_help_heading = "Augmentation")]
pub(crate) struct AugmentationFlags {
    /// Do not augment images
    #[arg(long)]
    no_augmentation: bool,
    /// Probability that an image is mirrored, left and right exchanged
    #[arg(long, value_name = "P")]
    flip: Option<f64>,
    /// Most pixels by which an image is shifted in each direction
    #[arg(long, value_name = "PIXELS")]
    shift: Option<usize>,
    /// Most degrees by which an image is rotated
    #[arg(long, value_name = "DEGREES")]
    rotation: Option<f64>,
    /// Probability that a rectangle is erased
    #[arg(long, value_name = "P")]
    erase: Option<f64>,
    /// Mix pairs of images, with weights from a Beta distribution with this parameter (mixup)
    #[arg(long, value_name = "ALPHA", conflicts_with = "cutmix")]
    mixup: Option<f64>,
    /// Paste a rectangle of one image into another, with an area from a Beta distribution with this parameter (cutmix)
    #[arg(long, value_name = "ALPHA")]
    cutmix: Option<f64>,
}

impl AugmentationFlags {
    pub(super) fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        if self.no_augmentation {
            layer.unset("training.augmentation");
            layer.set("training.augmentation", &Augmentation::default())?;
        }
        put(layer, "training.augmentation.flip", self.flip.as_ref())?;
        put(layer, "training.augmentation.shift", self.shift.as_ref())?;
        put(layer, "training.augmentation.rotation", self.rotation.as_ref())?;
        put(layer, "training.augmentation.erase", self.erase.as_ref())?;
        let mixup = self.mixup.map(|alpha| Mix::Mixup { alpha });
        let mix = mixup.or(self.cutmix.map(|alpha| Mix::Cutmix { alpha }));
        put(layer, "training.augmentation.mix", mix.as_ref())
    }
}
