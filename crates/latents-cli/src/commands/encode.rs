//! `latents encode`: images to latent vectors.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{Session, Shard, TrainedModel, VECTOR_ENDINGS, check_output, count};
use serde::Serialize;

use crate::commands::settings::ImageFlags;
use crate::commands::tell_shard;
use crate::output::Output;

/// Turn images into latent vectors
///
/// Writes an .npz file with `z` [n, d] (float32) and, if known, `label` [n] (int64, -1 for none), the names of the `classes`, `part` [n] and the pictures' names, `name` [n]; or a table (.csv,
/// .parquet) with the columns `name`, `part`, `label`, `z0`, `z1`, ... For a variational autoencoder `z` are the means, and `logvar` the logarithms of the variances.
#[derive(Debug, Args)]
pub(crate) struct Encode {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    images: ImageFlags,
    /// File to write: .npz, .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Encode one of several equal pieces only, such as 0/8, as FILE-00000-of-00008.parquet; `latents merge` makes one file of all
    #[arg(long, value_name = "INDEX/COUNT")]
    shard: Option<Shard>,
}

#[derive(Serialize)]
struct Encoded<'a> {
    out: &'a PathBuf,
    images: usize,
    latent_dim: usize,
}

impl Encode {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        if let Some(shard) = self.shard {
            let mut model = TrainedModel::open(&self.run, session)?;
            let file = model.encode_shard(&self.images.selection(), shard, &self.out)?;
            return tell_shard(&file, output);
        }
        check_output(&self.out, &VECTOR_ENDINGS)?;
        let mut model = TrainedModel::open(&self.run, session)?;
        let d = model.latent_space()?.dim;
        let selected = model.select(&self.images.selection())?;
        let z = model.encode_selected(&selected)?;
        z.save(&self.out)?;
        let text = format!("{} latents of {d} in {}", count(z.len() as u64), self.out.display());
        output.result(&text, &Encoded { out: &self.out, images: z.len(), latent_dim: d })
    }
}
