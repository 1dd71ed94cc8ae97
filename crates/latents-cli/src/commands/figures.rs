//! `latents figures`: the figures of runs, drawn from what the runs left.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::Session;
use latents::figures::draw_runs;
use serde::Serialize;

use crate::output::Output;

/// Draw the figures of a run, or compare several runs
///
/// For one run: its loss by epoch, the reconstruction of an image after some epochs, and a test image of each class next to its reconstruction. For several: their losses in one plot.
/// Each as SVG and PNG.
#[derive(Debug, Args)]
pub(crate) struct Figures {
    /// Folders of runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Folder for the figures [default: `figures` in the first run's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which of the run's images to show through the epochs, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    image: usize,
}

#[derive(Serialize)]
struct Drawn {
    figures: Vec<PathBuf>,
}

impl Figures {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let out = self.out.clone().unwrap_or_else(|| self.runs[0].join("figures"));
        let figures = draw_runs(&self.runs, &out, self.image, session)?;
        let lines: Vec<String> = figures.iter().map(|p| p.display().to_string()).collect();
        output.result(&lines.join("\n"), &Drawn { figures })
    }
}
