//! `latents decode`: latent vectors to images.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use latents::data::npz::{self, Array, Numbers};
use latents::engine::Inputs;
use serde::Serialize;

use crate::Shared;
use crate::commands::Trained;
use crate::output::{Output, count};

/// Turn latent vectors into images
///
/// Reads `z` [n, d] from an .npz file and writes another with `image` [n, c, h, w] (float32, 0 to 1).
#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// File with an array `z` [n, d], as `latents encode` writes it
    #[arg(long, value_name = "FILE.npz")]
    latents: PathBuf,
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
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut trained = Trained::open(&self.run, shared)?;
        let latents = trained.latents()?;
        let (shape, z) = npz::read_f32(&self.latents, "z")?;
        let d = latents.dim;
        ensure!(
            shape.len() == 2 && shape[1] == d,
            "{}: array `z` is {shape:?}, but the run's latents are [n, {d}]",
            self.latents.display()
        );
        let inputs = Inputs::Values(&z);
        let images = trained.engine.forward(&trained.parameters, inputs, latents.decode)?;
        let image = trained.config.data.shape;
        write_images(&self.out, shape[0], image, images)?;
        let text =
            format!("{} images of {image:?} in {}", count(shape[0] as u64), self.out.display());
        output.result(&text, &Decoded { out: &self.out, images: shape[0], shape: image })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes `image` [n, c, h, w].
pub(crate) fn write_images(
    out: &std::path::Path,
    n: usize,
    [c, h, w]: [usize; 3],
    images: Vec<f32>,
) -> Result<()> {
    let shape = vec![n, c, h, w];
    npz::write(out, &[Array { name: "image".into(), shape, numbers: Numbers::F32(images) }])?;
    Ok(())
}
