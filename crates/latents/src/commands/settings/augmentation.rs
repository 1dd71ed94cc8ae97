//! How images are changed while they are trained on, as flags.

use clap::Args;
use latents::data::{Augmentation, Mix};

use super::set;

/// How images are changed while they are trained on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Augmentation")]
pub(crate) struct AugmentationFlags {
    /// Leave the images as they are
    #[arg(long)]
    no_augmentation: bool,
    /// Probability that left and right change places
    #[arg(long, value_name = "P")]
    flip: Option<f64>,
    /// Most pixels by which an image moves in each direction
    #[arg(long, value_name = "PIXELS")]
    shift: Option<usize>,
    /// Most degrees by which an image turns
    #[arg(long, value_name = "DEGREES")]
    rotation: Option<f64>,
    /// Probability that a rectangle is erased
    #[arg(long, value_name = "P")]
    erase: Option<f64>,
    /// Mix pairs of images, by shares from a Beta distribution with this parameter
    #[arg(long, value_name = "ALPHA", conflicts_with = "cutmix")]
    mixup: Option<f64>,
    /// Put a rectangle of one image into another, of an area from a Beta distribution with this parameter
    #[arg(long, value_name = "ALPHA")]
    cutmix: Option<f64>,
}

impl AugmentationFlags {
    pub(super) fn apply(&self, augmentation: &mut Augmentation) {
        if self.no_augmentation {
            *augmentation = Augmentation::default();
        }
        set(&mut augmentation.flip, self.flip.as_ref());
        set(&mut augmentation.shift, self.shift.as_ref());
        set(&mut augmentation.rotation, self.rotation.as_ref());
        set(&mut augmentation.erase, self.erase.as_ref());
        if let Some(alpha) = self.mixup {
            augmentation.mix = Some(Mix::Mixup { alpha });
        }
        if let Some(alpha) = self.cutmix {
            augmentation.mix = Some(Mix::Cutmix { alpha });
        }
    }
}
