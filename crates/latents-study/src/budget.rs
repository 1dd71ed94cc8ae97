//! The budgets of a study: epochs, trials, images. There is one for a full study and one for a quick study of a few minutes, both for large sets of
//! images; [`Budget::fitted`] adapts them to small ones.

use serde::{Deserialize, Serialize};

/// Images in a batch: at most, and at least.
const BATCH: usize = 256;
const SMALLEST: usize = 16;
/// Optimiser steps of a classifier of one's own pictures, at least, and of a trial of one.
const CLASSIFIER_STEPS: [u64; 2] = [1_000, 300];
/// A quick study of fewer training images than this has a larger share of the epochs of a residual model, which are few and short.
const SHORT_EPOCHS: f64 = 2_000.0;
/// That share is larger by this factor at most.
const MOST_SHARE: f64 = 3.5;
/// A quick study whose training images have fewer pixels than this in all has more epochs of the CNN, which are then short.
const SHORT_CNN: f64 = 3e6;
/// Trials of a search and seeds of a classifier, at least.
const FEWEST_TRIALS: u64 = 6;
const FEWEST_SEEDS: u64 = 2;
/// [`Budget::vae_warmup`] on a small set.
const WARMUP: f64 = 0.25;

/// The budgets of all stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// Epochs of the untuned autoencoder; the reference has 42.
    pub(crate) epochs: u64,
    /// The share of their default numbers of epochs that a residual autoencoder and a residual variational one have.
    pub(crate) residual_share: f64,
    pub(crate) residual_vae_share: f64,
    /// Trials of each search.
    pub(crate) trials: u64,
    /// Epochs of a trial, at most.
    pub(crate) trial_epochs: u64,
    /// Epochs of a trial of the classifier, at most.
    pub(crate) classifier_trial_epochs: u64,
    /// Epochs of the autoencoder with the best settings.
    pub(crate) refit_epochs: u64,
    /// Epochs of the classifier.
    pub(crate) classifier_epochs: u64,
    /// Number of seeds that the classifier is trained with.
    pub(crate) classifier_seeds: u64,
    /// The share of its default number of epochs that the CNN has on a large set.
    pub(crate) cnn_share: f64,
    /// Optimiser steps for each of these epochs, at least: a model learns nothing in a handful of steps.
    pub(crate) steps: usize,
    /// The factor by which a small set has more epochs.
    pub(crate) passes: u64,
    /// Images in a batch, at most.
    pub(crate) batch_size: usize,
    /// Epochs of the variational autoencoder.
    pub(crate) vae_epochs: u64,
    /// Fraction of its epochs, and of those of its trials, over which the weight of the KL divergence rises from 0. On a small set with full weight
    /// from the first step, latent dimensions collapse before the decoder has learnt to use them.
    pub(crate) vae_warmup: f64,
    /// Test images on maps and in the explorer, at most.
    pub(crate) map_images: usize,
    /// Training images, at most.
    pub(crate) train_limit: Option<usize>,
    /// Test images, at most.
    pub(crate) test_limit: Option<usize>,
}

impl Budget {
    /// That of a full study.
    pub(crate) fn full() -> Self {
        Budget {
            epochs: 42,
            residual_share: 1.0,
            residual_vae_share: 0.5,
            trials: 20,
            trial_epochs: 10,
            classifier_trial_epochs: 10,
            refit_epochs: 42,
            classifier_epochs: 10,
            classifier_seeds: 5,
            cnn_share: 1.0,
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

    /// That of a quick study: a few minutes on two cores.
    pub(crate) fn quick() -> Self {
        Budget {
            epochs: 8,
            residual_share: 0.15,
            residual_vae_share: 0.07,
            trials: 6,
            trial_epochs: 3,
            classifier_trial_epochs: 3,
            refit_epochs: 8,
            classifier_epochs: 3,
            classifier_seeds: 2,
            cnn_share: 0.08,
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

    /// Whether it is for a small set.
    pub(crate) fn is_small(&self) -> bool {
        self.batch_size < BATCH
    }

    /// Epochs of the CNN, which has so many by default.
    pub(crate) fn cnn_epochs(&self, default: u64) -> u64 {
        ((default as f64 * self.cnn_share) as u64).max(1) * self.passes
    }

    /// The same for pictures that are not the reference study's: its number of epochs of the classifier is for tens of thousands of images, and few
    /// pictures need more epochs before a classifier learns more than which class is the most frequent. There are `train` pictures of so many
    /// pixels.
    pub(crate) fn for_own_pictures(mut self, train: usize, pixels: usize) -> Self {
        let steps = (train / self.batch_size).max(1) as u64;
        let [whole, trial] = CLASSIFIER_STEPS.map(|least| least.div_ceil(steps));
        self.classifier_epochs = self.classifier_epochs.max(whole);
        self.classifier_trial_epochs = self.classifier_trial_epochs.max(trial);
        if self.residual_share < 1.0 {
            let factor = (SHORT_EPOCHS / train as f64).clamp(1.0, MOST_SHARE);
            self.residual_share *= factor;
            self.residual_vae_share *= factor;
            let factor = SHORT_CNN / (train * pixels) as f64;
            self.cnn_share = (self.cnn_share * factor.max(1.0)).min(1.0);
        }
        self
    }

    /// The same with a share of the epochs. If it is small, there are fewer trials and seeds rather than epochs too few to learn anything.
    pub(crate) fn scaled(mut self, share: f64) -> Self {
        let trials = ((self.trials as f64 * share) as u64).clamp(FEWEST_TRIALS, self.trials);
        let of_trials = share * self.trials as f64 / trials as f64;
        let seeds = (self.classifier_seeds as f64 * share) as u64;
        self.classifier_seeds = seeds.clamp(FEWEST_SEEDS, self.classifier_seeds);
        self.trials = trials;
        self.residual_share *= share;
        self.residual_vae_share *= share;
        self.cnn_share *= share;
        let scale = |epochs: &mut u64, share: f64| {
            *epochs = ((*epochs as f64 * share) as u64).max(1);
        };
        for epochs in [&mut self.trial_epochs, &mut self.classifier_trial_epochs] {
            scale(epochs, of_trials);
        }
        for epochs in [
            &mut self.epochs,
            &mut self.refit_epochs,
            &mut self.classifier_epochs,
            &mut self.vae_epochs,
        ] {
            scale(epochs, share);
        }
        self
    }

    /// The same for `train` images that train: if they are few, smaller batches and more epochs, so that there are enough steps.
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
            &mut self.classifier_trial_epochs,
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
    fn a_classifier_of_few_pictures_has_enough_steps() {
        let of = |train| Budget::quick().fitted(train).for_own_pictures(train, 784);
        let few = of(500);
        assert!(few.classifier_epochs * (500 / few.batch_size as u64) >= 1_000);
        assert_eq!(of(10_000_000).classifier_epochs, Budget::quick().classifier_epochs);
    }

    #[test]
    #[allow(clippy::float_cmp)] // Shares that are not changed are equal.
    fn a_quick_study_has_a_larger_share_of_few_short_epochs() {
        let share = |train| Budget::quick().for_own_pictures(train, 784).residual_share;
        assert!(share(641) > 0.4 && share(8) < 0.6);
        assert_eq!(share(4_000), Budget::quick().residual_share);
        assert_eq!(Budget::full().for_own_pictures(641, 784).residual_share, 1.0);
        let cnn = |train, side: usize| {
            Budget::quick().for_own_pictures(train, side * side).cnn_epochs(50)
        };
        assert_eq!((cnn(1_150, 8), cnn(641, 64), cnn(50_000, 28)), (50, 4, 4));
    }

    #[test]
    fn a_share_of_the_budget_has_fewer_trials_and_at_least_an_epoch() {
        assert_eq!(Budget::full().scaled(1.0), Budget::full());
        let half = Budget::full().scaled(0.5);
        assert_eq!((half.trials, half.trial_epochs, half.epochs), (10, 10, 21));
        let tiny = Budget::full().scaled(0.01);
        assert_eq!((tiny.trials, tiny.trial_epochs, tiny.epochs), (6, 1, 1));
        let more = Budget::full().scaled(3.0);
        assert_eq!((more.trials, more.trial_epochs, more.classifier_seeds), (20, 30, 5));
    }

    #[test]
    fn a_small_set_has_enough_steps() {
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
