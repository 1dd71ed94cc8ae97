//! A CNN's settings, as flags.

use clap::Args;
use latents::SettingsLayer;
use latents::train::Error;

use super::{ModelFlags, put};

/// Settings of a convolutional classifier.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct CnnFlags {
    /// Channels of the first convolution
    #[arg(long, value_name = "N")]
    stem: Option<usize>,
    /// Residual blocks at the image's full size, after the first convolution
    #[arg(long, value_name = "N")]
    stem_blocks: Option<usize>,
    /// Channels of each stage; each stage halves the size [default: as many of 48,96,160,256 as halve the images down to 4 pixels; for 28x28, 48,96,160]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    channels: Option<Vec<usize>>,
    /// Residual blocks in each stage
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,
    /// Probability that a sample skips the last residual block
    #[arg(long, value_name = "P")]
    stochastic_depth: Option<f64>,
    /// Probability of dropout before the classes
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
}

impl ModelFlags for CnnFlags {
    const KIND: &'static str = "cnn";
    const ABOUT: &'static str = "A convolutional classifier, from scratch on augmented images";
    const EXAMPLES: &'static str = "latents train cnn --out runs/cnn                    all training images, 25 epochs\n\
        latents train cnn --validation 0.1 --out runs/cnn   keep some of them for validation\n\
        latents evaluate runs/cnn                           measures it";

    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "model.stem", self.stem.as_ref())?;
        put(layer, "model.stem_blocks", self.stem_blocks.as_ref())?;
        put(layer, "model.channels", self.channels.as_ref())?;
        put(layer, "model.blocks", self.blocks.as_ref())?;
        put(layer, "model.stochastic_depth", self.stochastic_depth.as_ref())?;
        put(layer, "model.dropout", self.dropout.as_ref())
    }
}
