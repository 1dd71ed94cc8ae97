//! The VQ-VAE: an autoencoder whose latents are a small image of codes, with a prior that is learned beside it and from which new codes are
//! drawn.

mod prior;
mod quantizer;
#[cfg(test)]
mod tests;

use latents_engine::{Criterion, Layer, Network, Section, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autoencoder::{DECODER, ENCODER};
use crate::error::Error;
use crate::likelihood::Likelihood;
use crate::model::{LatentSpace, Model, Target, Term, TermPart, Tuning};
use crate::nonlinearity::Nonlinearity;
use crate::stage::{Stage, convolutions, mirrored, residual_blocks};

pub use prior::{CodePrior, code_bits};
pub use quantizer::Quantizer;

/// Settings of a VQ-VAE (van den Oord et al., 2017). The encoder halves the image some times and returns a vector for each place that is left;
/// a code takes the place of each vector. The prior of the codes, a masked convolutional network, is trained at the same time, but no gradient of
/// it reaches the encoder. The loss is -log p(x|codes) - log p(codes), in nats: a bound on -log p(x).
///
/// ```
/// use latents_models::{Model, Quantizer, VqvaeConfig};
///
/// # fn main() -> Result<(), latents_models::Error> {
/// let image = [3, 64, 64]; // [c, h, w]
/// let config = VqvaeConfig {
///     quantizer: Quantizer::Levels { levels: vec![8, 5, 5, 5] }, // 1,000 codes
///     ..VqvaeConfig::for_images(image)
/// };
/// assert_eq!(config.network(image, 0)?.layout()?.output(), image);
/// assert_eq!(config.latents(image).map(|latents| latents.dim), Some(4 * 8 * 8));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VqvaeConfig {
    /// The codes.
    pub quantizer: Quantizer,
    /// The encoder's convolutions, from first to last; the decoder mirrors them.
    pub stages: Vec<Stage>,
    /// Number of residual blocks after the encoder's convolutions, and before the decoder's.
    pub blocks: usize,
    /// Nonlinearity between layers.
    pub nonlinearity: Nonlinearity,
    /// Number of channels of the prior.
    pub prior_channels: usize,
    /// Number of residual blocks of the prior.
    pub prior_blocks: usize,
    /// The distribution of pixels given codes.
    pub likelihood: Likelihood,
    /// Standard deviation of the normal likelihood; learnt if it is not set (sigma-VAE: Rybkin et al., 2021).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 0.1)]
    pub sigma: Option<f64>,
    /// Whether the prior and the decoder are given the class of an image: p(codes|y) p(x|codes, y). The encoder sees no class, so images are
    /// encoded without one. Every image must have a class label.
    pub conditional: bool,
}

/// The longest side of the image of codes, if images are halved as often as by default.
const LONGEST: usize = 8;

/// The batch size of the recipe, and steps enough for few images.
const BATCH: usize = 64;
const STEPS: usize = 3_000;

impl Default for VqvaeConfig {
    fn default() -> Self {
        VqvaeConfig::for_images([1, 28, 28])
    }
}

impl Model for VqvaeConfig {
    const KIND: &'static str = "vqvae";
    const ABOUT: &'static str = "A VQ-VAE, whose latents are codes with a learned prior";

    /// As many stages as halve the image to at most 8 places a side: 64 channels in the first, 128 in the others.
    fn for_images(image: Shape) -> Self {
        let channels = |stage| if stage == 0 { 64 } else { 128 };
        VqvaeConfig {
            quantizer: Quantizer::default(),
            stages: Stage::halving(image, LONGEST, channels),
            blocks: 2,
            nonlinearity: Nonlinearity::Silu,
            prior_channels: 128,
            prior_blocks: 5,
            likelihood: Likelihood::Bernoulli,
            sigma: None,
            conditional: false,
        }
    }

    /// Sections [`ENCODER`], which returns the codes `[c, h, w]`, and [`DECODER`]. The prior is inside the encoder's last layer.
    fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
        self.check(classes)?;
        let features = if self.conditional { classes } else { 0 };
        let nonlinearity = self.nonlinearity.layer();
        let (body, places) = convolutions(&self.stages, image, &nonlinearity, false, 0);
        let mut encoder = body.sections[ENCODER].layers.clone();
        let body = body.layout()?;
        let channels = body.output()[0];
        let conv = |out_channels, side: usize| Layer::Conv2d {
            out_channels,
            kernel: [side; 2],
            stride: [1; 2],
            padding: [side / 2; 2],
        };
        let blocks = || residual_blocks(self.blocks, channels, &nonlinearity);
        encoder.extend(blocks());
        encoder.push(nonlinearity.clone());
        encoder.push(conv(self.quantizer.channels(), 1));
        encoder.push(self.quantizer.scaling());
        let table = self.quantizer.table();
        let prior = prior::layers(
            table.codes(),
            self.prior_channels,
            self.prior_blocks,
            &nonlinearity,
            features,
        );
        encoder.push(Layer::VectorQuantizer { table, prior });

        let mut decoder = vec![];
        if self.conditional {
            decoder.push(Layer::Condition { features });
        }
        decoder.push(conv(channels, 3));
        decoder.extend(blocks());
        decoder.push(nonlinearity.clone());
        decoder.extend(mirrored(&self.stages, &body, &places, &nonlinearity, 0));
        decoder.extend(self.likelihood.layers(self.sigma));
        let section = |name: &str, layers| Section { name: name.into(), layers };
        let sections = vec![section("encoder", encoder), section("decoder", decoder)];
        let network = Network { input: image, sections };
        network.layout()?;
        Ok(network)
    }

    fn target(&self) -> Target {
        Target::Image
    }

    fn is_conditional(&self) -> bool {
        self.conditional
    }

    fn criterion(&self) -> Criterion {
        let (loss, skip) = self.likelihood.loss(self.sigma);
        Criterion { loss, skip, weight: 1.0, free_bits: 0.0 }
    }

    fn terms(&self) -> &'static [Term] {
        &[
            Term { name: "reconstruction", part: TermPart::Loss },
            Term { name: "codes", part: TermPart::Penalty },
        ]
    }

    /// The latents are the codes' numbers, channel by channel.
    fn latents(&self, image: Shape) -> Option<LatentSpace> {
        let (body, _) = convolutions(&self.stages, image, &self.nonlinearity.layer(), false, 0);
        let [_, h, w] = body.layout().ok()?.output();
        Some(LatentSpace {
            dim: self.quantizer.channels() * h * w,
            encode: ENCODER..ENCODER + 1,
            decode: DECODER..DECODER + 1,
        })
    }

    fn recipe() -> &'static str {
        concat!(include_str!("recipe.toml"), "epochs = 20\n")
    }

    /// As many epochs as make 3,000 steps, from 20 to 200.
    fn recipe_for_collection(_image: Shape, images: usize) -> String {
        let epochs = STEPS.div_ceil(images.div_ceil(BATCH).max(1)).clamp(20, 200);
        format!("{}epochs = {epochs}\n", include_str!("recipe.toml"))
    }

    fn tuning() -> Option<Tuning> {
        let (trial, refit) = ("", "");
        let tuning = Tuning::validation_loss(include_str!("space.toml"), trial, refit);
        Some(Tuning { trial_share: 0.2, ..tuning })
    }
}

impl VqvaeConfig {
    fn check(&self, classes: usize) -> Result<(), Error> {
        if self.stages.is_empty() {
            let reason = "a VQ-VAE needs at least one stage of convolution";
            return Err(Error::setting("stages", reason));
        }
        if self.quantizer.channels() == 0 {
            let reason = "levels must name at least one channel, and dim must be at least 1";
            return Err(Error::setting("quantizer", reason));
        }
        if self.prior_channels == 0 {
            return Err(Error::setting("prior_channels", "prior_channels must be at least 1"));
        }
        if self.conditional && classes < 2 {
            return Err(Error::unconditional(classes));
        }
        self.likelihood.check(self.sigma)
    }
}
