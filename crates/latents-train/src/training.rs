//! The settings of the training loop: the section `training` of `config.toml`.

use std::ops::Range;

use latents_data::Augmentation;
use latents_engine::{Group, Init, Layout, Precision, Schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderTraining;
use crate::optimizer::OptimizerKind;

/// Settings of the training loop. The defaults are those of the reference study, if it states them.
///
/// ```
/// use latents_train::{OptimizerKind, TrainingConfig};
///
/// let config = TrainingConfig { epochs: 10, optimizer: OptimizerKind::Sgd, ..TrainingConfig::default() };
/// assert_eq!(config.batch_size, TrainingConfig::default().batch_size);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of all random numbers: validation split, initial weights, order of the images, dropout, noise, augmentation.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: u64,
    /// Images per optimiser step.
    pub batch_size: usize,
    /// Fraction of the training images used for validation, in `[0, 1)`; with 0, there is no validation.
    pub validation_fraction: f64,
    /// Optimiser.
    pub optimizer: OptimizerKind,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Weight decay; its meaning depends on the optimiser.
    pub weight_decay: f64,
    /// Momentum (SGD only).
    pub momentum: f64,
    /// Use Nesterov momentum (SGD only).
    pub nesterov: bool,
    /// Initialisation of the weights.
    pub init: Init,
    /// Gradient clipping: largest Euclidean norm of the gradient in a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1.0)]
    pub clip_norm: Option<f64>,
    /// Early stopping: stop when the validation loss has not improved for this many epochs, and keep the best weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 5)]
    pub patience: Option<u64>,
    /// Learning rate schedule.
    pub schedule: Schedule,
    /// Label smoothing (Szegedy et al., 2016): the share of each label that is distributed evenly over all classes, in `[0, 1)`.
    pub label_smoothing: f64,
    /// Data augmentation of the training images.
    pub augmentation: Augmentation,
    /// Numbers in which products of convolutions and linear layers are computed: `f32`, or `bf16` (8 bits of precision; much faster on processors with AMX, slower on others, which give the same results).
    #[serde(skip_serializing_if = "Precision::is_full")]
    #[schemars(example = &"bf16")]
    pub precision: Precision,
    /// Initial weights and training of a classifier's encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderTraining>,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        TrainingConfig {
            seed: 0,
            epochs: 42,
            batch_size: 256,
            validation_fraction: 0.2,
            optimizer: OptimizerKind::Adam,
            learning_rate: 5e-4,
            weight_decay: 1e-4,
            momentum: 0.0,
            nesterov: false,
            init: Init::KaimingNormal,
            clip_norm: None,
            patience: None,
            schedule: Schedule::Constant,
            label_smoothing: 0.0,
            augmentation: Augmentation::default(),
            precision: Precision::Full,
            encoder: None,
        }
    }
}

impl TrainingConfig {
    /// The parameter groups for the parameters in `within`, trained with these settings.
    pub(crate) fn groups(&self, layout: &Layout, within: Range<usize>) -> Vec<Group> {
        let rule = self.optimizer.rule(self.weight_decay, self.momentum, self.nesterov);
        Group::of(layout, within, rule, self.learning_rate)
    }

    /// A description of the first invalid setting, if there is one.
    pub(crate) fn problem(&self) -> Option<String> {
        let momentum = self.momentum != 0.0 || self.nesterov;
        let warmup = match self.schedule {
            Schedule::WarmupCosine { warmup } => !(0.0..=1.0).contains(&warmup),
            Schedule::OneCycle { peak } => !(peak > 0.0 && peak < 1.0),
            Schedule::Constant | Schedule::Cosine => false,
        };
        let checks = [
            (self.epochs == 0, "epochs must be at least 1".to_owned()),
            (self.batch_size == 0, "batch_size must be at least 1".into()),
            (
                !(0.0..1.0).contains(&self.validation_fraction),
                format!(
                    "validation_fraction = {} must be at least 0 and less than 1",
                    self.validation_fraction
                ),
            ),
            (
                self.validation_fraction == 0.0 && self.patience.is_some(),
                "patience needs images to validate on: validation_fraction is 0".into(),
            ),
            (
                momentum && self.optimizer != OptimizerKind::Sgd,
                "momentum and nesterov belong to the optimiser sgd".into(),
            ),
            (
                self.clip_norm.is_some_and(|c| !(c > 0.0 && c.is_finite())),
                "clip_norm must be more than 0".into(),
            ),
            (
                !(0.0..1.0).contains(&self.label_smoothing),
                format!(
                    "label_smoothing = {} must be at least 0 and less than 1",
                    self.label_smoothing
                ),
            ),
            (self.patience == Some(0), "patience must be at least 1".into()),
            (
                warmup,
                "the schedule's warmup or peak must be a fraction of the run between 0 and 1"
                    .into(),
            ),
        ];
        let first = checks.into_iter().find_map(|(wrong, message)| wrong.then_some(message));
        let encoder = || self.encoder.as_ref().and_then(EncoderTraining::problem);
        first.or_else(|| self.augmentation.problem()).or_else(encoder)
    }
}
