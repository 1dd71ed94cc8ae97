//! `latents tune`: searches for the settings of an objective that give the best value.

pub(crate) mod ae;
pub(crate) mod classifier;
mod live;
pub(crate) mod model;
mod outside;
pub(crate) mod results;
pub(crate) mod runs;
mod show;
pub(crate) mod strategy;
pub(crate) mod vae;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use ae::AE;
use classifier::CLASSIFIER;
pub(crate) use model::best;
use vae::VAE;

use crate::Shared;
use crate::commands::USUAL;
use crate::commands::settings::told;
use crate::output::Output;

/// What can be tuned.
#[derive(Debug, Subcommand)]
pub(crate) enum Tune {
    /// Settings of a convolutional autoencoder, for the least validation loss
    #[command(after_help = AE.help(), after_long_help = AE.long_help(), mut_args = told(&ae::base(USUAL), AE.space))]
    Ae(Box<ae::TuneAe>),
    /// Settings of a classifier on a trained encoder, for the highest validation accuracy
    #[command(after_help = CLASSIFIER.help(), after_long_help = CLASSIFIER.long_help(), mut_args = told(&classifier::base(USUAL), CLASSIFIER.space))]
    Classifier(Box<classifier::TuneClassifier>),
    /// Settings of a variational autoencoder, for the least validation loss
    #[command(after_help = VAE.help(), after_long_help = VAE.long_help(), mut_args = told(&vae::base(USUAL), VAE.space))]
    Vae(Box<vae::TuneVae>),
    Command(outside::TuneCommand),
    Show(show::ShowStudy),
}

pub(crate) fn run(tune: &Tune, shared: &Shared, output: Output) -> Result<ExitCode> {
    match tune {
        Tune::Ae(command) => command.run(shared, output),
        Tune::Classifier(command) => command.run(shared, output),
        Tune::Vae(command) => command.run(shared, output),
        Tune::Command(command) => command.run(output),
        Tune::Show(command) => command.run(output),
    }
}
