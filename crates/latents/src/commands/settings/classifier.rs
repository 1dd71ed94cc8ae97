//! A classifier's settings, as flags: its head, and the encoder that it stands on.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use latents::data::Source;
use latents::engine::{Schedule, Shape};
use latents::models::{ClassifierConfig, ModelConfig};
use latents::train::{EncoderTraining, OptimizerKind, Run, RunConfig, TrainingConfig};

use super::{ModelFlags, named, set};

/// Settings of a classifier.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ClassifierFlags {
    /// Folder of a trained run, whose encoder is taken
    #[arg(long, value_name = "DIR")]
    encoder: Option<PathBuf>,
    /// Begin with initial weights in the encoder too: what did the training before bring?
    #[arg(long)]
    from_scratch: bool,
    /// Leave the encoder as it is, and train only the head
    #[arg(long, conflicts_with_all = ["from_scratch", "frozen_epochs"])]
    freeze_encoder: bool,
    /// Leave the encoder as it is for the first N epochs [default: 0]
    #[arg(long, value_name = "N")]
    frozen_epochs: Option<u64>,
    /// Learning rate of the encoder [default: its own]
    #[arg(long, value_name = "RATE")]
    encoder_lr: Option<f64>,
    /// Weight decay of the encoder [default: its own]
    #[arg(long, value_name = "RATE")]
    encoder_weight_decay: Option<f64>,
    /// Optimiser of the encoder [default: its own]
    #[arg(long, value_name = "NAME", value_parser = named::<OptimizerKind>(&["adam", "adamw", "sgd"]))]
    encoder_optimizer: Option<OptimizerKind>,
    /// Dropout in the encoder [default: its own]
    #[arg(long, value_name = "P")]
    encoder_dropout: Option<f64>,
    /// Rate of each of the encoder's layers, as a part of that of the one after it [default: 1]
    #[arg(long, value_name = "FACTOR")]
    layer_decay: Option<f64>,
    /// Width of the head's first matrix
    #[arg(long, value_name = "WIDTH")]
    hidden_1: Option<usize>,
    /// Width of the head's second matrix
    #[arg(long, value_name = "WIDTH")]
    hidden_2: Option<usize>,
    /// Probability of dropout after each of the two
    #[arg(long, value_name = "P")]
    head_dropout: Option<f64>,
}

impl ModelFlags for ClassifierFlags {
    const KIND: &'static str = "classifier";

    fn base(_image: Shape) -> ModelConfig {
        ModelConfig::Classifier(ClassifierConfig::default())
    }

    /// The reference study's head (T5) and ten epochs on all training images. Optimiser and schedule are ours, chosen by validation images; the
    /// study's were `--optimizer adam --lr 2e-4 --weight-decay 0.1679 --schedule constant --batch-size 256`.
    fn base_run(image: Shape) -> RunConfig {
        let training = TrainingConfig {
            epochs: 10,
            batch_size: 128,
            optimizer: OptimizerKind::Adamw,
            learning_rate: 6e-3,
            weight_decay: 0.02,
            schedule: Schedule::OneCycle { peak: 0.3 },
            validation_fraction: 0.0,
            encoder: Some(EncoderTraining::default()),
            ..TrainingConfig::default()
        };
        RunConfig { model: Self::base(image), training, ..RunConfig::default() }
    }

    fn begin(&self, base: &mut RunConfig, source: Option<&str>) -> Result<()> {
        let Some(dir) = &self.encoder else { return Ok(()) };
        let run = Run::at(dir);
        let of_run = run.config()?.data;
        base.training.encoder = Some(EncoderTraining::of_run(&run)?);
        let theirs = of_run.source.parse::<Source>()?;
        match source.map(str::parse::<Source>).transpose()? {
            None => base.data.source.clone_from(&of_run.source),
            Some(ours) if ours == theirs => {}
            Some(ours) => {
                // Other pictures are brought to what the encoder knows.
                if !ours.is_fixed() {
                    let [channels, h, w] = of_run.shape;
                    base.data.pictures.size = Some([h, w]);
                    base.data.pictures.grey = channels == 1;
                    base.data.pictures.fit = of_run.pictures.fit;
                    base.data.pictures.background = of_run.pictures.background;
                }
                return Ok(());
            }
        }
        base.data.pictures = of_run.pictures;
        Ok(())
    }

    fn prepare(&self, config: &mut RunConfig, image: Option<Shape>) -> Result<()> {
        let Some(dir) = &self.encoder else {
            let has = config.training.encoder.as_ref().is_some_and(|e| e.weights.is_some());
            ensure!(
                has || self.from_scratch,
                "a classifier stands on a trained encoder: name its run with --encoder DIR, or train all of it with --from-scratch"
            );
            return Ok(());
        };
        let run = Run::at(dir);
        let of_run = run.config()?;
        ensure!(
            of_run.model.latents().is_some(),
            "{} is a run of kind `{}`, which has no encoder: name one of `latents train ae` or `vae`",
            dir.display(),
            of_run.model.kind()
        );
        if let (Some(image), false) = (image, self.from_scratch) {
            ensure!(
                image == of_run.data.shape,
                "the encoder in {} is for images of {:?} ([channels, height, width]), but these are {image:?}: take images of its shape, or train one on these",
                dir.display(),
                of_run.data.shape
            );
        }
        if let ModelConfig::Classifier(model) = &mut config.model {
            *model.encoder = of_run.model;
        }
        let of_run = EncoderTraining::of_run(&run)?;
        let encoder = config.training.encoder.get_or_insert_with(|| of_run.clone());
        (encoder.weights, encoder.weights_digest) = (of_run.weights, of_run.weights_digest);
        Ok(())
    }

    fn apply(&self, model: &mut ModelConfig) {
        let ModelConfig::Classifier(model) = model else { return };
        set(&mut model.hidden_1, self.hidden_1.as_ref());
        set(&mut model.hidden_2, self.hidden_2.as_ref());
        set(&mut model.head_dropout, self.head_dropout.as_ref());
        match (self.encoder_dropout, &mut *model.encoder) {
            (Some(p), ModelConfig::Ae(encoder)) => encoder.dropout = p,
            (Some(p), ModelConfig::Vae(encoder)) => encoder.halves.dropout = p,
            _ => {}
        }
    }

    fn apply_to_training(&self, training: &mut TrainingConfig) {
        let Some(encoder) = &mut training.encoder else { return };
        if self.from_scratch {
            (encoder.weights, encoder.weights_digest) = (None, String::new());
        }
        set(&mut encoder.frozen_epochs, self.frozen_epochs.as_ref());
        if self.freeze_encoder {
            encoder.frozen_epochs = training.epochs;
        }
        set(&mut encoder.learning_rate, self.encoder_lr.as_ref());
        set(&mut encoder.weight_decay, self.encoder_weight_decay.as_ref());
        if let Some(optimizer) = self.encoder_optimizer {
            encoder.optimizer = optimizer;
            // What it was trained with may have had a momentum, which others have not.
            if optimizer != OptimizerKind::Sgd {
                (encoder.momentum, encoder.nesterov) = (0.0, false);
            }
        }
        set(&mut encoder.layer_decay, self.layer_decay.as_ref());
    }

    fn gives(&self, name: &str) -> bool {
        match name {
            "hidden_1" => self.hidden_1.is_some(),
            "hidden_2" => self.hidden_2.is_some(),
            "head_dropout" => self.head_dropout.is_some(),
            _ => false,
        }
    }
}
