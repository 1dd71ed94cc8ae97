//! The convolutional classifier: stages of residual blocks on images `[c, h, w]`, each at half the size of the one before, then global
//! average pooling and a linear layer to the classes.

use latents_engine::{Criterion, Layer, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{Model, Target, cross_entropy};
use crate::nonlinearity::Nonlinearity;

/// Settings of a convolutional classifier. The defaults aim at high accuracy in little training time on images of 28x28 pixels.
///
/// ```
/// use latents_models::{CnnConfig, Model};
///
/// # fn main() -> Result<(), latents_models::Error> {
/// let image = [3, 64, 64]; // [c, h, w]
/// let config = CnnConfig { dropout: 0.1, ..CnnConfig::for_images(image) };
/// assert_eq!(config.channels, [48, 96, 160, 256]);
/// assert_eq!(config.network(image, 5)?.layout()?.output(), [5, 1, 1]); // a logit for each class
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CnnConfig {
    /// Number of channels of the first convolution, which keeps the size of the image.
    pub stem: usize,
    /// Number of residual blocks at the image's full size, after the first convolution. They see detail that a stride of 2 loses, and cost the
    /// most.
    pub stem_blocks: usize,
    /// Number of channels of each stage. A stage begins with a convolution of stride 2.
    pub channels: Vec<usize>,
    /// Number of residual blocks in each stage, with two convolutions each.
    pub blocks: usize,
    /// Nonlinearity after each normalisation.
    pub nonlinearity: Nonlinearity,
    /// Probability with which a sample skips the last residual block in training. The probability rises linearly from block to block
    /// (stochastic depth: Huang et al., 2016).
    pub stochastic_depth: f64,
    /// Probability of dropout before the linear layer to the classes.
    pub dropout: f64,
}

impl Default for CnnConfig {
    fn default() -> Self {
        CnnConfig {
            stem: 24,
            stem_blocks: 0,
            channels: vec![48, 96, 160],
            blocks: 1,
            nonlinearity: Nonlinearity::Relu,
            stochastic_depth: 0.0,
            dropout: 0.0,
        }
    }
}

/// A 3x3 convolution that keeps the image's size if `stride` is 1.
fn convolution(out_channels: usize, stride: usize) -> Layer {
    Layer::Conv2d { out_channels, kernel: [3, 3], stride: [stride; 2], padding: [1, 1] }
}

fn normalization() -> Layer {
    Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-5 }
}

impl Model for CnnConfig {
    const KIND: &'static str = "cnn";
    const ABOUT: &'static str = "A convolutional classifier, trained from scratch";

    /// The default settings with as many stages as halve the shorter side to 4 pixels or fewer: at least two, at most four.
    fn for_images([_, h, w]: Shape) -> Self {
        let stages = (2..4).find(|&n| h.min(w).div_ceil(1 << n) <= 4).unwrap_or(4);
        CnnConfig { channels: [48, 96, 160, 256][..stages].to_vec(), ..CnnConfig::default() }
    }

    /// Sections `features` (to `[channels, 1, 1]`) and `classifier` (to logits `[classes, 1, 1]`).
    fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
        if self.channels.is_empty() {
            return Err(Error::setting("channels", "the CNN needs at least one stage (channels)"));
        }
        if classes < 2 {
            return Err(Error::TooFewClasses { classes });
        }
        let activation = || self.nonlinearity.layer();
        let all = self.stem_blocks + self.channels.len() * self.blocks;
        let mut features = vec![];
        let mut made = 0_usize;
        let mut stage = |channels, stride, blocks| {
            features.extend([convolution(channels, stride), normalization(), activation()]);
            for _ in 0..blocks {
                made += 1;
                let layers = vec![
                    convolution(channels, 1),
                    normalization(),
                    activation(),
                    convolution(channels, 1),
                    normalization(),
                    activation(),
                ];
                let drop = self.stochastic_depth * made as f64 / all as f64;
                features.push(Layer::Residual { layers, shortcut: vec![], drop });
            }
        };
        stage(self.stem, 1, self.stem_blocks);
        for &channels in &self.channels {
            stage(channels, 2, self.blocks);
        }
        features.push(Layer::GlobalAvgPool2d);
        let mut classifier = vec![];
        if self.dropout != 0.0 {
            classifier.push(Layer::Dropout { p: self.dropout });
        }
        classifier.push(Layer::Linear { out_features: classes });
        let section = |name: &str, layers| Section { name: name.into(), layers };
        let network = Network {
            input: image,
            sections: vec![section("features", features), section("classifier", classifier)],
        };
        network.layout()?;
        Ok(network)
    }

    fn target(&self) -> Target {
        Target::Class
    }

    fn criterion(&self) -> Criterion {
        cross_entropy()
    }

    fn recipe() -> &'static str {
        include_str!("recipe.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_any_size_and_colour_become_logits() {
        for image in [[1, 28, 28], [3, 8, 8], [3, 224, 224], [1, 1, 1], [4, 31, 57]] {
            let layout = CnnConfig::default().network(image, 10).unwrap().layout().unwrap();
            assert_eq!(layout.output(), [10, 1, 1], "{image:?}");
            assert_eq!(layout.section_count(), 2);
            assert!(layout.parameter_count() < 1_000_000);
        }
    }

    #[test]
    fn larger_images_have_more_stages() {
        let channels = |side| CnnConfig::for_images([3, side, side + 1]).channels;
        assert_eq!(CnnConfig::for_images([1, 28, 28]), CnnConfig::default());
        assert_eq!([8, 16].map(channels), [[48, 96], [48, 96]]);
        assert_eq!([17, 32].map(channels), [[48, 96, 160], [48, 96, 160]]);
        assert_eq!([33, 512].map(channels), [[48, 96, 160, 256], [48, 96, 160, 256]]);
    }

    #[test]
    fn stochastic_depth_rises_linearly_to_the_setting() {
        let config = CnnConfig {
            stem_blocks: 1,
            blocks: 2,
            stochastic_depth: 0.2,
            channels: vec![4, 8],
            ..CnnConfig::default()
        };
        let network = config.network([1, 12, 12], 3).unwrap();
        let drops = network.sections[0].layers.iter().filter_map(|layer| match layer {
            Layer::Residual { drop, .. } => Some((drop * 1e6).round() / 1e6),
            _ => None,
        });
        assert_eq!(drops.collect::<Vec<_>>(), [0.04, 0.08, 0.12, 0.16, 0.2]);
    }

    #[test]
    fn settings_that_cannot_be_built_are_named() {
        let error = |config: CnnConfig| config.network([1, 9, 9], 2).unwrap_err().to_string();
        let empty = CnnConfig { channels: vec![], ..CnnConfig::default() };
        assert!(error(empty).contains("at least one stage"));
        let stem = error(CnnConfig { stem: 0, ..CnnConfig::default() });
        assert!(stem.contains("features.0 (conv2d)"), "{stem}");
        for dropout in [-0.3, f64::NAN, 1.0] {
            let said = error(CnnConfig { dropout, ..CnnConfig::default() });
            assert!(said.contains("classifier.0 (dropout)"), "{said}");
        }
        let one = CnnConfig::default().network([1, 9, 9], 1).unwrap_err().to_string();
        assert!(one.contains("at least 2 classes, not 1"), "{one}");
    }
}
