//! Classifiers start from the trained encoder of another run. Their runs have the same bytes on any number of threads and after any
//! interruption, also with two optimisers, an encoder that is frozen at first, and augmented and mixed images.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::path::Path;

use common::{assert_same, contents, finish, runtime, sample, small, steps_until_finished};
use latents_data::{Augmentation, Labelled, Mix};
use latents_engine::{Engine, Isa, initialize};
use latents_models::{ClassifierConfig, ModelConfig};
use latents_train::{EncoderTraining, OptimizerKind, Run, RunConfig};

/// A classifier on the encoder of a run in `ae`, which is trained first.
fn classifier(ae: &Path) -> RunConfig {
    let of_encoder = small(1);
    finish(ae, &of_encoder, &sample(100), &runtime(2, Isa::detect())).unwrap();
    let mut config = small(3);
    config.data.classes = (0..10).map(|class| class.to_string()).collect();
    let encoder = Box::new(of_encoder.model);
    config.model = ModelConfig::Classifier(ClassifierConfig { encoder, ..Default::default() });
    config.training.label_smoothing = 0.1;
    let mix = Some(Mix::Mixup { alpha: 0.4 });
    config.training.augmentation =
        Augmentation { flip: 0.5, shift: 2, rotation: 10.0, erase: 0.3, mix, ..Default::default() };
    let encoder = Run::at(ae).encoder_training().unwrap();
    config.training.encoder =
        Some(EncoderTraining { frozen_epochs: 1, layer_decay: 0.8, ..encoder });
    config
}

#[test]
fn threads_and_stops_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = classifier(&folder.path().join("ae"));
    let data = sample(150);
    let at = |name: &str| folder.path().join(name);
    finish(&at("whole"), &config, &data, &runtime(1, Isa::Portable)).unwrap();
    let metrics = Run::at(at("whole")).metrics().unwrap();
    assert!(metrics.iter().all(|m| m.val_accuracy.is_some_and(|a| (0.0..=1.0).contains(&a))));
    let two = runtime(2, Isa::detect());
    let steps = steps_until_finished(&at("steps"), &config, &data, &two);
    // 120 images train, in batches of 32.
    assert_eq!(steps, 12);
    assert_same(&contents(&at("steps")), &contents(&at("whole")), "step by step");
}

#[test]
fn a_frozen_encoder_is_the_one_that_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    let ae = folder.path().join("ae");
    let mut config = classifier(&ae);
    let data = sample(100);
    let two = runtime(2, Isa::detect());
    let parameters = |run: &Path, config: &RunConfig| {
        let engine = Engine::new(&config.network().unwrap(), runtime(1, Isa::detect())).unwrap();
        Run::at(run).parameters(&engine).unwrap()
    };
    let encoder = |all: &[f32], config: &RunConfig| {
        let layout = config.network().unwrap().layout().unwrap();
        let last = layout.parameters().iter().rfind(|p| p.name.starts_with("encoder."));
        all[..last.unwrap().range().end].to_vec()
    };
    let before = encoder(&parameters(&ae, &Run::at(&ae).config().unwrap()), &small(1));
    for (frozen, same) in [(u64::MAX >> 1, true), (0, false)] {
        config.training.encoder.as_mut().unwrap().frozen_epochs = frozen;
        let run = folder.path().join(format!("{same}"));
        finish(&run, &config, &data, &two).unwrap();
        assert_eq!(encoder(&parameters(&run, &config), &config) == before, same);
    }

    // Weights that have changed, or that belong to another model, are an error.
    let weights = ae.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, changed).unwrap();
    let run = folder.path().join("changed");
    let said = finish(&run, &config, &data, &two).unwrap_err().to_string();
    assert!(said.contains("not the weights that the run was set up with"), "{said}");
    std::fs::write(&weights, whole).unwrap();
    if let ModelConfig::Classifier(model) = &mut config.model {
        *model.encoder = common::autoencoder(|ae| ae.latent_dim = 7);
    }
    let said = finish(&run, &config, &data, &two).unwrap_err().to_string();
    assert!(said.contains("[6, 24]") && said.contains("[7, 24]"), "{said}");
}

#[test]
fn images_without_labels_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = classifier(&folder.path().join("ae"));
    let mut data = sample(100);
    data.labels = None;
    let two = runtime(2, Isa::detect());
    let said =
        |data: &Labelled| finish(folder.path(), &config, data, &two).unwrap_err().to_string();
    assert!(said(&data).contains("needs class labels"), "{}", said(&data));
    // The labels of all images are checked, also of those that validate.
    for i in 0..100 {
        let mut labels = vec![Some(9); 100];
        labels[i] = Some(10);
        data.labels = Some(labels);
        assert!(said(&data).contains("label 10, but the run has 10 classes"), "{}", said(&data));
    }
    data.labels = Some(vec![Some(1); 99]);
    assert!(said(&data).contains("100 images have 99 labels"), "{}", said(&data));
    data.labels = Some(vec![None; 100]);
    assert!(said(&data).contains("needs class labels"), "{}", said(&data));
}

#[test]
fn the_norm_of_gradients_is_of_what_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = classifier(&folder.path().join("ae"));
    let training = &mut config.training;
    training.encoder.as_mut().unwrap().frozen_epochs = 1;
    (training.epochs, training.batch_size, training.validation_fraction) = (1, 100, 0.0);
    (training.optimizer, training.learning_rate) = (OptimizerKind::Sgd, 1.0);
    (training.weight_decay, training.clip_norm) = (0.0, Some(0.01));
    let dir = folder.path().join("run");
    finish(&dir, &config, &sample(100), &runtime(2, Isa::detect())).unwrap();
    let engine = Engine::new(&config.network().unwrap(), runtime(1, Isa::detect())).unwrap();
    let layout = engine.layout();
    let before = initialize(layout, config.training.init, config.training.seed);
    let after = Run::at(&dir).parameters(&engine).unwrap();
    // One step at a rate of 1 is as long as its gradient.
    let head = layout.parameters().iter().find(|p| p.name.starts_with("head.")).unwrap().offset;
    let moves = after[head..].iter().zip(&before[head..]).map(|(a, b)| f64::from(a - b).powi(2));
    let length = moves.sum::<f64>().sqrt();
    assert!((length - 0.01).abs() < 1e-5, "{length}");
}
