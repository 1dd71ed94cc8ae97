//! The settings of a run as flags, for every command that trains.

use clap::{Args, ValueEnum};
use latents::engine::{Init, Schedule};
use latents::models::{Nonlinearity, Stage};
use latents::train::{OptimizerKind, RunConfig};
use serde::de::DeserializeOwned;

/// Settings of a run. A flag that is not given leaves what was there before.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Images: fashion-mnist, fashion-mnist-sample, or idx:DIR [default: fashion-mnist, or else the sample of it]
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    pub(crate) data: Option<String>,
    /// Use only the first N training images
    #[arg(long, value_name = "N", help_heading = "Data")]
    train_limit: Option<usize>,
    /// Use only the first N test images
    #[arg(long, value_name = "N", help_heading = "Data")]
    test_limit: Option<usize>,
    /// Part of the training images kept for validation [default: 0.2]
    #[arg(long, value_name = "FRACTION", help_heading = "Data")]
    validation: Option<f64>,

    /// Numbers in a latent vector [default: 64]
    #[arg(long, value_name = "D", help_heading = "Model")]
    latent_dim: Option<usize>,
    /// Convolutions: channels, kernel, stride and padding of each [default: 8k4s2p1,16k4s2p1,32k3s2p0]
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = parse_stage, help_heading = "Model")]
    stages: Option<Vec<Stage>>,
    /// Widths of the matrices before the latent vector [default: 64]
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', help_heading = "Model")]
    hidden: Option<Vec<usize>>,
    /// Nonlinearity between layers [default: relu]
    #[arg(long, value_name = "NAME", value_parser = named::<Nonlinearity>(&["relu", "leaky-relu", "silu", "gelu"]), help_heading = "Model")]
    nonlinearity: Option<Nonlinearity>,
    /// Probability of dropout after the matrices [default: 0.2]
    #[arg(long, value_name = "P", help_heading = "Model")]
    dropout: Option<f64>,
    /// Initial weights [default: kaiming-normal]
    #[arg(long, value_name = "NAME", value_parser = named::<Init>(&["kaiming-normal", "kaiming-uniform", "xavier-normal", "xavier-uniform", "pytorch"]), help_heading = "Model")]
    init: Option<Init>,

    /// Passes over the training images [default: 42]
    #[arg(long, value_name = "N", help_heading = "Training")]
    epochs: Option<u64>,
    /// Images in a step [default: 256]
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch_size: Option<usize>,
    /// Optimiser [default: adam]
    #[arg(long, value_name = "NAME", value_parser = named::<OptimizerKind>(&["adam", "adamw", "sgd"]), help_heading = "Training")]
    optimizer: Option<OptimizerKind>,
    /// Learning rate [default: 0.0005]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    lr: Option<f64>,
    /// Weight decay: L2 in the gradient for adam and sgd, decoupled for adamw [default: 0.0001]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    weight_decay: Option<f64>,
    /// Momentum of sgd [default: 0]
    #[arg(long, value_name = "M", help_heading = "Training")]
    momentum: Option<f64>,
    /// Nesterov's momentum for sgd
    #[arg(long, help_heading = "Training")]
    nesterov: bool,
    /// How the learning rate goes over the run [default: constant]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    schedule: Option<ScheduleName>,
    /// Part of the run in which the rate rises, for warmup-cosine and one-cycle [default: 0.1 and 0.3]
    #[arg(long, value_name = "FRACTION", requires = "schedule", help_heading = "Training")]
    warmup: Option<f64>,
    /// Largest norm of a step's gradient [default: no limit]
    #[arg(long, value_name = "NORM", help_heading = "Training")]
    clip_norm: Option<f64>,
    /// Stop when the validation loss has not improved for N epochs, and keep the best weights
    #[arg(long, value_name = "N", help_heading = "Training")]
    patience: Option<u64>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training")]
    seed: Option<u64>,
}

/// Names of [`Schedule`]s.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleName {
    Constant,
    Cosine,
    WarmupCosine,
    OneCycle,
}

/// Reads a name as the configuration file has it, so that there is one list of names.
fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl clap::builder::TypedValueParser<Value = T> {
    use clap::builder::TypedValueParser;
    clap::builder::PossibleValuesParser::new(names)
        .try_map(|name| serde_json::from_value::<T>(serde_json::Value::String(name)))
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

impl Settings {
    /// Puts the flags that were given over the settings.
    pub(crate) fn apply(&self, config: &mut RunConfig) {
        fn set<T: Clone>(setting: &mut T, flag: Option<&T>) {
            if let Some(flag) = flag {
                *setting = flag.clone();
            }
        }
        fn set_some<T: Clone>(setting: &mut Option<T>, flag: Option<&T>) {
            if flag.is_some() {
                *setting = flag.cloned();
            }
        }
        set_some(&mut config.data.train_limit, self.train_limit.as_ref());
        set_some(&mut config.data.test_limit, self.test_limit.as_ref());
        let model = &mut config.model;
        set(&mut model.latent_dim, self.latent_dim.as_ref());
        set(&mut model.stages, self.stages.as_ref());
        set(&mut model.hidden, self.hidden.as_ref());
        set(&mut model.nonlinearity, self.nonlinearity.as_ref());
        set(&mut model.dropout, self.dropout.as_ref());
        let training = &mut config.training;
        set(&mut training.validation_fraction, self.validation.as_ref());
        set(&mut training.init, self.init.as_ref());
        set(&mut training.epochs, self.epochs.as_ref());
        set(&mut training.batch_size, self.batch_size.as_ref());
        set(&mut training.optimizer, self.optimizer.as_ref());
        set(&mut training.learning_rate, self.lr.as_ref());
        set(&mut training.weight_decay, self.weight_decay.as_ref());
        set(&mut training.momentum, self.momentum.as_ref());
        training.nesterov |= self.nesterov;
        set_some(&mut training.clip_norm, self.clip_norm.as_ref());
        set_some(&mut training.patience, self.patience.as_ref());
        set(&mut training.seed, self.seed.as_ref());
        if let Some(name) = self.schedule {
            training.schedule = match name {
                ScheduleName::Constant => Schedule::Constant,
                ScheduleName::Cosine => Schedule::Cosine,
                ScheduleName::WarmupCosine => {
                    Schedule::WarmupCosine { warmup: self.warmup.unwrap_or(0.1) }
                }
                ScheduleName::OneCycle => Schedule::OneCycle { peak: self.warmup.unwrap_or(0.3) },
            };
        }
    }

    /// Whether a setting, by its name in `config.toml`, is given by a flag.
    pub(crate) fn gives(&self, name: &str) -> bool {
        match name {
            "latent_dim" => self.latent_dim.is_some(),
            "stages" => self.stages.is_some(),
            "hidden" => self.hidden.is_some(),
            "nonlinearity" => self.nonlinearity.is_some(),
            "dropout" => self.dropout.is_some(),
            "validation_fraction" => self.validation.is_some(),
            "init" => self.init.is_some(),
            "epochs" => self.epochs.is_some(),
            "batch_size" => self.batch_size.is_some(),
            "optimizer" => self.optimizer.is_some(),
            "learning_rate" => self.lr.is_some(),
            "weight_decay" => self.weight_decay.is_some(),
            "momentum" => self.momentum.is_some(),
            "nesterov" => self.nesterov,
            "clip_norm" => self.clip_norm.is_some(),
            "patience" => self.patience.is_some(),
            "schedule" => self.schedule.is_some(),
            _ => false,
        }
    }
}
