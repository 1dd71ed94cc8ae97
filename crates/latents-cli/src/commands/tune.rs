//! `latents tune`: searches for the settings that give the best value.

mod model;
mod program;
mod show;
mod study_flags;

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;
use latents::{Session, TuneResults};

use crate::commands::settings::{
    AutoencoderFlags, ClassifierFlags, ModelFlags, VaeFlags, VqvaeFlags, trial_help,
};
use crate::output::Output;
use crate::signals;
use model::{TuneModel, help, long_help};

/// What can be tuned.
#[derive(Debug, Subcommand)]
pub(crate) enum Tune {
    /// Settings of a convolutional autoencoder, for the lowest validation loss
    #[command(after_help = help(AutoencoderFlags::KIND), after_long_help = long_help(AutoencoderFlags::KIND), mut_args = trial_help(AutoencoderFlags::KIND))]
    Ae(Box<TuneModel<AutoencoderFlags>>),
    /// Settings of a classifier on a trained encoder, for the highest validation accuracy
    #[command(after_help = help(ClassifierFlags::KIND), after_long_help = long_help(ClassifierFlags::KIND), mut_args = trial_help(ClassifierFlags::KIND))]
    Classifier(Box<TuneModel<ClassifierFlags>>),
    /// Settings of a variational autoencoder, for the lowest validation loss
    #[command(after_help = help(VaeFlags::KIND), after_long_help = long_help(VaeFlags::KIND), mut_args = trial_help(VaeFlags::KIND))]
    Vae(Box<TuneModel<VaeFlags>>),
    /// Settings of a VQ-VAE, for the lowest validation loss
    #[command(after_help = help(VqvaeFlags::KIND), after_long_help = long_help(VqvaeFlags::KIND), mut_args = trial_help(VqvaeFlags::KIND))]
    Vqvae(Box<TuneModel<VqvaeFlags>>),
    Command(program::TuneCommand),
    Show(show::ShowStudy),
}

pub(crate) fn run(tune: &Tune, session: &Session, output: Output) -> Result<u8> {
    match tune {
        Tune::Ae(command) => command.run(session, output),
        Tune::Classifier(command) => command.run(session, output),
        Tune::Vae(command) => command.run(session, output),
        Tune::Vqvae(command) => command.run(session, output),
        Tune::Command(command) => command.run(session, output),
        Tune::Show(command) => command.run(output).map(|()| 0),
    }
}

/// Prints the best trial and where the rest is.
fn finish(results: &TuneResults, folder: &Path, output: Output) -> Result<()> {
    output.result(&results.text(folder), &results.summary(folder))
}

/// Tells that a search was stopped.
fn interrupted(session: &Session) -> u8 {
    session.note("Stopped and saved. The same command continues.");
    signals::stopped()
}
