//! `latents evaluate`: the measures of a trained run on the test images.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use latents::evaluate::{evaluate_seeds, seed_runs};
use latents::{EvalOptions, Evaluation, Session, TrainedModel, duration};

use crate::commands::Tta;
use crate::output::Output;

/// Measure a trained run on the test images
///
/// For a model with latents: the evaluation card. It compares reconstructions with principal components, measures samples in features of a small network that is trained on the same images, and rates traversals, maps and outliers. If the images have several columns of labels, such as known factors of variation, it scores how well the latents separate them. It is left in the run's folder as `evaluation.md` and `evaluation.json`.
///
/// For a classifier: accuracy, precision, recall and F1 with 95 % bootstrap intervals, confusions, calibration; tables and figures are left in the run's folder, and the name of each mistaken image in `tables/mistakes.csv`.
///
/// For a folder of several seeds (--seeds): each of them, and their mean and deviation.
#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Folder of a trained run, or of runs that differ by their seeds
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Bootstrap replicates of the test set for the intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replicates: u32,
    /// For a classifier: classify another view of each image too, and average the probabilities (test-time augmentation)
    #[arg(long, value_name = "VIEW")]
    tta: Option<Tta>,
    /// For few images: train the run's settings K times, each time without one of K parts of all images, and measure that part
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..=1000), conflicts_with_all = ["replicates", "tta"])]
    folds: Option<u16>,
}

impl Evaluate {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let begun = Instant::now();
        if let Some(folds) = self.folds {
            let model = TrainedModel::open(&self.run, session)?;
            let measures = model.cross_validate(folds.into(), session)?;
            return output.result(&measures.markdown(), &measures);
        }
        let options =
            EvalOptions { replicates: self.replicates as usize, tta: self.tta.map(Into::into) };
        if !seed_runs(&self.run).is_empty() {
            let scores = evaluate_seeds(&self.run, options, session)?;
            return output.result(&scores.text(), &scores);
        }
        let mut model = TrainedModel::open(&self.run, session)?;
        let evaluation = model.evaluate_run(options, session)?;
        let text = match &evaluation {
            Evaluation::Classes(card) => format!("{}\n{}", card.table().markdown(), card.text()),
            Evaluation::Latents(card) => format!(
                "{}\n{} and .json, in {}",
                card.markdown(&format!("Evaluation of {}", self.run.display())),
                self.run.join("evaluation.md").display(),
                duration(begun.elapsed().as_secs_f64())
            ),
        };
        output.result(&text, &evaluation)
    }
}
