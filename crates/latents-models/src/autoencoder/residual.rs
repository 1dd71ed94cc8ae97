//! The residual design of an autoencoder, which contains principal components. Latents are `W (x - mean) + f(x)`, reconstructions the
//! linear ones plus what a decoder adds, then plus what a local refiner adds, limited to `[0, 1]`. What is added is 0 at first, so training
//! starts from the components of the training images.

use latents_engine::{Layer, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AutoencoderConfig, DECODER, ENCODER};
use crate::error::Error;
use crate::model::{LinearStart, Model, Tuning};
use crate::nonlinearity::Nonlinearity;
use crate::stage::Stage;

/// How the network of an autoencoder is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// As in the reference study: an encoder, and a decoder that mirrors it.
    #[default]
    Study,
    /// Principal components of the training images, to which an encoder, a decoder and a refiner add.
    Residual,
}

/// The refiner of a residual design: convolutions on patches of the image that the decoder gives, which add to it. It is local, so each
/// patch of each training image is an example, and a few hundred images are enough.
///
/// ```
/// use latents_models::Refiner;
///
/// assert_eq!(Refiner::for_images([3, 64, 64]).unwrap().patch, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refiner {
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Number of channels.
    pub channels: usize,
    /// Number of 3x3 convolutions of patches between the first and the last.
    pub blocks: usize,
}

impl Refiner {
    /// The refiner for images of shape `[c, h, w]`; `None` for images of less than 4 pixels a side.
    #[must_use]
    pub fn for_images([_, h, w]: Shape) -> Option<Self> {
        let patch = match h.min(w) {
            ..4 => return None,
            4..48 => 2,
            48..128 => 4,
            _ => 8,
        };
        Some(Refiner { patch, channels: 96, blocks: 6 })
    }

    /// The branch that is added to an image `[c, h, w]`. Its first layer is a convolution of whole patches and their neighbours, its last
    /// one the transposed convolution that writes them.
    fn layers(self, [c, h, w]: Shape, nonlinearity: &Layer) -> Result<Vec<Layer>, Error> {
        let Refiner { patch, channels, blocks } = self;
        if patch == 0 || patch > h.min(w) || channels == 0 {
            let reason =
                "patch must be from 1 to the shorter side of the images, and channels at least 1";
            return Err(Error::setting("refiner", reason));
        }
        let [kernel, stride, padding] = [3 * patch, patch, patch].map(|x| [x; 2]);
        let mut layers = vec![
            Layer::Conv2d { out_channels: channels, kernel, stride, padding },
            nonlinearity.clone(),
        ];
        for _ in 0..blocks {
            let convolution = Layer::Conv2d {
                out_channels: channels,
                kernel: [3; 2],
                stride: [1; 2],
                padding: [1; 2],
            };
            layers.push(Layer::Residual {
                layers: vec![convolution, nonlinearity.clone()],
                shortcut: vec![],
                drop: 0.0,
            });
        }
        let output_padding = [h % patch, w % patch];
        layers.push(Layer::ConvTranspose2d {
            out_channels: c,
            kernel,
            stride,
            padding,
            output_padding,
        });
        Ok(layers)
    }
}

impl AutoencoderConfig {
    /// The network of the residual design, and how it starts. The encoder's output has `encoded` numbers; the decoder's input has
    /// `latent_dim`.
    pub(crate) fn residual(
        &self,
        image: Shape,
        encoded: usize,
    ) -> Result<(Network, LinearStart), Error> {
        let (dim, numbers) = (self.latent_dim, image.iter().product());
        if dim == 0 {
            return Err(Error::setting("latent_dim", "latent_dim must be at least 1"));
        }
        let mut encoder = vec![Layer::Linear { out_features: encoded }];
        let mut decoder =
            vec![Layer::Linear { out_features: numbers }, Layer::Reshape { shape: image }];
        // Noise comes before everything else.
        let first = usize::from(self.noise != 0.0);
        let mut start = LinearStart {
            encode: format!("encoder.{first}"),
            decode: "decoder.0".into(),
            zero: vec![],
            pixels: vec![],
            log_deviation: None,
            fixed: self.stages.is_empty(),
            refitted: self.stages.is_empty(),
        };
        if !self.stages.is_empty() {
            let halves =
                self.body(image, encoded)?.sections.into_iter().map(|section| section.layers);
            let halves: Vec<Vec<Layer>> = halves.collect();
            let [of_encoder, of_decoder] = [&halves[ENCODER], &halves[DECODER]];
            start.zero.push(format!("{}.layers.{}", start.encode, of_encoder.len() - 1));
            start.zero.push(format!("{}.layers.{}", start.decode, of_decoder.len() - 1));
            start.pixels.push(format!("{}.layers.0", start.encode));
            start.encode += ".shortcut.0";
            start.decode += ".shortcut.0";
            encoder = vec![added(of_encoder.clone(), encoder)];
            decoder = vec![added(of_decoder.clone(), decoder)];
        }
        if self.noise != 0.0 {
            encoder.insert(0, Layer::Noise { deviation: self.noise });
        }
        if let Some(refiner) = self.refiner {
            let layers = refiner.layers(image, &self.nonlinearity.layer())?;
            start.pixels.push(format!("decoder.{}.layers.0", decoder.len()));
            start.zero.push(format!("decoder.{}.layers.{}", decoder.len(), layers.len() - 1));
            decoder.push(added(layers, vec![]));
        }
        decoder.push(Layer::Clip);
        let sections = vec![
            Section { name: "encoder".into(), layers: encoder },
            Section { name: "decoder".into(), layers: decoder },
        ];
        let network = Network { input: image, sections };
        network.layout()?;
        Ok((network, start))
    }

    /// The residual design for images of shape `[c, h, w]`. Up to a few thousand images, only a refiner is added to the components, which do
    /// not change in training; more images have an encoder and a decoder too, which are wider the more images there are.
    pub(super) fn residual_for(image: Shape, images: usize) -> Self {
        let whole = Self::residual_with_branches(image, images);
        if images < BRANCHES {
            return AutoencoderConfig { stages: vec![], hidden: vec![], ..whole };
        }
        whole
    }

    /// The residual design with an encoder and a decoder beside the components. If there are many images, the decoder learns most of what a
    /// large refiner would add, so a small one is left, which costs a tenth of the time.
    pub(crate) fn residual_with_branches(image: Shape, images: usize) -> Self {
        let study = <Self as Model>::for_images(image);
        let small = |refiner| Refiner { channels: 32, blocks: 1, ..refiner };
        let refiner = Refiner::for_images(image);
        let wider = |stage: &Stage| Stage { channels: (4 * stage.channels).min(128), ..*stage };
        AutoencoderConfig {
            design: Design::Residual,
            stages: study.stages.iter().map(wider).collect(),
            hidden: vec![512],
            nonlinearity: Nonlinearity::Silu,
            dropout: 0.0,
            refiner: if images < BRANCHES { refiner } else { refiner.map(small) },
            ..study
        }
    }
}

/// The training settings of the residual design, as a TOML layer.
pub(crate) fn recipe(image: Shape, images: usize) -> String {
    let [_, h, w] = image;
    let patch = Refiner::for_images(image).map_or(1, |refiner| refiner.patch);
    let patches = (h / patch * (w / patch)).max(1);
    let Length { batch, work, most, passes, rate, schedule } =
        if images < BRANCHES { FEW } else { MANY };
    let batch = if images < SMALL_BATCHES { 16 } else { batch };
    let steps = (work / patches).clamp(most / 4, most);
    // A fifth of the images validates.
    let of_epoch = (images * 4 / 5).div_ceil(batch).max(1);
    let epochs = steps.div_ceil(of_epoch).min(passes.max(LEAST_STEPS.div_ceil(of_epoch)));
    format!(
        "# Training settings of a residual autoencoder: a number of steps, or of epochs if the images are few.\n\
         [training]\nepochs = {epochs}\nbatch_size = {batch}\noptimizer = \"adamw\"\nlearning_rate = {rate}\nweight_decay = 0.01\n\
         clip_norm = 1.0\nschedule = {schedule}\n"
    )
}

/// How the residual design is tuned.
pub(crate) fn tuning() -> Tuning {
    let tuning = Tuning::validation_loss(include_str!("residual-space.toml"), "", "");
    Tuning { trial_share: 0.25, ..tuning }
}

/// How long a model is trained, and how.
struct Length {
    /// Images in a batch.
    batch: usize,
    /// Steps times patches of an image, about five minutes on two cores.
    work: usize,
    /// Steps, at most.
    most: usize,
    /// Epochs, at most: with more, the validation loss of few images rises again.
    passes: usize,
    /// The highest learning rate.
    rate: f64,
    schedule: &'static str,
}

/// Without an encoder and a decoder beside the components.
const FEW: Length = Length {
    batch: 32,
    work: 380_000,
    most: 4_000,
    passes: 20,
    rate: 1.5e-3,
    schedule: "{ kind = \"warmup-cosine\", warmup = 0.1 }",
};
/// With both.
const MANY: Length = Length {
    batch: 128,
    work: 880_000,
    most: 8_000,
    passes: usize::MAX,
    rate: 3e-3,
    schedule: "{ kind = \"one-cycle\", peak = 0.3 }",
};

/// Up to this many training images, batches are smaller, so that there are more steps.
const SMALL_BATCHES: usize = 2_000;
/// Steps, at least.
const LEAST_STEPS: usize = 50;

/// From this many training images on, an encoder and a decoder are added to the components.
const BRANCHES: usize = 5_000;

/// The sum of a branch and a shortcut.
fn added(layers: Vec<Layer>, shortcut: Vec<Layer>) -> Layer {
    Layer::Residual { layers, shortcut, drop: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_size_is_restored_and_every_name_is_a_layer() {
        for image in [[1, 28, 28], [3, 64, 48], [1, 8, 8], [3, 33, 50], [2, 3, 3], [1, 130, 97]] {
            for images in [100, 50_000] {
                let config = AutoencoderConfig::residual_for(image, images);
                let (network, start) = config.residual(image, config.latent_dim).unwrap();
                let layout = network.layout().unwrap();
                assert_eq!(layout.output(), image);
                assert_eq!(layout.shape(layout.section(DECODER).start), [config.latent_dim, 1, 1]);
                let has = |layer: &String| {
                    let weight = format!("{layer}.weight");
                    layout.parameters().iter().any(|p| p.name == weight)
                };
                assert!(has(&start.encode) && has(&start.decode), "{image:?}: {start:?}");
                assert!(start.zero.iter().chain(&start.pixels).all(has), "{image:?}: {start:?}");
                assert_eq!(start.fixed, images == 100);
            }
        }
    }

    #[test]
    fn few_images_have_few_epochs_and_enough_steps() {
        let epochs = |image, images| {
            let layer = recipe(image, images);
            let line = layer.lines().find_map(|line| line.strip_prefix("epochs = "));
            line.unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(epochs([3, 64, 64], 641), 20);
        assert_eq!(epochs([1, 8, 8], 1_438), 20);
        // Six images train, in one step an epoch.
        assert_eq!(epochs([3, 64, 64], 8), 50);
        // Larger images have fewer steps, but a quarter of the most.
        assert_eq!(epochs([3, 127, 127], 4_999), 8);
        assert_eq!(epochs([1, 28, 28], 48_000), 15);
    }

    #[test]
    fn misfits_name_the_setting() {
        let image = [1, 8, 8];
        let of = |patch| AutoencoderConfig {
            refiner: Some(Refiner { patch, channels: 4, blocks: 0 }),
            ..AutoencoderConfig::residual_for(image, 100)
        };
        assert!(of(8).residual(image, 4).is_ok());
        let error = of(9).residual(image, 4).unwrap_err().to_string();
        assert!(error.contains("refiner") || error.contains("patch"), "{error}");
    }
}
