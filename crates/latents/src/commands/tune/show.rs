//! `latents tune show`: tables and figures of a study that is kept somewhere, ours or Optuna's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::tune::results::Results;
use crate::commands::tune::strategy::{Agreed, agreed, find};
use crate::output::Output;

/// Tables and figures of a study
///
/// Draws the figures and writes the tables of a study again, also while it runs, also of a study that Optuna made.
#[derive(Debug, Args)]
pub(crate) struct ShowStudy {
    /// The study, `sqlite:///FILE` or `postgresql://...`, with #NAME where there are several
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
    pub(crate) fn run(&self, output: Output) -> Result<ExitCode> {
        let (storage, record) = find(&self.study)?;
        let (label, order) = match agreed(&*storage, &record)? {
            Some(Agreed { label, space, .. }) => {
                (label, space.dimensions().iter().map(|d| d.name.clone()).collect())
            }
            None => ("objective".to_owned(), vec![]),
        };
        let label = self.label.clone().unwrap_or(label);
        let trials = storage.trials(record.id)?;
        let results = Results::new(&record.name, record.direction, &label, order, trials);
        let folder = results.save(&self.out)?;
        results.print(output, &folder)?;
        Ok(ExitCode::SUCCESS)
    }
}
