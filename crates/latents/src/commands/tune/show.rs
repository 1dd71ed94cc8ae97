//! `latents tune show`: tables and figures of a study that is kept somewhere, ours or Optuna's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::tune::results::Results;
use crate::commands::tune::strategy::{agreed, find};
use crate::output::Output;

/// Draws the figures and writes the tables of a study again, also while it runs, also of a study that Optuna made.
#[derive(Debug, Args)]
pub(crate) struct ShowStudy {
    /// The study, `sqlite:///FILE` or `postgresql://...`, with #NAME where there are several
    #[arg(value_name = "STUDY")]
    study: String,
    /// Folder for the tables and figures
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the objective is called in the figures
    #[arg(long, value_name = "TEXT", default_value = "objective")]
    objective: String,
}

impl ShowStudy {
    pub(crate) fn run(&self, output: Output) -> Result<ExitCode> {
        let (storage, record) = find(&self.study)?;
        let order = match agreed(&*storage, &record)? {
            Some(agreed) => agreed.space.dimensions().iter().map(|d| d.name.clone()).collect(),
            None => vec![],
        };
        let trials = storage.trials(record.id)?;
        let results = Results::new(&record.name, record.direction, &self.objective, order, trials);
        let folder = results.save(&self.out)?;
        results.print(output, &folder)?;
        Ok(ExitCode::SUCCESS)
    }
}
