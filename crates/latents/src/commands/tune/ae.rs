//! `latents tune ae`: what is tuned of an autoencoder, and how its trials are judged.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::train::RunConfig;
use latents::tune::Direction;

use crate::Shared;
use crate::commands::settings::Settings;
use crate::commands::tune::model::{Kind, ModelFlags};
use crate::output::Output;

/// Autoencoders.
pub(crate) const AE: Kind = Kind {
    name: "ae",
    label: "validation loss",
    direction: Direction::Minimize,
    value: |metrics| metrics.val_loss,
    space: include_str!("ae.toml"),
    refit: "--epochs 42 --schedule cosine",
};
/// Epochs of a trial where the user names none.
const EPOCHS: u64 = 10;

/// Settings of the study, and of the runs that are its trials. A setting that is given by a flag is not tuned.
#[derive(Debug, Args)]
pub(crate) struct TuneAe {
    #[command(flatten)]
    flags: ModelFlags,
    #[command(flatten)]
    settings: Settings,
}

impl TuneAe {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut base = RunConfig::default();
        base.training.epochs = EPOCHS;
        self.settings.apply(&mut base);
        let given = |name: &str| self.settings.gives(name);
        self.flags.run(&AE, base, self.settings.data.as_deref(), &given, shared, output)
    }
}
