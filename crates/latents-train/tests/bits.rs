//! The same settings give the same bytes on any number of threads and on every instruction set of this machine.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::collections::BTreeMap;

use common::{
    assert_same, autoencoder, conditional, contents, finish, importance_weighted, quantized,
    runtime, sample, small, variational,
};
use latents_data::split;
use latents_engine::{Isa, Precision};
use latents_models::{
    CnnConfig, LatentPrior, Likelihood, ModelConfig, Quantizer, Regularizer, VaeConfig,
    VqvaeConfig, importance_bound, load_parameters,
};
use latents_progress::Monitor;
use latents_train::{RunConfig, inputs};

/// The contents of a run on 297 images: 238 train, in seven steps of 32 and one of 14, which leaves lanes empty.
fn trained(config: &RunConfig, threads: usize, isa: Isa) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let summary = finish(folder.path(), config, &sample(297), &runtime(threads, isa)).unwrap();
    assert_eq!(summary.epochs, config.training.epochs);
    contents(folder.path())
}

#[test]
fn threads_and_instruction_sets_change_no_byte() {
    let config = small(3);
    let best = Isa::detect();
    let reference = trained(&config, 1, best);
    let epochs = reference["metrics.jsonl"].split_inclusive(|&b| b == b'\n');
    let losses: Vec<f64> = epochs
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
        .map(|epoch| epoch["val_loss"].as_f64().unwrap())
        .collect();
    assert!(losses.len() == 3 && losses.is_sorted_by(|a, b| a > b), "it learns: {losses:?}");

    for isa in Isa::available() {
        let threads: &[usize] = match isa {
            isa if isa == best => &[2, 5],
            // A fused multiply-add may be a library call there.
            Isa::Portable => &[2],
            _ => &[1, 2, 5],
        };
        for &n in threads {
            assert_same(&trained(&config, n, isa), &reference, &format!("{n} threads, {isa}"));
        }
    }
}

#[test]
fn a_variational_autoencoder_learns_the_same_bytes_everywhere() {
    let learned = [LatentPrior::Mixture { components: 21 }, LatentPrior::Vamp { components: 21 }];
    for prior in [LatentPrior::Normal].into_iter().chain(learned) {
        check_variational(prior);
    }
}

fn check_variational(prior: LatentPrior) {
    let mut config = small(3);
    config.model = variational(|model| model.prior = prior);
    let reference = trained(&config, 1, Isa::detect());
    for isa in Isa::available() {
        assert_same(&trained(&config, 2, isa), &reference, &format!("{prior:?}, {isa}"));
    }
    let epochs = reference["metrics.jsonl"].split_inclusive(|&b| b == b'\n');
    let epochs: Vec<serde_json::Value> =
        epochs.map(|line| serde_json::from_slice(line).unwrap()).collect();
    for part in ["train", "val"] {
        let number = |epoch: usize, name: &str| epochs[epoch][format!("{part}_{name}")].as_f64();
        let loss = |epoch| number(epoch, "loss").unwrap();
        for epoch in 0..3 {
            let (fit, kl) =
                (number(epoch, "reconstruction").unwrap(), number(epoch, "kl").unwrap());
            assert!(kl > 0.0 && (fit + kl - loss(epoch)).abs() < 1e-9 * fit.abs());
        }
        assert!(loss(2) < loss(0), "it learns: {epochs:?}");
    }
}

/// The model file has the prior as it is after the last step: the posteriors of pseudo-inputs that have moved away from training images.
#[test]
fn a_prior_of_pseudo_inputs_follows_the_encoder() {
    let mut config = small(2);
    let (components, data) = (9, sample(297));
    config.model = variational(|model| {
        (model.prior, model.autoencoder.normalize) = (LatentPrior::Vamp { components }, true);
    });
    let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime(2, Isa::detect()));
    finish(folder.path(), &config, &data, &runtime).unwrap();
    let mut engine = config.engine(runtime).unwrap();
    let path = folder.path().join("model.safetensors");
    let parameters = load_parameters(&path, engine.layout()).unwrap();
    let mut again = parameters.clone();
    engine.update_prior(&mut again).unwrap();
    assert_eq!(parameters, again);
    let prior = engine.layout().pseudo_inputs().unwrap();
    let (training, _) = split(297, config.training.validation_fraction, config.training.seed);
    let learned: Vec<&[f32]> = parameters[prior.images].chunks_exact(784).collect();
    let nearest = |image: &[f32]| {
        let distances = training.iter().map(|&i| {
            let other = data.images.image_unit(i as usize);
            image.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
        });
        let all: Vec<(usize, f64)> = distances.enumerate().collect();
        all.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
    };
    let found: Vec<(usize, f64)> = learned.iter().map(|image| nearest(image)).collect();
    let different: std::collections::BTreeSet<usize> = found.iter().map(|(i, _)| *i).collect();
    assert_eq!(different.len(), components, "each began as another training image");
    assert!(found.iter().all(|&(_, apart)| apart > 1e-6 && apart < 20.0), "{found:?}");
}

#[test]
fn pseudo_inputs_are_no_more_than_the_training_images() {
    let mut config = small(1);
    config.model = variational(|model| model.prior = LatentPrior::Vamp { components: 40 });
    let folder = tempfile::tempdir().unwrap();
    let error = finish(folder.path(), &config, &sample(40), &runtime(1, Isa::detect()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("prior.components = 40") && error.contains("there are 32"), "{error}");
}

/// So does one that is trained with the importance-weighted bound.
#[test]
fn an_importance_weighted_autoencoder_learns_the_same_bytes_everywhere() {
    let learned = LatentPrior::Mixture { components: 5 };
    let vamp = LatentPrior::Vamp { components: 5 };
    for (prior, classes) in [(LatentPrior::Normal, false), (learned, true), (vamp, false)] {
        let mut config = conditional(2);
        config.model =
            importance_weighted(5, |model| (model.prior, model.conditional) = (prior, classes));
        let reference = trained(&config, 1, Isa::detect());
        for isa in Isa::available() {
            let how = format!("{prior:?}, {isa}");
            assert_same(&trained(&config, 2, isa), &reference, &how);
        }
        assert_same(&trained(&config, 5, Isa::detect()), &reference, "five threads");
        let metrics = String::from_utf8_lossy(&reference["metrics.jsonl"]);
        assert!(!metrics.contains("kl") && !metrics.contains("reconstruction"), "{metrics}");
        for name in ["train_loss", "val_loss"] {
            let losses = metrics.lines().map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()[name].as_f64().unwrap()
            });
            let losses: Vec<f64> = losses.collect();
            assert!(losses.is_sorted_by(|a, b| a > b), "it learns: {losses:?}");
        }
        assert!(String::from_utf8_lossy(&reference["config.toml"]).contains("draws = 5"));
    }
}

/// The validation loss is the bound with the draws of training, and of a trained model the bound on log p(x) rises with the draws.
#[test]
fn the_validation_loss_is_the_importance_weighted_bound() {
    let mut config = small(3);
    config.model = importance_weighted(5, |_| {});
    let (data, runtime) = (sample(297), runtime(2, Isa::detect()));
    let folder = tempfile::tempdir().unwrap();
    let summary = finish(folder.path(), &config, &data, &runtime).unwrap();
    let mut engine = config.engine(runtime).unwrap();
    let path = folder.path().join("model.safetensors");
    let parameters = load_parameters(&path, engine.layout()).unwrap();
    let (_, index) = split(297, config.training.validation_fraction, config.training.seed);
    let mut bound = |draws| {
        let (inputs, monitor) = (inputs(&data.images, &index), Monitor::default());
        let (criterion, seed) = (config.model.criterion(), config.training.seed);
        let engine = &mut engine;
        let bounds =
            importance_bound(engine, &parameters, inputs, criterion, seed, draws, &monitor);
        let bounds = bounds.unwrap();
        bounds.iter().sum::<f64>() / bounds.len() as f64
    };
    assert!((summary.val_loss.unwrap() + bound(5)).abs() < 1e-9);
    let bounds = [1, 5, 50].map(bound);
    assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
}

/// So do the penalties that compare the latents of a whole batch. The loss is the sum of its terms, each with its weight.
#[test]
fn penalties_of_a_batch_learn_the_same_bytes_everywhere() {
    for (regularizer, name, weights) in [
        (Regularizer::Info, "mmd", [3.0, 50.0]),
        (Regularizer::Tc, "total_correlation", [1.0, 2.0]),
    ] {
        let mut config = conditional(3);
        config.model = variational(|model| {
            (model.regularizer, model.beta, model.conditional) = (regularizer, 3.0, true);
            model.mmd_weight = (regularizer == Regularizer::Info).then_some(50.0);
        });
        let reference = trained(&config, 1, Isa::detect());
        for isa in Isa::available() {
            for threads in [2, 5] {
                let how = format!("{name}, {threads} threads, {isa}");
                assert_same(&trained(&config, threads, isa), &reference, &how);
            }
        }
        for line in reference["metrics.jsonl"].split_inclusive(|&b| b == b'\n') {
            let epoch: serde_json::Value = serde_json::from_slice(line).unwrap();
            for part in ["train", "val"] {
                let term = |name: &str| epoch[format!("{part}_{name}")].as_f64().unwrap();
                let (kl, other) = (weights[0] * term("kl"), weights[1] * term(name));
                let sum = term("reconstruction") + kl + other;
                assert!((sum - term("loss")).abs() < 1e-9 * sum.abs(), "{epoch}");
                assert!(other.abs() > 1e-3, "{epoch}");
            }
        }
    }
}

#[test]
fn codes_and_their_prior_learn_the_same_bytes_everywhere() {
    let tables = [
        (Quantizer::default(), false),
        (Quantizer::Table { codes: 20, dim: 5, commitment: 0.5 }, false),
        (Quantizer::Levels { levels: vec![4, 3] }, true),
    ];
    for (quantizer, is_conditional) in tables {
        let mut config = conditional(2);
        config.model = quantized(|model| {
            (model.quantizer, model.conditional) = (quantizer.clone(), is_conditional);
        });
        let reference = trained(&config, 1, Isa::detect());
        for isa in Isa::available() {
            let how = format!("{quantizer:?}, {isa}");
            assert_same(&trained(&config, 3, isa), &reference, &how);
        }
        let epochs = reference["metrics.jsonl"].split_inclusive(|&b| b == b'\n');
        let epochs = epochs.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
        let of_codes: Vec<f64> = epochs.map(|epoch| epoch["val_codes"].as_f64().unwrap()).collect();
        assert!(of_codes.is_sorted_by(|a, b| a > b), "the prior learns: {of_codes:?}");
    }
}

#[test]
fn every_setting_of_a_vq_vae_changes_the_weights() {
    let weights = |change: fn(&mut VqvaeConfig)| {
        let mut config = conditional(1);
        config.model = quantized(change);
        trained(&config, 2, Isa::detect()).remove("model.safetensors").unwrap()
    };
    let changes: [fn(&mut VqvaeConfig); 11] = [
        |_| {},
        |c| c.quantizer = Quantizer::Levels { levels: vec![8, 8, 4] },
        |c| c.quantizer = Quantizer::Table { codes: 20, dim: 5, commitment: 0.25 },
        |c| c.quantizer = Quantizer::Table { codes: 20, dim: 5, commitment: 1.0 },
        |c| c.blocks = 0,
        |c| c.nonlinearity = latents_models::Nonlinearity::Relu,
        |c| c.prior_channels = 7,
        |c| c.prior_blocks = 2,
        |c| c.likelihood = Likelihood::Gaussian,
        |c| (c.likelihood, c.sigma) = (Likelihood::Gaussian, Some(0.2)),
        |c| c.conditional = true,
    ];
    let different: std::collections::BTreeSet<Vec<u8>> = changes.map(weights).into();
    assert_eq!(different.len(), changes.len());
}

/// The total correlation is a part of the KL divergence: with weight 1 the model is the variational autoencoder.
#[test]
fn a_total_correlation_of_weight_one_is_no_other_model() {
    let weights = |regularizer| {
        let mut config = small(2);
        config.model = variational(|model| model.regularizer = regularizer);
        trained(&config, 2, Isa::detect()).remove("model.safetensors").unwrap()
    };
    assert!(weights(Regularizer::Tc) == weights(Regularizer::Kl));
}

#[test]
fn a_conditional_model_learns_the_same_bytes_everywhere_and_uses_the_classes() {
    let config = conditional(3);
    let reference = trained(&config, 1, Isa::detect());
    for isa in Isa::available() {
        for threads in [2, 5] {
            let how = format!("{threads} threads, {isa}");
            assert_same(&trained(&config, threads, isa), &reference, &how);
        }
    }
    let last = |run: &BTreeMap<String, Vec<u8>>, name: &str| {
        let line = run["metrics.jsonl"].split(|&b| b == b'\n').rev().nth(1).unwrap();
        serde_json::from_slice::<serde_json::Value>(line).unwrap()[name].as_f64().unwrap()
    };
    assert!(last(&reference, "val_kl") > 0.0);
    // With other classes, the same images leave other weights; validation has no accuracy, since the classes are given.
    let mut data = sample(297);
    let all = data.labels.iter_mut().flatten().flatten();
    all.for_each(|label| *label = label.div_ceil(2));
    let folder = tempfile::tempdir().unwrap();
    finish(folder.path(), &config, &data, &runtime(2, Isa::detect())).unwrap();
    let other = contents(folder.path());
    assert!(other["model.safetensors"] != reference["model.safetensors"]);
    assert!(last(&other, "val_loss").to_bits() != last(&reference, "val_loss").to_bits());
    assert!(!String::from_utf8_lossy(&reference["metrics.jsonl"]).contains("accuracy"));
}

#[test]
fn a_conditional_model_needs_the_class_of_every_image() {
    let said = |change: fn(&mut latents_data::Labelled)| {
        let mut data = sample(40);
        change(&mut data);
        let folder = tempfile::tempdir().unwrap();
        let error = finish(folder.path(), &conditional(1), &data, &runtime(1, Isa::detect()));
        error.unwrap_err().to_string()
    };
    let some = said(|data| data.labels.as_mut().unwrap()[7] = None);
    assert!(some.contains("1 of 40 images have none; label them"), "{some}");
    assert!(said(|data| data.labels = None).contains("40 of 40 images have none"));
    let beyond = said(|data| data.labels.as_mut().unwrap()[7] = Some(10));
    assert!(beyond.contains("label 10") && beyond.contains("10 classes"), "{beyond}");
}

#[test]
fn bf16_gives_the_same_bytes_everywhere_and_other_ones_than_f32() {
    let mut models = vec![small(2).model, variational(|_| {})];
    models.push(ModelConfig::Cnn(CnnConfig { channels: vec![8, 16], ..CnnConfig::default() }));
    for model in models {
        let mut config = RunConfig { model, ..small(2) };
        config.data.classes = (0..10).map(|class| class.to_string()).collect();
        let f32 = trained(&config, 2, Isa::detect());
        config.training.precision = Precision::Bf16;
        let reference = trained(&config, 1, Isa::detect());
        let kind = config.model.kind();
        assert!(f32["model.safetensors"] != reference["model.safetensors"], "{kind}");
        for isa in Isa::available() {
            assert_same(&trained(&config, 2, isa), &reference, &format!("{kind}, {isa}"));
        }
        let losses = [&f32, &reference].map(|run| {
            let last = run["metrics.jsonl"].split(|&b| b == b'\n').rev().nth(1).unwrap();
            let last: serde_json::Value = serde_json::from_slice(last).unwrap();
            last["train_loss"].as_f64().unwrap()
        });
        assert!((losses[0] / losses[1] - 1.0).abs() < 0.02, "{kind}: {losses:?}");
    }
}

#[test]
fn every_setting_of_the_family_changes_the_weights() {
    let weights = |change: fn(&mut VaeConfig)| {
        let mut config = conditional(1);
        config.model = variational(change);
        trained(&config, 2, Isa::detect()).remove("model.safetensors").unwrap()
    };
    let changes: [fn(&mut VaeConfig); 22] = [
        |_| {},
        |c| c.beta = 2.0,
        |c| c.warmup_epochs = 0.0,
        |c| c.free_bits = 0.5,
        |c| c.sigma = Some(0.5),
        |c| c.likelihood = Likelihood::Bernoulli,
        |c| c.likelihood = Likelihood::ContinuousBernoulli,
        |c| c.autoencoder.noise = 0.0,
        |c| c.conditional = true,
        |c| c.prior = LatentPrior::Mixture { components: 5 },
        |c| c.prior = LatentPrior::Mixture { components: 6 },
        |c| (c.prior, c.conditional) = (LatentPrior::Mixture { components: 6 }, true),
        |c| c.prior = LatentPrior::Vamp { components: 5 },
        |c| c.prior = LatentPrior::Vamp { components: 6 },
        |c| c.regularizer = Regularizer::Mmd,
        |c| c.regularizer = Regularizer::L2,
        |c| c.regularizer = Regularizer::Info,
        |c| (c.regularizer, c.mmd_weight) = (Regularizer::Info, Some(2.0)),
        |c| (c.regularizer, c.beta) = (Regularizer::Tc, 2.0),
        |c| (c.regularizer, c.beta) = (Regularizer::Tc, 4.0),
        |c| (c.draws, c.warmup_epochs) = (2, 0.0),
        |c| (c.draws, c.warmup_epochs) = (3, 0.0),
    ];
    let different: std::collections::BTreeSet<Vec<u8>> = changes.map(weights).into();
    assert_eq!(different.len(), changes.len());
}

#[test]
fn seed_and_dropout_change_the_weights() {
    let weights = |change: fn(&mut RunConfig)| {
        let mut config = small(1);
        change(&mut config);
        trained(&config, 2, Isa::detect()).remove("model.safetensors").unwrap()
    };
    let plain = weights(|_| {});
    assert!(plain != weights(|config| config.training.seed = 1));
    assert!(plain != weights(|config| config.model = autoencoder(|model| model.dropout = 0.0)));
}
