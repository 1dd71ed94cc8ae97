//! The convolutional autoencoder: an encoder from images `[c, h, w]` to latents `[d]`, and a decoder that mirrors it.

use latents_engine::{Layer, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// One convolution of the encoder; the decoder has its mirror image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Channels that come out.
    pub channels: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
}

impl Stage {
    /// Stages for images of a shape `[c, h, w]`: each halves the image, until no side is above 4. Channels begin at 8 for
    /// grey and 16 for colour, but at 8 for every image with a side above 64, where the first stages cost most; each stage
    /// doubles them, up to 128. For 28x28 grey images these are the reference study's.
    ///
    /// An even side is halved by kernel 4, stride 2, padding 1, an odd one by kernel 3, stride 2, as the study does; where
    /// the sides differ in that, or one is too short for either, kernel 3 with padding 1 halves both, rounding up.
    #[must_use]
    pub fn scaled([c, h, w]: Shape) -> Vec<Self> {
        let mut channels = if c == 1 || h.max(w) > 64 { 8 } else { 16 };
        let (mut sides, mut stages) = ([h, w], vec![]);
        while stages.is_empty() || sides.iter().any(|&side| side > 4) {
            let (kernel, padding) = match sides.map(|side| (side >= 2, side % 2, side >= 3)) {
                [(true, 0, _), (true, 0, _)] => (4, 1),
                [(_, 1, true), (_, 1, true)] => (3, 0),
                _ => (3, 1),
            };
            stages.push(Stage { channels, kernel, stride: 2, padding });
            channels = (2 * channels).min(128);
            sides = sides.map(|side| (side + 2 * padding).saturating_sub(kernel) / 2 + 1);
        }
        stages
    }
}

/// The nonlinearity between layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nonlinearity {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x` where positive, else `0.01 x`.
    LeakyRelu,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * Phi(x)`.
    Gelu,
}

impl Nonlinearity {
    pub(crate) fn layer(self) -> Layer {
        match self {
            Nonlinearity::Relu => Layer::Relu,
            Nonlinearity::LeakyRelu => Layer::LeakyRelu { slope: 0.01 },
            Nonlinearity::Silu => Layer::Silu,
            Nonlinearity::Gelu => Layer::Gelu,
        }
    }
}

/// Settings of an autoencoder. The defaults are those of the reference study on 28x28 images (its tables T1 and T2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Numbers in a latent vector.
    pub latent_dim: usize,
    /// The encoder's convolutions, first to last.
    pub stages: Vec<Stage>,
    /// Batch normalisation after each of the encoder's convolutions (Ioffe and Szegedy, 2015). The decoder has none.
    pub normalize: bool,
    /// Widths of the matrices between the last convolution and the latent vector.
    pub hidden: Vec<usize>,
    /// After every layer but the last convolution, the latent vector and the output. The study lists none after its last
    /// convolution; the matrix that follows makes the two one linear map.
    pub nonlinearity: Nonlinearity,
    /// Probability of dropout after every matrix; in a plain autoencoder the latent vector included, as in the study.
    pub dropout: f64,
    /// Standard deviation of the normal noise that is added to images (0 to 1) in training, and is not in what they are held against: a
    /// denoising autoencoder (Vincent et al., 2010).
    pub noise: f64,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        AutoencoderConfig {
            latent_dim: 64,
            stages: vec![
                Stage { channels: 8, kernel: 4, stride: 2, padding: 1 },
                Stage { channels: 16, kernel: 4, stride: 2, padding: 1 },
                Stage { channels: 32, kernel: 3, stride: 2, padding: 0 },
            ],
            normalize: false,
            hidden: vec![64],
            nonlinearity: Nonlinearity::Relu,
            dropout: 0.2,
            noise: 0.0,
        }
    }
}

/// Section of the network that takes images to latents.
pub const ENCODER: usize = 0;
/// Section of the network that takes latents to images.
pub const DECODER: usize = 1;

impl AutoencoderConfig {
    /// Settings for images of a shape `[c, h, w]`: the default ones, but with [`Stage::scaled`], and a matrix of the largest
    /// power of two that is no more than a quarter of what the convolutions give. Images of fewer than 512 numbers have an
    /// eighth as many latents, others the study's 64.
    #[must_use]
    pub fn scaled(image: Shape) -> Self {
        let stages = Stage::scaled(image);
        let config = AutoencoderConfig { stages, ..Self::default() };
        // What no network can be built for is for `network` to say.
        let (convolutions, _) = config.convolutions(image);
        let convolutions = convolutions.layout().map(|layout| layout.output());
        let Ok(deepest) = convolutions else { return config };
        let quarter = (deepest.iter().product::<usize>() / 4).max(1);
        let numbers: usize = image.iter().product();
        AutoencoderConfig {
            latent_dim: (numbers / 8).clamp(1, config.latent_dim),
            hidden: vec![1 << quarter.ilog2()],
            ..config
        }
    }

    /// The network for images of a shape `[c, h, w]`; its sections are [`ENCODER`] and [`DECODER`].
    ///
    /// # Errors
    /// Where the stages do not fit the images, naming the layer and both shapes.
    pub fn network(&self, image: Shape) -> Result<Network, Error> {
        let mut network = self.halves(image, self.latent_dim)?;
        network.sections[ENCODER].layers.push(Layer::Dropout { p: self.dropout });
        network.sections[DECODER].layers.push(Layer::Sigmoid);
        network.layout()?;
        Ok(network)
    }

    /// Encoder and decoder up to their last layers with weights: the one gives so many numbers, of which as many as there are latents go on into the other.
    pub(crate) fn halves(&self, image: Shape, encoded: usize) -> Result<Network, Error> {
        if self.stages.is_empty() {
            return Err(Error::Config(
                "an autoencoder needs at least one stage of convolution".into(),
            ));
        }
        if self.latent_dim == 0 {
            return Err(Error::Config("latent_dim must be at least 1".into()));
        }
        let (convolutions, places) = self.convolutions(image);
        let mut encoder = convolutions.sections[ENCODER].layers.clone();
        let convolutions = convolutions.layout()?;
        let deepest = convolutions.output();

        encoder.push(Layer::Reshape { shape: [deepest.iter().product(), 1, 1] });
        for &width in &self.hidden {
            encoder.push(Layer::Linear { out_features: width });
            encoder.extend([self.nonlinearity.layer(), Layer::Dropout { p: self.dropout }]);
        }
        encoder.push(Layer::Linear { out_features: encoded });
        if self.noise != 0.0 {
            encoder.insert(0, Layer::Noise { deviation: self.noise });
        }

        let mut decoder = vec![];
        for &width in self.hidden.iter().rev() {
            decoder.push(Layer::Linear { out_features: width });
            decoder.extend([self.nonlinearity.layer(), Layer::Dropout { p: self.dropout }]);
        }
        decoder.push(Layer::Linear { out_features: deepest.iter().product() });
        decoder.extend([self.nonlinearity.layer(), Layer::Dropout { p: self.dropout }]);
        decoder.push(Layer::Reshape { shape: deepest });
        // Each mirror image ends at the shape its twin began with.
        for (i, (stage, &place)) in self.stages.iter().zip(&places).enumerate().rev() {
            let (from, to) = (convolutions.shape(place + 1), convolutions.shape(place));
            let missing = |axis: usize| {
                to[axis] + 2 * stage.padding - stage.kernel - (from[axis] - 1) * stage.stride
            };
            decoder.push(Layer::ConvTranspose2d {
                out_channels: to[0],
                kernel: [stage.kernel; 2],
                stride: [stage.stride; 2],
                padding: [stage.padding; 2],
                output_padding: [missing(1), missing(2)],
            });
            if i > 0 {
                decoder.push(self.nonlinearity.layer());
            }
        }
        let sections = vec![
            Section { name: "encoder".into(), layers: encoder },
            Section { name: "decoder".into(), layers: decoder },
        ];
        Ok(Network { input: image, sections })
    }

    /// The encoder up to its last convolution, and the convolutions' places in it.
    fn convolutions(&self, image: Shape) -> (Network, Vec<usize>) {
        let (mut layers, mut places) = (vec![], vec![]);
        for (i, stage) in self.stages.iter().enumerate() {
            if i > 0 {
                layers.push(self.nonlinearity.layer());
            }
            places.push(layers.len());
            layers.push(Layer::Conv2d {
                out_channels: stage.channels,
                kernel: [stage.kernel; 2],
                stride: [stage.stride; 2],
                padding: [stage.padding; 2],
            });
            if self.normalize {
                layers.push(Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-5 });
            }
        }
        let sections = vec![Section { name: "encoder".into(), layers }];
        (Network { input: image, sections }, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_is_the_default() {
        let network = AutoencoderConfig::default().network([1, 28, 28]).unwrap();
        let layout = network.layout().unwrap();
        // T1 and T2: shapes after each convolution, latents, and shapes of the decoder.
        let shapes: Vec<Shape> = (0..=layout.layers().len()).map(|i| layout.shape(i)).collect();
        for shape in [[8, 14, 14], [16, 7, 7], [32, 3, 3], [288, 1, 1], [64, 1, 1]] {
            assert!(shapes.contains(&shape), "{shape:?}");
        }
        assert_eq!(layout.output(), [1, 28, 28]);
        assert_eq!(layout.shape(layout.section(DECODER).start), [64, 1, 1]);
        assert_eq!(layout.parameter_count(), 59_185);
    }

    #[test]
    fn stages_are_scaled_to_the_images() {
        assert_eq!(AutoencoderConfig::scaled([1, 28, 28]), AutoencoderConfig::default());
        let of = |image| {
            let config = AutoencoderConfig::scaled(image);
            let layout = config.network(image).unwrap().layout().unwrap();
            assert_eq!(layout.output(), image);
            let stages = config.stages.iter().map(|s| [s.channels, s.kernel, s.padding]);
            (stages.collect::<Vec<_>>(), config.hidden[0], config.latent_dim)
        };
        assert_eq!(of([1, 8, 8]), (vec![[8, 4, 1]], 32, 8));
        let (three, four) = ([[16, 4, 1], [32, 4, 1], [64, 4, 1]], [128, 4, 1]);
        assert_eq!(of([3, 32, 32]), (three.to_vec(), 256, 64));
        assert_eq!(of([3, 64, 64]), ([&three[..], &[four]].concat(), 512, 64));
        let (stages, hidden, _) = of([3, 224, 224]);
        assert_eq!(stages.iter().map(|s| s[0]).collect::<Vec<_>>(), [8, 16, 32, 64, 128, 128]);
        assert_eq!((stages[5][1], hidden), (3, 256));
        // Odd shapes, the smallest, and very long ones.
        for h in 1..40 {
            for w in [1, 2, 3, 4, 5, 7, 28, 33, 100] {
                for c in [1, 3] {
                    of([c, h, w]);
                }
            }
        }
    }

    #[test]
    fn any_image_size_comes_back_whole() {
        for image in [[1, 29, 31], [3, 64, 48], [1, 33, 28], [4, 17, 100]] {
            let config = AutoencoderConfig { latent_dim: 5, ..Default::default() };
            let layout = config.network(image).unwrap().layout().unwrap();
            assert_eq!(layout.output(), image);
        }
    }

    #[test]
    fn normalisation_follows_the_convolutions_of_the_encoder_alone() {
        let config = AutoencoderConfig { normalize: true, ..Default::default() };
        let layout = config.network([1, 29, 31]).unwrap().layout().unwrap();
        assert_eq!(layout.output(), [1, 29, 31]);
        let running: Vec<&str> = layout
            .parameters()
            .iter()
            .filter_map(|p| p.name.strip_suffix(".running_mean"))
            .collect();
        assert_eq!(running, ["encoder.1", "encoder.4", "encoder.7"]);
    }

    #[test]
    fn misfits_name_the_layer() {
        let error = AutoencoderConfig::default().network([1, 3, 3]).unwrap_err().to_string();
        assert!(error.contains("encoder.2 (conv2d)") && error.contains("[8, 1, 1]"), "{error}");
        let none = AutoencoderConfig { stages: vec![], ..Default::default() };
        assert!(none.network([1, 28, 28]).is_err());
    }
}
