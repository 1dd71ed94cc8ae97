//! Cross-validation: every image is measured by a model that was trained without it. For few images, whose test part says little.

use std::fmt::Write as _;
use std::path::Path;

use latents_data::Dataset;
use latents_explore::card::compared_components;
use latents_explore::classification::argmax;
use latents_explore::metrics::Estimate;
use latents_explore::{Pca, Rows};
use latents_models::Target;
use latents_train::{DataConfig, Run, RunConfig};
use serde::{Deserialize, Serialize};

use crate::data_summary::{ClassCount, class_counts};
use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::recipe::train_run;
use crate::session::Session;

/// Number of folds, unless another is asked for.
pub const FOLDS: usize = 5;

/// Measures over all images, each by a model that was trained without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Number of folds, so of models that were trained.
    pub folds: usize,
    /// Number of images that were measured.
    pub images: usize,
    /// Number of dimensions of a latent vector, of a model that has them.
    #[serde(default)]
    pub latent_dim: Option<usize>,
    /// Mean squared error per value of reconstructions; none for a classifier.
    pub mean_squared_error: Option<Estimate>,
    /// The same of as many principal components of the images of the other folds, or of as many as there can be, limited to `[0, 1]`; none for a
    /// classifier.
    pub principal_components: Option<f64>,
    /// Fraction of the images that is classified correctly; none for other models.
    pub accuracy: Option<Estimate>,
    /// Fraction of the images that are of the largest class; none for other models.
    pub majority: Option<f64>,
}

impl CrossValidation {
    /// The measures as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "{} images in {} folds, each measured by a model that was trained on the others.\n\n| | |\n|---|---|\n",
            self.images, self.folds
        );
        let mut row = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "| {name} | {value} |");
            }
        };
        row("mean squared error", self.mean_squared_error.map(|e| format!("{e:.5}")));
        row("principal components", self.principal_components.map(|e| format!("{e:.5}")));
        row("accuracy", self.accuracy.map(|a| format!("{a:.3}")));
        row("share of the largest class", self.majority.map(|share| format!("{share:.3}")));
        text
    }
}

impl TrainedModel {
    /// [Cross-validates](cross_validate) the run's settings on its images, and leaves the measures in its folder, in `cross-validation.json`.
    ///
    /// # Errors
    /// As [`cross_validate`]; if the images cannot be opened or the file cannot be written.
    pub fn cross_validate(&self, folds: usize, session: &Session) -> Result<CrossValidation> {
        let (data, dir) = (self.data()?, self.dir());
        let measures = cross_validate(&self.config, &data, folds, &dir.join("folds"), session)?;
        let json = serde_json::to_vec_pretty(&measures)?;
        latents_files::write(&dir.join("cross-validation.json"), &json)?;
        Ok(measures)
    }
}

/// What the folds gave so far, one entry for each image.
#[derive(Default)]
struct Measured {
    errors: Vec<f64>,
    components: Vec<f64>,
    right: Vec<f64>,
}

/// Trains a model with these settings once for each fold of all images, on the other folds, and measures it on the fold. If it has the
/// encoder of another run, that run's settings are trained on the same images first. The runs of the folds are in the folder `out` until all
/// of them are measured, so that a call that was stopped goes on.
///
/// # Errors
/// [`Error::TooFewForFolds`]; [`Error::Unlabelled`] for a classifier of images without labels; if training fails or is interrupted.
pub fn cross_validate(
    config: &RunConfig,
    data: &Dataset,
    folds: usize,
    out: &Path,
    session: &Session,
) -> Result<CrossValidation> {
    let parts = data.folds(folds.max(1), config.training.seed);
    let found = parts.iter().filter(|part| !part.test.is_empty()).count();
    if folds < 2 || found < folds {
        let folds = folds.max(2);
        return Err(Error::TooFewForFolds { origin: data.name.clone(), folds, found });
    }
    let classifies = config.model.target() == Target::Class;
    if config.model.needs_classes() && !data.is_labelled() {
        let what = if classifies {
            "cross-validation of a classifier"
        } else {
            "cross-validation of a conditional model"
        };
        return Err(Error::Unlabelled { what, origin: data.name.clone() });
    }
    let mut measured = Measured::default();
    for (fold, part) in parts.iter().enumerate() {
        session.stage(&format!("fold {} of {folds}", fold + 1));
        let mut model = train_fold(config, part, &out.join(format!("fold-{fold}")), session)?;
        if classifies {
            measured.classify(&mut model, part)?;
        } else {
            measured.reconstruct(&mut model, part, session)?;
        }
    }
    for fold in 0..folds {
        latents_files::remove_folder(&out.join(format!("fold-{fold}")))?;
    }
    // If there is anything else in it, it stays.
    let _ = std::fs::remove_dir(out);
    let mean = |values: &[f64]| (!values.is_empty()).then(|| Estimate::of(values));
    Ok(CrossValidation {
        folds,
        images: measured.errors.len().max(measured.right.len()),
        latent_dim: config.model.latents(config.data.shape).map(|latents| latents.dim),
        mean_squared_error: mean(&measured.errors),
        principal_components: mean(&measured.components).map(|mean| mean.value),
        accuracy: mean(&measured.right),
        majority: classifies.then(|| majority(data)),
    })
}

/// Trains a model on the training images of a fold, after its encoder if it has one.
fn train_fold(
    config: &RunConfig,
    part: &Dataset,
    folder: &Path,
    session: &Session,
) -> Result<TrainedModel> {
    let mut config = RunConfig { data: DataConfig::of(part), ..config.clone() };
    let weights = config.training.encoder.as_ref().and_then(|encoder| encoder.weights.clone());
    if let Some(weights) = weights {
        let trained = Run::at(weights.parent().unwrap_or(Path::new("")));
        let of_fold = Run::at(folder.join("encoder"));
        let of_run = RunConfig { data: DataConfig::of(part), ..trained.config()? };
        train_run(&of_fold, &of_run, part, session)?;
        let retrained = of_fold.encoder_training()?;
        if let Some(encoder) = &mut config.training.encoder {
            encoder.weights = retrained.weights;
            encoder.weights_digest = retrained.weights_digest;
        }
    }
    let run = Run::at(folder.join("model"));
    train_run(&run, &config, part, session)?;
    TrainedModel::open(run.dir(), session)
}

impl Measured {
    fn reconstruct(
        &mut self,
        model: &mut TrainedModel,
        part: &Dataset,
        session: &Session,
    ) -> Result<()> {
        let errors = model.reconstruction_errors(&part.test)?;
        self.errors.extend(errors.into_iter().map(f64::from));
        let numbers: usize = part.shape().iter().product();
        let (train, test) = (part.train.images.to_unit(), part.test.images.to_unit());
        let (train, test) = (Rows::new(&train, numbers)?, Rows::new(&test, numbers)?);
        let most = numbers.min(train.len().saturating_sub(1));
        let dim = compared_components(model.latent_space()?.dim, model.code_bits()).min(most);
        let error = model
            .runtime()
            .run(|| Pca::fit(train, dim, session)?.clipped_reconstruction_error(test))?;
        self.components.extend(vec![error; test.len()]);
        Ok(())
    }

    fn classify(&mut self, model: &mut TrainedModel, part: &Dataset) -> Result<()> {
        let Some((images, labels)) = part.test.with_labels() else { return Ok(()) };
        let index: Vec<u32> = (0..images.len() as u32).collect();
        let inputs = latents_train::inputs(&images.images, &index);
        let probabilities = model.probabilities(inputs, None)?;
        let predicted = argmax(&probabilities, part.classes.len());
        let right = predicted.iter().zip(&labels).map(|(a, b)| f64::from(u8::from(a == b)));
        self.right.extend(right);
        Ok(())
    }
}

/// The share of the largest class.
fn majority(data: &Dataset) -> f64 {
    let counts: Vec<usize> = class_counts(data).iter().map(ClassCount::images).collect();
    let largest = counts.iter().max().copied().unwrap_or(0);
    largest as f64 / counts.iter().sum::<usize>().max(1) as f64
}
