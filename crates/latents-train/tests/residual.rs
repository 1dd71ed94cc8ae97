//! A residual autoencoder starts from principal components and is never worse on validation images.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use common::{assert_same, contents, finish, runtime, sample};
use latents_data::{Augmentation, Border, Images, Labelled, split};
use latents_engine::{Engine, Isa};
use latents_explore::{Pca, Rows};
use latents_models::{AutoencoderConfig, Model, Refiner};
use latents_progress::Monitor;
use latents_train::{Error, Run, RunConfig, choose_augmentation, seconds_per_epoch, train};

const IMAGES: usize = 150;
const DIM: usize = 6;

/// Settings of a small run; with an encoder and a decoder beside the components if there are `branches`.
fn settings(branches: bool) -> RunConfig {
    let count = if branches { 50_000 } else { IMAGES };
    let mut config = RunConfig::for_collection("ae", [1, 28, 28], count).unwrap();
    let ae = AutoencoderConfig {
        latent_dim: DIM,
        refiner: Some(Refiner { patch: 4, channels: 8, blocks: 1 }),
        ..AutoencoderConfig::for_collection([1, 28, 28], count)
    };
    let narrow = ae.stages.iter().map(|stage| latents_models::Stage { channels: 4, ..*stage });
    let stages = narrow.collect();
    let hidden = ae.hidden.iter().map(|_| 16).collect();
    config.model = AutoencoderConfig { stages, hidden, ..ae }.into();
    config.data.shape = [1, 28, 28];
    config.training.epochs = 3;
    config.training.batch_size = 32;
    config
}

fn rows(data: &Labelled, index: &[u32]) -> Vec<f32> {
    index.iter().flat_map(|&i| data.images.image_unit(i as usize)).collect()
}

/// The error of components of some images on others.
fn components(data: &Labelled, train: &[u32], on: &[u32]) -> f64 {
    let (train, on) = (rows(data, train), rows(data, on));
    let pca = Pca::fit(Rows::new(&train, 784).unwrap(), DIM, &Monitor::default()).unwrap();
    pca.clipped_reconstruction_error(Rows::new(&on, 784).unwrap()).unwrap()
}

#[test]
fn training_starts_at_the_components_and_ends_no_worse() {
    let (data, runtime) = (sample(IMAGES), runtime(2, Isa::detect()));
    for branches in [false, true] {
        let config = settings(branches);
        let folder = tempfile::tempdir().unwrap();
        let summary = finish(folder.path(), &config, &data, &runtime).unwrap();
        let metrics = Run::at(folder.path()).metrics().unwrap();
        assert!(metrics.iter().map(|m| m.epoch).eq(0..=3));
        let (train, validation) = split(IMAGES, 0.2, config.training.seed);
        let expected = components(&data, &train, &validation);
        let start = metrics[0].val_loss.unwrap();
        assert!((start / expected - 1.0).abs() < 1e-4, "{start} {expected}");
        assert!(summary.val_loss.unwrap() < start, "{branches}: nothing was learnt");
        let least = metrics.iter().filter_map(|m| m.val_loss).fold(f64::INFINITY, f64::min);
        assert_eq!(summary.val_loss, Some(least));
    }
}

#[test]
fn what_only_does_harm_is_not_kept() {
    let (data, runtime) = (sample(IMAGES), runtime(2, Isa::detect()));
    let mut config = settings(true);
    config.training.learning_rate = 0.5;
    config.training.clip_norm = None;
    let folder = tempfile::tempdir().unwrap();
    let summary = finish(folder.path(), &config, &data, &runtime).unwrap();
    assert_eq!(summary.kept_epoch, 0);
}

#[test]
fn components_alone_come_from_all_images_in_the_end() {
    let (data, runtime) = (sample(IMAGES), runtime(2, Isa::detect()));
    let mut config = settings(false);
    // Without a refiner nothing is trained, and what is left is the components.
    let latents_models::ModelConfig::Ae(ae) = &mut config.model else { unreachable!() };
    ae.refiner = None;
    let folder = tempfile::tempdir().unwrap();
    finish(folder.path(), &config, &data, &runtime).unwrap();
    let mut engine = Engine::new(&config.network().unwrap(), runtime).unwrap();
    let parameters = Run::at(folder.path()).parameters(&engine).unwrap();
    let all: Vec<u32> = (0..IMAGES as u32).collect();
    let inputs = latents_train::inputs(&data.images, &all);
    let back = engine.forward(&parameters, inputs, 0..2).unwrap();
    let images = rows(&data, &all);
    let squares = images.iter().zip(&back).map(|(x, y)| f64::from(x - y).powi(2));
    let error = squares.sum::<f64>() / images.len() as f64;
    let expected = components(&data, &all, &all);
    assert!((error / expected - 1.0).abs() < 1e-4, "{error} {expected}");
}

#[test]
fn a_variational_model_starts_as_probabilistic_principal_components() {
    // With the exact posterior, the bound is the likelihood, up to the noise of one draw for each image. All importance weights are the same.
    for (draws, noise) in [(1, 1.0), (4, 0.02)] {
        check_start(draws, noise);
    }
}

fn check_start(draws: usize, tolerance: f64) {
    const TWO_PI: f64 = 2.0 * std::f64::consts::PI;
    // Grey images, so that no reconstruction is limited to the range of pixels.
    let mut data = sample(IMAGES);
    let all: Vec<u32> = (0..IMAGES as u32).collect();
    let pixels = rows(&data, &all).into_iter().map(|x| (96.0 + 60.0 * x) as u8).collect();
    data.images = Images::new(1, 28, 28, pixels).unwrap();
    let mut config = RunConfig::for_collection("vae", [1, 28, 28], IMAGES).unwrap();
    let latents_models::ModelConfig::Vae(vae) = &mut config.model else { unreachable!() };
    let latents_models::ModelConfig::Ae(small) = settings(true).model else { unreachable!() };
    (vae.autoencoder, vae.draws) = (small, draws);
    config.data.shape = [1, 28, 28];
    (config.training.epochs, config.training.batch_size) = (12, 32);
    let folder = tempfile::tempdir().unwrap();
    let summary = finish(folder.path(), &config, &data, &runtime(2, Isa::detect())).unwrap();
    let metrics = Run::at(folder.path()).metrics().unwrap();

    let (train, _) = split(IMAGES, 0.2, config.training.seed);
    let train = rows(&data, &train);
    let rows = Rows::new(&train, 784).unwrap();
    let pca = Pca::fit(rows, DIM, &Monitor::default()).unwrap();
    let noise = pca.noise_variance();
    let coordinates = pca.transform(rows).unwrap();
    let variances = pca.explained_variance();
    let determinant = variances.iter().map(|v| v.ln()).sum::<f64>() + 778.0 * noise.ln();
    let mut expected = 0.0;
    for (x, c) in rows.iter().zip(coordinates.chunks(DIM)) {
        let squares = |(x, m): (&f32, &f64)| (f64::from(*x) - m).powi(2);
        let mut rest = x.iter().zip(pca.mean()).map(squares).sum::<f64>();
        let mut within = 0.0;
        for (c, v) in c.iter().zip(variances) {
            rest -= f64::from(*c).powi(2);
            within += f64::from(*c).powi(2) / v;
        }
        expected += 0.5 * (784.0 * TWO_PI.ln() + determinant + within + rest / noise);
    }
    expected /= rows.len() as f64;
    let start = metrics[0].train_loss;
    assert!((start - expected).abs() < tolerance, "{draws}: {start} {expected}");
    assert!(summary.val_loss.unwrap() < metrics[0].val_loss.unwrap(), "nothing was learnt");
}

/// Trains until each epoch has stopped the run once; returns how often it was stopped.
fn stopped_in_every_epoch(run: &Run, config: &RunConfig, data: &Labelled) -> u64 {
    let mut stops = 0;
    loop {
        let (monitor, runtime) = (Monitor::default(), runtime(1 + stops as usize, Isa::detect()));
        let cancel = monitor.cancel().clone();
        match train(run, config, data, &runtime, &monitor, &mut |_| cancel.cancel()) {
            Err(Error::Interrupted(_)) => stops += 1,
            result => {
                result.unwrap();
                return stops;
            }
        }
    }
}

#[test]
fn stops_change_no_byte() {
    let data = sample(IMAGES);
    for branches in [false, true] {
        let mut config = settings(branches);
        config.training.augmentation =
            Augmentation { flip: 0.5, shift: 1, border: Border::Edge, ..Augmentation::default() };
        let (whole, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        finish(whole.path(), &config, &data, &runtime(2, Isa::detect())).unwrap();
        let stops = stopped_in_every_epoch(&Run::at(stopped.path()), &config, &data);
        assert!(stops >= 2, "{stops}");
        assert_same(&contents(stopped.path()), &contents(whole.path()), "residual");
    }
}

/// Images whose left half is drawn from six patterns, and whose right half is black; every other one is mirrored if asked for.
fn one_sided(mirrored: bool) -> Labelled {
    let mut random = latents_random::stream(3, latents_random::Purpose::Synthetic, 0, 0);
    let patterns: Vec<f64> = (0..6 * 32).map(|_| random.uniform()).collect();
    let mut pixels = vec![];
    for i in 0..80 {
        let weights: Vec<f64> = (0..6).map(|_| random.uniform() / 3.0).collect();
        let mut image = [0u8; 64];
        for y in 0..8 {
            for x in 0..4 {
                let of = |k: usize| weights[k] * patterns[k * 32 + y * 4 + x];
                let value = (0..6).map(of).sum::<f64>() + 0.05 * random.normal();
                let column = if mirrored && i % 2 == 1 { 7 - x } else { x };
                image[y * 8 + column] = (255.0 * value.clamp(0.0, 1.0)) as u8;
            }
        }
        pixels.extend(image);
    }
    let images = Images::new(1, 8, 8, pixels).unwrap();
    Labelled { images, labels: None, ..sample(1) }
}

#[test]
fn augmentation_is_chosen_by_validation_images() {
    let (mut config, monitor) = (settings(false), Monitor::default());
    config.data.shape = [1, 8, 8];
    // As many as there are directions on both sides, so that flips show clearly.
    let latents_models::ModelConfig::Ae(ae) = &mut config.model else { panic!("an autoencoder") };
    ae.latent_dim = 12;
    let chosen = |data: &Labelled| choose_augmentation(&config, data, &monitor).unwrap().unwrap();
    assert!(chosen(&one_sided(true)).flip > 0.0);
    assert_eq!(chosen(&one_sided(false)), Augmentation::default());
    let study = RunConfig::of_kind("ae", [1, 28, 28]).unwrap();
    assert_eq!(choose_augmentation(&study, &sample(100), &monitor).unwrap(), None);
}

#[test]
fn the_time_of_an_epoch_is_measured_without_a_trace() {
    let (data, runtime) = (sample(IMAGES), runtime(2, Isa::detect()));
    let seconds =
        seconds_per_epoch(&settings(false), &data, &runtime, &Monitor::default()).unwrap();
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
}
