//! `latents tune ae`: what is tuned of an autoencoder, and how its trials are judged.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::engine::Shape;
use latents::train::RunConfig;
use latents::tune::Direction;

use crate::Shared;
use crate::commands::USUAL;
use crate::commands::settings::{AutoencoderFlags, ModelFlags, Settings};
use crate::commands::tune::model::{Kind, TuneFlags};
use crate::output::Output;

/// Autoencoders.
pub(crate) const AE: Kind = Kind {
    name: AutoencoderFlags::KIND,
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
    flags: TuneFlags,
    #[command(flatten)]
    settings: Settings<AutoencoderFlags>,
}

/// The settings of a trial on images of a shape `[c, h, w]` where no flag is given, but those that are searched.
pub(crate) fn base(image: Shape) -> RunConfig {
    let mut base = AutoencoderFlags::base_run(image);
    base.training.epochs = EPOCHS;
    base
}

impl TuneAe {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let base = |image: Option<Shape>| {
            let mut base = base(image.unwrap_or(USUAL));
            self.settings.apply(&mut base);
            Ok(base)
        };
        let given = |name: &str| self.settings.gives(name);
        self.flags.run(&AE, &base, self.settings.data.source.as_deref(), &given, shared, output)
    }
}
