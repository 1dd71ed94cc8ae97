//! `latents tune vae`: what is tuned of a variational autoencoder, and how its trials are judged.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::engine::Shape;
use latents::train::RunConfig;
use latents::tune::Direction;

use crate::Shared;
use crate::commands::USUAL;
use crate::commands::settings::{ModelFlags, Settings, VaeFlags};
use crate::commands::tune::model::{Kind, TuneFlags};
use crate::output::Output;

/// Variational autoencoders.
pub(crate) const VAE: Kind = Kind {
    name: VaeFlags::KIND,
    label: "validation loss",
    direction: Direction::Minimize,
    value: |metrics| metrics.val_loss,
    space: include_str!("vae.toml"),
    refit: "--epochs 50 --schedule cosine",
};
/// Epochs of a trial where the user names none.
const EPOCHS: u64 = 10;

/// Settings of the study, and of the runs that are its trials. A setting that is given by a flag is not tuned.
#[derive(Debug, Args)]
pub(crate) struct TuneVae {
    #[command(flatten)]
    flags: TuneFlags,
    #[command(flatten)]
    settings: Settings<VaeFlags>,
}

/// The settings of a trial on images of a shape `[c, h, w]` where no flag is given, but those that are searched.
pub(crate) fn base(image: Shape) -> RunConfig {
    let mut base = VaeFlags::base_run(image);
    base.training.epochs = EPOCHS;
    base
}

impl TuneVae {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let base = |image: Option<Shape>| {
            let mut base = base(image.unwrap_or(USUAL));
            self.settings.apply(&mut base);
            Ok(base)
        };
        let given = |name: &str| self.settings.gives(name);
        self.flags.run(&VAE, &base, self.settings.data.source.as_deref(), &given, shared, output)
    }
}
