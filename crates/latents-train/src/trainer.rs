//! The training loop: epochs, steps and early stopping. Random numbers depend only on seed, epoch and sample, so a run that is resumed from a checkpoint
//! gives the same bytes as an uninterrupted one. `trainer/start.rs` has what comes before
//! the first step, `trainer/validate.rs` computes the validation loss, and `trainer/keep.rs` writes the files.

mod keep;
mod samples;
mod speed;
mod start;
mod validate;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latents_data::{Augmented, epoch_order};
use latents_engine::{
    Criterion, Engine, Inputs, Loss, Losses, Mixup, Optimizer, Pass, Runtime, Targets, clip_norm,
};
use latents_models::{LinearStart, Target, save_parameters};
use latents_progress::{Monitor, Task, count, duration};
use serde::Serialize;

use self::samples::Samples;
pub use self::samples::TrainingImages;
pub use self::speed::seconds_per_epoch;
pub use self::start::choose_augmentation;
use self::start::components_of;
use crate::checkpoint::{Checkpoint, Extent, Progress};
use crate::components::{fixed, set_components};
use crate::config::RunConfig;
use crate::encoder::encoder;
use crate::error::Error;
use crate::inputs::{inputs, pixels};
use crate::metrics::{EpochMetrics, Terms};
use crate::run::Run;
use keep::Pending;
use validate::Means;

/// Interval between checkpoints within an epoch.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);
/// Interval between progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// The name of the task in progress reports; its unit is images, summed over all epochs.
const TASK: &str = "training";

/// The result of a finished training run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrainSummary {
    /// Epochs trained; fewer than the setting if training stopped early.
    pub epochs: u64,
    /// The epoch of the saved weights, from 1.
    pub kept_epoch: u64,
    /// Training loss of that epoch.
    pub train_loss: f64,
    /// Validation loss of that epoch, if there are validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// Duration of all epochs in seconds, including those before a resume.
    pub seconds: f64,
}

/// Trains the model of `config` on `data` and writes the results to `run`. Resumes from the run's checkpoint if there is one. Calls `on_epoch` with the
/// metrics of each epoch. If the monitor's token is cancelled, saves a checkpoint and returns [`Error::Interrupted`].
///
/// # Errors
/// If the settings are invalid or do not fit the data, a file cannot be read or written, the loss is not finite, or training was interrupted.
pub fn train<'a>(
    run: &Run,
    config: &RunConfig,
    data: impl Into<TrainingImages<'a>>,
    runtime: &Arc<Runtime>,
    monitor: &Monitor,
    on_epoch: &mut (dyn FnMut(&EpochMetrics) + Send),
) -> Result<TrainSummary, Error> {
    let data = data.into();
    let mut trainer = Trainer::new(run, config, data, runtime, monitor)?;
    let begun = run.exists();
    // Fails before the folder is created if the run cannot start.
    let first = if begun { None } else { Some(trainer.initial(monitor)?) };
    let _lock = run.lock()?;
    let (settings, steps) = (&config.training, trainer.steps());
    let extent = Extent { epochs: settings.epochs, steps };
    let mut known = None;
    // Without settings, a checkpoint is what is left of a run that never began.
    let load = || Checkpoint::load(run.dir(), trainer.engine.layout(), extent);
    if let Some((checkpoint, damage)) = begun.then(load).transpose()?.flatten() {
        if let Some(damage) = damage {
            monitor.warning(&format!("{damage}; training goes on from the checkpoint before it"));
        }
        trainer.optimizer.restore(checkpoint.optimizer)?;
        (trainer.parameters, trainer.progress) = (checkpoint.parameters, checkpoint.progress);
        (known, trainer.best) = (checkpoint.metrics, checkpoint.best);
        trainer.snapshots = checkpoint.snapshots;
        trainer.check_snapshots()?;
    } else {
        trainer.parameters = first.map_or_else(|| trainer.initial(monitor), Ok)?;
        // Before the settings are written, so that they are never without a checkpoint that tells whether they have changed.
        trainer.write_checkpoint()?;
    }
    let progress = trainer.progress;
    run.write_notes(data.notes)?;
    if run.config().ok().as_ref() != Some(config) {
        run.write_config(config)?;
    }
    monitor.note(&format!(
        "{} training and {} validation images; {} parameters; {} of {} epochs to go",
        count(trainer.training.len() as u64),
        count(trainer.validation.len() as u64),
        count(trainer.parameters.len() as u64),
        settings.epochs - progress.epoch.min(settings.epochs),
        settings.epochs,
    ));
    if let Some(of_encoder) = &settings.encoder {
        let held = of_encoder.frozen_epochs.saturating_mul(steps);
        trainer.optimizer.hold(encoder(trainer.engine.layout()), held);
    }
    let summary = runtime.run(|| trainer.train(known, monitor, on_epoch))?;
    run.seal(config)?;
    Ok(summary)
}

struct Trainer<'a> {
    run: &'a Run,
    config: &'a RunConfig,
    /// The layers that start from principal components, if the model has such layers.
    start: Option<LinearStart>,
    /// The parameters that training does not change because they hold the components.
    fixed: Vec<Range<usize>>,
    criterion: Criterion,
    training: Samples<'a>,
    validation: Samples<'a>,
    engine: Engine,
    optimizer: Optimizer,
    gradients: Vec<f32>,
    parameters: Vec<f32>,
    progress: Progress,
    /// The augmented images of a step, if there is augmentation.
    augmented: Augmented,
    /// Time of the last checkpoint.
    saved: Instant,
    /// How long it took to write.
    writing: Duration,
    pending: Pending,
    /// The checksum of the file of the best weights.
    best: Option<u32>,
    /// The checksums of the files of snapshots, by epoch.
    snapshots: BTreeMap<u64, u32>,
    /// The checksum of the lines of metrics that were written.
    lines: crc32fast::Hasher,
}

impl<'a> Trainer<'a> {
    /// A trainer at the beginning, whose parameters are still 0.
    fn new(
        run: &'a Run,
        config: &'a RunConfig,
        data: TrainingImages<'a>,
        runtime: &Arc<Runtime>,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let settings = &config.training;
        if let Some(problem) = settings.problem() {
            return Err(Error::Config(problem));
        }
        let parts = [Some(data.train), data.validation].into_iter().flatten();
        for images in parts.map(|part| &part.images) {
            if images.shape() != config.data.shape {
                return Err(Error::Config(format!(
                    "the images are {:?} ([channels, height, width]), but the run is for {:?}",
                    images.shape(),
                    config.data.shape
                )));
            }
        }
        if config.model.is_conditional() {
            data.check_labels()?;
        }
        let classes = config.model.needs_classes().then_some(&config.data.classes[..]);
        let (training, validation, without_label) = data.samples(classes, settings)?;
        config.check_memory(runtime.threads())?;
        let engine = config.engine(Arc::clone(runtime))?;
        if without_label > 0 {
            let without_label = count(without_label as u64);
            monitor.note(&format!("{without_label} images without a label are left out"));
        }
        if training.is_empty() || (validation.is_empty() && settings.validation_fraction > 0.0) {
            let n = data.train.len();
            let are = if n == 1 { "image is" } else { "images are" };
            return Err(Error::Config(format!("{n} {are} too few to train and to validate on")));
        }
        let start = config.model.linear_start(config.data.shape);
        let fixed = start.as_ref().map(|start| fixed(start, engine.layout())).unwrap_or_default();
        let parameter_count = engine.layout().parameter_count();
        Ok(Trainer {
            run,
            config,
            start,
            fixed,
            criterion: match config.model.criterion() {
                criterion @ Criterion { loss: Loss::CrossEntropy { .. }, .. } => {
                    let label_smoothing = settings.label_smoothing;
                    Criterion { loss: Loss::CrossEntropy { label_smoothing }, ..criterion }
                }
                criterion => criterion,
            },
            training,
            validation,
            optimizer: config.optimizer(engine.layout())?,
            engine,
            gradients: vec![0.0; parameter_count],
            parameters: vec![0.0; parameter_count],
            progress: Progress::default(),
            augmented: Augmented::default(),
            saved: Instant::now(),
            writing: Duration::ZERO,
            pending: Pending::default(),
            best: None,
            snapshots: BTreeMap::new(),
            lines: crc32fast::Hasher::new(),
        })
    }

    /// Steps of an epoch.
    fn steps(&self) -> u64 {
        self.training.len().div_ceil(self.config.training.batch_size) as u64
    }

    /// Trains the epochs that remain. `known` is the checksum of the metrics so far.
    fn train(
        &mut self,
        known: Option<u32>,
        monitor: &Monitor,
        on_epoch: &mut (dyn FnMut(&EpochMetrics) + Send),
    ) -> Result<TrainSummary, Error> {
        let mut metrics = self.metrics_so_far(known)?;
        if self.progress.epoch < self.config.training.epochs {
            self.run.unseal()?;
        }
        let task = monitor.task(TASK);
        let patience = self.config.training.patience;
        if self.start.is_some() && self.progress == Progress::default() {
            let start = self.measure_start()?;
            if let Some(loss) = start.val_loss {
                monitor.note(&format!(
                    "the principal components that training starts from: validation {loss:.5}"
                ));
            }
            on_epoch(&start);
            metrics.push(start);
        }
        while self.progress.epoch < self.config.training.epochs && !self.is_stale(patience) {
            let epoch = self.epoch(monitor, &task)?;
            monitor.note(&self.epoch_line(&epoch));
            on_epoch(&epoch);
            metrics.push(epoch);
        }
        self.flush()?;
        let best = self.progress.best.map_or(0, |(_, epoch)| epoch);
        let keeps_best = patience.is_some() || self.start.is_some() && !self.validation.is_empty();
        let kept = if keeps_best { best } else { self.progress.epoch };
        let mut parameters = if kept == self.progress.epoch {
            self.parameters.clone()
        } else {
            self.best_parameters()?
        };
        if let Some(start) = self.start.as_ref().filter(|start| start.refitted)
            && let Some(all) = self.training.with(&self.validation)
        {
            monitor.stage("principal components of all training images");
            let pca = components_of(self.config, all.some(), monitor)?;
            set_components(&pca, start, self.engine.layout(), &mut parameters)?;
        }
        self.run.check_exists()?;
        save_parameters(&self.run.model_path(), self.engine.layout(), &parameters)?;
        let of_kept = metrics.iter().find(|m| m.epoch == kept);
        let of_kept = of_kept.ok_or_else(|| self.run.damaged_metrics("an epoch is missing"))?;
        // The task is complete, even if training stopped early.
        let images = self.images_in(self.config.training.epochs);
        task.progress(images, images, "");
        Ok(TrainSummary {
            epochs: self.progress.epoch,
            kept_epoch: kept,
            train_loss: of_kept.train_loss,
            val_loss: of_kept.val_loss,
            seconds: self.progress.total_seconds,
        })
    }

    /// Whether the validation loss has stopped improving.
    fn is_stale(&self, patience: Option<u64>) -> bool {
        let best = self.progress.best.map_or(0, |(_, epoch)| epoch);
        patience.is_some_and(|p| self.progress.epoch - best >= p)
    }

    /// The number of images in `epochs` epochs.
    fn images_in(&self, epochs: u64) -> u64 {
        epochs.saturating_mul(self.training.len() as u64)
    }

    /// The metrics of an epoch as one line of text.
    fn epoch_line(&self, metrics: &EpochMetrics) -> String {
        let epochs = self.config.training.epochs;
        let width = epochs.to_string().len();
        let validation =
            metrics.val_loss.map_or_else(String::new, |loss| format!("  validation {loss:.5}"));
        format!(
            "epoch {:>width$}/{epochs}  train {:.5}{validation}  {:>6} images/s  {}",
            metrics.epoch,
            metrics.train_loss,
            count(metrics.samples_per_second as u64),
            duration(metrics.seconds),
        )
    }

    /// Trains one epoch, or the rest of one. If the token is cancelled, saves a checkpoint and returns an error.
    fn epoch(&mut self, monitor: &Monitor, task: &Task<'_>) -> Result<EpochMetrics, Error> {
        let settings = &self.config.training;
        let epoch = self.progress.epoch;
        let order = epoch_order(&self.training.index, settings.seed, epoch);
        let batches: Vec<&[u32]> = order.chunks(settings.batch_size).collect();
        let steps = batches.len() as u64;
        let all = steps.saturating_mul(settings.epochs);
        let factor = |step| settings.schedule.factor(epoch * steps + step, all);
        let (start, before) = (Instant::now(), self.progress.seconds);
        let mut shown = Instant::now();
        for batch in &batches[self.progress.step as usize..] {
            let done = epoch as f64 + self.progress.step as f64 / steps as f64;
            let model = &self.config.model;
            let weights = [model.penalty_weight(done), model.posterior_penalty_weight(done)];
            self.step(batch, epoch, factor(self.progress.step), weights)?;
            self.progress.seconds = before + start.elapsed().as_secs_f64();
            if shown.elapsed() >= PROGRESS_INTERVAL {
                shown = Instant::now();
                let samples =
                    (self.progress.step * settings.batch_size as u64).min(order.len() as u64);
                let rate = samples as f64 / self.progress.seconds;
                self.report(task, samples, self.means(samples).loss, rate);
            }
            if let Err(interrupted) = monitor.check() {
                self.save()?;
                return Err(interrupted.into());
            }
            if self.saved.elapsed() >= CHECKPOINT_INTERVAL {
                self.save()?;
            }
        }
        let samples_per_second = order.len() as f64 / self.progress.seconds;
        let training = self.means(order.len() as u64);
        let (validation, val_accuracy) = self.validate()?;
        if validation.as_ref().is_some_and(|means| !means.loss.is_finite()) {
            return Err(Error::Diverged { epoch: epoch + 1, rate: settings.learning_rate });
        }
        let seconds = before + start.elapsed().as_secs_f64();
        let terms = terms(&training, validation.as_ref());
        let metrics = EpochMetrics {
            epoch: epoch + 1,
            train_loss: training.loss,
            val_loss: validation.map(|means| means.loss),
            val_accuracy,
            terms,
            // The rate of the epoch's last step, even if that step was before a resume.
            learning_rate: settings.learning_rate * factor(steps - 1),
            seconds,
            samples_per_second,
        };
        // An epoch may be shorter than the interval of reports.
        self.report(task, order.len() as u64, training.loss, samples_per_second);
        self.finish_epoch(&metrics)?;
        Ok(metrics)
    }

    /// Reports how many images of the current epoch are done, their mean loss, and how many are done in a second.
    fn report(&self, task: &Task<'_>, samples: u64, loss: f64, rate: f64) {
        let (epoch, epochs) = (self.progress.epoch, self.config.training.epochs);
        let message = format!(
            "epoch {}/{epochs}  loss {loss:.5}  {} images/s",
            epoch + 1,
            count(rate as u64)
        );
        task.progress(self.images_in(epoch) + samples, self.images_in(epochs), &message);
    }

    /// Makes one optimiser step. `factor` multiplies the learning rate; `weights` are those of the criterion's penalty and of the posterior's.
    fn step(
        &mut self,
        batch: &[u32],
        epoch: u64,
        factor: f64,
        weights: [f64; 2],
    ) -> Result<(), Error> {
        let settings = &self.config.training;
        let images = self.training.images;
        let classes = self.training.classes_of(batch);
        let mut targets = match (self.config.model.target(), &classes) {
            (Target::Class, Some(classes)) => Targets::Classes(classes),
            _ => Targets::Inputs,
        };
        let features = self.engine.layout().condition_features();
        let mut conditions = self.training.conditions_of(batch, self.engine.layout());
        let (mut batch_of_inputs, mut pass) =
            (inputs(images, batch), Pass::Train { seed: settings.seed, epoch });
        let (places, mixed): (Vec<u32>, Vec<Mixup>);
        if !settings.augmentation.is_nothing() {
            settings.augmentation.apply(images, batch, settings.seed, epoch, &mut self.augmented);
            places = (0..batch.len() as u32).collect();
            batch_of_inputs =
                Inputs::Images { pixels: pixels(self.augmented.pixels()), index: &places };
            if !conditions.is_empty() && !self.augmented.shares.is_empty() {
                conditions = mixed_conditions(&conditions, features, &self.augmented);
            } else if let (Some(classes), false) = (&classes, self.augmented.shares.is_empty()) {
                let shares = self.augmented.partners.iter().zip(&self.augmented.shares);
                let mix = |(&class, (&partner, &weight)): (&u16, (&u32, &f32))| Mixup {
                    classes: [class, classes[partner as usize]],
                    weight,
                };
                mixed = classes.iter().zip(shares).map(mix).collect();
                targets = Targets::Mixup(&mixed);
            }
            // Dropout identifies augmented images only by their position in the batch, so the step number takes the place of the epoch.
            pass = Pass::Train { seed: settings.seed, epoch: self.optimizer.state().steps };
        }
        let criterion = Criterion { weight: weights[0], ..self.criterion };
        let (parameters, gradients) = (&self.parameters, &mut self.gradients);
        let (inputs, model) = (batch_of_inputs.with_conditions(&conditions), &self.config.model);
        let engine = &mut self.engine;
        let of_posterior = match model.posterior_penalty() {
            Some(penalty) => {
                let measured = penalty.measure.of(engine, parameters, inputs, pass)?;
                Some(measured.weighted(weights[1]))
            }
            None => None,
        };
        let losses = if model.draws() > 1 {
            let (criterion, draws) = (self.criterion, model.draws());
            let loss = engine
                .importance_gradients(parameters, inputs, criterion, draws, pass, gradients)?;
            Losses { penalty: vec![0.0; loss.len()], loss }
        } else {
            let coupled = of_posterior.as_ref().map_or(criterion.into(), |all| all.with(criterion));
            engine.gradients(parameters, inputs, targets, coupled, pass, gradients)?
        };
        let of_posterior = of_posterior.map_or(0.0, |measured| measured.penalty.value);
        let sums: [f64; 3] = [
            losses.loss.iter().sum(),
            losses.penalty.iter().sum(),
            of_posterior * batch.len() as f64,
        ];
        if !sums.iter().all(|sum| sum.is_finite()) {
            return Err(Error::Diverged { epoch: epoch + 1, rate: settings.learning_rate });
        }
        if let Some(limit) = settings.clip_norm {
            // The norm excludes frozen parameters, as PyTorch excludes parameters without a gradient.
            for frozen in self.fixed.iter().cloned().chain([self.optimizer.held()]) {
                self.gradients[frozen].fill(0.0);
            }
            clip_norm(self.engine.layout(), &mut self.gradients, limit);
        }
        let runtime = Arc::clone(self.engine.runtime());
        self.optimizer.step(&runtime, &mut self.parameters, &self.gradients, factor);
        self.engine.update_prior(&mut self.parameters)?;
        self.progress.step += 1;
        self.progress.loss_sum += sums[0];
        self.progress.penalty_sum += sums[1];
        self.progress.posterior_sum += sums[2];
        Ok(())
    }
}

/// The terms of an epoch's losses.
fn terms(training: &Means, validation: Option<&Means>) -> Terms {
    let mut terms = Terms::default();
    terms.extend("train", &training.terms);
    terms.extend("val", validation.map_or(&[], |means| &means.terms));
    terms
}

/// The conditions `[n, features]` of images that are mixed: those of both images, weighted as their pixels are.
fn mixed_conditions(conditions: &[f32], features: usize, mixed: &Augmented) -> Vec<f32> {
    let row = |i: usize| &conditions[i * features..(i + 1) * features];
    let mut all = Vec::with_capacity(conditions.len());
    for (i, (&partner, &share)) in mixed.partners.iter().zip(&mixed.shares).enumerate() {
        let both = row(i).iter().zip(row(partner as usize));
        all.extend(both.map(|(own, other)| share * own + (1.0 - share) * other));
    }
    all
}
