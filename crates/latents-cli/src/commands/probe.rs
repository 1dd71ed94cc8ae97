//! `latents probe`: how much the latent vectors of a frozen encoder tell about labels.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{Latents, ProbeConfig, Session, TrainedModel, duration};

use crate::output::Output;

/// Measure how much a frozen encoder tells about labels
///
/// Fits a logistic regression, to convergence, and 10 nearest neighbours to the latent vectors of the training images, and measures them on the test images;
/// the same for the pixels and for as many principal components of them, plain and whitened. Then the same regression with few labels only. Tables and the curve are left in the run's folder. With --latents, the vectors of a
/// file: their parts say which are for training and which for testing, or a fifth of each class is held out.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR", required_unless_present = "latents")]
    run: Option<PathBuf>,
    /// Vectors of this file instead, with their labels: .npz, .npy, .csv, .jsonl or .parquet, also of other programs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "fine_tune"], requires = "out")]
    latents: Option<PathBuf>,
    /// Folder for the tables and the curve [default: the run's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Neighbours that vote
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    neighbours: u16,
    /// Inverse strength of the regression's penalty, scikit-learn's C
    #[arg(long, value_name = "C", default_value_t = 1.0)]
    c: f64,
    /// Standardise each number to mean 0 and variance 1 for the regression
    #[arg(long)]
    standardize: bool,
    /// Numbers of labels of the curve, separated by commas [default: 10,100,1000,10000]
    #[arg(long, value_name = "N", value_delimiter = ',', hide_default_value = true, default_values_t = [10, 100, 1_000, 10_000])]
    labels: Vec<usize>,
    /// How often few labels are drawn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,
    /// Train classifiers with few labels too, on the encoder and from scratch; takes minutes
    #[arg(long)]
    fine_tune: bool,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Probe {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let config = ProbeConfig {
            neighbours: usize::from(self.neighbours),
            c: self.c,
            standardize: self.standardize,
            labels: self.labels.clone(),
            draws: self.draws,
            fine_tune: self.fine_tune,
            seed: self.seed,
        };
        let found = match (&self.latents, &self.run) {
            (Some(file), _) => {
                let vectors = Latents::load_with(file, session)?;
                vectors.probe(&file.display().to_string(), &config, session)?
            }
            (None, Some(run)) => {
                let mut model = TrainedModel::open(run, session)?;
                model.latent_space()?;
                model.probe(&model.data()?, &config, session)?
            }
            (None, None) => anyhow::bail!("--run or --latents is needed"),
        };
        let out = self.out.as_ref().or(self.run.as_ref());
        let out = out.ok_or_else(|| anyhow::anyhow!("--out is needed"))?;
        found.save(out)?;
        let text = format!(
            "{}\n{}\n{}  {}",
            found.table().markdown(),
            found.few_labels_table().markdown(),
            duration(found.seconds),
            out.display()
        );
        output.result(&text, &found)
    }
}
