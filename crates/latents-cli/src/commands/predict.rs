//! `latents predict`: the class of images, with its probability.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{PREDICTION_ENDINGS, Session, Shard, TrainedModel, check_output, count};

use crate::commands::{Tta, tell_shard};
use crate::output::Output;

/// Predict the class of images
///
/// Prints the class of each image with its probability, as comma-separated values or, with --json, with the probabilities of all classes.
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Folder of a trained classifier
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Pictures, which are resized to the run's shape, and files of arrays (.npz, .npy), in the run's range of values
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "data", conflicts_with = "data")]
    input: Vec<PathBuf>,
    /// All images of a source, or the test part of a named data set, instead
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Classify another view of each image too, and average the probabilities (test-time augmentation)
    #[arg(long, value_name = "VIEW")]
    tta: Option<Tta>,
    /// File to write the table to: .csv, .tsv, .parquet or .json, with the probability of each class, or .md
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Classify one of several equal pieces only, such as 0/8, as FILE-00000-of-00008.parquet; `latents merge` makes one file of all
    #[arg(long, value_name = "INDEX/COUNT", requires = "data", requires = "out")]
    shard: Option<Shard>,
}

impl Predict {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        if let (Some(source), Some(out), Some(shard)) = (&self.data, &self.out, self.shard) {
            let mut model = TrainedModel::open(&self.run, session)?;
            let file = model.predict_shard(source, self.tta.map(Into::into), shard, out)?;
            return tell_shard(&file, output);
        }
        if let Some(out) = &self.out {
            check_output(out, &PREDICTION_ENDINGS)?;
        }
        let mut model = TrainedModel::open(&self.run, session)?;
        let input = match &self.data {
            Some(source) => model.read_source(source)?,
            None => model.read_inputs(&self.input)?,
        };
        let predicted = model.predict(input, self.tta.map(Into::into))?;
        let Some(out) = &self.out else {
            return output.result(&predicted.table().csv(), &predicted);
        };
        predicted.save(out)?;
        let n = predicted.predictions.len() as u64;
        output.result(&format!("{} predictions  {}", count(n), out.display()), &predicted)
    }
}
