//! The loop: epochs of steps, early stop. All that it draws is keyed by seed, epoch and sample, so a run that goes on from a checkpoint ends
//! with the same bytes as one that was never stopped. What an epoch came to is in `trainer/judge.rs`, what is kept of it in `trainer/keep.rs`.

mod judge;
mod keep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use latents_data::{Augmented, Images, Labelled, epoch_order, split};
use latents_engine::{
    Engine, Inputs, Loss, Mixture, Objective, Optimizer, Pass, Runtime, Targets, clip_norm,
};
use latents_models::{Target, load_parameters, save_parameters};

use crate::checkpoint::{Checkpoint, Course, Position};
use crate::config::RunConfig;
use crate::encoder::{encoder, initial_parameters};
use crate::error::Error;
use crate::run::{EpochMetrics, Run};
use crate::trainer::judge::Means;

/// Between two checkpoints in a long epoch.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);
/// Between two reports of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// What training tells while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It begins, or goes on from a checkpoint.
    Started {
        /// Whole epochs that were done before.
        epochs_done: u64,
        /// Epochs in all.
        epochs: u64,
        /// Images that train.
        train: usize,
        /// Images that validate.
        validation: usize,
        /// Numbers in the model.
        parameters: usize,
    },
    /// Some steps have been made.
    Progress {
        /// From 1.
        epoch: u64,
        /// Images of the epoch that have been trained on.
        samples: u64,
        /// Mean loss of the epoch so far.
        loss: f64,
        /// Training images in a second, over the epoch so far.
        samples_per_second: f64,
    },
    /// An epoch is over.
    Epoch(&'a EpochMetrics),
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done, or there was nothing more to gain; the model has been written.
    Finished {
        /// The last epoch, from 1.
        epoch: u64,
        /// The epoch that the written weights are from.
        kept: u64,
        /// That epoch's training loss.
        train_loss: f64,
        /// That epoch's validation loss, where images validate.
        val_loss: Option<f64>,
        /// Time for all epochs, also before a resume.
        seconds: f64,
    },
    /// It was asked to stop, and has saved what it needs to go on.
    Interrupted {
        /// Whole epochs done.
        epochs_done: u64,
    },
}

/// Trains the model of `config` on `data` and keeps everything in `run`; goes on from the run's checkpoint where there is one.
/// When `stop` becomes true, it saves and returns.
///
/// # Errors
/// Where the settings or the model do not fit, a file cannot be written, or the loss is no longer a number.
pub fn train(
    run: &Run,
    config: &RunConfig,
    data: &Labelled,
    runtime: &Arc<Runtime>,
    stop: &AtomicBool,
    report: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Outcome, Error> {
    if let Some(problem) = config.training.problem() {
        return Err(Error::Config(problem));
    }
    let images = &data.images;
    if images.shape() != config.data.shape {
        return Err(Error::Config(format!(
            "the images are {:?} ([channels, height, width]), but the run is for {:?}",
            images.shape(),
            config.data.shape
        )));
    }
    let labels = match (config.model.target(), &data.labels) {
        (Target::Image, _) => None,
        (Target::Class, Some(labels)) => Some(known(labels, images.len(), &config.data.classes)?),
        (Target::Class, None) => {
            return Err(Error::Config(
                "the images have no labels, and this model learns nothing else".into(),
            ));
        }
    };
    let engine = Engine::new(&config.network()?, Arc::clone(runtime))?;
    let settings = &config.training;
    let (training, validation) = split(images.len(), settings.validation_fraction, settings.seed);
    if training.is_empty() || (validation.is_empty() && settings.validation_fraction > 0.0) {
        let n = images.len();
        let are = if n == 1 { "image is" } else { "images are" };
        return Err(Error::Config(format!("{n} {are} too few to train and to validate on")));
    }
    let count = engine.layout().parameter_count();
    let mut optimizer = config.optimizer(engine.layout())?;
    let initial = || initial_parameters(config, engine.layout());
    // What cannot begin leaves no folder behind.
    let first = if run.exists() { None } else { Some(initial()?) };
    let _lock = run.lock()?;
    let steps = training.len().div_ceil(settings.batch_size) as u64;
    let course = Course { epochs: settings.epochs, steps };
    let (parameters, position) = match Checkpoint::load(run, engine.layout(), course)? {
        Some(checkpoint) => {
            optimizer.restore(checkpoint.optimizer)?;
            (checkpoint.parameters, checkpoint.position)
        }
        None => (first.map_or_else(initial, Ok)?, Position::default()),
    };
    if position == Position::default() {
        run.write_config(config)?;
    }
    report(Event::Started {
        epochs_done: position.epoch,
        epochs: settings.epochs,
        train: training.len(),
        validation: validation.len(),
        parameters: count,
    });
    if let Some(of_encoder) = &settings.encoder {
        let held = of_encoder.frozen_epochs.saturating_mul(steps);
        optimizer.hold(encoder(engine.layout()), held);
    }
    let mut trainer = Trainer {
        run,
        config,
        images,
        labels,
        objective: match config.model.objective() {
            objective @ Objective { loss: Loss::CrossEntropy { .. }, .. } => {
                let label_smoothing = settings.label_smoothing;
                Objective { loss: Loss::CrossEntropy { label_smoothing }, ..objective }
            }
            objective => objective,
        },
        training,
        validation,
        engine,
        optimizer,
        gradients: vec![0.0; count],
        parameters,
        position,
        changed: Augmented::default(),
        saved: Instant::now(),
    };
    runtime.run(|| trainer.train(stop, report))
}

/// The labels of so many images, where each is one of the classes.
fn known<'a>(labels: &'a [u8], images: usize, classes: &[String]) -> Result<&'a [u8], Error> {
    if labels.len() != images {
        return Err(Error::Config(format!("{images} images have {} labels", labels.len())));
    }
    match labels.iter().find(|&&label| usize::from(label) >= classes.len()) {
        Some(label) => Err(Error::Config(format!(
            "an image has the label {label}, but the run knows {} classes, from 0",
            classes.len()
        ))),
        None => Ok(labels),
    }
}

struct Trainer<'a> {
    run: &'a Run,
    config: &'a RunConfig,
    images: &'a Images,
    /// The class of each image, where the model learns classes.
    labels: Option<&'a [u8]>,
    objective: Objective,
    training: Vec<u32>,
    validation: Vec<u32>,
    engine: Engine,
    optimizer: Optimizer,
    gradients: Vec<f32>,
    parameters: Vec<f32>,
    position: Position,
    /// The images of a step, where they are changed for it.
    changed: Augmented,
    /// When the last checkpoint was written.
    saved: Instant,
}

impl Trainer<'_> {
    fn train(
        &mut self,
        stop: &AtomicBool,
        report: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> Result<Outcome, Error> {
        let mut metrics = self.metrics_so_far()?;
        let patience = self.config.training.patience;
        while self.position.epoch < self.config.training.epochs && !self.is_stale(patience) {
            let Some(epoch) = self.epoch(stop, report)? else {
                self.save()?;
                return Ok(Outcome::Interrupted { epochs_done: self.position.epoch });
            };
            metrics.push(epoch);
            report(Event::Epoch(&epoch));
        }
        let best = self.position.best.map_or(0, |(_, epoch)| epoch);
        let kept = if patience.is_some() { best } else { self.position.epoch };
        if kept == self.position.epoch {
            save_parameters(&self.run.model_path(), self.engine.layout(), &self.parameters)?;
        } else {
            // Read, not copied: what is damaged is told by its own name.
            let best = load_parameters(&self.run.best_path(), self.engine.layout())?;
            save_parameters(&self.run.model_path(), self.engine.layout(), &best)?;
        }
        let of_kept = metrics.iter().find(|m| m.epoch == kept);
        let of_kept = of_kept.ok_or_else(|| self.damaged_metrics("an epoch is missing"))?;
        Ok(Outcome::Finished {
            epoch: self.position.epoch,
            kept,
            train_loss: of_kept.train_loss,
            val_loss: of_kept.val_loss,
            seconds: self.position.total_seconds,
        })
    }

    /// Whether the validation loss has stopped improving.
    fn is_stale(&self, patience: Option<u64>) -> bool {
        let best = self.position.best.map_or(0, |(_, epoch)| epoch);
        patience.is_some_and(|p| self.position.epoch - best >= p)
    }

    /// One epoch, or the rest of one; none where it was asked to stop on the way.
    fn epoch(
        &mut self,
        stop: &AtomicBool,
        report: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> Result<Option<EpochMetrics>, Error> {
        let settings = &self.config.training;
        let epoch = self.position.epoch;
        let order = epoch_order(&self.training, settings.seed, epoch);
        let batches: Vec<&[u32]> = order.chunks(settings.batch_size).collect();
        let steps = batches.len() as u64;
        let all = steps.saturating_mul(settings.epochs);
        let factor = |step| settings.schedule.factor(epoch * steps + step, all);
        let (start, before) = (Instant::now(), self.position.seconds);
        let mut shown = Instant::now();
        for batch in &batches[self.position.step as usize..] {
            let done = epoch as f64 + self.position.step as f64 / steps as f64;
            let weight = self.config.model.weight(done);
            self.step(batch, epoch, factor(self.position.step), weight)?;
            self.position.seconds = before + start.elapsed().as_secs_f64();
            if shown.elapsed() >= PROGRESS_INTERVAL {
                shown = Instant::now();
                let samples =
                    (self.position.step * settings.batch_size as u64).min(order.len() as u64);
                report(Event::Progress {
                    epoch: epoch + 1,
                    samples,
                    loss: self.means(samples).loss,
                    samples_per_second: samples as f64 / self.position.seconds,
                });
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if self.saved.elapsed() >= CHECKPOINT_INTERVAL {
                self.save()?;
            }
        }
        let samples_per_second = order.len() as f64 / self.position.seconds;
        let training = self.means(order.len() as u64);
        let (validation, val_accuracy) = self.validate()?;
        if validation.is_some_and(|means| !means.loss.is_finite()) {
            return Err(Error::Diverged { epoch: epoch + 1, rate: settings.learning_rate });
        }
        let seconds = before + start.elapsed().as_secs_f64();
        let metrics = EpochMetrics {
            epoch: epoch + 1,
            train_loss: training.loss,
            val_loss: validation.map(|means| means.loss),
            val_accuracy,
            train_reconstruction: training.reconstruction(),
            train_kl: training.kl(),
            train_penalty: training.other_penalty(),
            val_reconstruction: validation.and_then(Means::reconstruction),
            val_kl: validation.and_then(Means::kl),
            val_penalty: validation.and_then(Means::other_penalty),
            // Of the epoch's last step, also where that was made before a resume.
            learning_rate: settings.learning_rate * factor(steps - 1),
            seconds,
            samples_per_second,
        };
        self.finish_epoch(&metrics)?;
        Ok(Some(metrics))
    }

    /// `factor` is of the learning rate, `weight` that of the penalty.
    fn step(&mut self, batch: &[u32], epoch: u64, factor: f64, weight: f64) -> Result<(), Error> {
        let settings = &self.config.training;
        let classes = self.classes_of(batch);
        let mut targets = targets(classes.as_deref());
        let (mut inputs, mut pass) = (
            Inputs::Bytes { pixels: self.images.pixels(), index: batch },
            Pass::Train { seed: settings.seed, epoch },
        );
        let (places, mixtures): (Vec<u32>, Vec<Mixture>);
        if !settings.augmentation.is_nothing() {
            settings.augmentation.apply(
                self.images,
                batch,
                settings.seed,
                epoch,
                &mut self.changed,
            );
            places = (0..batch.len() as u32).collect();
            inputs = Inputs::Bytes { pixels: &self.changed.pixels, index: &places };
            if let (Some(classes), false) = (&classes, self.changed.shares.is_empty()) {
                let shares = self.changed.partners.iter().zip(&self.changed.shares);
                let mixture = |(&class, (&partner, &weight)): (&u8, (&u32, &f32))| Mixture {
                    classes: [class, classes[partner as usize]],
                    weight,
                };
                mixtures = classes.iter().zip(shares).map(mixture).collect();
                targets = Targets::Mixtures(&mixtures);
            }
            // Dropout knows these images only by their places in the step, so each step is an epoch to it.
            pass = Pass::Train { seed: settings.seed, epoch: self.optimizer.state().steps };
        }
        let objective = Objective { weight, ..self.objective };
        let (parameters, gradients) = (&self.parameters, &mut self.gradients);
        let losses =
            self.engine.gradients(parameters, inputs, targets, objective, pass, gradients)?;
        let sums: [f64; 2] = [losses.fit.iter().sum(), losses.penalty.iter().sum()];
        if !sums.iter().all(|sum| sum.is_finite()) {
            return Err(Error::Diverged { epoch: epoch + 1, rate: settings.learning_rate });
        }
        if let Some(limit) = settings.clip_norm {
            // What stays as it is has no part in the norm, as what has no gradient in PyTorch.
            self.gradients[self.optimizer.held()].fill(0.0);
            clip_norm(self.engine.layout(), &mut self.gradients, limit);
        }
        let runtime = Arc::clone(self.engine.runtime());
        self.optimizer.step(&runtime, &mut self.parameters, &self.gradients, factor);
        self.position.step += 1;
        self.position.loss_sum += sums[0];
        self.position.penalty_sum += sums[1];
        Ok(())
    }

    /// The classes of some images, where the model learns classes.
    fn classes_of(&self, index: &[u32]) -> Option<Vec<u8>> {
        self.labels.map(|labels| index.iter().map(|&i| labels[i as usize]).collect())
    }
}

fn targets(classes: Option<&[u8]>) -> Targets<'_, f32> {
    classes.map_or(Targets::Inputs, Targets::Classes)
}
