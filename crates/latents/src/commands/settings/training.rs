//! How a model is trained, as flags.

use clap::{Args, ValueEnum};
use latents::engine::{Init, Schedule};
use latents::train::{OptimizerKind, TrainingConfig};

use super::{named, set, set_some};

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
    /// How the learning rate goes over the run
    #[arg(long, value_name = "NAME")]
    schedule: Option<ScheduleName>,
    /// Part of the run in which the rate rises, for warmup-cosine and one-cycle [default: 0.1 and 0.3, or what the schedule has]
    #[arg(long, value_name = "FRACTION", requires = "schedule")]
    warmup: Option<f64>,
    /// Largest norm of a step's gradient [default: no limit]
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f64>,
    /// Stop when the validation loss has not improved for N epochs, and keep the best weights
    #[arg(long, value_name = "N")]
    patience: Option<u64>,
    /// How much of each label is spread evenly over all classes
    #[arg(long, value_name = "PART")]
    label_smoothing: Option<f64>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Initial weights
    #[arg(long, value_name = "NAME", value_parser = named::<Init>(&["kaiming-normal", "kaiming-uniform", "xavier-normal", "xavier-uniform", "pytorch"]))]
    init: Option<Init>,
}

/// Names of [`Schedule`]s.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleName {
    Constant,
    Cosine,
    WarmupCosine,
    OneCycle,
}

impl TrainingFlags {
    pub(super) fn apply(&self, training: &mut TrainingConfig) {
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
        set(&mut training.label_smoothing, self.label_smoothing.as_ref());
        set(&mut training.seed, self.seed.as_ref());
        if let Some(name) = self.schedule {
            // The same schedule again keeps its own fraction.
            let kept = match (name, training.schedule) {
                (ScheduleName::WarmupCosine, Schedule::WarmupCosine { warmup }) => warmup,
                (ScheduleName::OneCycle, Schedule::OneCycle { peak }) => peak,
                (ScheduleName::WarmupCosine, _) => 0.1,
                _ => 0.3,
            };
            let fraction = self.warmup.unwrap_or(kept);
            training.schedule = match name {
                ScheduleName::Constant => Schedule::Constant,
                ScheduleName::Cosine => Schedule::Cosine,
                ScheduleName::WarmupCosine => Schedule::WarmupCosine { warmup: fraction },
                ScheduleName::OneCycle => Schedule::OneCycle { peak: fraction },
            };
        }
    }

    pub(super) fn gives(&self, name: &str) -> bool {
        match name {
            "init" => self.init.is_some(),
            "epochs" => self.epochs.is_some(),
            "batch_size" => self.batch_size.is_some(),
            "optimizer" => self.optimizer.is_some(),
            "learning_rate" => self.lr.is_some(),
            "weight_decay" => self.weight_decay.is_some(),
            "momentum" => self.momentum.is_some(),
            "label_smoothing" => self.label_smoothing.is_some(),
            "nesterov" => self.nesterov,
            "clip_norm" => self.clip_norm.is_some(),
            "patience" => self.patience.is_some(),
            "schedule" => self.schedule.is_some(),
            _ => false,
        }
    }
}
