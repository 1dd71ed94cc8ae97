//! A classifier's settings, as flags: its head, and the encoder that it starts from.

use std::path::PathBuf;

use clap::Args;
use latents::train::{Error, OptimizerKind};
use latents::{Recipe, SettingsLayer};

use super::{ModelFlags, named, put};

/// Settings of a classifier.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ClassifierFlags {
    /// Folder of a trained run whose encoder is used
    #[arg(long, value_name = "DIR")]
    encoder: Option<PathBuf>,
    /// Start from initial weights in the encoder too, to measure what pre-training brings
    #[arg(long)]
    from_scratch: bool,
    /// Freeze the encoder, and train only the head
    #[arg(long, conflicts_with_all = ["from_scratch", "frozen_epochs"])]
    freeze_encoder: bool,
    /// Freeze the encoder for the first N epochs [default: 0]
    #[arg(long, value_name = "N")]
    frozen_epochs: Option<u64>,
    /// Learning rate of the encoder [default: the head's, or of one that starts from components its own divided by 100]
    #[arg(long, value_name = "RATE")]
    encoder_lr: Option<f64>,
    /// Weight decay of the encoder [default: the head's, or of one that starts from components its own]
    #[arg(long, value_name = "RATE")]
    encoder_weight_decay: Option<f64>,
    /// Optimiser of the encoder [default: the head's, or of one that starts from components its own]
    #[arg(long, value_name = "NAME", value_parser = named::<OptimizerKind>(&["adam", "adamw", "sgd"]))]
    encoder_optimizer: Option<OptimizerKind>,
    /// Dropout in the encoder [default: 0]
    #[arg(long, value_name = "P")]
    encoder_dropout: Option<f64>,
    /// Learning rate of each of the encoder's layers as a fraction of that of the next layer [default: 1]
    #[arg(long, value_name = "FACTOR")]
    layer_decay: Option<f64>,
    /// Width of the head's first linear layer
    #[arg(long, value_name = "WIDTH")]
    hidden_1: Option<usize>,
    /// Width of the head's second linear layer
    #[arg(long, value_name = "WIDTH")]
    hidden_2: Option<usize>,
    /// Probability of dropout after each of the two
    #[arg(long, value_name = "P")]
    head_dropout: Option<f64>,
}

impl ModelFlags for ClassifierFlags {
    const KIND: &'static str = "classifier";
    const ABOUT: &'static str = "A classifier on a trained encoder";
    const EXAMPLES: &'static str = "The head's widths and dropout are the best that the reference study found; its optimiser, rates and batch size are our own, chosen \
        on validation images. The encoder is trained like the head, without dropout; one that starts from principal components keeps its own settings, with a hundredth of its rate. Ten epochs on all training images; --validation 0.1 keeps some of them for validation.\n\n\
        latents train classifier --encoder runs/ae --out runs/cl\n\
        latents train classifier --encoder runs/ae --from-scratch --out runs/control    what pre-training brings\n\
        latents train classifier --encoder runs/ae --seeds 5 --out runs/five            mean and deviation over seeds\n\
        latents evaluate runs/cl                                                        measures it";

    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "model.hidden_1", self.hidden_1.as_ref())?;
        put(layer, "model.hidden_2", self.hidden_2.as_ref())?;
        put(layer, "model.head_dropout", self.head_dropout.as_ref())?;
        put(layer, "model.encoder.dropout", self.encoder_dropout.as_ref())?;
        put(layer, "training.encoder.frozen_epochs", self.frozen_epochs.as_ref())?;
        put(layer, "training.encoder.learning_rate", self.encoder_lr.as_ref())?;
        put(layer, "training.encoder.weight_decay", self.encoder_weight_decay.as_ref())?;
        put(layer, "training.encoder.layer_decay", self.layer_decay.as_ref())?;
        put(layer, "training.encoder.optimizer", self.encoder_optimizer.as_ref())?;
        if self.encoder_optimizer.is_some_and(|optimizer| optimizer != OptimizerKind::Sgd) {
            // The encoder may have been trained with a momentum, which the others do not have.
            layer.set("training.encoder.momentum", &0.0)?;
            layer.set("training.encoder.nesterov", &false)?;
        }
        Ok(())
    }

    fn prepare(&self, recipe: Recipe) -> Recipe {
        let recipe = match &self.encoder {
            Some(run) => recipe.encoder(run),
            None => recipe,
        };
        let recipe = if self.from_scratch { recipe.from_scratch() } else { recipe };
        if self.freeze_encoder { recipe.freeze_encoder() } else { recipe }
    }
}
