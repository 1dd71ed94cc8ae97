//! Evaluation on the test images, which are never used to choose a model or a setting: the card of a model with latents, the card of a
//! classifier, and the mean and deviation of several runs that differ by their seeds.

mod classes;
mod disentanglement;
mod folds;
mod latents;
pub mod reference;
mod seeds;

use latents_data::Dataset;
use latents_explore::card::Card;
use latents_models::Target;
use serde::Serialize;

pub use crate::recipe::SEED_PREFIX;
pub use classes::{ClassCard, ConfusedPair, LabelledPredictions};
pub use folds::{CrossValidation, FOLDS, cross_validate};
pub use latents::OWN_ENCODER;
pub use seeds::{SeedCards, SeedEvaluation, SeedScores, evaluate_seeds, seed_runs};

use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::predict::Tta;
use crate::session::Session;

/// Options of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalOptions {
    /// Bootstrap replicates for the intervals of a classifier's scores.
    pub replicates: usize,
    /// Another view of each image that is classified too.
    pub tta: Option<Tta>,
}

impl Default for EvalOptions {
    fn default() -> Self {
        EvalOptions { replicates: 1000, tta: None }
    }
}

/// The measures of a trained model on the test images.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Evaluation {
    /// Of a model with latents.
    Latents(Box<Card>),
    /// Of a classifier.
    Classes(Box<ClassCard>),
}

impl Evaluation {
    /// All measures as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        match self {
            Evaluation::Latents(card) => card.markdown("Evaluation"),
            Evaluation::Classes(card) => card.table().markdown(),
        }
    }
}

impl TrainedModel {
    /// Measures the model on the test images with the default options.
    ///
    /// # Errors
    /// If there are no test images, a classifier's have no labels, or the call was interrupted.
    pub fn evaluate(&mut self, data: &Dataset, session: &Session) -> Result<Evaluation> {
        self.evaluate_with(data, EvalOptions::default(), session)
    }

    /// Measures the model on the test images.
    ///
    /// # Errors
    /// As [`TrainedModel::evaluate`]; and if test-time augmentation is asked of a model that does not classify.
    pub fn evaluate_with(
        &mut self,
        data: &Dataset,
        options: EvalOptions,
        session: &Session,
    ) -> Result<Evaluation> {
        self.check_options(options)?;
        Ok(match self.config.model.target() {
            Target::Class => {
                Evaluation::Classes(Box::new(self.class_card(&data.test, options, session)?.0))
            }
            Target::Image => Evaluation::Latents(Box::new(self.card(data, None, session)?)),
        })
    }

    /// Refuses options that do not apply.
    pub(crate) fn check_options(&self, options: EvalOptions) -> Result<()> {
        if options.tta.is_none() || self.config.model.target() == Target::Class {
            return Ok(());
        }
        Err(Error::TtaWithoutClasses { run: self.dir().to_owned(), kind: self.kind() })
    }

    /// Measures the model on its own test images and leaves the results in the run's folder: `evaluation.json`, and `evaluation.md` or tables and
    /// figures.
    ///
    /// # Errors
    /// As [`TrainedModel::evaluate_with`]; and if the images cannot be opened or a file cannot be written.
    pub fn evaluate_run(&mut self, options: EvalOptions, session: &Session) -> Result<Evaluation> {
        self.check_options(options)?;
        let data = self.data()?;
        let dir = self.dir().to_owned();
        match self.config.model.target() {
            Target::Class => {
                let (card, predictions) = self.class_card(&data.test, options, session)?;
                card.save(&dir)?;
                predictions.save_figures(&card, &dir.join("figures"))?;
                let mistakes = predictions.mistakes(&card)?;
                latents_tables::write(&dir.join("tables/mistakes.csv"), &mistakes)?;
                Ok(Evaluation::Classes(Box::new(card)))
            }
            Target::Image => {
                let card = self.card(&data, None, session)?;
                let markdown = card.markdown(&format!("Evaluation of {}", dir.display()));
                let json = serde_json::to_vec_pretty(&card)?;
                latents_files::write(&dir.join("evaluation.json"), &json)?;
                latents_files::write(&dir.join("evaluation.md"), markdown.as_bytes())?;
                Ok(Evaluation::Latents(Box::new(card)))
            }
        }
    }
}
