//! The settings of an autoencoder and of a variational one, as flags: both have the same encoder and decoder.

use clap::{Args, ValueEnum};
use latents::SettingsLayer;
use latents::models::{Design, Likelihood, Nonlinearity, Regularizer, Stage};
use latents::train::Error;

use super::{ModelFlags, named, put, put_switch};

/// Encoder and decoder.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct HalvesFlags {
    /// Dimensions of a latent vector [default: 64, for a vae 44; for small images an eighth of their numbers]
    #[arg(long, value_name = "D")]
    latent_dim: Option<usize>,
    /// Convolutions: channels, kernel, stride and padding of each [default: as many as halve the images down to 4 pixels; for 28x28, 8k4s2p1,16k4s2p1,32k3s2p0]
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = parse_stage)]
    stages: Option<Vec<Stage>>,
    /// Batch normalisation after each of the encoder's convolutions
    #[arg(long)]
    normalize: bool,
    /// Residual blocks after each of the encoder's convolutions, and before each of the decoder's [default: 0]
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,
    /// Widths of the linear layers before the latent vector [default: a quarter of the convolutions' output; for 28x28, 64]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// Nonlinearity between layers
    #[arg(long, value_name = "NAME", value_parser = named::<Nonlinearity>(&["relu", "leaky-relu", "silu", "gelu"]))]
    nonlinearity: Option<Nonlinearity>,
    /// Probability of dropout after the linear layers
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
    /// Standard deviation of noise added to input images in training: a denoising autoencoder
    #[arg(long, value_name = "DEVIATION")]
    noise: Option<f64>,
}

pub(super) fn parse_stage(text: &str) -> Result<Stage, String> {
    let explain =
        || format!("`{text}` is not of the form 8k4s2p1: channels, kernel, stride, padding");
    let (channels, rest) = text.split_once('k').ok_or_else(explain)?;
    let (kernel, rest) = rest.split_once('s').ok_or_else(explain)?;
    let (stride, padding) = rest.split_once('p').ok_or_else(explain)?;
    let number = |text: &str| text.parse::<usize>().map_err(|_| explain());
    Ok(Stage {
        channels: number(channels)?,
        kernel: number(kernel)?,
        stride: number(stride)?,
        padding: number(padding)?,
    })
}

impl HalvesFlags {
    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "model.latent_dim", self.latent_dim.as_ref())?;
        put(layer, "model.stages", self.stages.as_ref())?;
        put_switch(layer, "model.normalize", self.normalize)?;
        put(layer, "model.blocks", self.blocks.as_ref())?;
        put(layer, "model.hidden", self.hidden.as_ref())?;
        put(layer, "model.nonlinearity", self.nonlinearity.as_ref())?;
        put(layer, "model.dropout", self.dropout.as_ref())?;
        put(layer, "model.noise", self.noise.as_ref())
    }
}

/// Settings of a convolutional autoencoder.
#[derive(Debug, Args)]
pub(crate) struct AutoencoderFlags {
    #[command(flatten)]
    design: DesignFlags,
    #[command(flatten)]
    halves: HalvesFlags,
}

/// How the network is built.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
struct DesignFlags {
    /// How the network is built: residual (principal components, and what is added to them) or study (as in the reference study) [default: residual, for Fashion-MNIST study]
    #[arg(long, value_name = "DESIGN", value_parser = named::<Design>(&["residual", "study"]))]
    design: Option<Design>,
}

impl ModelFlags for AutoencoderFlags {
    const KIND: &'static str = "ae";
    const ABOUT: &'static str = "A convolutional autoencoder";
    const EXAMPLES: &'static str = "The defaults are those of the reference study: three convolutions, a linear layer of width 64 and 64 latents, \
        42 epochs of Adam with learning rate 0.0005, weight decay 0.0001 and dropout 0.2.\n\n\
        `latents train ae --resume --out DIR` resumes a run that was stopped; it ends with the same bytes.\n\
        `latents train ae --config DIR/config.toml --out OTHER` repeats a run.";

    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "model.design", self.design.design.as_ref())?;
        self.halves.apply(layer)
    }
}

/// Settings of a variational autoencoder or a relative.
#[derive(Debug, Args)]
pub(crate) struct VaeFlags {
    #[command(flatten)]
    halves: HalvesFlags,
    #[command(flatten)]
    latents: LatentFlags,
}

/// How latents and pixels are distributed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
struct LatentFlags {
    /// How pixels are distributed given latents
    #[arg(long, value_name = "NAME", value_parser = named::<Likelihood>(&["bernoulli", "continuous-bernoulli", "gaussian"]))]
    likelihood: Option<Likelihood>,
    /// Standard deviation of the gaussian likelihood [default: learnt]
    #[arg(long, value_name = "SIGMA")]
    sigma: Option<f64>,
    /// Regulariser of the latents: kl (a VAE), mmd (a Wasserstein autoencoder), l2 (a regularised autoencoder), info (an MMD-VAE) or tc (a beta-TC-VAE)
    #[arg(long, value_name = "NAME", value_parser = named::<Regularizer>(&["kl", "mmd", "l2", "info", "tc"]))]
    regularizer: Option<Regularizer>,
    /// Prior of the latents of a VAE: normal, N(0, I); mixture, a mixture of Gaussians that is learned with the model (for each class, if the model is conditional); or vamp, the posteriors of images that are learned with the model
    #[arg(long, value_name = "NAME")]
    prior: Option<PriorName>,
    /// Gaussians in a learned prior, of vamp the learned images [default: 100]
    #[arg(long, value_name = "K", requires = "prior")]
    prior_components: Option<usize>,
    /// Weight of the regulariser; with info, of its KL divergence; with tc, of the total correlation
    #[arg(long, value_name = "WEIGHT")]
    beta: Option<f64>,
    /// Draws of the latents of each image: more than one trains with the importance-weighted bound (IWAE), for which beta is 1 [default: 1]
    #[arg(long, value_name = "K")]
    draws: Option<usize>,
    /// Weight of the maximum mean discrepancy of the regulariser info [default: 1000]
    #[arg(long, value_name = "WEIGHT")]
    mmd_weight: Option<f64>,
    /// Epochs over which the weight of the whole penalty rises from 0
    #[arg(long, value_name = "EPOCHS")]
    warmup_epochs: Option<f64>,
    /// Free bits: KL below this many nats per latent dimension is not penalised
    #[arg(long, value_name = "NATS")]
    free_bits: Option<f64>,
    /// Give the decoder the class of each image, p(x|z, y): a conditional model, which makes images of a class; every image needs a label
    #[arg(long)]
    conditional: bool,
}

/// The priors of latents.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PriorName {
    Normal,
    Mixture,
    Vamp,
}

impl LatentFlags {
    fn apply_prior(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        match self.prior {
            None => Ok(()),
            Some(PriorName::Normal) if self.prior_components.is_some() => Err(Error::Config(
                "--prior-components is for the priors mixture and vamp; leave it out, or choose one of these"
                    .into(),
            )),
            Some(PriorName::Normal) => layer.set("model.prior.kind", &"normal"),
            Some(PriorName::Mixture) => self.apply_learned("mixture", layer),
            Some(PriorName::Vamp) => self.apply_learned("vamp", layer),
        }
    }

    fn apply_learned(&self, kind: &str, layer: &mut SettingsLayer) -> Result<(), Error> {
        layer.set("model.prior.kind", &kind)?;
        put(layer, "model.prior.components", self.prior_components.as_ref())
    }
}

impl ModelFlags for VaeFlags {
    const KIND: &'static str = "vae";
    const ABOUT: &'static str =
        "A variational autoencoder, or with --regularizer a Wasserstein or a regularised one";
    const EXAMPLES: &'static str = "The defaults are the reference study's: the autoencoder's convolutions without dropout, 44 latents, Adam with \
        learning rate 0.0002 and weight decay 0.0018. It does not name the likelihood.\n\n\
        The loss is -log p(x|z) + beta KL(q(z|x) || N(0, I)), in nats, summed over an image and averaged over images. With --regularizer info it has \
        --mmd-weight times the maximum mean discrepancy between the latents and N(0, I) in addition; with --regularizer tc, beta is the weight of \
        the total correlation alone, which is a part of the KL divergence. With --draws K, it is -log of the mean of p(x|z) p(z) / q(z|x) over K draws \
        of z (IWAE), with doubly reparameterised gradients; a step takes about K times as long.";

    fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        self.halves.apply(layer)?;
        put(layer, "model.likelihood", self.latents.likelihood.as_ref())?;
        put(layer, "model.sigma", self.latents.sigma.as_ref())?;
        put(layer, "model.regularizer", self.latents.regularizer.as_ref())?;
        self.latents.apply_prior(layer)?;
        put(layer, "model.beta", self.latents.beta.as_ref())?;
        put(layer, "model.draws", self.latents.draws.as_ref())?;
        put(layer, "model.mmd_weight", self.latents.mmd_weight.as_ref())?;
        put(layer, "model.warmup_epochs", self.latents.warmup_epochs.as_ref())?;
        put(layer, "model.free_bits", self.latents.free_bits.as_ref())?;
        put_switch(layer, "model.conditional", self.latents.conditional)
    }
}
