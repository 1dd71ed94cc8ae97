//! `latents reconstruct`: images through the whole model.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use latents::engine::Inputs;
use serde::Serialize;

use crate::Shared;
use crate::commands::decode::write_images;
use crate::commands::{Split, Trained};
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

/// Images that are reconstructed at once.
const BLOCK: usize = 4096;

#[derive(Serialize)]
struct Reconstructed<'a> {
    out: Option<&'a PathBuf>,
    images: usize,
    mean_squared_error: f64,
}

impl Reconstruct {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut trained = Trained::open(&self.run, shared)?;
        let latents = trained.latents()?;
        let part = trained.part(self.split, output)?;
        let n = part.len();
        ensure!(n > 0, "there are no images to reconstruct");
        let pixels = part.images.pixels();
        let index: Vec<u32> = (0..n as u32).collect();
        let (mut images, mut sum) = (vec![], 0.0);
        for index in index.chunks(BLOCK) {
            let inputs = Inputs::Bytes { pixels, index };
            let sections = latents.reconstruct();
            let block = trained.engine.forward(&trained.parameters, inputs, sections)?;
            let first = index[0] as usize * block.len() / index.len();
            sum += squared_errors(&block, &pixels[first..]);
            if self.out.is_some() {
                images.extend(block);
            }
        }
        let mean_squared_error = sum / pixels.len() as f64;
        let mut text =
            format!("mean squared error {mean_squared_error:.6} over {} images", count(n as u64));
        if let Some(out) = &self.out {
            write_images(out, n, trained.config.data.shape, images)?;
            text = format!("{text}  {}", out.display());
        }
        let out = self.out.as_ref();
        output.result(&text, &Reconstructed { out, images: n, mean_squared_error })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The sum of squared errors of `images`, 0 to 1, against as many bytes.
fn squared_errors(images: &[f32], pixels: &[u8]) -> f64 {
    let error = |(&x, &byte): (&f32, &u8)| f64::from(x) - f64::from(byte) / 255.0;
    images.iter().zip(pixels).map(error).map(|e| e * e).sum()
}
