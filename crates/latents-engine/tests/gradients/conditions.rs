//! Conditional networks.

use std::sync::Arc;

use latents_engine::{
    Batch, Engine, Init, Inputs, Isa, Layer, Loss, Network, OutputGradients, Pass, Section,
    Targets, initialize,
};
use latents_random::{Purpose, Stream, stream};

use super::differences::{check, contrastive};
use super::networks::{between, network};
use super::{INPUT_GRADIENTS, bits, is_trained, narrow, runtime, ways};

const FEATURES: usize = 3;

/// A random network with one to three condition layers, some of them inside residuals.
fn conditional(random: &mut Stream) -> Network {
    let condition = || Layer::Condition { features: FEATURES };
    loop {
        let mut network = network(random);
        // A prior is given the condition too.
        for layer in network.sections.iter_mut().flat_map(|section| &mut section.layers) {
            if let Layer::MixturePrior { features, .. } = layer {
                *features = FEATURES;
            }
        }
        for _ in 0..between(random, 1, 3) {
            let layers = &mut network.sections[random.below(2) as usize].layers;
            let at = between(random, 0, layers.len() as u32);
            match layers.get_mut(at) {
                Some(Layer::Residual { layers: branch, .. }) => branch.insert(0, condition()),
                _ => layers.insert(at, condition()),
            }
        }
        if network.layout().is_ok_and(|layout| layout.parameter_count() < 2_500) {
            return network;
        }
    }
}

/// A conditional network and its parameters, inputs `[n, ...]`, conditions `[n, 3]` and a pass.
struct Case {
    network: Network,
    parameters: Vec<f64>,
    inputs: Vec<f64>,
    conditions: Vec<f64>,
    n: usize,
    pass: Pass,
}

fn case(seed: u64) -> Case {
    let mut random = stream(seed, Purpose::Synthetic, 4, 0);
    let network = conditional(&mut random);
    let n = between(&mut random, 1, 37);
    let mut values = |n: usize| (0..n).map(|_| random.normal()).collect::<Vec<f64>>();
    let inputs = values(n * network.input.iter().product::<usize>());
    let conditions = values(n * FEATURES);
    let layout = network.layout().unwrap();
    assert_eq!(layout.condition_features(), FEATURES);
    let noise = values(layout.parameter_count());
    let parameters = initialize(&layout, Init::Pytorch, seed);
    let parameters = parameters.iter().zip(noise).map(|(&x, e)| f64::from(x) + 0.01 * e).collect();
    let pass =
        if seed.is_multiple_of(4) { Pass::Evaluate } else { Pass::Train { seed: 9, epoch: 2 } };
    Case { network, parameters, inputs, conditions, n, pass }
}

#[test]
fn gradients_of_conditional_networks_are_differences() {
    let runtime = runtime(1, Isa::detect());
    let mut checked = [0, 0];
    for seed in 0..60 {
        let Case { network, parameters, inputs, conditions, n, pass } = case(seed);
        let mut engine =
            Engine::<f64>::with_options(&network, Arc::clone(&runtime), INPUT_GRADIENTS).unwrap();
        let layout = engine.layout().clone();
        let mut gradients = vec![0.0; parameters.len()];
        let mut step = |parameters: &[f64], inputs: &[f64]| {
            let batch = Inputs::Values(inputs).with_conditions(&conditions);
            let outputs = engine.outputs(parameters, batch, 0..2, pass).unwrap();
            let (loss, values) = contrastive(&outputs, n);
            let given = OutputGradients { weight: 0.7, ..(&values).into() };
            let back = engine.backward(parameters, batch, given, 0..2, pass, &mut gradients);
            let back = back.unwrap();
            let penalty = back.penalty.iter().sum::<f64>() / n as f64;
            (loss + 0.7 * penalty, gradients.clone(), back.input_gradients.unwrap())
        };
        let (_, of_parameters, of_inputs) = step(&parameters, &inputs);
        let mut random = stream(seed, Purpose::Synthetic, 5, 0);
        let what = format!("seed {seed}, {network:#?}");
        checked[0] +=
            check(&what, &mut random, &inputs, &of_inputs, &mut |x| step(&parameters, x).0);
        let trained: Vec<usize> =
            (0..parameters.len()).filter(|&i| is_trained(&layout, i)).collect();
        let of = |all: &[f64]| trained.iter().map(|&i| all[i]).collect::<Vec<f64>>();
        let (at, gradient) = (of(&parameters), of(&of_parameters));
        checked[1] += check(&what, &mut random, &at, &gradient, &mut |moved| {
            let mut parameters = parameters.clone();
            for (&i, &x) in trained.iter().zip(moved) {
                parameters[i] = x;
            }
            step(&parameters, &inputs).0
        });
    }
    assert!(checked.iter().all(|&n| n > 250), "only {checked:?} were away from corners");
}

#[test]
fn threads_and_instruction_sets_do_not_change_a_bit_of_conditional_networks() {
    let ways = ways();
    for seed in 0..40 {
        let Case { network, parameters, inputs, conditions, pass, .. } = case(seed);
        let (parameters, inputs, conditions) =
            (narrow(&parameters), narrow(&inputs), narrow(&conditions));
        let batch = Inputs::Values(&inputs[..]).with_conditions(&conditions);
        let mut results = ways.iter().map(|runtime| {
            let mut engine = Engine::<f32>::new(&network, Arc::clone(runtime)).unwrap();
            let outputs = engine.outputs(&parameters, batch, 0..2, pass).unwrap();
            let mut gradients = vec![0.0; parameters.len()];
            let targets = vec![0.5; outputs.len()];
            let targets = Targets::Values(&targets);
            let loss = Loss::MeanSquaredError;
            engine.gradients(&parameters, batch, targets, loss, pass, &mut gradients).unwrap();
            (bits(&outputs), bits(&gradients))
        });
        let first = results.next().unwrap();
        assert!(results.all(|r| r == first), "seed {seed}: {network:#?}");
    }
}

/// A condition layer gives the same bits as constant channels in the input.
#[test]
fn a_condition_is_constant_channels() {
    let kernel = Layer::Conv2d { out_channels: 4, kernel: [3, 3], stride: [1, 2], padding: [1, 1] };
    let layers = vec![kernel, Layer::Relu, Layer::Linear { out_features: 5 }];
    let network = |channels: usize, first: Option<Layer>| {
        let layers = first.into_iter().chain(layers.clone()).collect();
        Network { input: [channels, 4, 5], sections: vec![Section { name: "net".into(), layers }] }
    };
    let (plain, conditional) =
        (network(5, None), network(2, Some(Layer::Condition { features: 3 })));
    let parameters = initialize(&plain.layout().unwrap(), Init::Pytorch, 1);
    let n = 19;
    let mut random = stream(1, Purpose::Synthetic, 6, 0);
    let mut values = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<f32>>();
    let (inputs, conditions, targets) = (values(n * 40), values(n * 3), values(n * 5));
    let mut joined = vec![];
    for (image, condition) in inputs.chunks(40).zip(conditions.chunks(3)) {
        joined.extend_from_slice(image);
        joined.extend(condition.iter().flat_map(|&x| [x; 20]));
    }
    let run = |network: &Network, batch: Batch<'_, f32>| {
        let mut engine = Engine::<f32>::new(network, runtime(2, Isa::detect())).unwrap();
        let mut gradients = vec![0.0; parameters.len()];
        let (of, pass) = (Targets::Values(&targets), Pass::Evaluate);
        let loss = Loss::MeanSquaredError;
        let losses = engine.gradients(&parameters, batch, of, loss, pass, &mut gradients).unwrap();
        assert_eq!(losses, engine.losses(&parameters, batch, of, loss, pass).unwrap());
        let outputs = engine.forward(&parameters, batch, 0..1).unwrap();
        (bits(&outputs), bits(&gradients), losses)
    };
    let expected = run(&plain, Inputs::Values(&joined).into());
    let got = run(&conditional, Inputs::Values(&inputs).with_conditions(&conditions));
    assert_eq!(got, expected);
}

#[test]
fn conditions_that_do_not_fit_are_refused() {
    let section = |name: &str, layers| Section { name: name.into(), layers };
    let linear = || Layer::Linear { out_features: 2 };
    let network = |features: usize| Network {
        input: [2, 1, 1],
        sections: vec![
            section("encoder", vec![linear()]),
            section("decoder", vec![Layer::Condition { features: 3 }, linear()]),
            section("critic", vec![Layer::Condition { features }, linear()]),
        ],
    };
    let message = network(4).layout().unwrap_err().to_string();
    let expected = "critic.0 (condition) cannot take [2, 1, 1]";
    assert!(message.contains(expected) && message.contains("decoder.0 (condition)"), "{message}");
    assert!(message.contains("4 features") && message.contains('3'), "{message}");
    let message = network(0).layout().unwrap_err().to_string();
    assert!(message.contains("features must be at least 1"), "{message}");
    let message = network(usize::MAX).layout().unwrap_err().to_string();
    assert!(message.contains("too large"), "{message}");

    let mut engine = Engine::<f64>::new(&network(3), runtime(1, Isa::detect())).unwrap();
    let parameters = vec![0.5; engine.layout().parameter_count()];
    let x = Inputs::Values(&[1.0; 4]);
    let message = engine.forward(&parameters, x, 0..3).unwrap_err().to_string();
    let expected =
        "layer decoder.0 (condition): expected conditions of 2 samples with 3 features each";
    assert!(message.contains(expected) && message.contains("got 0"), "{message}");
    let five = x.with_conditions(&[0.0; 5]);
    let message = engine.forward(&parameters, five, 0..1).unwrap_err().to_string();
    assert!(message.contains("got 5"), "{message}");
    // Sections without a condition layer need no conditions.
    assert_eq!(engine.forward(&parameters, x, 0..1).unwrap(), [1.5; 4]);
    let six = x.with_conditions(&[0.0; 6]);
    assert_eq!(engine.forward(&parameters, six, 0..1).unwrap(), [1.5; 4]);

    // Latents do not depend on the condition of their prior, but the penalty does.
    let prior = Layer::MixturePrior { components: 2, features: 3 };
    let network = Network { input: [2, 1, 1], sections: vec![section("encoder", vec![prior])] };
    let mut engine = Engine::<f64>::new(&network, runtime(1, Isa::detect())).unwrap();
    let parameters = vec![0.5; engine.layout().parameter_count()];
    assert_eq!(engine.forward(&parameters, x, 0..1).unwrap(), [1.0; 2]);
    let (pass, mut gradients) = (Pass::Evaluate, vec![0.0; parameters.len()]);
    let dz = [1.0; 2];
    let back = engine.backward(&parameters, x, &dz[..], 0..1, pass, &mut gradients);
    let message = back.unwrap_err().to_string();
    assert!(message.contains("encoder.0 (mixture_prior): expected conditions of 2"), "{message}");

    let plain = Network { input: [2, 1, 1], sections: vec![section("net", vec![linear()])] };
    let mut engine = Engine::<f64>::new(&plain, runtime(1, Isa::detect())).unwrap();
    let message = engine.forward(&[0.0; 6], six, 0..1).unwrap_err().to_string();
    assert!(message.contains("conditions: expected 0 numbers, got 6"), "{message}");
}
