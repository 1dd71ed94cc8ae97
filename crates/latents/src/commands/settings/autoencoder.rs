//! The settings of an autoencoder and of a variational one, as flags: both have the same halves.

use clap::Args;
use latents::engine::Shape;
use latents::models::{
    AutoencoderConfig, Likelihood, ModelConfig, Nonlinearity, Regularizer, Stage, VaeConfig,
};
use latents::train::RunConfig;

use super::{ModelFlags, named, set, set_some};

/// Encoder and decoder.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct HalvesFlags {
    /// Numbers in a latent vector [default: 64, of a vae 44; in small images an eighth of their numbers]
    #[arg(long, value_name = "D")]
    latent_dim: Option<usize>,
    /// Convolutions: channels, kernel, stride and padding of each [default: as many as halve the images down to 4 pixels; for 28x28, 8k4s2p1,16k4s2p1,32k3s2p0]
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = parse_stage)]
    stages: Option<Vec<Stage>>,
    /// Batch normalisation after each of the encoder's convolutions
    #[arg(long)]
    normalize: bool,
    /// Widths of the matrices before the latent vector [default: a quarter of what the convolutions give; for 28x28, 64]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// Nonlinearity between layers
    #[arg(long, value_name = "NAME", value_parser = named::<Nonlinearity>(&["relu", "leaky-relu", "silu", "gelu"]))]
    nonlinearity: Option<Nonlinearity>,
    /// Probability of dropout after the matrices
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
    /// Standard deviation of noise on the images that go in, in training: a denoising autoencoder
    #[arg(long, value_name = "DEVIATION")]
    noise: Option<f64>,
}

fn parse_stage(text: &str) -> Result<Stage, String> {
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
    fn apply(&self, halves: &mut AutoencoderConfig) {
        set(&mut halves.latent_dim, self.latent_dim.as_ref());
        set(&mut halves.stages, self.stages.as_ref());
        halves.normalize |= self.normalize;
        set(&mut halves.hidden, self.hidden.as_ref());
        set(&mut halves.nonlinearity, self.nonlinearity.as_ref());
        set(&mut halves.dropout, self.dropout.as_ref());
        set(&mut halves.noise, self.noise.as_ref());
    }

    fn gives(&self, name: &str) -> bool {
        match name {
            "latent_dim" => self.latent_dim.is_some(),
            "stages" => self.stages.is_some(),
            "normalize" => self.normalize,
            "hidden" => self.hidden.is_some(),
            "nonlinearity" => self.nonlinearity.is_some(),
            "dropout" => self.dropout.is_some(),
            "noise" => self.noise.is_some(),
            _ => false,
        }
    }
}

/// Settings of a convolutional autoencoder.
#[derive(Debug, Args)]
pub(crate) struct AutoencoderFlags {
    #[command(flatten)]
    halves: HalvesFlags,
}

impl ModelFlags for AutoencoderFlags {
    const KIND: &'static str = "ae";

    fn base(image: Shape) -> ModelConfig {
        ModelConfig::Ae(AutoencoderConfig::scaled(image))
    }

    fn apply(&self, model: &mut ModelConfig) {
        if let ModelConfig::Ae(model) = model {
            self.halves.apply(model);
        }
    }

    fn gives(&self, name: &str) -> bool {
        self.halves.gives(name)
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
    /// What holds latents together: kl (a VAE), mmd (a Wasserstein autoencoder) or l2 (a regularised autoencoder)
    #[arg(long, value_name = "NAME", value_parser = named::<Regularizer>(&["kl", "mmd", "l2"]))]
    regularizer: Option<Regularizer>,
    /// Weight of the regulariser
    #[arg(long, value_name = "WEIGHT")]
    beta: Option<f64>,
    /// Epochs over which that weight rises from 0
    #[arg(long, value_name = "EPOCHS")]
    warmup_epochs: Option<f64>,
    /// Nats of divergence that each latent has free of charge
    #[arg(long, value_name = "NATS")]
    free_bits: Option<f64>,
}

impl ModelFlags for VaeFlags {
    const KIND: &'static str = "vae";

    fn base(image: Shape) -> ModelConfig {
        let mut model = VaeConfig::default();
        let scaled = AutoencoderConfig::scaled(image);
        model.halves.latent_dim = model.halves.latent_dim.min(scaled.latent_dim);
        (model.halves.stages, model.halves.hidden) = (scaled.stages, scaled.hidden);
        ModelConfig::Vae(model)
    }

    fn base_run(image: Shape) -> RunConfig {
        let mut config = RunConfig { model: Self::base(image), ..RunConfig::default() };
        // The reference study's best; it names no epochs.
        config.training.learning_rate = 2e-4;
        config.training.weight_decay = 1.8e-3;
        config.training.epochs = 50;
        config
    }

    fn apply(&self, model: &mut ModelConfig) {
        if let ModelConfig::Vae(model) = model {
            self.halves.apply(&mut model.halves);
            set(&mut model.likelihood, self.latents.likelihood.as_ref());
            set_some(&mut model.sigma, self.latents.sigma.as_ref());
            set(&mut model.regularizer, self.latents.regularizer.as_ref());
            set(&mut model.beta, self.latents.beta.as_ref());
            set(&mut model.warmup_epochs, self.latents.warmup_epochs.as_ref());
            set(&mut model.free_bits, self.latents.free_bits.as_ref());
        }
    }

    fn gives(&self, name: &str) -> bool {
        match name {
            "likelihood" => self.latents.likelihood.is_some(),
            "sigma" => self.latents.sigma.is_some(),
            "regularizer" => self.latents.regularizer.is_some(),
            "beta" => self.latents.beta.is_some(),
            "warmup_epochs" => self.latents.warmup_epochs.is_some(),
            "free_bits" => self.latents.free_bits.is_some(),
            _ => self.halves.gives(name),
        }
    }
}
