//! `latents decode`: latent vectors to images.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{Latents, Session, TrainedModel, count};
use serde::Serialize;

use crate::output::Output;

/// Turn latent vectors into images
///
/// Reads latents `z` [n, d] from a file of vectors and writes an .npz file with `image` [n, c, h, w] (float32, 0 to 1). Needs nothing but the run's folder.
///
/// A conditional model decodes each as an image of the class that its `label` names in the file, or with --class all of them as images of that one.
#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// File of vectors [n, d], as `latents encode` writes it: .npz, .npy, .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    latents: PathBuf,
    /// Decode all as images of this class of a conditional model
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Decoded<'a> {
    out: &'a PathBuf,
    images: usize,
    shape: [usize; 3],
}

impl Decode {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let mut model = TrainedModel::open(&self.run, session)?;
        model.latent_space()?;
        let class = self.class.as_ref().map(|name| model.class_named(name)).transpose()?;
        let mut latents = Latents::load_with(&self.latents, session)?;
        if let Some(class) = class {
            latents = latents.in_class(class, model.classes());
        }
        let decoded = model.decode_latents(&latents);
        let images = decoded.map_err(|e| e.context(self.latents.display().to_string()))?;
        images.save(&self.out)?;
        let (n, shape) = (images.len(), images.shape);
        let text = format!("{} images of {shape:?} in {}", count(n as u64), self.out.display());
        output.result(&text, &Decoded { out: &self.out, images: n, shape })
    }
}
