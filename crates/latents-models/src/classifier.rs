//! Classifiers: the encoder of another model, and a multilayer perceptron on its latent vectors (T3 of the reference study). How
//! the encoder's weights come in, and how each part is trained, is the trainer's matter.

use latents_engine::{Layer, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::ModelConfig;

/// Name of the network's section that is trained on top of the encoder.
pub const HEAD: &str = "head";

/// Settings of a classifier. The defaults are the best that the reference study found (T5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Width of the head's first matrix.
    pub hidden_1: usize,
    /// Width of the head's second matrix.
    pub hidden_2: usize,
    /// Probability of dropout after each of the two.
    pub head_dropout: f64,
    /// The model whose encoder it is.
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

impl ClassifierConfig {
    /// The network for images of a shape `[c, h, w]` of a number of classes: the sections that encode, then [`HEAD`], which gives a
    /// logit for each class.
    ///
    /// # Errors
    /// Where there are no classes, the other model has no latent vectors, or it does not fit the images.
    pub fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
        two_classes(classes)?;
        if self.hidden_1 == 0 || self.hidden_2 == 0 {
            return Err(Error::Config("hidden_1 and hidden_2 must be at least 1".into()));
        }
        let Some(latents) = self.encoder.latents() else {
            let kind = self.encoder.kind();
            return Err(Error::Config(format!("a model of kind `{kind}` has no encoder")));
        };
        let mut network = self.encoder.network(image, classes)?;
        network.sections.truncate(latents.encode.end);
        // Noise is what a denoising autoencoder is to learn from; it is fine-tuned without (Vincent et al., 2010). The layer stays, for the names of the weights.
        for layer in network.sections.iter_mut().flat_map(|section| &mut section.layers) {
            if let Layer::Noise { deviation } = layer {
                *deviation = 0.0;
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
}

/// Says so where there is nothing to tell apart.
pub(crate) fn two_classes(classes: usize) -> Result<(), Error> {
    if classes >= 2 {
        return Ok(());
    }
    Err(Error::Config(format!("a classifier needs images of at least 2 classes, not {classes}")))
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
    fn what_makes_no_classifier_is_named() {
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
