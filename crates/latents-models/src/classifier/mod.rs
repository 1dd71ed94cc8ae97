//! Classifiers: the encoder of another model and a multilayer perceptron on its latent vectors (table T3 of the reference study). The trainer
//! loads the encoder's weights and decides how each part is trained.

use latents_engine::{Criterion, Layer, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::error::Error;
use crate::model::{Model, Target, Tuning, cross_entropy};

/// Name of the network's section that maps latents `[d]` to logits `[classes]`.
pub const HEAD: &str = "head";

/// Epochs for a collection, at least, and images in a batch.
const EPOCHS: usize = 10;
const BATCH: usize = 128;
/// Optimiser steps on a collection of few images, at least.
const STEPS: usize = 400;

/// Settings of a classifier. The defaults are the best settings that the reference study found (its table T5).
///
/// ```
/// use latents_models::{AutoencoderConfig, ClassifierConfig, Model, ModelConfig};
///
/// # fn main() -> Result<(), latents_models::Error> {
/// let image = [1, 28, 28]; // [c, h, w]
/// let encoder = Box::new(ModelConfig::Ae(AutoencoderConfig::for_images(image)));
/// let config = ClassifierConfig { encoder, ..ClassifierConfig::default() };
/// let network = config.network(image, 10)?;
/// assert_eq!(network.layout()?.output(), [10, 1, 1]); // a logit for each class
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Width of the head's first linear layer.
    pub hidden_1: usize,
    /// Width of the head's second linear layer.
    pub hidden_2: usize,
    /// Probability of dropout after each of these two layers.
    pub head_dropout: f64,
    /// The model whose encoder the classifier uses.
    pub encoder: Box<ModelConfig>,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        ClassifierConfig {
            hidden_1: 12,
            hidden_2: 74,
            head_dropout: 0.0676,
            encoder: Box::default(),
        }
    }
}

impl Model for ClassifierConfig {
    const KIND: &'static str = "classifier";
    const ABOUT: &'static str = "A classifier on the encoder of a trained model";

    /// The default settings, whatever the images: the encoder is that of the trained model.
    fn for_images(_image: Shape) -> Self {
        ClassifierConfig::default()
    }

    /// A wider head, with more dropout: the study's narrowest layer, of 12 numbers, is for 10 classes.
    fn for_collection(_image: Shape, _images: usize) -> Self {
        ClassifierConfig {
            hidden_1: 256,
            hidden_2: 128,
            head_dropout: 0.5,
            ..ClassifierConfig::default()
        }
    }

    /// The sections that encode, followed by [`HEAD`], which returns a logit for each class.
    fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
        if classes < 2 {
            return Err(Error::TooFewClasses { classes });
        }
        for (setting, width) in [("hidden_1", self.hidden_1), ("hidden_2", self.hidden_2)] {
            if width == 0 {
                let reason = "hidden_1 and hidden_2 must be at least 1";
                return Err(Error::setting(setting, reason));
            }
        }
        let Some(latents) = self.encoder.latents(image) else {
            return Err(Error::NoEncoder { kind: self.encoder.kind() });
        };
        let mut network = self.encoder.network(image, classes)?;
        network.sections.truncate(latents.encode.end);
        // A denoising autoencoder is trained with noise but fine-tuned without it (Vincent et al., 2010). The layer stays because the names of
        // the weights count it.
        for layer in network.sections.iter_mut().flat_map(|section| &mut section.layers) {
            match layer {
                Layer::Noise { deviation } => *deviation = 0.0,
                // A learned prior is of no use here, and may need a condition.
                Layer::MixturePrior { .. } | Layer::VampPrior { .. } => *layer = Layer::Gaussian,
                Layer::VectorQuantizer { prior, .. } => prior.clear(),
                _ => {}
            }
        }
        let mut head = vec![];
        for width in [self.hidden_1, self.hidden_2] {
            head.push(Layer::Linear { out_features: width });
            head.extend([Layer::Relu, Layer::Dropout { p: self.head_dropout }]);
        }
        head.push(Layer::Linear { out_features: classes });
        network.sections.push(Section { name: HEAD.into(), layers: head });
        network.layout()?;
        Ok(network)
    }

    fn target(&self) -> Target {
        Target::Class
    }

    /// Cross-entropy alone. A penalty with which the encoder was trained is not part of it.
    fn criterion(&self) -> Criterion {
        cross_entropy()
    }

    fn recipe() -> &'static str {
        include_str!("recipe.toml")
    }

    /// As many epochs as make 400 steps, and at least 10.
    fn recipe_for_collection(_image: Shape, images: usize) -> String {
        let epochs = EPOCHS.max(STEPS.div_ceil(images.div_ceil(BATCH).max(1)));
        format!("training.epochs = {epochs}\n{}", include_str!("collection.toml"))
    }

    fn tuning() -> Option<Tuning> {
        Some(Tuning {
            label: "validation accuracy",
            metric: "val_accuracy",
            lower_is_better: false,
            space: include_str!("space.toml"),
            trial: include_str!("trial.toml"),
            trial_share: 1.0,
            refit: include_str!("refit.toml"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autoencoder::AutoencoderConfig;

    #[test]
    fn the_study_is_the_default() {
        let layout =
            ClassifierConfig::default().network([1, 28, 28], 10).unwrap().layout().unwrap();
        let names: Vec<&str> = layout.parameters().iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names[..2], ["encoder.0.weight", "encoder.0.bias"]);
        assert_eq!(names[names.len() - 2..], ["head.6.weight", "head.6.bias"]);
        assert_eq!(layout.output(), [10, 1, 1]);
        // T3 on the encoder of T1: 64 -> 12 -> 74 -> 10.
        let head: usize = layout
            .parameters()
            .iter()
            .filter(|p| p.name.starts_with(HEAD))
            .map(|p| p.range().len())
            .sum();
        assert_eq!(head, 65 * 12 + 13 * 74 + 75 * 10);
    }

    #[test]
    fn few_images_have_enough_steps() {
        let epochs = |images| {
            let recipe = ClassifierConfig::recipe_for_collection([3, 64, 64], images);
            let recipe: toml::Table = toml::from_str(&recipe).unwrap();
            assert_eq!(recipe["training"]["batch_size"].as_integer(), Some(128));
            recipe["training"]["epochs"].as_integer().unwrap()
        };
        assert_eq!([epochs(1), epochs(641), epochs(100_000)], [400, 67, 10]);
    }

    #[test]
    fn a_denoising_encoder_is_fine_tuned_without_its_noise() {
        let encoder = AutoencoderConfig { noise: 0.3, ..AutoencoderConfig::default() };
        let encoder = Box::new(ModelConfig::Ae(encoder));
        let config = ClassifierConfig { encoder, ..ClassifierConfig::default() };
        let network = config.network([1, 28, 28], 10).unwrap();
        let layers = &network.sections[0].layers;
        assert_eq!(layers[0], Layer::Noise { deviation: 0.0 });
        assert_eq!(network.layout().unwrap().parameters()[0].name, "encoder.1.weight");
    }

    #[test]
    fn settings_that_make_no_classifier_are_named() {
        let said = |config: ClassifierConfig, classes| {
            config.network([1, 28, 28], classes).unwrap_err().to_string()
        };
        let config = ClassifierConfig::default;
        assert!(said(config(), 1).contains("at least 2 classes"));
        assert!(said(ClassifierConfig { hidden_2: 0, ..config() }, 10).contains("hidden_2"));
        let nested = ModelConfig::Classifier(config());
        let nested = ClassifierConfig { encoder: Box::new(nested), ..config() };
        assert!(said(nested, 10).contains("kind `classifier` has no encoder"));
    }
}
