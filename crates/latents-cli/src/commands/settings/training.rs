//! How a model is trained, as flags.

use clap::{Args, ValueEnum};
use latents::SettingsLayer;
use latents::engine::{Init, Precision};
use latents::train::{Error, OptimizerKind};

use super::{named, put, put_switch};

/// How a model is trained.
#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct TrainingFlags {
    /// Passes over the training images
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Images in a step
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Optimiser
    #[arg(long, value_name = "NAME", value_parser = named::<OptimizerKind>(&["adam", "adamw", "sgd"]))]
    optimizer: Option<OptimizerKind>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Weight decay: L2 in the gradient for adam and sgd, decoupled for adamw
    #[arg(long, value_name = "RATE")]
    weight_decay: Option<f64>,
    /// Momentum of sgd
    #[arg(long, value_name = "M")]
    momentum: Option<f64>,
    /// Nesterov's momentum for sgd
    #[arg(long)]
    nesterov: bool,
    /// Schedule of the learning rate over the run
    #[arg(long, value_name = "NAME")]
    schedule: Option<ScheduleName>,
    /// Fraction of the run in which the rate rises, for warmup-cosine and one-cycle [default: 0.1 and 0.3, or the schedule's own]
    #[arg(long, value_name = "FRACTION", requires = "schedule")]
    warmup: Option<f64>,
    /// Largest norm of a step's gradient [default: no limit]
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f64>,
    /// Stop when the validation loss has not improved for N epochs, and keep the best weights
    #[arg(long, value_name = "N")]
    patience: Option<u64>,
    /// Label smoothing: how much of each label is distributed evenly over all classes
    #[arg(long, value_name = "PART")]
    label_smoothing: Option<f64>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Initial weights
    #[arg(long, value_name = "NAME", value_parser = named::<Init>(&["kaiming-normal", "kaiming-uniform", "xavier-normal", "xavier-uniform", "pytorch"]))]
    init: Option<Init>,
    /// Numbers in which layers are computed; bf16 is much faster on processors with AMX, slower on others, which give the same results
    #[arg(long, value_name = "NAME", value_parser = named::<Precision>(&["f32", "bf16"]))]
    precision: Option<Precision>,
}

/// The schedules of the learning rate.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleName {
    Constant,
    Cosine,
    WarmupCosine,
    OneCycle,
}

impl TrainingFlags {
    pub(super) fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "training.init", self.init.as_ref())?;
        put(layer, "training.precision", self.precision.as_ref())?;
        put(layer, "training.epochs", self.epochs.as_ref())?;
        put(layer, "training.batch_size", self.batch_size.as_ref())?;
        put(layer, "training.optimizer", self.optimizer.as_ref())?;
        put(layer, "training.learning_rate", self.lr.as_ref())?;
        put(layer, "training.weight_decay", self.weight_decay.as_ref())?;
        put(layer, "training.momentum", self.momentum.as_ref())?;
        put_switch(layer, "training.nesterov", self.nesterov)?;
        put(layer, "training.clip_norm", self.clip_norm.as_ref())?;
        put(layer, "training.patience", self.patience.as_ref())?;
        put(layer, "training.label_smoothing", self.label_smoothing.as_ref())?;
        put(layer, "training.seed", self.seed.as_ref())?;
        // The same schedule again keeps its own fraction; another begins with its default.
        let Some(name) = self.schedule else { return Ok(()) };
        layer.set("training.schedule.kind", &name.kind())?;
        match name {
            ScheduleName::WarmupCosine => {
                put(layer, "training.schedule.warmup", self.warmup.as_ref())
            }
            ScheduleName::OneCycle => put(layer, "training.schedule.peak", self.warmup.as_ref()),
            ScheduleName::Constant | ScheduleName::Cosine if self.warmup.is_some() => {
                Err(Error::Config(format!(
                    "--warmup is for the schedules warmup-cosine and one-cycle, and the rate of {} does not rise; leave it out, or choose one of those",
                    name.kind()
                )))
            }
            ScheduleName::Constant | ScheduleName::Cosine => Ok(()),
        }
    }
}

impl ScheduleName {
    /// Its name in settings.
    fn kind(self) -> &'static str {
        match self {
            ScheduleName::Constant => "constant",
            ScheduleName::Cosine => "cosine",
            ScheduleName::WarmupCosine => "warmup-cosine",
            ScheduleName::OneCycle => "one-cycle",
        }
    }
}
