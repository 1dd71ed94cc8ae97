//! `latents encode`: images to latent vectors.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::data::npz::{self, Array, Numbers};
use latents::models::posterior;
use serde::Serialize;

use crate::Shared;
use crate::commands::{Split, Trained, all};
use crate::output::{Output, count};

/// Turn images into latent vectors
///
/// Writes an .npz file with `z` [n, d] (float32) and, where the images have them, `label` [n] (int64) and `name` [n] (text). Of a variational autoencoder `z`
/// are the means, and `logvar` [n, d] (float32) the logarithms of the variances.
#[derive(Debug, Args)]
pub(crate) struct Encode {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which images of the run's data set
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Encoded<'a> {
    out: &'a PathBuf,
    images: usize,
    latent_dim: usize,
}

impl Encode {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut trained = Trained::open(&self.run, shared)?;
        let latents = trained.latents()?;
        let part = trained.part(self.split, output)?;
        let mut index = vec![];
        let inputs = all(&part, &mut index);
        let z = trained.engine.forward(&trained.parameters, inputs, latents.encode)?;
        let (n, d) = (part.len(), latents.dim);
        let mut arrays =
            vec![Array { name: "z".into(), shape: vec![n, d], numbers: Numbers::F32(z) }];
        if let Some(layers) = posterior(trained.engine.layout()) {
            let given = trained.engine.forward_layers(&trained.parameters, inputs, layers)?;
            // Means and then log-variances, of each image.
            let logvar = given.chunks_exact(2 * d).flat_map(|x| x[d..].iter().copied()).collect();
            let numbers = Numbers::F32(logvar);
            arrays.push(Array { name: "logvar".into(), shape: vec![n, d], numbers });
        }
        if let Some(labels) = &part.labels {
            let numbers = Numbers::I64(labels.iter().map(|&l| i64::from(l)).collect());
            arrays.push(Array { name: "label".into(), shape: vec![n], numbers });
        }
        if let Some(names) = part.names {
            let numbers = Numbers::Text(names);
            arrays.push(Array { name: "name".into(), shape: vec![n], numbers });
        }
        npz::write(&self.out, &arrays)?;
        let text = format!("{} latents of {d} in {}", count(n as u64), self.out.display());
        output.result(&text, &Encoded { out: &self.out, images: n, latent_dim: d })?;
        Ok(ExitCode::SUCCESS)
    }
}
