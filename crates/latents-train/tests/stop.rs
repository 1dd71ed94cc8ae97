//! Runs that end before their last epoch: early stopping keeps the best weights, and a run that diverges keeps its last checkpoint.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{assert_same, contents, one_step, runtime, sample, small, steps_until_finished};
use latents_data::split;
use latents_engine::{Engine, Isa, Loss, Pass, Runtime, Targets};
use latents_models::load_parameters;
use latents_train::{Error, OptimizerKind, Run, RunConfig, TrainSummary};

const EPOCHS: u64 = 30;
const IMAGES: usize = 60;

fn best_runtime() -> Arc<Runtime> {
    runtime(2, Isa::detect())
}

/// A learning rate at which the validation loss goes up and down.
fn restless() -> RunConfig {
    let mut config = small(EPOCHS);
    config.training.batch_size = 8;
    config.training.learning_rate = 0.03;
    config
}

fn try_to_finish(dir: &Path, config: &RunConfig) -> Result<TrainSummary, Error> {
    common::finish(dir, config, &sample(IMAGES), &best_runtime())
}

fn finish(dir: &Path, config: &RunConfig) -> TrainSummary {
    try_to_finish(dir, config).unwrap()
}

/// The validation loss of the weights in a file, computed without the training loop.
fn validation_loss(path: &Path, config: &RunConfig) -> f64 {
    let images = sample(IMAGES).images;
    let network = config.network().unwrap();
    let mut engine = Engine::new(&network, best_runtime()).unwrap();
    let parameters = load_parameters(path, engine.layout()).unwrap();
    let training = &config.training;
    let (_, index) = split(images.len(), training.validation_fraction, training.seed);
    let inputs = latents_train::inputs(&images, &index);
    let loss = Loss::MeanSquaredError;
    let losses = engine.losses(&parameters, inputs, Targets::Inputs, loss, Pass::Evaluate).unwrap();
    losses.mean_loss()
}

/// The first epoch, from 1, with the least loss.
fn first_least(losses: &[f64]) -> usize {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    1 + losses.iter().position(|&loss| loss <= least).unwrap()
}

#[test]
fn patience_stops_when_it_should_and_keeps_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let (patient, whole) = (folder.path().join("patient"), folder.path().join("whole"));
    let mut config = restless();
    let summary = finish(&whole, &config);
    assert_eq!(
        (summary.epochs, summary.kept_epoch),
        (EPOCHS, EPOCHS),
        "without patience, all epochs are trained and the last is kept"
    );
    let run = Run::at(&whole);
    let losses: Vec<f64> = run.metrics().unwrap().iter().filter_map(|m| m.val_loss).collect();
    // The first time that three epochs in a row bring no improvement.
    let end = (4..=losses.len()).find(|&n| first_least(&losses[..n]) == n - 3).unwrap();
    let best = end - 3;
    assert!(
        end + 3 < losses.len() && best > 1,
        "early and late stopping differ in this run: {losses:?}"
    );

    config.training.patience = Some(3);
    let TrainSummary { epochs, kept_epoch, val_loss, .. } = finish(&patient, &config);
    assert_eq!((epochs, kept_epoch), (end as u64, best as u64));
    let run = Run::at(&patient);
    let metrics = run.metrics().unwrap();
    assert_eq!(metrics.len(), end);
    let val_loss = val_loss.unwrap();
    assert_eq!(val_loss.to_bits(), losses[best - 1].to_bits());
    assert_eq!(validation_loss(&run.model_path(), &config).to_bits(), val_loss.to_bits());
    assert_eq!(fs::read(run.model_path()).unwrap(), fs::read(run.best_path()).unwrap());

    // A run that is interrupted after every step stops early after the same epoch, and is not continued after that.
    let stepwise = folder.path().join("stepwise");
    let steps = steps_until_finished(&stepwise, &config, &sample(IMAGES), &best_runtime());
    assert_eq!(steps, 6 * end as u64, "48 images train in batches of 8");
    assert_same(&contents(&stepwise), &contents(&patient), "interrupted after every step");
    finish(&stepwise, &config);
    assert_same(&contents(&stepwise), &contents(&patient), "resumed when it had finished");
}

#[test]
fn without_patience_the_last_weights_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = restless();
    config.training.epochs = 12;
    finish(folder.path(), &config);
    let run = Run::at(folder.path());
    let losses: Vec<f64> = run.metrics().unwrap().iter().filter_map(|m| m.val_loss).collect();
    let best = first_least(&losses);
    assert_ne!(best, 12, "best and last differ in this run: {losses:?}");
    let loss = |path: &Path| validation_loss(path, &config).to_bits();
    assert_eq!(loss(&run.model_path()), losses[11].to_bits());
    assert_eq!(loss(&run.best_path()), losses[best - 1].to_bits());
}

#[test]
fn patience_without_end_never_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = small(3);
    config.training.patience = Some(u64::MAX);
    assert_eq!(finish(folder.path(), &config).epochs, 3);
}

/// Settings with which the first step makes the weights overflow.
fn wild() -> RunConfig {
    let mut config = small(3);
    config.training.optimizer = OptimizerKind::Sgd;
    config.training.weight_decay = 0.0;
    config.training.learning_rate = 1e38;
    config
}

#[test]
fn divergence_is_an_error_and_keeps_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (config, images) = (wild(), sample(IMAGES));
    let result = one_step(folder.path(), &config, &images, &best_runtime());
    assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
    assert_eq!(Run::at(folder.path()).metrics().unwrap(), [], "no epoch is done");
    let before = contents(folder.path());
    for _ in 0..2 {
        let error = try_to_finish(folder.path(), &config).unwrap_err();
        assert!(matches!(error, Error::Diverged { epoch: 1, rate } if rate > 9e37), "{error}");
        assert!(error.to_string().contains("try a learning rate below"), "{error}");
        assert_same(&contents(folder.path()), &before, "after divergence");
    }
}

#[test]
fn divergence_in_the_last_step_of_an_epoch_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = wild();
    config.training.batch_size = IMAGES;
    let result = try_to_finish(folder.path(), &config);
    assert!(matches!(result, Err(Error::Diverged { epoch: 1, .. })), "{result:?}");
    let run = Run::at(folder.path());
    assert_eq!(run.metrics().unwrap(), [], "a failed epoch has no metrics");
    assert!(!run.best_path().exists() && !run.model_path().exists());
}

#[test]
fn settings_that_no_run_can_have_are_refused_by_name() {
    type Change = fn(&mut RunConfig);
    let cases: [(Change, &str); 8] = [
        (|c| c.training.epochs = 0, "epochs must"),
        (|c| c.training.batch_size = 0, "batch_size must"),
        (|c| c.training.validation_fraction = 1.0, "validation_fraction = 1 "),
        (|c| c.training.validation_fraction = f64::NAN, "validation_fraction = NaN "),
        (|c| c.training.momentum = 0.5, "momentum and nesterov belong to the optimiser sgd"),
        (|c| c.training.clip_norm = Some(f64::INFINITY), "clip_norm must"),
        (|c| c.training.patience = Some(0), "patience must"),
        (|c| c.training.learning_rate = -1.0, "learning rate = -1 "),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (change, expected) in cases {
        let mut config = small(1);
        change(&mut config);
        let error = try_to_finish(folder.path(), &config).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!Run::at(folder.path()).exists(), "{expected}: nothing is written");
    }
}
