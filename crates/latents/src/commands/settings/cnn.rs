//! A CNN's settings, as flags.

use clap::Args;
use latents::data::Augmentation;
use latents::engine::{Schedule, Shape};
use latents::models::{CnnConfig, ModelConfig};
use latents::train::{OptimizerKind, RunConfig, TrainingConfig};

use super::{ModelFlags, set};

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
    /// Channels of each stage, each of half the size of the one before [default: as many of 48,96,160,256 as halve the images down to 4 pixels; for 28x28, 48,96,160]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    channels: Option<Vec<usize>>,
    /// Residual blocks in each stage
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,
    /// Probability with which a sample goes without the last residual block
    #[arg(long, value_name = "P")]
    stochastic_depth: Option<f64>,
    /// Probability of dropout before the classes
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
}

impl ModelFlags for CnnFlags {
    const KIND: &'static str = "cnn";

    fn base(image: Shape) -> ModelConfig {
        ModelConfig::Cnn(CnnConfig::scaled(image))
    }

    /// All training images, flipped, shifted and partly erased, under one cycle of the learning rate.
    fn base_run(image: Shape) -> RunConfig {
        let training = TrainingConfig {
            epochs: 25,
            batch_size: 128,
            optimizer: OptimizerKind::Adamw,
            learning_rate: 4e-3,
            weight_decay: 0.05,
            validation_fraction: 0.0,
            label_smoothing: 0.1,
            schedule: Schedule::OneCycle { peak: 0.2 },
            augmentation: Augmentation {
                flip: 0.5,
                shift: 2,
                erase: 0.25,
                ..Augmentation::default()
            },
            ..TrainingConfig::default()
        };
        RunConfig { model: Self::base(image), training, ..RunConfig::default() }
    }

    fn apply(&self, model: &mut ModelConfig) {
        let ModelConfig::Cnn(model) = model else { return };
        set(&mut model.stem, self.stem.as_ref());
        set(&mut model.stem_blocks, self.stem_blocks.as_ref());
        set(&mut model.channels, self.channels.as_ref());
        set(&mut model.blocks, self.blocks.as_ref());
        set(&mut model.stochastic_depth, self.stochastic_depth.as_ref());
        set(&mut model.dropout, self.dropout.as_ref());
    }

    fn gives(&self, name: &str) -> bool {
        match name {
            "stem" => self.stem.is_some(),
            "stem_blocks" => self.stem_blocks.is_some(),
            "channels" => self.channels.is_some(),
            "blocks" => self.blocks.is_some(),
            "stochastic_depth" => self.stochastic_depth.is_some(),
            "dropout" => self.dropout.is_some(),
            _ => false,
        }
    }
}
