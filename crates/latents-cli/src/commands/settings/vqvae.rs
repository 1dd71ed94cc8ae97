//! The settings of a VQ-VAE, as flags.

use clap::Args;
use latents::SettingsLayer;
use latents::models::{Likelihood, Nonlinearity, Stage};
use latents::train::Error;

use super::autoencoder::parse_stage;
use super::{ModelFlags, named, put, put_switch};

/// Settings of a VQ-VAE.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct VqvaeFlags {
    /// Levels of each channel of a code; their product is the number of codes [default: 8,8,8]
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    levels: Option<Vec<usize>>,
    /// A table of this many codes that is learned with the model, in place of levels
    #[arg(long, value_name = "N", conflicts_with = "levels")]
    codes: Option<usize>,
    /// Channels of a code of a learned table [default: 16]
    #[arg(long, value_name = "C", requires = "codes")]
    code_dim: Option<usize>,
    /// Weight of the distance of the encoder's vectors from the codes of a learned table [default: 0.25]
    #[arg(long, value_name = "WEIGHT", requires = "codes")]
    commitment: Option<f64>,
    /// Convolutions: channels, kernel, stride and padding of each [default: as many as halve the images down to 8 codes a side; for 28x28, 64k4s2p1,128k4s2p1]
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = parse_stage)]
    stages: Option<Vec<Stage>>,
    /// Residual blocks after the encoder's convolutions, and before the decoder's
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,
    /// Nonlinearity between layers
    #[arg(long, value_name = "NAME", value_parser = named::<Nonlinearity>(&["relu", "leaky-relu", "silu", "gelu"]))]
    nonlinearity: Option<Nonlinearity>,
    /// Channels of the prior of the codes
    #[arg(long, value_name = "N")]
    prior_channels: Option<usize>,
    /// Residual blocks of the prior of the codes
    #[arg(long, value_name = "N")]
    prior_blocks: Option<usize>,
    /// How pixels are distributed given codes
    #[arg(long, value_name = "NAME", value_parser = named::<Likelihood>(&["bernoulli", "continuous-bernoulli", "gaussian"]))]
    likelihood: Option<Likelihood>,
    /// Standard deviation of the gaussian likelihood [default: learnt]
    #[arg(long, value_name = "SIGMA")]
    sigma: Option<f64>,
    /// Give the prior and the decoder the class of each image: a conditional model, which makes images of a class; every image needs a label
    #[arg(long)]
    conditional: bool,
}

impl ModelFlags for VqvaeFlags {
    const KIND: &'static str = "vqvae";
    const ABOUT: &'static str = "A VQ-VAE: latents are a small image of codes, with a prior that is learned beside it and makes new ones";
    const EXAMPLES: &'static str = "Three channels of 8 levels are 512 codes: 9 bits for each place of a 7x7 image of codes, if images are 28x28.\n\n\
        The loss is -log p(x|codes) - log p(codes), in nats, summed over an image and averaged over images. No gradient of the prior reaches the \
        encoder.\n\n\
        latents train vqvae --out runs/vq                      then `latents sample --run runs/vq --out new.npz`\n\
        latents train vqvae --codes 512 --out runs/table       a learned table of codes, as in the first paper";

    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        if let Some(levels) = &self.levels {
            layer.set("model.quantizer.kind", &"levels")?;
            layer.set("model.quantizer.levels", levels)?;
        }
        if let Some(codes) = &self.codes {
            layer.set("model.quantizer.kind", &"table")?;
            layer.set("model.quantizer.codes", codes)?;
        }
        put(layer, "model.quantizer.dim", self.code_dim.as_ref())?;
        put(layer, "model.quantizer.commitment", self.commitment.as_ref())?;
        put(layer, "model.stages", self.stages.as_ref())?;
        put(layer, "model.blocks", self.blocks.as_ref())?;
        put(layer, "model.nonlinearity", self.nonlinearity.as_ref())?;
        put(layer, "model.prior_channels", self.prior_channels.as_ref())?;
        put(layer, "model.prior_blocks", self.prior_blocks.as_ref())?;
        put(layer, "model.likelihood", self.likelihood.as_ref())?;
        put(layer, "model.sigma", self.sigma.as_ref())?;
        put_switch(layer, "model.conditional", self.conditional)
    }
}
