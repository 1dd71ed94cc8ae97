//! `latents init`: a file with every setting of a kind of model, to be changed and trained from.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::commands::settings::{AutoencoderFlags, ClassifierFlags, CnnFlags, VaeFlags, commented};
use crate::output::{Output, shell_word};

/// A kind of model.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// An autoencoder.
    Ae,
    /// A classifier on a trained encoder.
    Classifier,
    /// A convolutional classifier.
    Cnn,
    /// A variational autoencoder.
    Vae,
}

/// Write a commented file of settings to train from
#[derive(Debug, Args)]
#[command(
    after_help = "latents init                                          writes latents.toml\n\
    latents train ae --config latents.toml --out runs/ae  trains from it; flags override it"
)]
pub(crate) struct Init {
    /// Which model's settings
    #[arg(value_name = "MODEL", default_value = "ae")]
    kind: Kind,
    /// File to write; one that is there is left alone
    #[arg(long, value_name = "FILE", default_value = "latents.toml")]
    out: PathBuf,
}

impl Init {
    pub(crate) fn run(&self, output: Output) -> Result<ExitCode> {
        let (kind, text) = match self.kind {
            Kind::Ae => commented::<AutoencoderFlags>(),
            Kind::Classifier => commented::<ClassifierFlags>(),
            Kind::Cnn => commented::<CnnFlags>(),
            Kind::Vae => commented::<VaeFlags>(),
        }?;
        let file = self.out.display().to_string();
        // A dangling link is a file that somebody made, too.
        ensure!(
            self.out.symlink_metadata().is_err(),
            "{file} is there already and stays as it is: choose another --out"
        );
        latents_files::write(&self.out, text.as_bytes())?;
        let encoder = if matches!(self.kind, Kind::Classifier) { " --encoder RUN" } else { "" };
        let next = format!(
            "latents train {kind} --config {}{encoder} --out runs/{kind}",
            shell_word(&file)
        );
        let value = serde_json::json!({ "file": file, "kind": kind });
        output.result(&format!("{file}\n  {next}"), &value)?;
        Ok(ExitCode::SUCCESS)
    }
}
