//! Gradients of every layer kind against central finite differences in double precision, on random geometries, and the same
//! networks on every instruction set and number of threads, bit for bit.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use latents_engine::{
    Engine, Init, Inputs, Isa, Layer, Loss, Network, Objective, Pass, Runtime, Section, Targets,
    initialize,
};
use latents_random::{Purpose, Stream, stream};

fn between(random: &mut Stream, low: u32, high: u32) -> usize {
    (low + random.below(high - low + 1)) as usize
}

fn activation(random: &mut Stream) -> Option<Layer> {
    Some(match random.below(9) {
        0 | 1 => Layer::Relu,
        2 => Layer::LeakyRelu { slope: 0.1 },
        3 => Layer::Silu,
        4 => Layer::Gelu,
        5 => Layer::Sigmoid,
        6 => Layer::Tanh,
        7 => Layer::ContinuousBernoulliMean,
        _ => return None,
    })
}

/// Two to four affine layers of any kind with anything in between, on an image of any small size.
fn network(random: &mut Stream) -> Network {
    loop {
        let pair = |random: &mut Stream, low, high| {
            [between(random, low, high), between(random, low, high)]
        };
        let input = [between(random, 1, 7), between(random, 1, 9), between(random, 1, 9)];
        let mut sections = vec![];
        for name in ["first", "second"] {
            let mut layers = vec![];
            for _ in 0..between(random, 1, 2) {
                let out_channels = between(random, 1, 9);
                let (kernel, stride) = (pair(random, 1, 5), pair(random, 1, 3));
                let padding = pair(random, 0, 2);
                layers.push(match random.below(5) {
                    0 | 1 => Layer::Conv2d { out_channels, kernel, stride, padding },
                    2 | 3 => Layer::ConvTranspose2d {
                        out_channels,
                        kernel,
                        stride,
                        padding,
                        output_padding: stride.map(|s| s - 1),
                    },
                    _ => Layer::Linear { out_features: between(random, 1, 17) },
                });
                layers.extend(activation(random));
                match random.below(6) {
                    0 | 1 => layers.push(Layer::Dropout { p: 0.3 }),
                    2 => layers.push(Layer::Noise { deviation: 0.2 }),
                    _ => {}
                }
            }
            if name == "first" {
                match random.below(6) {
                    0 | 1 => {
                        let latents = between(random, 1, 6);
                        layers.push(Layer::Linear { out_features: 2 * latents });
                        layers.push(Layer::Gaussian);
                    }
                    2 => layers.push(Layer::SquaredNorm),
                    3 => layers.push(Layer::Discrepancy),
                    _ => {}
                }
            }
            sections.push(Section { name: name.into(), layers });
        }
        let network = Network { input, sections };
        if let Ok(layout) = network.layout()
            && layout.parameter_count() < 1_500
            && layout.output().iter().product::<usize>() < 600
        {
            return network;
        }
    }
}

struct Case {
    network: Network,
    parameters: Vec<f64>,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    classes: Vec<u8>,
    objective: Objective,
}

fn case(seed: u64) -> Case {
    let mut random = stream(seed, Purpose::Synthetic, 1, 0);
    let mut network = network(&mut random);
    let layout = network.layout().unwrap();
    let samples = between(&mut random, 1, 37);
    let outputs: usize = layout.output().iter().product();
    let values =
        |random: &mut Stream, n: usize| (0..n).map(|_| random.normal()).collect::<Vec<f64>>();
    let inputs = values(&mut random, samples * network.input.iter().product::<usize>());
    let targets = (0..samples * outputs).map(|_| random.uniform()).collect();
    let classes = (0..samples).map(|_| random.below(outputs.min(256) as u32) as u8).collect();
    let loss = match random.below(7) {
        0 => Loss::MeanSquaredError,
        1 => Loss::BinaryCrossEntropyWithLogits,
        2 => Loss::Bernoulli,
        3 => Loss::ContinuousBernoulli,
        4 => Loss::Gaussian { deviation: Some(0.7) },
        5 => Loss::Gaussian { deviation: None },
        _ => Loss::CrossEntropy,
    };
    if loss == (Loss::Gaussian { deviation: None }) {
        network.sections[1].layers.push(Layer::LogScale);
    }
    let layout = network.layout().unwrap();
    let objective = Objective { weight: 0.7, ..Objective::new(loss) };
    let parameters = initialize(&layout, Init::Pytorch, seed);
    // Biases away from zero keep ReLU off its corner, where a difference is not a derivative.
    let parameters =
        parameters.into_iter().map(|x| f64::from(x) + 0.01 * random.normal()).collect();
    Case { network, parameters, inputs, targets, classes, objective }
}

impl Case {
    fn targets(&self) -> Targets<'_, f64> {
        match self.objective.loss {
            Loss::CrossEntropy => Targets::Classes(&self.classes),
            _ => Targets::Values(&self.targets),
        }
    }
}

fn runtime(threads: usize, isa: Isa) -> Arc<Runtime> {
    Arc::new(Runtime::new(Some(threads), Some(isa)).unwrap())
}

#[test]
fn gradients_are_the_differences_of_the_loss() {
    let runtime = runtime(1, Isa::Portable);
    let pass = Pass::Train { seed: 9, epoch: 2 };
    let (mut kinds, mut checked) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..120 {
        let case = case(seed);
        kinds.extend(case.network.sections.iter().flat_map(|s| s.layers.iter().map(Layer::kind)));
        let mut engine = Engine::<f64>::new(&case.network, Arc::clone(&runtime)).unwrap();
        let mut unused = vec![0.0; case.parameters.len()];
        let mut mean = |parameters: &[f64], gradients: &mut [f64]| {
            let inputs = Inputs::Values(&case.inputs);
            let losses = engine
                .gradients(parameters, inputs, case.targets(), case.objective, pass, gradients)
                .unwrap();
            losses.mean_fit() + case.objective.weight * losses.mean_penalty()
        };
        let mut gradients = unused.clone();
        mean(&case.parameters, &mut gradients);
        let largest = gradients.iter().fold(1e-3, |a: f64, g| a.max(g.abs()));
        let mut random = stream(seed, Purpose::Synthetic, 2, 0);
        for _ in 0..12 {
            let at = random.below(case.parameters.len() as u32) as usize;
            let slope =
                |h: f64, mean: &mut dyn FnMut(&[f64], &mut [f64]) -> f64, unused: &mut [f64]| {
                    let mut moved = case.parameters.clone();
                    moved[at] += h;
                    let up = mean(&moved, unused);
                    moved[at] -= 2.0 * h;
                    (up - mean(&moved, unused)) / (2.0 * h)
                };
            let difference = slope(1e-5, &mut mean, &mut unused);
            // Where two steps disagree, a ReLU's corner lies between them, and neither is the derivative.
            if (difference - slope(2e-6, &mut mean, &mut unused)).abs() > 1e-7 * largest {
                continue;
            }
            checked += 1;
            let error = (difference - gradients[at]).abs() / largest;
            assert!(error < 1e-6, "seed {seed}, parameter {at}: {error:e}\n{:#?}", case.network);
        }
    }
    assert!(checked > 1_000, "only {checked} derivatives were away from corners");
    assert_eq!(kinds.len(), 16, "every kind but reshape: {kinds:?}");
}

#[test]
fn threads_and_instruction_sets_do_not_change_a_bit() {
    let mut ways = vec![];
    for isa in Isa::available() {
        ways.extend([1, 2, 5].map(|threads| runtime(threads, isa)));
    }
    for seed in 0..60 {
        let case = case(seed);
        let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let (parameters, inputs) = (narrow(&case.parameters), narrow(&case.inputs));
        let targets = narrow(&case.targets);
        let targets = match case.objective.loss {
            Loss::CrossEntropy => Targets::Classes(&case.classes),
            _ => Targets::Values(&targets),
        };
        let mut results = ways.iter().map(|runtime| {
            let mut engine = Engine::<f32>::new(&case.network, Arc::clone(runtime)).unwrap();
            let mut gradients = vec![0.0; parameters.len()];
            let inputs = Inputs::Values(&inputs);
            let pass = Pass::Train { seed: 9, epoch: 2 };
            let losses = engine
                .gradients(&parameters, inputs, targets, case.objective, pass, &mut gradients)
                .unwrap();
            let outputs = engine.forward(&parameters, inputs, 0..2).unwrap();
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let losses = losses.fit.iter().chain(&losses.penalty);
            let losses: Vec<u64> = losses.map(|x| x.to_bits()).collect();
            (bits(&gradients), bits(&outputs), losses)
        });
        let first = results.next().unwrap();
        assert!(results.all(|r| r == first), "seed {seed}: {:#?}", case.network);
    }
}

#[test]
fn sections_one_after_the_other_are_the_whole() {
    let runtime = runtime(2, Isa::detect());
    for seed in 0..30 {
        let case = case(seed);
        let mut engine = Engine::<f64>::new(&case.network, Arc::clone(&runtime)).unwrap();
        let whole = engine.forward(&case.parameters, Inputs::Values(&case.inputs), 0..2).unwrap();
        let middle = engine.forward(&case.parameters, Inputs::Values(&case.inputs), 0..1).unwrap();
        let parts = engine.forward(&case.parameters, Inputs::Values(&middle), 1..2).unwrap();
        assert_eq!(whole, parts, "seed {seed}: {:#?}", case.network);
    }
}

#[test]
fn dropout_keeps_the_mean_and_differs_by_epoch() {
    let layers = vec![Layer::Dropout { p: 0.25 }, Layer::Linear { out_features: 1 }];
    let sections = vec![Section { name: String::new(), layers }];
    let network = Network { input: [1, 20, 20], sections };
    let mut engine = Engine::<f64>::new(&network, runtime(1, Isa::detect())).unwrap();
    let (inputs, zeros) = (vec![1.0; 400 * 50], vec![0.0; 50]);
    let mut parameters = vec![1.0 / 400.0; 401];
    parameters[400] = 0.0;
    let mut losses = |pass| {
        let mut gradients = vec![0.0; 401];
        let inputs = Inputs::Values(&inputs);
        let targets = Targets::Values(&zeros);
        engine
            .gradients(&parameters, inputs, targets, Loss::MeanSquaredError, pass, &mut gradients)
            .unwrap()
            .fit
    };
    assert!(losses(Pass::Evaluate).iter().all(|l| (l - 1.0).abs() < 1e-12));
    let first = losses(Pass::Train { seed: 1, epoch: 1 });
    let mean = first.iter().map(|l| l.sqrt()).sum::<f64>() / 50.0;
    // Each mean of 400 draws has a standard deviation of sqrt(p / (1 - p) / 400) = 0.029.
    assert!((mean - 1.0).abs() < 0.02, "{mean}");
    assert!(first.iter().any(|l| (l - first[0]).abs() > 1e-3), "samples share a mask");
    assert_eq!(first, losses(Pass::Train { seed: 1, epoch: 1 }));
    assert_ne!(first, losses(Pass::Train { seed: 1, epoch: 2 }));
}

#[test]
fn what_does_not_fit_is_refused() {
    let layers = vec![Layer::Linear { out_features: 3 }];
    let network =
        Network { input: [1, 2, 2], sections: vec![Section { name: "net".into(), layers }] };
    let mut engine = Engine::<f32>::new(&network, runtime(1, Isa::detect())).unwrap();
    let parameters = vec![0.0; 15];
    let mut error = |inputs, targets, loss| {
        let mut gradients = vec![0.0; 15];
        let result =
            engine.gradients(&parameters, inputs, targets, loss, Pass::Evaluate, &mut gradients);
        result.unwrap_err().to_string()
    };
    let (one, pixels) = (Inputs::Values(&[0.0; 4]), [0u8; 8]);
    let ce = Loss::CrossEntropy;
    assert!(error(Inputs::Values(&[0.0; 5]), Targets::Classes(&[0]), ce).contains("got 5"));
    assert!(error(one, Targets::Classes(&[3]), ce).contains("class 3"));
    assert!(error(one, Targets::Classes(&[]), ce).contains("classes"));
    assert!(error(one, Targets::Inputs, ce).contains("cross-entropy"));
    assert!(
        error(one, Targets::Inputs, Loss::MeanSquaredError).contains("expected 4 numbers, got 3")
    );
    let bytes = Inputs::Bytes { pixels: &pixels, index: &[0, 2] };
    assert!(error(bytes, Targets::Classes(&[0, 0]), ce).contains("image 2"));
}
