//! Mathematical properties of latents and likelihoods: a linear model with known evidence, the normalisation of densities, free bits.
//! `tests/gradients` tests that gradients are those of the losses.

#![allow(clippy::unwrap_used, clippy::float_cmp)] // Values without rounding must be equal.

use std::sync::Arc;

use latents_engine::{
    Criterion, Engine, Inputs, Isa, Layer, Loss, Network, Pass, Runtime, Section, Shape, Targets,
};
use latents_random::{Purpose, stream};

fn engine(input: Shape, layers: Vec<Layer>) -> Engine<f64> {
    let sections = vec![Section { name: String::new(), layers }];
    let runtime = Arc::new(Runtime::new(Some(1), Some(Isa::Portable)).unwrap());
    Engine::new(&Network { input, sections }, runtime).unwrap()
}

/// With z from N(0, 1) and x from N(z, s^2), x is from N(0, 1 + s^2), and z given x from N(x, s^2) / (1 + s^2). If q is this
/// posterior, every importance weight is p(x).
#[test]
fn importance_weights_of_the_true_posterior_are_the_evidence() {
    let (deviation, samples) = (0.6_f64, 37);
    let variance = deviation * deviation;
    let mut random = stream(1, Purpose::Synthetic, 0, 0);
    let x: Vec<f64> = (0..samples).map(|_| 1.2 * random.normal()).collect();
    let posterior =
        x.iter().flat_map(|x| [x / (1.0 + variance), libm::log(variance / (1.0 + variance))]);
    let posterior: Vec<f64> = posterior.collect();
    let mut engine = engine([2, 1, 1], vec![Layer::Gaussian]);
    let loss = Loss::Gaussian { deviation: Some(deviation) };
    let mut losses = |pass| {
        engine.losses(&[], Inputs::Values(&posterior), Targets::Values(&x), loss, pass).unwrap()
    };
    let mut draws = vec![];
    for draw in 0..3 {
        let losses = losses(Pass::Importance { seed: 4, draw });
        draws.push(losses.loss[0]);
        for (i, x) in x.iter().enumerate() {
            let evidence = -0.5 * (x * x / (1.0 + variance))
                - 0.5 * libm::log(2.0 * std::f64::consts::PI * (1.0 + variance));
            let weight = -(losses.loss[i] + losses.penalty[i]);
            assert!((weight - evidence).abs() < 1e-12, "{weight} {evidence}");
        }
    }
    assert!(draws[0] != draws[1] && draws[1] != draws[2]);
    // The mean of the evidence lower bound over draws of the true posterior is the evidence too.
    let mean = |pass: &dyn Fn(u64) -> Pass, losses: &mut dyn FnMut(Pass) -> f64| {
        (0..4_000).map(|draw| losses(pass(draw))).sum::<f64>() / 4_000.0
    };
    let sample = |draw| Pass::Sample { seed: 4, draw };
    let bound = mean(&sample, &mut |pass| {
        let losses = losses(pass);
        losses.mean_loss() + losses.mean_penalty()
    });
    let exact = losses(Pass::Importance { seed: 4, draw: 0 });
    let exact = exact.mean_loss() + exact.mean_penalty();
    assert!((bound - exact).abs() < 0.005, "{bound} {exact}");
}

#[test]
fn the_divergence_is_its_closed_form_and_none_for_the_prior() {
    let mut engine = engine([4, 1, 1], vec![Layer::Gaussian]);
    let inputs = [0.0, 0.0, 0.0, 0.0, 1.5, -0.5, libm::log(0.25), libm::log(4.0)];
    let (inputs, targets) = (Inputs::Values(&inputs), [0.0; 4]);
    let targets = Targets::Values(&targets);
    let losses =
        engine.losses(&[], inputs, targets, Loss::MeanSquaredError, Pass::Evaluate).unwrap();
    let axis = |m: f64, v: f64| 0.5 * (m * m + v - 1.0 - libm::log(v));
    assert_eq!(losses.penalty[0], 0.0);
    assert!((losses.penalty[1] - axis(1.5, 0.25) - axis(-0.5, 4.0)).abs() < 1e-12);
    // Without draws, the latents are the means.
    assert_eq!(engine.forward(&[], inputs, 0..1).unwrap(), [0.0, 0.0, 1.5, -0.5]);
}

/// Free bits remove the penalty's gradient of an axis with less divergence, and do not change the others.
#[test]
fn free_bits_free_only_the_axes_below_them() {
    let layers = vec![Layer::Linear { out_features: 4 }, Layer::Gaussian];
    let mut engine = engine([1, 1, 1], layers);
    // The divergences of the two axes are 0.02 and 0.5.
    let parameters = [0.0, 0.0, 0.0, 0.0, 0.2, 1.0, 0.0, 0.0];
    let mut gradients = |free_bits| {
        let mut gradients = vec![0.0; 8];
        let criterion = Criterion { free_bits, weight: 2.0, ..Loss::MeanSquaredError.into() };
        let inputs = Inputs::Values(&[1.0]);
        // The targets are the outputs, so only the penalty has a gradient.
        let targets = Targets::Values(&[0.2, 1.0]);
        engine
            .gradients(&parameters, inputs, targets, criterion, Pass::Evaluate, &mut gradients)
            .unwrap();
        gradients[4..].to_vec()
    };
    assert_eq!(gradients(0.0), [0.4, 2.0, 0.0, 0.0]);
    assert_eq!(gradients(0.1), [0.0, 2.0, 0.0, 0.0]);
    assert_eq!(gradients(0.6), [0.0, 0.0, 0.0, 0.0]);
}

/// The density of each logit integrates to one, and its mean is the output of the layer.
#[test]
fn the_continuous_bernoulli_is_a_density_with_that_mean() {
    const STEPS: usize = 4_000;
    for logit in [-40.0, -3.0, -0.51, -0.49, -1e-3, 0.0, 1e-6, 0.2, 0.4999, 0.5001, 2.0, 25.0] {
        let losses = |engine: &mut Engine<f64>, x: f64| {
            let (inputs, targets) = ([logit], [x]);
            let (inputs, targets) = (Inputs::Values(&inputs), Targets::Values(&targets));
            let loss = Loss::ContinuousBernoulli;
            engine.losses(&[], inputs, targets, loss, Pass::Evaluate).unwrap().loss[0]
        };
        let mut same = engine([1, 1, 1], vec![Layer::Reshape { shape: [1, 1, 1] }]);
        let (mut total, mut mean) = (0.0, 0.0);
        for i in 0..=STEPS {
            let x = i as f64 / STEPS as f64;
            // Simpson's rule.
            let weight = [1.0, 4.0, 2.0][if i == 0 || i == STEPS { 0 } else { 2 - i % 2 }];
            let density = weight / (3 * STEPS) as f64 * libm::exp(-losses(&mut same, x));
            total += density;
            mean += x * density;
        }
        assert!((total - 1.0).abs() < 1e-9, "{logit}: {total}");
        let mut means = engine([1, 1, 1], vec![Layer::ContinuousBernoulliMean]);
        let layer = means.forward(&[], Inputs::Values(&[logit]), 0..1).unwrap()[0];
        assert!((layer - mean).abs() < 1e-9, "{logit}: {layer} {mean}");
    }
}

/// MMD is an unbiased estimate: about zero for draws of the prior, and clearly larger for other distributions.
#[test]
fn the_discrepancy_tells_the_prior_from_other_distributions() {
    let mut engine = engine([3, 1, 1], vec![Layer::MmdPenalty]);
    let mut penalty = |scale: f64, shift: f64| {
        let mut random = stream(2, Purpose::Synthetic, 0, 0);
        let z: Vec<f64> = (0..3 * 8_000).map(|_| scale * random.normal() + shift).collect();
        let (inputs, targets) = (Inputs::Values(&z), Targets::Inputs);
        let pass = Pass::Sample { seed: 1, draw: 0 };
        engine.losses(&[], inputs, targets, Loss::MeanSquaredError, pass).unwrap().mean_penalty()
    };
    let same = penalty(1.0, 0.0);
    assert!(same.abs() < 0.01, "{same}");
    assert!(penalty(0.5, 0.0) > 0.1 && penalty(1.0, 0.7) > 0.1 && penalty(2.0, 0.0) > 0.1);
}

#[test]
fn what_comes_after_the_loss_learns_nothing_and_says_so() {
    let section = |name: &str, layers| Section { name: name.into(), layers };
    let sections = vec![
        section("decoder", vec![Layer::Linear { out_features: 2 }]),
        section("output", vec![Layer::Sigmoid]),
    ];
    let mut network = Network { input: [2, 1, 1], sections };
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let parameters = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let criterion = Criterion { skip: 1, ..Loss::Bernoulli.into() };
    let losses = |network: &Network, criterion: Criterion| {
        let mut engine = Engine::<f64>::new(network, Arc::clone(&runtime)).unwrap();
        let parameters = &parameters[..engine.layout().parameter_count().min(6)];
        let (inputs, targets) = (Inputs::Values(&[0.3, -2.0]), Targets::Values(&[1.0, 0.0]));
        engine
            .losses(parameters, inputs, targets, criterion, Pass::Evaluate)
            .map(|losses| losses.loss[0])
            .map_err(|e| e.to_string())
    };
    let expected = libm::log1p(libm::exp(-0.3)) + libm::log1p(libm::exp(-2.0));
    assert!((losses(&network, criterion).unwrap() - expected).abs() < 1e-12);
    let learned = Criterion { loss: Loss::Gaussian { deviation: None }, ..criterion };
    assert!(losses(&network, learned).unwrap_err().contains("log_scale"));
    network.sections[1].layers[0] = Layer::Linear { out_features: 2 };
    let mut engine = Engine::<f64>::new(&network, Arc::clone(&runtime)).unwrap();
    let (inputs, targets) = (Inputs::Values(&[0.3, -2.0]), Targets::Values(&[1.0, 0.0]));
    let said = engine.losses(&[0.0; 12], inputs, targets, criterion, Pass::Evaluate);
    assert!(said.unwrap_err().to_string().contains("output.0.weight"));
}

/// A ReLU may be fused with the layers before and after it, but not if a loss can be computed in between.
#[test]
fn a_loss_before_the_last_layers_is_of_what_is_there() {
    let layers = vec![Layer::Linear { out_features: 1 }, Layer::Relu, Layer::GlobalAvgPool2d];
    let mut engine = engine([1, 1, 1], layers);
    // The linear layer gives -1, the ReLU 0; the target is 1.
    for (skip, loss, slope) in [(0, 1.0, 0.0), (1, 1.0, 0.0), (2, 4.0, -4.0)] {
        let criterion = Criterion { skip, ..Loss::MeanSquaredError.into() };
        let (inputs, targets) = (Inputs::Values(&[1.0]), Targets::Values(&[1.0]));
        let (pass, mut gradients) = (Pass::Evaluate, [0.0; 2]);
        let losses =
            engine.gradients(&[-1.0, 0.0], inputs, targets, criterion, pass, &mut gradients);
        assert_eq!((losses.unwrap().loss[0], gradients), (loss, [slope; 2]), "skip {skip}");
    }
}
