//! `latents evaluate`: how good a trained run is, on the test images, which had no say in any choice before.

pub(crate) mod classes;
pub(crate) mod images;
pub(crate) mod study;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;
use classes::Judging;
use latents::models::Target;
use latents::train::Run;

use crate::Shared;
use crate::commands::classified::Tta;
use crate::commands::train::SEED;
use crate::output::Output;

/// Measure a trained run on the test images
///
/// For a model with latents: the evaluation card. Reconstructions beside principal components, samples in features of a small network that is trained on the same images, traversals, maps and outliers; left in the run's folder as `evaluation.md` and `evaluation.json`.
///
/// For a classifier: accuracy, precision, recall and F1 with 95 % bootstrap intervals, confusions, calibration; tables and figures are left in the run's folder.
///
/// For a folder of several seeds (--seeds): each of them, and their mean and spread.
#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Folder of a trained run, or of runs that differ by their seeds
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Test sets that are drawn for the bootstrap intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replicates: u32,
    /// Of a classifier: classify another view of each image too, and average the probabilities (test-time augmentation)
    #[arg(long, value_name = "VIEW")]
    tta: Option<Tta>,
}

impl Evaluate {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let seeds = seeds(&self.run);
        let first = seeds.first().unwrap_or(&self.run);
        let model = Run::at(first).config()?.model;
        let how = Judging { replicates: self.replicates as usize, tta: self.tta };
        ensure!(
            how.tta.is_none() || model.target() == Target::Class,
            "--tta is for classifiers, and {} is a model of kind `{}`",
            first.display(),
            model.kind()
        );
        match model.target() {
            Target::Class if seeds.is_empty() => classes::evaluate(&self.run, how, shared, output),
            Target::Class => classes::evaluate_seeds(&self.run, &seeds, how, shared, output),
            Target::Image if seeds.is_empty() => images::evaluate(&self.run, shared, output),
            Target::Image => bail!(
                "{} holds several runs: name one of them, such as {}",
                self.run.display(),
                first.display()
            ),
        }
    }
}

/// The runs in a folder that is none itself, in the order of their seeds.
fn seeds(dir: &Path) -> Vec<PathBuf> {
    if Run::at(dir).exists() {
        return vec![];
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return vec![] };
    let mut seeds: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let seed = path.file_name()?.to_str()?.strip_prefix(SEED)?.parse().ok()?;
            Run::at(&path).exists().then_some((seed, path))
        })
        .collect();
    seeds.sort();
    seeds.into_iter().map(|(_, path)| path).collect()
}
