//! `latents reconstruct`: images through the whole model.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use latents::engine::{Loss, Pass, Targets};
use latents::models::{DECODER, ENCODER};
use serde::Serialize;

use crate::Shared;
use crate::commands::decode::write_images;
use crate::commands::{Split, Trained, all};
use crate::output::{Output, count};

/// Prints the mean squared error over all pixels (0 to 1) and, with --out, writes an .npz file with `image` [n, c, h, w] (float32).
#[derive(Debug, Args)]
pub(crate) struct Reconstruct {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which images of the run's data set
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Reconstructed<'a> {
    out: Option<&'a PathBuf>,
    images: usize,
    mean_squared_error: f64,
}

impl Reconstruct {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut trained = Trained::open(&self.run, shared)?;
        let part = trained.part(self.split, output)?;
        let n = part.len();
        ensure!(n > 0, "there are no images to reconstruct");
        let mut index = vec![];
        let inputs = all(&part, &mut index);
        let losses = trained.engine.losses(
            &trained.parameters,
            inputs,
            Targets::Inputs,
            Loss::MeanSquaredError,
            Pass::Evaluate,
        )?;
        let mean_squared_error = losses.mean_fit();
        let mut text =
            format!("mean squared error {mean_squared_error:.6} over {} images", count(n as u64));
        if let Some(out) = &self.out {
            let sections = ENCODER..DECODER + 1;
            let images = trained.engine.forward(&trained.parameters, inputs, sections)?;
            write_images(out, n, trained.config.data.shape, images)?;
            text = format!("{text}  {}", out.display());
        }
        let out = self.out.as_ref();
        output.result(&text, &Reconstructed { out, images: n, mean_squared_error })?;
        Ok(ExitCode::SUCCESS)
    }
}
