//! An autoencoder's settings, as flags.

use clap::Args;
use latents::models::{AutoencoderConfig, ModelConfig, Nonlinearity, Stage};

use super::{ModelFlags, named, set};

/// Settings of a convolutional autoencoder.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct AutoencoderFlags {
    /// Numbers in a latent vector [default: 64]
    #[arg(long, value_name = "D")]
    latent_dim: Option<usize>,
    /// Convolutions: channels, kernel, stride and padding of each [default: 8k4s2p1,16k4s2p1,32k3s2p0]
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = parse_stage)]
    stages: Option<Vec<Stage>>,
    /// Widths of the matrices before the latent vector [default: 64]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// Nonlinearity between layers [default: relu]
    #[arg(long, value_name = "NAME", value_parser = named::<Nonlinearity>(&["relu", "leaky-relu", "silu", "gelu"]))]
    nonlinearity: Option<Nonlinearity>,
    /// Probability of dropout after the matrices [default: 0.2]
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
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

impl ModelFlags for AutoencoderFlags {
    const KIND: &'static str = "ae";

    fn base() -> ModelConfig {
        ModelConfig::Ae(AutoencoderConfig::default())
    }

    fn apply(&self, model: &mut ModelConfig) {
        let ModelConfig::Ae(model) = model else { return };
        set(&mut model.latent_dim, self.latent_dim.as_ref());
        set(&mut model.stages, self.stages.as_ref());
        set(&mut model.hidden, self.hidden.as_ref());
        set(&mut model.nonlinearity, self.nonlinearity.as_ref());
        set(&mut model.dropout, self.dropout.as_ref());
    }

    fn gives(&self, name: &str) -> bool {
        match name {
            "latent_dim" => self.latent_dim.is_some(),
            "stages" => self.stages.is_some(),
            "hidden" => self.hidden.is_some(),
            "nonlinearity" => self.nonlinearity.is_some(),
            "dropout" => self.dropout.is_some(),
            _ => false,
        }
    }
}
