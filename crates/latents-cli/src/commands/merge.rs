//! `latents merge`: one file of those that `--shard` made.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{Session, count, merge};

use crate::output::Output;

/// Make one file of those that encode or predict wrote for shards
///
/// Reads FILE-00000-of-00008.parquet and the others beside FILE.parquet, checks that none is missing and that all come from the same work, model and images, and writes
/// FILE.parquet: the file that one process would have written. The files of the shards stay.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The file to write, as it was named to `--out`
    #[arg(value_name = "FILE")]
    out: PathBuf,
}

impl Merge {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let merged = merge(&self.out, session)?;
        let (rows, shards) = (count(merged.rows as u64), merged.shards);
        let text = format!("{rows} rows of {shards} shards in {}", merged.out.display());
        output.result(&text, &merged)
    }
}
