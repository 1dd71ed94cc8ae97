//! `latents tune show`: tables and figures of a stored study, ours or Optuna's.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::TuneResults;

use super::finish;
use crate::output::Output;

/// Tables and figures of a study
///
/// Draws the figures and writes the tables of a study again, also while it runs, also of a study that Optuna made.
#[derive(Debug, Args)]
pub(crate) struct ShowStudy {
    /// The study, `sqlite:///FILE` or `postgresql://...`, with #NAME if there are several
    #[arg(value_name = "STUDY")]
    study: String,
    /// Folder for the tables and figures
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the values are called in the figures [default: as the study says]
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

impl ShowStudy {
    pub(super) fn run(&self, output: Output) -> Result<()> {
        let results = TuneResults::open(&self.study, self.label.as_deref())?;
        results.save(&self.out)?;
        finish(&results, &self.out, output)
    }
}
