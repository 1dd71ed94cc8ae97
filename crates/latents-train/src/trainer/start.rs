//! Before the first step: the initial parameters; and of a model that starts from principal components the choice of the augmentation, and the loss of the
//! components alone.

use std::time::Instant;

use latents_data::Augmentation;
use latents_engine::Pass;
use latents_explore::Pca;
use latents_progress::Monitor;

use super::samples::TrainingImages;
use super::{Trainer, terms};
use crate::components::{SomeImages, augmentation, start_from};
use crate::config::RunConfig;
use crate::error::Error;
use crate::initial::initial_parameters;
use crate::layer::is_line;
use crate::metrics::EpochMetrics;
use crate::pseudo_inputs::start_from_images;

/// For a model that starts from principal components: of no augmentation, flips, shifts and both, the one with which components of the
/// training images reconstruct the validation images best, by more than a standard error. `None` if the model does not start so, or there is nothing to validate on.
///
/// # Errors
/// If the monitor's token is cancelled.
pub fn choose_augmentation<'a>(
    config: &RunConfig,
    data: impl Into<TrainingImages<'a>>,
    monitor: &Monitor,
) -> Result<Option<Augmentation>, Error> {
    let (training, validation, _) = data.into().samples(None, &config.training)?;
    let Some(latents) = config.model.latents(config.data.shape) else { return Ok(None) };
    if config.model.linear_start(config.data.shape).is_none()
        || validation.is_empty()
        || training.len() < 2
        || is_line(config.data.shape)
    {
        return Ok(None);
    }
    monitor.stage("choosing the augmentation");
    let (training, validation) = (training.some(), validation.some());
    augmentation(training, validation, latents.dim, config.training.seed, monitor).map(Some)
}

impl Trainer<'_> {
    /// The initial parameters.
    pub(super) fn initial(&mut self, monitor: &Monitor) -> Result<Vec<f32>, Error> {
        let layout = self.engine.layout();
        let mut parameters = initial_parameters(self.config, layout)?;
        if let Some(start) = &self.start {
            monitor.stage("principal components");
            let components = || components_of(self.config, self.training.some(), monitor);
            let pca = self.engine.runtime().run(components)?;
            start_from(&pca, start, layout, &mut parameters)?;
        }
        if let Some(prior) = layout.pseudo_inputs() {
            let (images, seed) = (self.training.some(), self.config.training.seed);
            start_from_images(&prior, layout, images, seed, &mut parameters)?;
        }
        self.engine.update_prior(&mut parameters)?;
        Ok(parameters)
    }

    /// Measures the model before its first step, as epoch 0. Training keeps it if no epoch is better.
    pub(super) fn measure_start(&mut self) -> Result<EpochMetrics, Error> {
        let began = Instant::now();
        let (seed, model) = (self.config.training.seed, &self.config.model);
        let (engine, parameters) = (&mut self.engine, &self.parameters);
        let draws = (model.draws(), seed);
        let losses = self.training.losses(engine, parameters, self.criterion, draws)?;
        let (penalty, pass) = (model.posterior_penalty(), Pass::Sample { seed, draw: 0 });
        let of_posterior = self.training.posterior_penalty(engine, parameters, penalty, pass)?;
        let training = self.means_of(losses.mean_loss(), losses.mean_penalty(), of_posterior);
        let (validation, val_accuracy) = self.validate()?;
        let terms = terms(&training, validation.as_ref());
        let seconds = began.elapsed().as_secs_f64();
        let metrics = EpochMetrics {
            epoch: 0,
            train_loss: training.loss,
            val_loss: validation.map(|means| means.loss),
            val_accuracy,
            terms,
            learning_rate: 0.0,
            seconds,
            samples_per_second: self.training.len() as f64 / seconds,
        };
        self.finish_epoch(&metrics)?;
        Ok(metrics)
    }
}

/// The principal components of some images, as many as the model has latents.
pub(super) fn components_of(
    config: &RunConfig,
    images: SomeImages<'_>,
    monitor: &Monitor,
) -> Result<Pca, Error> {
    let count = config.model.latents(config.data.shape).map_or(0, |latents| latents.dim);
    images.components(count, &config.training.augmentation, config.training.seed, monitor)
}
