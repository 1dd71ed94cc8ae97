//! How long an epoch takes on this machine, so that a number of minutes becomes a number of epochs before training begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latents_data::epoch_order;
use latents_engine::Runtime;
use latents_progress::Monitor;

use super::{Trainer, TrainingImages};
use crate::config::RunConfig;
use crate::error::Error;
use crate::initial::initial_parameters;
use crate::run::Run;

/// Steps before the measurement, which fill buffers and caches.
const FIRST: usize = 2;
/// How long steps are measured.
const MEASURED: Duration = Duration::from_millis(1_500);
/// The time of a validation image relative to that of a training image, which has a backward pass too.
const VALIDATION: f64 = 0.35;

/// Measures the seconds of an epoch, validation included, by some steps of training that leave nothing behind.
///
/// # Errors
/// If the settings are invalid or do not fit the data, or `monitor` is cancelled.
pub fn seconds_per_epoch<'a>(
    config: &RunConfig,
    data: impl Into<TrainingImages<'a>>,
    runtime: &Arc<Runtime>,
    monitor: &Monitor,
) -> Result<f64, Error> {
    let run = Run::at("");
    let mut trainer = Trainer::new(&run, config, data.into(), runtime, monitor)?;
    trainer.parameters = initial_parameters(config, trainer.engine.layout())?;
    monitor.stage("measuring the time of a step");
    runtime.run(|| trainer.measure(monitor))
}

impl Trainer<'_> {
    fn measure(&mut self, monitor: &Monitor) -> Result<f64, Error> {
        let settings = &self.config.training;
        let order = epoch_order(&self.training.index, settings.seed, 0);
        // The rate is 0, so that no step can diverge.
        let mut batches = order.chunks(settings.batch_size).cycle();
        for batch in batches.by_ref().take(FIRST) {
            self.step(batch, 0, 0.0, [0.0; 2])?;
        }
        let (start, mut images) = (Instant::now(), 0);
        for batch in batches {
            monitor.check()?;
            self.step(batch, 0, 0.0, [0.0; 2])?;
            images += batch.len();
            if start.elapsed() >= MEASURED {
                break;
            }
        }
        let each = start.elapsed().as_secs_f64() / images as f64;
        Ok(each * (self.training.len() as f64 + VALIDATION * self.validation.len() as f64))
    }
}
