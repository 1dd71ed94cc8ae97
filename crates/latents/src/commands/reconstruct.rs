//! `latents reconstruct`: images through the whole model.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use latents::engine::{Inputs, Pass, Targets};
use latents::explore::metrics::distributions::Estimate;
use latents::models::{importance_bound, posterior};
use serde::Serialize;

use crate::Shared;
use crate::commands::decode::write_images;
use crate::commands::{Split, Trained};
use crate::output::{Output, count};

/// Put images through the model and back, and say how much was lost
///
/// Prints the mean squared error over all pixels (0 to 1), of a variational autoencoder the terms of its evidence bound too, and, with --out, writes an .npz file with `image` [n, c, h, w] (float32).
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
    /// Of a variational autoencoder, also the importance-weighted bound on log p(x) with K draws of each latent vector
    #[arg(long, value_name = "K")]
    draws: Option<u64>,
}

/// Images that are reconstructed at once.
const BLOCK: usize = 4096;

#[derive(Serialize)]
struct Reconstructed<'a> {
    out: Option<&'a PathBuf>,
    images: usize,
    mean_squared_error: f64,
    #[serde(flatten)]
    evidence: Option<Evidence>,
}

/// What the evidence bound of a variational autoencoder is made of, in nats for each image.
#[derive(Serialize)]
struct Evidence {
    reconstruction: f64,
    kl: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance_bound: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance_bound_standard_error: Option<f64>,
}

impl Evidence {
    /// None where the model has no posterior. Latents are drawn.
    fn of(
        trained: &mut Trained,
        inputs: Inputs<'_, f32>,
        draws: Option<u64>,
    ) -> Result<Option<Self>> {
        if posterior(trained.engine.layout()).is_none() {
            ensure!(
                draws.is_none(),
                "--draws is for a variational autoencoder, and {} is a run of kind `{}`",
                trained.dir.display(),
                trained.config.model.kind()
            );
            return Ok(None);
        }
        let (parameters, objective) = (&trained.parameters, trained.config.model.objective());
        let seed = trained.config.training.seed;
        let pass = Pass::Sample { seed, draw: 0 };
        let losses = trained.engine.losses(parameters, inputs, Targets::Inputs, objective, pass)?;
        let mut evidence = Evidence {
            reconstruction: losses.mean_fit(),
            kl: losses.mean_penalty(),
            importance_bound: None,
            importance_bound_standard_error: None,
        };
        if let Some(draws) = draws {
            let engine = &mut trained.engine;
            let each = importance_bound(engine, parameters, inputs, objective, seed, draws)?;
            let bound = Estimate::of(&each);
            evidence.importance_bound = Some(bound.value);
            evidence.importance_bound_standard_error = Some(bound.error);
        }
        Ok(Some(evidence))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { reconstruction, kl, .. } = self;
        write!(
            f,
            "\nreconstruction {reconstruction:.3} + KL {kl:.3} = {:.3} nats for each image",
            reconstruction + kl
        )?;
        if let (Some(bound), Some(error)) =
            (self.importance_bound, self.importance_bound_standard_error)
        {
            write!(f, "\nlog p(x) at least {bound:.3} (standard error {error:.3})")?;
        }
        Ok(())
    }
}

impl Reconstruct {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut trained = Trained::open(&self.run, shared)?;
        let latents = trained.latents()?;
        let part = trained.part(self.split, output)?;
        let n = part.len();
        ensure!(n > 0, "{} has no images of this split to reconstruct", self.run.display());
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
        let evidence =
            Evidence::of(&mut trained, Inputs::Bytes { pixels, index: &index }, self.draws)?;
        if let Some(evidence) = &evidence {
            text += &evidence.to_string();
        }
        let out = self.out.as_ref();
        output.result(&text, &Reconstructed { out, images: n, mean_squared_error, evidence })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The sum of squared errors of `images`, 0 to 1, against as many bytes.
fn squared_errors(images: &[f32], pixels: &[u8]) -> f64 {
    let error = |(&x, &byte): (&f32, &u8)| f64::from(x) - f64::from(byte) / 255.0;
    images.iter().zip(pixels).map(error).map(|e| e * e).sum()
}
