//! Compares the gradients of every layer kind with central finite differences in double precision, on random geometries, and the bits
//! of the same networks on every instruction set and number of threads.

#![allow(clippy::unwrap_used)]

mod backward;
mod bf16;
mod conditions;
mod differences;
mod importance;
mod networks;
mod pseudo_inputs;
mod quantizer;

use std::sync::Arc;

use latents_engine::{
    Criterion, Engine, EngineOptions, Init, Inputs, Isa, Layer, Layout, Loss, Mixup, Network, Pass,
    Precision, Runtime, Section, Targets, initialize,
};
use latents_random::{Purpose, Stream, stream};
use networks::{between, network, norm, wide};

/// Seeds from here on give wide networks.
const WIDE: u64 = 1_000;

const INPUT_GRADIENTS: EngineOptions =
    EngineOptions { precision: Precision::Full, input_gradients: true };

/// The kinds of some layers and of the layers inside them.
fn kinds(layers: &[Layer]) -> Vec<&'static str> {
    let each = layers.iter().flat_map(|layer| {
        let inside = match layer {
            Layer::Residual { layers, shortcut, .. } => [kinds(layers), kinds(shortcut)].concat(),
            _ => vec![],
        };
        [vec![layer.kind()], inside].concat()
    });
    each.collect()
}

/// Whether a number of the parameter vector is trained.
fn is_trained(layout: &Layout, at: usize) -> bool {
    let parameter = layout.parameters().iter().find(|p| p.range().contains(&at)).unwrap();
    parameter.role.is_trained()
}

struct Case {
    network: Network,
    parameters: Vec<f64>,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    classes: Vec<u16>,
    mixtures: Vec<Mixup>,
    criterion: Criterion,
    pass: Pass,
}

fn case(seed: u64) -> Case {
    let mut random = stream(seed, Purpose::Synthetic, 1, 0);
    let mut network = if seed < WIDE { network(&mut random) } else { wide(&mut random) };
    let layout = network.layout().unwrap();
    let samples = between(&mut random, 1, if seed < WIDE { 37 } else { 18 });
    let outputs: usize = layout.output().iter().product();
    let values =
        |random: &mut Stream, n: usize| (0..n).map(|_| random.normal()).collect::<Vec<f64>>();
    let inputs = values(&mut random, samples * network.input.iter().product::<usize>());
    let targets = (0..samples * outputs).map(|_| random.uniform()).collect();
    let classes = (0..samples).map(|_| random.below(outputs.min(256) as u32) as u16).collect();
    let loss = match random.below(8) {
        0 => Loss::MeanSquaredError,
        1 => Loss::BinaryCrossEntropyWithLogits,
        2 => Loss::Bernoulli,
        3 => Loss::ContinuousBernoulli,
        4 => Loss::Gaussian { deviation: Some(0.7) },
        5 => Loss::Gaussian { deviation: None },
        _ => Loss::CrossEntropy { label_smoothing: [0.0, 0.2][random.below(2) as usize] },
    };
    let mut mixture = || Mixup {
        classes: [0; 2].map(|_| random.below(outputs.min(256) as u32) as u16),
        weight: random.uniform() as f32,
    };
    let mixtures = (0..samples).map(|_| mixture()).collect();
    let pass = match seed % 4 {
        0 => Pass::Evaluate,
        _ => Pass::Train { seed: 9, epoch: 2 },
    };
    if loss == (Loss::Gaussian { deviation: None }) {
        network.sections[1].layers.push(Layer::LogScale);
    }
    let layout = network.layout().unwrap();
    let criterion = Criterion { weight: 0.7, ..Criterion::new(loss) };
    let parameters = initialize(&layout, Init::Pytorch, seed);
    // Biases away from zero keep ReLU off its corner, where finite differences are not derivatives.
    let parameters =
        parameters.into_iter().map(|x| f64::from(x) + 0.01 * random.normal()).collect();
    Case { network, parameters, inputs, targets, classes, mixtures, criterion, pass }
}

impl Case {
    fn targets(&self) -> Targets<'_, f64> {
        match self.criterion.loss {
            Loss::CrossEntropy { .. } => self.classes(),
            _ => Targets::Values(&self.targets),
        }
    }

    fn classes<E>(&self) -> Targets<'_, E> {
        match self.classes.len() % 2 {
            0 => Targets::Classes(&self.classes),
            _ => Targets::Mixup(&self.mixtures),
        }
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Every instruction set, each with several numbers of threads.
fn ways() -> Vec<Arc<Runtime>> {
    let each = |isa| [1, 2, 4, 5].map(|threads| runtime(threads, isa));
    Isa::available().into_iter().flat_map(each).collect()
}

/// Checks that every way to compute gives the same.
fn assert_same_bits<T: PartialEq>(of: impl Fn(Arc<Runtime>) -> T) {
    let reference = of(runtime(1, Isa::Portable));
    for way in ways() {
        let how = format!("{}, {} threads", way.isa(), way.threads());
        assert!(of(way) == reference, "{how}");
    }
}

fn runtime(threads: usize, isa: Isa) -> Arc<Runtime> {
    Arc::new(Runtime::new(Some(threads), Some(isa)).unwrap())
}

#[test]
fn gradients_are_the_differences_of_the_loss() {
    let runtime = runtime(1, Isa::Portable);
    let (mut seen, mut checked) = (std::collections::BTreeSet::new(), 0);
    for seed in (0..140).chain(WIDE..WIDE + 4) {
        let case = case(seed);
        seen.extend(case.network.sections.iter().flat_map(|s| kinds(&s.layers)));
        let mut engine = Engine::<f64>::new(&case.network, Arc::clone(&runtime)).unwrap();
        let layout = engine.layout().clone();
        let mut unused = vec![0.0; case.parameters.len()];
        let mut mean = |parameters: &[f64], gradients: &mut [f64]| {
            let inputs = Inputs::Values(&case.inputs);
            let losses = engine
                .gradients(parameters, inputs, case.targets(), case.criterion, case.pass, gradients)
                .unwrap();
            losses.mean_loss() + case.criterion.weight * losses.mean_penalty()
        };
        let mut gradients = unused.clone();
        mean(&case.parameters, &mut gradients);
        let largest = gradients.iter().fold(1e-3, |a: f64, g| a.max(g.abs()));
        let mut random = stream(seed, Purpose::Synthetic, 2, 0);
        for _ in 0..12 {
            let at = random.below(case.parameters.len() as u32) as usize;
            if !is_trained(&layout, at) {
                continue;
            }
            let slope =
                |h: f64, mean: &mut dyn FnMut(&[f64], &mut [f64]) -> f64, unused: &mut [f64]| {
                    let mut moved = case.parameters.clone();
                    moved[at] += h;
                    let up = mean(&moved, unused);
                    moved[at] -= 2.0 * h;
                    (up - mean(&moved, unused)) / (2.0 * h)
                };
            let difference = slope(1e-5, &mut mean, &mut unused);
            // If two steps disagree, the corner of a ReLU lies between them, and neither gives the derivative.
            if (difference - slope(2e-6, &mut mean, &mut unused)).abs() > 1e-7 * largest {
                continue;
            }
            checked += 1;
            let error = (difference - gradients[at]).abs() / largest;
            assert!(error < 1e-6, "seed {seed}, parameter {at}: {error:e}\n{:#?}", case.network);
        }
    }
    assert!(checked > 1_000, "only {checked} derivatives were away from corners");
    assert_eq!(seen.len(), 23, "every kind but reshape, vector quantizer and vamp prior: {seen:?}");
}

#[test]
fn threads_and_instruction_sets_do_not_change_a_bit() {
    let ways = ways();
    for seed in (0..120).chain(WIDE..WIDE + 12) {
        let case = case(seed);
        let (parameters, inputs) = (narrow(&case.parameters), narrow(&case.inputs));
        let targets = narrow(&case.targets);
        let targets = match case.criterion.loss {
            Loss::CrossEntropy { .. } => case.classes(),
            _ => Targets::Values(&targets),
        };
        let mut results = ways.iter().map(|runtime| {
            let mut engine = Engine::<f32>::new(&case.network, Arc::clone(runtime)).unwrap();
            let mut gradients = vec![0.0; parameters.len()];
            let inputs = Inputs::Values(&inputs);
            let losses = engine
                .gradients(&parameters, inputs, targets, case.criterion, case.pass, &mut gradients)
                .unwrap();
            let outputs = engine.forward(&parameters, inputs, 0..2).unwrap();
            let losses = losses.loss.iter().chain(&losses.penalty);
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
            .loss
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

/// The inputs are zeros, the branch gives ones, and a sample skips the branch with probability 1/4.
#[test]
fn stochastic_depth_drops_the_branch_of_whole_samples() {
    let branch = Layer::Linear { out_features: 3 };
    let drop = |drop| Layer::Residual { layers: vec![branch.clone()], shortcut: vec![], drop };
    let network = |drop| {
        let sections = vec![Section { name: String::new(), layers: vec![drop] }];
        Network { input: [3, 1, 1], sections }
    };
    let mut engine = Engine::<f64>::new(&network(drop(0.25)), runtime(2, Isa::detect())).unwrap();
    let samples = 4_000;
    let (inputs, mut parameters) = (vec![0.0; 3 * samples], vec![0.0; 12]);
    parameters[9..].fill(1.0);
    let mut losses = |pass| {
        let mut gradients = vec![0.0; 12];
        let (inputs, targets) = (Inputs::Values(&inputs), Targets::Values(&inputs));
        let loss = Loss::MeanSquaredError;
        engine.gradients(&parameters, inputs, targets, loss, pass, &mut gradients).unwrap().loss
    };
    assert!(losses(Pass::Evaluate).iter().all(|l| l.to_bits() == 1.0f64.to_bits()));
    let first = losses(Pass::Train { seed: 1, epoch: 1 });
    // All three numbers of a sample are dropped together: its loss is 0 or (1 / 0.75)^2.
    let kept = first.iter().filter(|&&l| (l - 16.0 / 9.0).abs() < 1e-12).count();
    assert_eq!(kept + first.iter().filter(|&&l| l == 0.0).count(), samples);
    assert!((kept as f64 / samples as f64 - 0.75).abs() < 0.03, "{kept}");
    assert_eq!(first, losses(Pass::Train { seed: 1, epoch: 1 }));
    assert_ne!(first, losses(Pass::Train { seed: 1, epoch: 2 }));
}

/// Two micro-batches, the second with three samples; its empty lanes must not count.
#[test]
fn running_statistics_are_offered_the_batchs_own() {
    let sections = vec![Section { name: String::new(), layers: vec![norm()] }];
    let network = Network { input: [2, 2, 1], sections };
    let mut engine = Engine::<f64>::new(&network, runtime(1, Isa::detect())).unwrap();
    let mut random = stream(3, Purpose::Synthetic, 0, 0);
    let inputs: Vec<f64> = (0..19 * 4).map(|_| 5.0 + random.normal()).collect();
    let mut gradients = vec![0.0; 8];
    let pass = Pass::Train { seed: 0, epoch: 0 };
    let values = Inputs::Values(&inputs);
    let parameters = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    let loss = Loss::MeanSquaredError;
    engine.gradients(&parameters, values, Targets::Inputs, loss, pass, &mut gradients).unwrap();
    for channel in 0..2 {
        let mut expected = [0.0; 2];
        for samples in [0..16, 16..19] {
            let share = samples.len() as f64 / 19.0;
            let values: Vec<f64> = samples
                .flat_map(|i| [0, 1].map(|pixel| inputs[i * 4 + channel * 2 + pixel]))
                .collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
            expected[0] += share * mean;
            expected[1] += share * squares / (values.len() - 1) as f64;
        }
        assert!((gradients[4 + channel] - expected[0]).abs() < 1e-12);
        assert!((gradients[6 + channel] - expected[1]).abs() < 1e-12);
    }
}

#[test]
fn layers_that_do_not_fit_are_named_with_their_path() {
    let error = |layers: Vec<Layer>| {
        let sections = vec![Section { name: "net".into(), layers }];
        Network { input: [3, 4, 4], sections }.layout().unwrap_err().to_string()
    };
    let residual = |layers, shortcut| Layer::Residual { layers, shortcut, drop: 0.0 };
    let linear = |out_features| Layer::Linear { out_features };
    let inner = residual(vec![Layer::Tanh, linear(0)], vec![]);
    let message = error(vec![Layer::Relu, residual(vec![inner], vec![])]);
    assert!(message.contains("net.1.layers.0.layers.1 (linear)"), "{message}");
    let message = error(vec![residual(vec![linear(5)], vec![])]);
    let expected = "net.0 (residual) cannot take [3, 4, 4]";
    assert!(message.contains(expected) && message.contains("add a shortcut"), "{message}");
    let message = error(vec![residual(vec![Layer::Tanh], vec![linear(2), linear(0)])]);
    assert!(message.contains("net.0.shortcut.1 (linear)"), "{message}");
    assert!(error(vec![residual(vec![], vec![])]).contains("no layers"));
    let (kernel, stride) = ([3, 3], [1, 1]);
    let message = error(vec![Layer::MaxPool2d { kernel, stride, padding: [2, 0] }]);
    assert!(message.contains("at most half"), "{message}");
    let message = error(vec![Layer::AvgPool2d { kernel: [5, 1], stride, padding: [0, 0] }]);
    assert!(message.contains("larger than the padded image"), "{message}");
    // The offsets inside the image fit 32 bits, but those around it do not.
    let (kernel, stride, padding) = ([4096, 1], [1, 4096], [4096, 0]);
    let far = Layer::Conv2d { out_channels: 1, kernel, stride, padding };
    let sections = vec![Section { name: "net".into(), layers: vec![far] }];
    let message = Network { input: [1, 1, 32_777], sections }.layout().unwrap_err().to_string();
    assert!(message.contains("too large for its kernel [4096, 1]"), "{message}");
    let message = error(vec![Layer::BatchNorm2d { momentum: 0.1, epsilon: 0.0 }]);
    assert!(message.contains("net.0 (batch_norm2d)") && message.contains("epsilon"), "{message}");
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
    let ce = Loss::CrossEntropy { label_smoothing: 0.0 };
    assert!(error(Inputs::Values(&[0.0; 5]), Targets::Classes(&[0]), ce).contains("got 5"));
    assert!(error(one, Targets::Classes(&[3]), ce).contains("class 3"));
    assert!(error(one, Targets::Classes(&[]), ce).contains("classes"));
    let mixtures =
        [(3, 0.5), (2, 1.5)].map(|(class, weight)| Mixup { classes: [0, class], weight });
    assert!(error(one, Targets::Mixup(&mixtures[..1]), ce).contains("class 3"));
    let message = error(one, Targets::Mixup(&mixtures[1..]), ce);
    assert!(message.contains("weight of a class = 1.5"), "{message}");
    let steep = Loss::CrossEntropy { label_smoothing: -0.1 };
    assert!(error(one, Targets::Classes(&[0]), steep).contains("label smoothing = -0.1"));
    assert!(error(one, Targets::Inputs, ce).contains("cross-entropy"));
    assert!(
        error(one, Targets::Inputs, Loss::MeanSquaredError).contains("expected 4 numbers, got 3")
    );
    let bytes = Inputs::Images { pixels: pixels[..].into(), index: &[0, 2] };
    assert!(error(bytes, Targets::Classes(&[0, 0]), ce).contains("image 2"));
}
