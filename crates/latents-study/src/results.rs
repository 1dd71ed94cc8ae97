//! The results of the stages of a study, a JSON file for each, and how they are read back. They may have been damaged or changed, so what the page
//! relies on is checked here.

use std::path::PathBuf;

use latents::explore::card::Card;
use latents_files::Sums;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The result of a stage.
pub trait StageOutput: Serialize + DeserializeOwned {
    /// What is wrong with a result that has the right form, if anything is.
    fn problem(&self) -> Option<&'static str> {
        None
    }
}

/// Reads the result of a stage from JSON.
///
/// ```
/// use latents_study::results::{Mapped, read};
///
/// assert_eq!(read::<Mapped>(r#"{"images": 500, "kl": 0.7}"#).unwrap().images, 500);
/// assert_eq!(read::<Mapped>(r#"{"images": 0, "kl": 0.7}"#).unwrap_err(), "no image is mapped");
/// ```
///
/// # Errors
/// What is wrong with the text, in words.
pub fn read<T: StageOutput>(text: &str) -> Result<T, String> {
    let output: T = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match output.problem() {
        Some(problem) => Err(problem.into()),
        None => Ok(output),
    }
}

/// The folder with the results of a study's stages, `NAME.json` for each. A stage whose file exists is finished.
///
/// ```no_run
/// use latents_study::results::{Autoencoder, StageResults};
///
/// let results = StageResults::at("runs/study/results".into());
/// if let Some(tuned) = results.get::<Autoencoder>("ae-best")? {
///     println!("test error {:.4}", tuned.test_error);
/// }
/// # Ok::<(), latents_study::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StageResults(PathBuf);

impl StageResults {
    /// The results in a folder, which need not exist yet.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        StageResults(folder)
    }

    /// The file of a stage's result.
    #[must_use]
    pub fn path(&self, stage: &str) -> PathBuf {
        self.0.join(name(stage))
    }

    /// Whether a stage is finished.
    #[must_use]
    pub fn has(&self, stage: &str) -> bool {
        self.path(stage).exists()
    }

    /// The result of a stage; none if the stage is not finished.
    ///
    /// # Errors
    /// If the file cannot be read, or [`Error::DamagedResult`] if it is no such result.
    pub fn get<T: StageOutput>(&self, stage: &str) -> Result<Option<T>> {
        if !self.has(stage) {
            return Ok(None);
        }
        let text = latents_files::read_text(&self.path(stage))?;
        let result = read(&text).map_err(|problem| self.damaged(stage, problem))?;
        let sums = Sums::load(&self.0)?;
        if sums.and_then(|sums| sums.matches(&name(stage), text.as_bytes())) == Some(false) {
            return Err(self.damaged(stage, "it is not the file that the study wrote"));
        }
        Ok(Some(result))
    }

    /// Writes the result of a stage.
    pub(crate) fn put(&self, stage: &str, output: &impl StageOutput) -> Result<()> {
        let text = serde_json::to_string_pretty(output)? + "\n";
        // First the digest: a result without one could be damaged unseen, a digest without a result does no harm.
        let mut sums = Sums::load(&self.0)?.unwrap_or_default();
        sums.add(&name(stage), text.as_bytes());
        sums.save(&self.0)?;
        Ok(latents_files::write(&self.path(stage), text.as_bytes())?)
    }

    /// The error of a result that cannot be used.
    pub(crate) fn damaged(&self, stage: &str, problem: impl Into<String>) -> Error {
        Error::DamagedResult { file: self.path(stage), problem: problem.into() }
    }
}

/// The name of a stage's file.
fn name(stage: &str) -> String {
    format!("{stage}.json")
}

/// A trained autoencoder, variational or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Autoencoder {
    /// Training loss of the last epoch.
    pub train_loss: f64,
    /// Validation loss of the last epoch, if images validate.
    pub val_loss: Option<f64>,
    /// Mean squared error over all pixels of the test images, which are from 0 to 1.
    pub test_error: f64,
    /// Epochs of training.
    pub epochs: u64,
    /// Number of parameters.
    pub parameters: usize,
    /// Time of training.
    pub seconds: f64,
}

impl StageOutput for Autoencoder {}

/// A search for good settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Search {
    /// Trials that have ended.
    pub trials: usize,
    /// Trials that ran to the end.
    pub complete: usize,
    /// Trials that the pruner stopped.
    pub pruned: usize,
    /// Trials that failed.
    pub failed: usize,
    /// The best value.
    pub best: f64,
}

impl StageOutput for Search {}

/// Test errors of principal components of the training images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Components {
    /// Numbers of components, and the mean squared error of each.
    pub errors: Vec<(usize, f64)>,
}

impl StageOutput for Components {}

/// A classifier's scores on the test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassifierScores {
    /// The fraction of images that is classified correctly.
    pub accuracy: f64,
    /// 95 % bootstrap interval of the accuracy.
    pub interval: [f64; 2],
    /// F1 of each class, in the order of the labels.
    pub f1: Vec<f64>,
    /// Expected calibration error.
    pub ece: f64,
    /// Epochs of training.
    pub epochs: usize,
    /// Time of training.
    pub seconds: f64,
    /// Number of parameters.
    pub parameters: usize,
}

/// One for each seed.
impl StageOutput for Vec<ClassifierScores> {
    fn problem(&self) -> Option<&'static str> {
        self.is_empty().then_some("there are no scores in it")
    }
}

/// A map of latents; its points are in an NPZ file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mapped {
    /// How many images are mapped.
    pub images: usize,
    /// Kullback-Leibler divergence of t-SNE, in nats.
    pub kl: f64,
}

impl StageOutput for Mapped {
    fn problem(&self) -> Option<&'static str> {
        (self.images == 0).then_some("no image is mapped")
    }
}

impl StageOutput for Card {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_result_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let results = StageResults::at(folder.path().to_owned());
        results.put("map", &Mapped { images: 0, kl: 0.5 }).unwrap();
        let said = results.get::<Mapped>("map").unwrap_err().to_string();
        let expected = "map.json: no image is mapped; delete this file to repeat the stage";
        assert!(said.ends_with(expected), "{said}");
        results.put("classifier", &Vec::<ClassifierScores>::new()).unwrap();
        let said = results.get::<Vec<ClassifierScores>>("classifier").unwrap_err().to_string();
        assert!(said.contains("there are no scores in it"), "{said}");
        assert!(results.get::<Mapped>("another").unwrap().is_none());
        results.put("map", &Mapped { images: 9, kl: 0.5 }).unwrap();
        assert_eq!(results.get::<Mapped>("map").unwrap().unwrap().images, 9);
        let text = std::fs::read_to_string(results.path("map")).unwrap().replace('5', "4");
        std::fs::write(results.path("map"), text).unwrap();
        let said = results.get::<Mapped>("map").unwrap_err().to_string();
        assert!(said.contains("it is not the file that the study wrote"), "{said}");
    }
}
