//! What the stages of a study leave, a JSON file for each, and how it is read back: it may have been damaged or changed since, so what the
//! page counts on is checked here. `fuzz/` reads by this file too.

use latents::explore::card::Card;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a stage leaves.
pub(crate) trait Left: Serialize + DeserializeOwned {
    /// What is wrong with it, where it is of the right form and yet nothing that a stage leaves.
    fn problem(&self) -> Option<&'static str> {
        None
    }
}

/// Reads what a stage left.
pub(crate) fn read<T: Left>(text: &str) -> Result<T, String> {
    let left: T = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match left.problem() {
        Some(problem) => Err(problem.into()),
        None => Ok(left),
    }
}

/// How an autoencoder came out, variational or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Autoencoder {
    pub(crate) train_loss: f64,
    pub(crate) val_loss: Option<f64>,
    /// Mean squared error over all pixels of the test images, 0 to 1.
    pub(crate) test_error: f64,
    pub(crate) epochs: u64,
    pub(crate) parameters: usize,
    pub(crate) seconds: f64,
}

impl Left for Autoencoder {}

/// A search in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) trials: usize,
    pub(crate) complete: usize,
    pub(crate) pruned: usize,
    pub(crate) failed: usize,
    pub(crate) best: f64,
}

impl Left for Search {}

/// Test error of the principal components of the training images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Components {
    /// Number of components and mean squared error.
    pub(crate) errors: Vec<(usize, f64)>,
}

impl Left for Components {}

/// How a classifier came out on the test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scores {
    pub(crate) accuracy: f64,
    /// 95 % bootstrap interval.
    pub(crate) interval: [f64; 2],
    /// By class.
    pub(crate) f1: Vec<f64>,
    pub(crate) ece: f64,
    pub(crate) epochs: usize,
    pub(crate) seconds: f64,
    pub(crate) parameters: usize,
}

/// Of each seed.
impl Left for Vec<Scores> {
    fn problem(&self) -> Option<&'static str> {
        self.is_empty().then_some("there are no scores in it")
    }
}

/// A map in numbers; its places are in an NPZ file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mapped {
    pub(crate) images: usize,
    /// Kullback-Leibler divergence of t-SNE, in nats.
    pub(crate) kl: f64,
}

impl Left for Mapped {
    fn problem(&self) -> Option<&'static str> {
        (self.images == 0).then_some("no image is mapped")
    }
}

impl Left for Card {}
