//! How much a study may spend: epochs, trials, samples. One budget is the whole study's; `--quick` is a few minutes' worth. Both are of a
//! large set of images; [`Budget::fitted`] makes them a small one's.

use serde::{Deserialize, Serialize};

/// Images in a batch: on a large set, and at least.
const BATCH: usize = 256;
const SMALLEST: usize = 16;
/// [`Budget::vae_warmup`] on a small set.
const WARMUP: f64 = 0.25;

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
    /// Epochs of the CNN, on a large set; none: those of its own default.
    pub(crate) cnn_epochs: Option<u64>,
    /// Steps of the optimiser for each epoch of these, at least: with a handful of steps nothing is learnt.
    pub(crate) steps: usize,
    /// How many times the CNN's epochs, on a small set.
    pub(crate) passes: u64,
    /// Images in a batch, at most.
    pub(crate) batch_size: usize,
    /// Epochs of the variational autoencoder.
    pub(crate) vae_epochs: u64,
    /// Part of its epochs, and of those of its trials, over which the weight of the divergence rises from 0. On a small set latents that are held
    /// from the first step are given up before the decoder has learnt to read them.
    pub(crate) vae_warmup: f64,
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
            steps: 50,
            passes: 1,
            batch_size: BATCH,
            vae_epochs: 50,
            vae_warmup: 0.0,
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
            steps: 10,
            passes: 1,
            batch_size: BATCH,
            vae_epochs: 8,
            vae_warmup: 0.0,
            map_images: 2_500,
            train_limit: Some(12_000),
            test_limit: Some(2_500),
        }
    }

    /// Whether it is of a small set.
    pub(crate) fn is_small(&self) -> bool {
        self.batch_size < BATCH
    }

    /// The same for `train` images that train: where they are few, smaller batches and more epochs, so that there are steps enough to learn from.
    pub(crate) fn fitted(mut self, train: usize) -> Self {
        let most = 1 << (train / self.steps).max(1).ilog2();
        self.batch_size = self.batch_size.min(most).max(SMALLEST);
        self.passes = self.steps.div_ceil((train / self.batch_size).max(1)) as u64;
        if self.is_small() {
            self.vae_warmup = WARMUP;
        }
        for epochs in [
            &mut self.epochs,
            &mut self.trial_epochs,
            &mut self.refit_epochs,
            &mut self.classifier_epochs,
            &mut self.vae_epochs,
        ] {
            *epochs *= self.passes;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_set_has_steps_enough() {
        let large = Budget::full().fitted(48_000);
        assert_eq!(large, Budget::full());
        for train in [1, 40, 128, 1_000, 3_200, 9_000, 12_799] {
            let budget = Budget::full().fitted(train);
            assert!(
                (SMALLEST..=BATCH).contains(&budget.batch_size)
                    && budget.batch_size.is_multiple_of(SMALLEST)
            );
            let steps = (train / budget.batch_size).max(1) as u64;
            assert!(budget.epochs * steps >= 42 * 50, "{train}: {budget:?}");
            assert_eq!(budget.epochs * 10, budget.trial_epochs * 42, "in proportion");
            assert_eq!(budget.vae_warmup > 0.0, budget.is_small());
        }
    }
}
