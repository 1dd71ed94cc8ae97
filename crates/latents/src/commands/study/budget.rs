//! How much a study may spend: epochs, trials, samples. One budget is the whole study's; `--quick` is a few minutes' worth.

use serde::{Deserialize, Serialize};

/// The budgets of all stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// Epochs of the autoencoder of the first part; the reference's are 42.
    pub(crate) epochs: u64,
    /// Trials of each search.
    pub(crate) trials: u64,
    /// Epochs of a trial at most.
    pub(crate) trial_epochs: u64,
    /// Epochs of the autoencoder with the best settings.
    pub(crate) refit_epochs: u64,
    /// Epochs of the classifier.
    pub(crate) classifier_epochs: u64,
    /// Seeds that the classifier is trained with.
    pub(crate) classifier_seeds: u64,
    /// Epochs of the CNN; none: those of its own default.
    pub(crate) cnn_epochs: Option<u64>,
    /// Epochs of the variational autoencoder.
    pub(crate) vae_epochs: u64,
    /// Test images on maps and in the explorer, at most.
    pub(crate) map_images: usize,
    /// Training images, at most.
    pub(crate) train_limit: Option<usize>,
    /// Test images, at most.
    pub(crate) test_limit: Option<usize>,
}

impl Budget {
    /// That of the whole study.
    pub(crate) fn full() -> Self {
        Budget {
            epochs: 42,
            trials: 20,
            trial_epochs: 10,
            refit_epochs: 42,
            classifier_epochs: 10,
            classifier_seeds: 5,
            cnn_epochs: None,
            vae_epochs: 50,
            map_images: 10_000,
            train_limit: None,
            test_limit: None,
        }
    }

    /// A few minutes on two cores.
    pub(crate) fn quick() -> Self {
        Budget {
            epochs: 8,
            trials: 6,
            trial_epochs: 3,
            refit_epochs: 8,
            classifier_epochs: 3,
            classifier_seeds: 2,
            cnn_epochs: Some(2),
            vae_epochs: 8,
            map_images: 2_500,
            train_limit: Some(12_000),
            test_limit: Some(2_500),
        }
    }
}
