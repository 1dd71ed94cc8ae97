//! The convolutional autoencoder: an encoder that maps images `[c, h, w]` to latents `[d]`, and a decoder that mirrors it.

pub(crate) mod residual;

use latents_engine::{Criterion, Layer, Loss, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{LatentSpace, LinearStart, Model, Target, Tuning};
use crate::nonlinearity::Nonlinearity;
use crate::stage::{Stage, convolutions, mirrored};

pub use residual::{Design, Refiner};

/// Settings of an autoencoder. The defaults are those of the reference study on 28x28 images (its tables T1 and T2).
///
/// ```
/// use latents_models::{AutoencoderConfig, Model};
///
/// # fn main() -> Result<(), latents_models::Error> {
/// let image = [3, 48, 64]; // [c, h, w]
/// let config = AutoencoderConfig { latent_dim: 16, ..AutoencoderConfig::for_images(image) };
/// let network = config.network(image, 0)?;
/// assert_eq!(network.layout()?.output(), image);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// How the network is built: as in the reference study, or around principal components (`residual`).
    pub design: Design,
    /// Number of latent dimensions.
    pub latent_dim: usize,
    /// The encoder's convolutions, from first to last. Without any, a residual design has neither an encoder nor a decoder beside the
    /// components, only a refiner.
    pub stages: Vec<Stage>,
    /// Batch normalisation after each of the encoder's convolutions (Ioffe and Szegedy, 2015). The decoder has none.
    pub normalize: bool,
    /// Number of residual blocks after each of the encoder's convolutions, and before each of the decoder's. Default: 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(example = 1)]
    pub blocks: usize,
    /// Widths of the linear layers between the last convolution and the latent vector.
    pub hidden: Vec<usize>,
    /// Nonlinearity after each layer except the last convolution, the latent vector and the output. The study lists none after its last
    /// convolution, so that convolution and the linear layer after it form one linear map.
    pub nonlinearity: Nonlinearity,
    /// Probability of dropout after each linear layer. In a plain autoencoder this includes the latent vector, as in the study.
    pub dropout: f64,
    /// Standard deviation of the normal noise that training adds to the input images (0 to 1) but not to the targets: a denoising autoencoder
    /// (Vincent et al., 2010).
    pub noise: f64,
    /// The refiner of a residual design, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = Refiner { patch: 4, channels: 96, blocks: 6 })]
    pub refiner: Option<Refiner>,
}

/// Whether there are no residual blocks, which settings files do not mention.
#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(blocks: &usize) -> bool {
    *blocks == 0
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        AutoencoderConfig {
            design: Design::Study,
            latent_dim: 64,
            stages: vec![
                Stage { channels: 8, kernel: 4, stride: 2, padding: 1 },
                Stage { channels: 16, kernel: 4, stride: 2, padding: 1 },
                Stage { channels: 32, kernel: 3, stride: 2, padding: 0 },
            ],
            normalize: false,
            blocks: 0,
            hidden: vec![64],
            nonlinearity: Nonlinearity::Relu,
            dropout: 0.2,
            noise: 0.0,
            refiner: None,
        }
    }
}

/// Index of the network's section that maps images `[c, h, w]` to latents `[d]`.
pub const ENCODER: usize = 0;
/// Index of the network's section that maps latents `[d]` to images `[c, h, w]`.
pub const DECODER: usize = 1;

impl Model for AutoencoderConfig {
    const KIND: &'static str = "ae";
    const ABOUT: &'static str = "A convolutional autoencoder";

    /// The default settings with the stages of [`Stage::for_images`] and one hidden linear layer, whose width is the largest power of two
    /// that is at most a quarter of the convolutions' outputs. Images of fewer than 512 numbers have an eighth as many latents, others
    /// the study's 64.
    fn for_images(image: Shape) -> Self {
        let stages = Stage::for_images(image);
        let config = AutoencoderConfig { stages, ..Self::default() };
        // `network` reports the error if the convolutions do not fit.
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

    /// The residual design.
    fn for_collection(image: Shape, images: usize) -> Self {
        Self::residual_for(image, images)
    }

    /// Sections [`ENCODER`] and [`DECODER`].
    fn network(&self, image: Shape, _classes: usize) -> Result<Network, Error> {
        if self.design == Design::Residual {
            return Ok(self.residual(image, self.latent_dim)?.0);
        }
        let mut network = self.body(image, self.latent_dim)?;
        network.sections[ENCODER].layers.push(Layer::Dropout { p: self.dropout });
        network.sections[DECODER].layers.push(Layer::Sigmoid);
        network.layout()?;
        Ok(network)
    }

    fn linear_start(&self, image: Shape) -> Option<LinearStart> {
        let residual =
            (self.design == Design::Residual).then(|| self.residual(image, self.latent_dim));
        residual?.ok().map(|(_, start)| start)
    }

    fn target(&self) -> Target {
        Target::Image
    }

    fn criterion(&self) -> Criterion {
        Loss::MeanSquaredError.into()
    }

    fn fine_tuned(self) -> Self {
        AutoencoderConfig { dropout: 0.0, ..self }
    }

    fn latents(&self, _image: Shape) -> Option<LatentSpace> {
        Some(LatentSpace {
            dim: self.latent_dim,
            encode: ENCODER..ENCODER + 1,
            decode: DECODER..DECODER + 1,
        })
    }

    fn recipe() -> &'static str {
        include_str!("recipe.toml")
    }

    fn recipe_for_collection(image: Shape, images: usize) -> String {
        residual::recipe(image, images)
    }

    fn tuning() -> Option<Tuning> {
        Some(Tuning::validation_loss(
            include_str!("space.toml"),
            include_str!("trial.toml"),
            include_str!("refit.toml"),
        ))
    }

    fn own_tuning(&self) -> Option<Tuning> {
        if self.design == Design::Residual {
            return Some(residual::tuning());
        }
        Self::tuning()
    }
}

impl AutoencoderConfig {
    /// The encoder and the decoder, each up to its last layer with weights. The encoder's output has `encoded` numbers; the decoder's input has
    /// `latent_dim`.
    pub(crate) fn body(&self, image: Shape, encoded: usize) -> Result<Network, Error> {
        if self.stages.is_empty() {
            let reason = "an autoencoder needs at least one stage of convolution";
            return Err(Error::setting("stages", reason));
        }
        if self.latent_dim == 0 {
            return Err(Error::setting("latent_dim", "latent_dim must be at least 1"));
        }
        let (convolutions, places) = self.convolutions(image);
        let mut encoder = convolutions.sections[ENCODER].layers.clone();
        let convolutions = convolutions.layout()?;
        let deepest = convolutions.output();

        if self.design == Design::Residual || self.blocks > 0 {
            encoder.push(self.nonlinearity.layer());
        }
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
        let nonlinearity = self.nonlinearity.layer();
        decoder.extend(mirrored(&self.stages, &convolutions, &places, &nonlinearity, self.blocks));
        let sections = vec![
            Section { name: "encoder".into(), layers: encoder },
            Section { name: "decoder".into(), layers: decoder },
        ];
        Ok(Network { input: image, sections })
    }

    /// The encoder up to its last convolution, and the index of each convolution in it.
    fn convolutions(&self, image: Shape) -> (Network, Vec<usize>) {
        let nonlinearity = self.nonlinearity.layer();
        convolutions(&self.stages, image, &nonlinearity, self.normalize, self.blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_is_the_default() {
        let network = AutoencoderConfig::default().network([1, 28, 28], 0).unwrap();
        let layout = network.layout().unwrap();
        // T1 and T2: the shapes after each convolution, of the latents and in the decoder.
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
        assert_eq!(AutoencoderConfig::for_images([1, 28, 28]), AutoencoderConfig::default());
        let of = |image| {
            let config = AutoencoderConfig::for_images(image);
            let layout = config.network(image, 0).unwrap().layout().unwrap();
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
    fn any_image_size_is_restored() {
        for image in [[1, 29, 31], [3, 64, 48], [1, 33, 28], [4, 17, 100]] {
            let config = AutoencoderConfig { latent_dim: 5, ..Default::default() };
            let layout = config.network(image, 0).unwrap().layout().unwrap();
            assert_eq!(layout.output(), image);
        }
    }

    #[test]
    fn normalisation_follows_the_convolutions_of_the_encoder_alone() {
        let config = AutoencoderConfig { normalize: true, ..Default::default() };
        let layout = config.network([1, 29, 31], 0).unwrap().layout().unwrap();
        assert_eq!(layout.output(), [1, 29, 31]);
        let running: Vec<&str> = layout
            .parameters()
            .iter()
            .filter_map(|p| p.name.strip_suffix(".running_mean"))
            .collect();
        assert_eq!(running, ["encoder.1", "encoder.4", "encoder.7"]);
    }

    #[test]
    fn residual_blocks_stand_beside_each_convolution() {
        let config = AutoencoderConfig { blocks: 2, ..Default::default() };
        let layout = config.network([1, 29, 31], 0).unwrap().layout().unwrap();
        assert_eq!(layout.output(), [1, 29, 31]);
        let blocks = |section: usize| {
            let of_block = |layer: &&Layer| matches!(layer, Layer::Residual { .. });
            let layers = layout.section(section);
            layout.layers().skip(layers.start).take(layers.len()).filter(of_block).count()
        };
        assert_eq!([ENCODER, DECODER].map(blocks), [6, 6]);
        // A 3x3 and a 1x1 convolution with biases in each block of 8, 16 and 32 channels, twice two of each.
        let weights: usize = [8, 16, 32].iter().map(|c| 4 * (10 * c * c + 2 * c)).sum();
        let plain = AutoencoderConfig::default().network([1, 29, 31], 0).unwrap();
        let more = layout.parameter_count() - plain.layout().unwrap().parameter_count();
        assert_eq!(more, weights);
    }

    #[test]
    fn misfits_name_the_layer() {
        let error = AutoencoderConfig::default().network([1, 3, 3], 0).unwrap_err().to_string();
        assert!(error.contains("encoder.2 (conv2d)") && error.contains("[8, 1, 1]"), "{error}");
        let none = AutoencoderConfig { stages: vec![], ..Default::default() };
        assert!(none.network([1, 28, 28], 0).is_err());
    }
}
