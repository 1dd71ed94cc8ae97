//! `latents reconstruct`: images through the whole model.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{Evidence, Session, TrainedModel, count};
use serde::Serialize;

use crate::commands::settings::ImageFlags;
use crate::output::Output;

/// Reconstruct images, and measure how much was lost
///
/// Prints the mean squared error over all pixels (0 to 1), for a variational autoencoder the terms of its evidence bound too, and, with --out, writes an .npz file with `image` [n, c, h, w] (float32). A conditional model needs the class of each image.
#[derive(Debug, Args)]
pub(crate) struct Reconstruct {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    images: ImageFlags,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// For a variational autoencoder, also the importance-weighted bound on log p(x) with K draws of each latent vector
    #[arg(long, value_name = "K")]
    draws: Option<u64>,
}

#[derive(Serialize)]
struct Reconstructed<'a> {
    out: Option<&'a PathBuf>,
    images: usize,
    mean_squared_error: f64,
    #[serde(flatten)]
    evidence: Option<Evidence>,
}

impl Reconstruct {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let mut model = TrainedModel::open(&self.run, session)?;
        model.latent_space()?;
        let selected = model.select(&self.images.selection())?;
        let images = model.in_own_classes(&selected.images, &selected.classes);
        let keep = if self.out.is_some() { usize::MAX } else { 0 };
        let made = model.reconstruction(&images, keep, self.draws)?;
        let (n, mean_squared_error) = (made.count, made.mean_squared_error);
        let mut text =
            format!("mean squared error {mean_squared_error:.6} over {} images", count(n as u64));
        if let Some(out) = &self.out {
            made.images.save(out)?;
            text = format!("{text}  {}", out.display());
        }
        if let Some(evidence) = &made.evidence {
            text = format!("{text}\n{evidence}");
        }
        let (out, evidence) = (self.out.as_ref(), made.evidence);
        output.result(&text, &Reconstructed { out, images: n, mean_squared_error, evidence })
    }
}
