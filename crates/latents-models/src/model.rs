//! Every model that can be trained, under one name: what its network is, what it learns from, and where its latent vectors are.
//! A new kind of model is a variant here and a file of its own beside this one.

use std::ops::Range;

use latents_engine::{Loss, Network, Objective, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autoencoder::{AutoencoderConfig, DECODER, ENCODER};
use crate::classifier::ClassifierConfig;
use crate::cnn::CnnConfig;
use crate::error::Error;
use crate::vae::{Regularizer, VaeConfig};

/// Settings of a model; in `config.toml` its `kind` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModelConfig {
    /// A convolutional autoencoder.
    Ae(AutoencoderConfig),
    /// A classifier on the encoder of another model.
    Classifier(ClassifierConfig),
    /// A convolutional classifier, trained from scratch.
    Cnn(CnnConfig),
    /// A variational autoencoder or a relative.
    Vae(VaeConfig),
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig::Ae(AutoencoderConfig::default())
    }
}

/// What a model's output is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The image that went in.
    Image,
    /// The class of the image.
    Class,
}

/// Where a model's latent vectors are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latents {
    /// Numbers in a latent vector, `d`.
    pub dim: usize,
    /// Sections of the network that take images `[n, c, h, w]` to latents `[n, d]`.
    pub encode: Range<usize>,
    /// Sections that take latents `[n, d]` to images `[n, c, h, w]` in `[0, 1]`; they follow those before.
    pub decode: Range<usize>,
}

impl Latents {
    /// Sections that take images to their reconstructions.
    #[must_use]
    pub fn reconstruct(&self) -> Range<usize> {
        self.encode.start..self.decode.end
    }
}

impl ModelConfig {
    /// The kind, as `config.toml` and `latents train` write it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            ModelConfig::Ae(_) => "ae",
            ModelConfig::Classifier(_) => "classifier",
            ModelConfig::Cnn(_) => "cnn",
            ModelConfig::Vae(_) => "vae",
        }
    }

    /// The network for images of a shape `[c, h, w]` of a number of classes.
    ///
    /// # Errors
    /// Where the settings contradict each other or do not fit the images, naming the layer and both shapes.
    pub fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
        match self {
            ModelConfig::Ae(config) => config.network(image),
            ModelConfig::Classifier(config) => config.network(image, classes),
            ModelConfig::Cnn(config) => config.network(image, classes),
            ModelConfig::Vae(config) => config.network(image),
        }
    }

    /// What its output is held against.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            ModelConfig::Ae(_) | ModelConfig::Vae(_) => Target::Image,
            ModelConfig::Classifier(_) | ModelConfig::Cnn(_) => Target::Class,
        }
    }

    /// What is made small, once training is past any warm-up of the penalty.
    #[must_use]
    pub fn objective(&self) -> Objective {
        match self {
            ModelConfig::Ae(_) => Loss::MeanSquaredError.into(),
            ModelConfig::Vae(config) => config.objective(),
            // What held a variational encoder's latents together has no say in what classes they make.
            ModelConfig::Classifier(_) | ModelConfig::Cnn(_) => {
                Objective { weight: 0.0, ..Loss::CrossEntropy { label_smoothing: 0.0 }.into() }
            }
        }
    }

    /// The weight of the objective's penalty in the midst of training, after so many epochs and parts of one.
    #[must_use]
    pub fn weight(&self, epochs: f64) -> f64 {
        match self {
            ModelConfig::Vae(config) => config.weight(epochs),
            _ => self.objective().weight,
        }
    }

    /// What holds its latents together, where something does: the objective's penalty.
    #[must_use]
    pub fn regularizer(&self) -> Option<Regularizer> {
        match self {
            ModelConfig::Vae(config) => Some(config.regularizer),
            _ => None,
        }
    }

    /// Where its latent vectors are, where it has any that can be decoded.
    #[must_use]
    pub fn latents(&self) -> Option<Latents> {
        let config = match self {
            ModelConfig::Ae(config) => config,
            ModelConfig::Vae(config) => &config.halves,
            ModelConfig::Classifier(_) | ModelConfig::Cnn(_) => return None,
        };
        Some(Latents {
            dim: config.latent_dim,
            encode: ENCODER..ENCODER + 1,
            decode: DECODER..DECODER + 1,
        })
    }
}
