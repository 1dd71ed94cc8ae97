//! Losses, penalties and bounds compared with the formulas of the papers.

#![allow(clippy::float_cmp)] // Values that are not rounded must be equal.

use std::f64::consts::TAU;
use std::sync::Arc;

use latents_engine::{Engine, Init, Inputs, Loss, Pass, Runtime, Targets, initialize};
use latents_progress::Monitor;
use latents_random::{Purpose, stream};

use super::*;
use crate::classifier::ClassifierConfig;
use crate::config::ModelConfig;
use crate::posterior::posterior;

fn mixture(components: usize) -> LatentPrior {
    LatentPrior::Mixture { components }
}

fn vamp(components: usize) -> LatentPrior {
    LatentPrior::Vamp { components }
}

fn small(change: impl FnOnce(&mut VaeConfig)) -> VaeConfig {
    let mut config = VaeConfig::default();
    config.autoencoder.latent_dim = 3;
    change(&mut config);
    config
}

/// An engine in double precision, its parameters, and images `[5, 1, 28, 28]` in `[0, 1]`.
fn scene(config: &VaeConfig) -> (Engine<f64>, Vec<f64>, Vec<f64>) {
    scene_of(config, 0)
}

/// The same for images of so many classes.
fn scene_of(config: &VaeConfig, classes: usize) -> (Engine<f64>, Vec<f64>, Vec<f64>) {
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let engine = Engine::new(&config.network([1, 28, 28], classes).unwrap(), runtime).unwrap();
    let parameters = initialize(engine.layout(), Init::Pytorch, 1);
    let parameters = parameters.into_iter().map(|x| 2.0 * f64::from(x)).collect();
    let mut random = stream(1, Purpose::Synthetic, 0, 0);
    (engine, parameters, (0..5 * 784).map(|_| random.uniform()).collect())
}

#[test]
fn the_study_is_the_default() {
    let layout = VaeConfig::default().network([1, 28, 28], 0).unwrap().layout().unwrap();
    assert_eq!(layout.shape(layout.section(DECODER).start), [44, 1, 1]);
    assert_eq!(layout.shape(posterior(&layout).unwrap().end), [88, 1, 1]);
    assert_eq!(layout.output(), [1, 28, 28]);
    // The parameters of the autoencoder, but with a linear layer from 64 to 88 instead of from 64 to 44.
    let mut same = AutoencoderConfig { latent_dim: 44, ..AutoencoderConfig::default() };
    let halves = same.network([1, 28, 28], 0).unwrap().layout().unwrap();
    assert_eq!(layout.parameter_count(), halves.parameter_count() + 44 * 65);
    same.latent_dim = 0;
    assert!(same.network([1, 28, 28], 0).is_err());
}

/// Computes both terms and the images from the encoder's means and log-variances and the decoder's logits alone.
#[test]
fn the_criterion_is_the_evidence_bound_for_every_likelihood() {
    for (likelihood, sigma) in [
        (Likelihood::Bernoulli, None),
        (Likelihood::ContinuousBernoulli, None),
        (Likelihood::Gaussian, None),
        (Likelihood::Gaussian, Some(0.3)),
    ] {
        let config = small(|c| (c.likelihood, c.sigma) = (likelihood, sigma));
        let (mut engine, parameters, images) = scene(&config);
        let inputs = Inputs::Values(&images);
        let pass = Pass::Evaluate;
        let losses = engine.losses(&parameters, inputs, Targets::Inputs, config.criterion(), pass);
        let losses = losses.unwrap();
        let given = posterior(engine.layout()).unwrap();
        let given = engine.forward_layers(&parameters, inputs, given).unwrap();
        let z = engine.forward(&parameters, inputs, ENCODER..ENCODER + 1).unwrap();
        let decoder = engine.layout().section(DECODER);
        let pre = decoder.start..decoder.end - config.criterion().skip;
        let pre = engine.forward_layers(&parameters, Inputs::Values(&z), pre).unwrap();
        let shown = engine.forward(&parameters, Inputs::Values(&z), DECODER..DECODER + 1);
        let shown = shown.unwrap();
        for i in 0..5 {
            let (means, logs) = given[6 * i..6 * i + 6].split_at(3);
            assert_eq!(means, &z[3 * i..3 * i + 3]);
            let kl: f64 =
                means.iter().zip(logs).map(|(m, l)| 0.5 * (m * m + libm::exp(*l) - 1.0 - l)).sum();
            assert!((losses.penalty[i] - kl).abs() < 1e-9);
            let pixels = i * 784..(i + 1) * 784;
            let loss: f64 = pixels
                .map(|p| {
                    let (x, given, shown) = (images[p], pre[p], shown[p]);
                    let sigmoid = 1.0 / (1.0 + libm::exp(-given));
                    match likelihood {
                        Likelihood::Bernoulli => {
                            assert!((shown - sigmoid).abs() < 1e-12);
                            -x * libm::log(sigmoid) - (1.0 - x) * libm::log(1.0 - sigmoid)
                        }
                        Likelihood::ContinuousBernoulli => {
                            // The paper's C(lambda), and the mean of the distribution.
                            let c = 2.0 * libm::atanh(1.0 - 2.0 * sigmoid) / (1.0 - 2.0 * sigmoid);
                            let mean = sigmoid / (2.0 * sigmoid - 1.0)
                                + 1.0 / (2.0 * libm::atanh(1.0 - 2.0 * sigmoid));
                            assert!((shown - mean).abs() < 1e-8);
                            -x * libm::log(sigmoid)
                                - (1.0 - x) * libm::log(1.0 - sigmoid)
                                - libm::log(c)
                        }
                        Likelihood::Gaussian => {
                            let scale = parameters.last().copied().unwrap();
                            let sigma = sigma.unwrap_or(libm::exp(scale));
                            let e = (x - shown) / sigma;
                            0.5 * e * e + libm::log(sigma * libm::sqrt(2.0 * std::f64::consts::PI))
                        }
                    }
                })
                .sum();
            assert!(
                (losses.loss[i] - loss).abs() < 1e-6,
                "{likelihood:?}: {} {loss}",
                losses.loss[i]
            );
        }
    }
}

#[test]
fn the_relatives_penalise_their_latents_as_documented() {
    let config = small(|c| c.regularizer = Regularizer::L2);
    let (mut engine, parameters, images) = scene(&config);
    let inputs = Inputs::Values(&images);
    let z = engine.forward(&parameters, inputs, ENCODER..ENCODER + 1).unwrap();
    let losses = |engine: &mut Engine<f64>| {
        let pass = Pass::Train { seed: 1, epoch: 0 };
        engine.losses(&parameters, inputs, Targets::Inputs, config.criterion(), pass).unwrap()
    };
    for (z, penalty) in z.chunks_exact(3).zip(losses(&mut engine).penalty) {
        assert!((penalty - 0.5 * z.iter().map(|z| z * z).sum::<f64>()).abs() < 1e-12);
    }
    assert!(posterior(engine.layout()).is_none());
    // The maximum mean discrepancy is one value for all samples.
    let config = small(|c| c.regularizer = Regularizer::Mmd);
    let (mut engine, _, _) = scene(&config);
    let shared = losses(&mut engine).penalty;
    assert!(shared.iter().all(|x| x.to_bits() == shared[0].to_bits()) && shared[0] != 0.0);
}

#[test]
fn noise_is_added_to_the_inputs_and_not_to_the_targets() {
    let clean = small(|c| c.likelihood = Likelihood::Gaussian);
    let noisy = small(|c| (c.autoencoder.noise, c.likelihood) = (0.5, Likelihood::Gaussian));
    let losses = |config: &VaeConfig, pass| {
        let (mut engine, parameters, images) = scene(config);
        let inputs = Inputs::Values(&images);
        let losses = engine.losses(&parameters, inputs, Targets::Inputs, config.criterion(), pass);
        losses.unwrap().loss
    };
    let training = Pass::Train { seed: 1, epoch: 0 };
    assert_eq!(losses(&clean, Pass::Evaluate), losses(&noisy, Pass::Evaluate));
    let (clean, noisy) = (losses(&clean, training), losses(&noisy, training));
    // If the targets had noise, each loss would rise by 784 * 0.25 / 2.
    assert!(clean.iter().zip(&noisy).all(|(a, b)| a != b && (a - b).abs() < 20.0));
}

#[test]
fn the_bound_is_the_log_mean_weight_and_tightens_with_more_draws() {
    let config = small(|_| {});
    let (mut engine, parameters, images) = scene(&config);
    let inputs = Inputs::Values(&images);
    let criterion = config.criterion();
    let monitor = Monitor::default();
    let mut bound =
        |draws| importance_bound(&mut engine, &parameters, inputs, criterion, 7, draws, &monitor);
    let (one, many) = (bound(1).unwrap(), bound(40).unwrap());
    assert!(bound(0).is_err());
    let mut means = [0.0; 5];
    let mut naive = [0.0; 5];
    for draw in 0..40 {
        let pass = Pass::Importance { seed: 7, draw };
        let losses = engine.losses(&parameters, inputs, Targets::Inputs, criterion, pass);
        let losses = losses.unwrap();
        for i in 0..5 {
            let weight = -losses.loss[i] - losses.penalty[i];
            if draw == 0 {
                assert!((one[i] - weight).abs() < 1e-9);
            }
            means[i] += weight / 40.0;
            naive[i] += libm::exp(weight - one[i]) / 40.0;
        }
    }
    for i in 0..5 {
        assert!((many[i] - libm::log(naive[i]) - one[i]).abs() < 1e-9);
        assert!(many[i] > means[i]);
    }
    // Another prior: first N(0, I) itself, then one whose density is e times as high at the first image's draws.
    let mut under = |first: f64| {
        let mut log_prior = |z: &[f64]| -> Result<Vec<f64>, crate::Error> {
            let log = |z: &[f64]| -0.5 * z.iter().map(|v| v * v + libm::log(TAU)).sum::<f64>();
            let mut logs: Vec<f64> = z.chunks_exact(z.len() / 5).map(log).collect();
            logs[0] += first;
            Ok(logs)
        };
        let prior = &mut log_prior;
        importance_bounds_under(&mut engine, &parameters, inputs, criterion, 7, 40, prior, &monitor)
            .unwrap()
    };
    for first in [0.0, 1.0] {
        let [normal, other] = under(first);
        assert_eq!(normal, many, "of the model's own prior");
        for i in 0..5 {
            let more = if i == 0 { first } else { 0.0 };
            assert!((other[i] - many[i] - more).abs() < 1e-9, "{} {}", other[i], many[i]);
        }
    }
    let criterion = Loss::MeanSquaredError.into();
    let bound = importance_bound(&mut engine, &parameters, inputs, criterion, 7, 2, &monitor);
    assert!(matches!(bound, Err(crate::Error::NotVariational)));
    monitor.cancel().cancel();
    let criterion = config.criterion();
    let bound = importance_bound(&mut engine, &parameters, inputs, criterion, 7, 2, &monitor);
    assert!(matches!(bound, Err(crate::Error::Interrupted(_))));
}

/// The objective of training with one draw is the bound of evaluation, and with several it is another bound of the same kind.
#[test]
fn the_objective_of_several_draws_is_the_bound() {
    let config = small(|c| (c.draws, c.likelihood) = (30, Likelihood::Gaussian));
    assert_eq!(config.terms(), &[]);
    let (mut engine, parameters, images) = scene(&config);
    let (inputs, criterion) = (Inputs::Values(&images), config.criterion());
    let mut gradients = vec![0.0; parameters.len()];
    let mut both = |draws: usize| {
        let pass = Pass::Importance { seed: 7, draw: 0 };
        let losses = engine
            .importance_gradients(&parameters, inputs, criterion, draws, pass, &mut gradients)
            .unwrap();
        let (count, monitor) = (draws as u64, Monitor::default());
        let bounds =
            importance_bound(&mut engine, &parameters, inputs, criterion, 7, count, &monitor);
        losses.into_iter().zip(bounds.unwrap()).map(|(loss, bound)| loss + bound).collect()
    };
    let (one, many): (Vec<f64>, Vec<f64>) = (both(1), both(config.draws));
    assert!(one.iter().all(|difference| difference.abs() < 1e-9), "{one:?}");
    // Two estimates of -log p(x) from other draws.
    assert!(many.iter().all(|difference| (1e-9..2.0).contains(&difference.abs())), "{many:?}");
}

#[test]
fn settings_of_models_with_one_draw_do_not_mention_it() {
    let text = toml::to_string(&small(|_| {})).unwrap();
    assert!(!text.contains("draws"), "{text}");
    let config = small(|c| c.draws = 5);
    let text = toml::to_string(&config).unwrap();
    assert!(text.contains("draws = 5"), "{text}");
    assert_eq!(toml::from_str::<VaeConfig>(&text).unwrap(), config);
}

/// The penalty of each draw from the posteriors and the learned prior alone, as their formulas have it.
#[test]
fn a_learned_prior_is_a_mixture_and_its_penalty_the_ratio_of_densities() {
    for (prior, conditional) in [(mixture(7), false), (mixture(7), true), (vamp(7), false)] {
        check_learned_prior(prior, conditional);
    }
    let (engine, parameters, _) = scene(&small(|_| {}));
    assert!(LearnedPrior::of(engine.layout(), &parameters).is_none());
}

fn check_learned_prior(prior: LatentPrior, conditional: bool) {
    const CLASSES: usize = 4;
    let config = small(|c| (c.prior, c.conditional) = (prior, conditional));
    let (mut engine, mut parameters, images) = scene_of(&config, CLASSES);
    let at = posterior(engine.layout()).unwrap().end;
    let mut random = stream(2, Purpose::Synthetic, 0, 0);
    for value in &mut parameters[engine.layout().parameters_of(at..at + 1)] {
        *value += 0.4 * random.normal();
    }
    engine.update_prior(&mut parameters).unwrap();
    let classes = [2u16, 0, 3, 3, 1];
    let conditions = one_hot(&classes, CLASSES, condition_value(engine.layout()));
    let conditions = if conditional { &conditions[..] } else { &[] };
    let inputs = Inputs::Values(&images).with_conditions(conditions);
    let prior = LearnedPrior::of(engine.layout(), &parameters).unwrap();
    assert_eq!(prior.weights.len(), 7 * if conditional { CLASSES } else { 1 });
    for weights in prior.weights.chunks(7) {
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    let layers = posterior(engine.layout()).unwrap();
    let given = engine.forward_layers(&parameters, Inputs::Values(&images), layers).unwrap();
    let normal = |z: f64, mean: f64, variance: f64| {
        -0.5 * ((z - mean) * (z - mean) / variance + libm::log(TAU * variance))
    };
    let log_prior = |z: &[f64], class: usize| {
        let each = (0..7).map(|k| {
            let axes = (0..3).map(|j| (z[j], prior.means[3 * k + j], prior.variances[3 * k + j]));
            prior.weights[7 * class + k] * libm::exp(axes.map(|(z, m, v)| normal(z, m, v)).sum())
        });
        libm::log(each.sum())
    };
    let (seed, draw) = (7, 3);
    let sampled = Pass::Sample { seed, draw };
    let encoder = ENCODER..ENCODER + 1;
    let z = engine.outputs(&parameters, Inputs::Values(&images), encoder, sampled).unwrap();
    let mut penalties = |pass| {
        let criterion = config.criterion();
        engine.losses(&parameters, inputs, Targets::Inputs, criterion, pass).unwrap().penalty
    };
    let (of_draw, expected) = (penalties(Pass::Importance { seed, draw }), penalties(sampled));
    for (i, z) in z.chunks_exact(3).enumerate() {
        let (means, logs) = given[6 * i..6 * i + 6].split_at(3);
        let axes = || z.iter().zip(means.iter().zip(logs));
        let log_posterior: f64 = axes().map(|(z, (m, l))| normal(*z, *m, libm::exp(*l))).sum();
        let entropy: f64 = logs.iter().map(|l| 0.5 * (1.0 + libm::log(TAU) + l)).sum();
        let log_prior = log_prior(z, if conditional { classes[i].into() } else { 0 });
        assert!((of_draw[i] - (log_posterior - log_prior)).abs() < 1e-9);
        assert!((expected[i] - (-entropy - log_prior)).abs() < 1e-9);
    }
}

#[test]
fn the_weight_rises_to_beta() {
    let config = small(|c| (c.beta, c.warmup_epochs) = (4.0, 10.0));
    assert_eq!([0.0, 2.5, 10.0, 30.0].map(|e| config.penalty_weight(e)), [0.0, 1.0, 4.0, 4.0]);
    assert_eq!(small(|_| {}).penalty_weight(0.0), 1.0);
    // Both parts of a penalty rise together.
    let weights = |config: &VaeConfig| {
        [0.0, 2.5, 10.0].map(|e| [config.penalty_weight(e), config.posterior_penalty_weight(e)])
    };
    let mut config =
        small(|c| (c.beta, c.warmup_epochs, c.regularizer) = (4.0, 10.0, Regularizer::Tc));
    assert_eq!(weights(&config), [[0.0, 0.0], [0.25, 0.75], [1.0, 3.0]]);
    config.regularizer = Regularizer::Info;
    assert_eq!(weights(&config), [[0.0, 0.0], [1.0, 250.0], [4.0, 1000.0]]);
    config.mmd_weight = Some(8.0);
    assert_eq!(weights(&config), [[0.0, 0.0], [1.0, 2.0], [4.0, 8.0]]);
    config.regularizer = Regularizer::Kl;
    assert_eq!((config.posterior_penalty(), config.posterior_penalty_weight(20.0)), (None, 0.0));
}

/// The KL divergence of the latents is hundreds of times the cross-entropy. If it were part of the loss, the encoder would learn little else.
#[test]
fn a_classifier_is_trained_without_the_penalty_of_the_latents() {
    let kinds: [fn(&mut VaeConfig); 7] = [
        |_| {},
        |c| c.prior = mixture(5),
        |c| c.prior = vamp(5),
        |c| c.regularizer = Regularizer::Mmd,
        |c| c.regularizer = Regularizer::L2,
        |c| c.regularizer = Regularizer::Info,
        |c| c.regularizer = Regularizer::Tc,
    ];
    for change in kinds {
        let encoder = ModelConfig::Vae(small(change));
        let config = ClassifierConfig { encoder: Box::new(encoder), ..ClassifierConfig::default() };
        let config = ModelConfig::Classifier(config);
        let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
        let mut engine = Engine::new(&config.network([1, 28, 28], 10).unwrap(), runtime).unwrap();
        let parameters = initialize(engine.layout(), Init::Pytorch, 1);
        let images = vec![0.5; 5 * 784];
        let mut gradients = |weight| {
            let criterion = Criterion { weight, ..config.criterion() };
            let mut gradients = vec![0.0; parameters.len()];
            let (inputs, targets) = (Inputs::Values(&images), Targets::Classes(&[0, 1, 2, 3, 4]));
            let pass = Pass::Train { seed: 1, epoch: 0 };
            engine
                .gradients(&parameters, inputs, targets, criterion, pass, &mut gradients)
                .unwrap();
            gradients
        };
        let learnt = gradients(config.penalty_weight(3.0));
        assert_eq!(learnt, gradients(config.criterion().weight));
        assert_eq!(learnt, gradients(0.0));
        assert_ne!(learnt, gradients(1.0));
    }
}

#[test]
fn settings_are_one_flat_table_and_unknown_ones_are_named() {
    let config = small(|c| (c.beta, c.sigma) = (2.0, Some(0.1)));
    let text = toml::to_string(&config).unwrap();
    assert!(text.contains("latent_dim = 3") && text.contains("beta = 2.0"), "{text}");
    assert_eq!(toml::from_str::<VaeConfig>(&text).unwrap(), config);
    let error = toml::from_str::<VaeConfig>("betta = 2.0").unwrap_err().to_string();
    assert!(error.contains("betta"), "{error}");
    for (change, said) in [
        ((|c| c.beta = -1.0) as fn(&mut VaeConfig), "beta"),
        (|c| c.sigma = Some(0.1), "likelihood gaussian"),
        (|c| (c.free_bits, c.regularizer) = (0.1, Regularizer::L2), "free_bits"),
        (|c| (c.prior, c.free_bits) = (mixture(4), 0.1), "free_bits belong to the normal prior"),
        (|c| (c.prior, c.regularizer) = (mixture(4), Regularizer::Mmd), "regularizer kl"),
        (|c| (c.prior, c.regularizer) = (mixture(4), Regularizer::Tc), "regularizer kl"),
        (|c| c.prior = mixture(0), "components"),
        (|c| c.prior = vamp(0), "components"),
        (|c| (c.prior, c.free_bits) = (vamp(4), 0.1), "free_bits belong to the normal prior"),
        (|c| (c.prior, c.regularizer) = (vamp(4), Regularizer::Info), "regularizer kl"),
        (|c| (c.prior, c.conditional) = (vamp(4), true), "needs the prior normal or mixture"),
        (|c| (c.free_bits, c.regularizer) = (0.1, Regularizer::Info), "free_bits"),
        (|c| (c.free_bits, c.regularizer) = (0.1, Regularizer::Tc), "free_bits"),
        (|c| c.mmd_weight = Some(10.0), "regularizer info"),
        (|c| (c.mmd_weight, c.regularizer) = (Some(10.0), Regularizer::Tc), "regularizer info"),
        (|c| (c.mmd_weight, c.regularizer) = (Some(-1.0), Regularizer::Info), "at least 0"),
        (|c| c.autoencoder.noise = -1.0, "deviation"),
        (|c| c.draws = 0, "draws = 0 must be at least 1"),
        (|c| (c.draws, c.beta) = (2, 4.0), "needs beta = 1"),
        (|c| (c.draws, c.warmup_epochs) = (2, 1.0), "needs warmup_epochs = 0"),
        (|c| (c.draws, c.free_bits) = (2, 0.1), "needs free_bits = 0"),
        (|c| (c.draws, c.regularizer) = (2, Regularizer::Info), "needs the regularizer kl"),
    ] {
        let error = small(change).network([1, 28, 28], 0).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_residual_design_has_a_posterior_and_names_its_layers() {
    for image in [[1, 8, 8], [3, 33, 50]] {
        let model = VaeConfig::for_collection(image, 100);
        let layout = model.network(image, 0).unwrap().layout().unwrap();
        assert_eq!(layout.output(), image);
        assert!(posterior(&layout).is_some());
        let start = model.linear_start(image).unwrap();
        let has = |name: String| layout.parameters().iter().any(|p| p.name == name);
        assert!(has(format!("{}.log_scale", start.log_deviation.unwrap())));
        let layers = start.zero.iter().chain(&start.pixels).chain([&start.encode, &start.decode]);
        assert!(layers.into_iter().all(|layer| has(format!("{layer}.weight"))));
        assert!(start.fixed && !start.refitted);
    }
}

#[test]
fn the_residual_design_needs_a_normal_likelihood() {
    let said = |change: fn(&mut VaeConfig)| {
        let mut model = VaeConfig::for_collection([1, 28, 28], 100);
        change(&mut model);
        model.network([1, 28, 28], 0).unwrap_err().to_string()
    };
    assert!(said(|c| c.likelihood = Likelihood::Bernoulli).contains("likelihood gaussian"));
    assert!(said(|c| c.regularizer = Regularizer::Mmd).contains("regularizer kl"));
    assert!(said(|c| c.regularizer = Regularizer::Info).contains("regularizer kl"));
    assert!(said(|c| c.regularizer = Regularizer::Tc).contains("regularizer kl"));
    assert!(said(|c| c.sigma = Some(0.1)).contains("learns sigma"));
    assert!(said(|c| c.prior = mixture(4)).contains("whose prior is normal"));
    assert!(said(|c| c.prior = vamp(4)).contains("whose prior is normal"));
    assert!(said(|c| c.autoencoder.design = Design::Study).contains("refiner"));
}
