//! Vector quantisers: gradients of what they minimise by finite differences, and the same bits on every instruction set and number of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use latents_engine::{Batch, CodeTable};

use super::*;

const COMMITMENT: f64 = 0.4;
/// The weight of the penalty.
const WEIGHT: f64 = 0.7;
const SAMPLES: usize = 37;
const PASS: Pass = Pass::Train { seed: 4, epoch: 1 };

/// The layers of the encoder before the quantiser, with it, and all layers.
const LAYERS: [usize; 3] = [2, 3, 6];

fn learned(codes: usize, commitment: f64) -> CodeTable {
    CodeTable::Learned { codes, commitment }
}

/// A table of each kind.
fn tables() -> [CodeTable; 2] {
    [learned(6, COMMITMENT), CodeTable::Levels { levels: vec![2, 3, 2] }]
}

fn prior(codes: usize) -> Vec<Layer> {
    let masked =
        |out_channels, kernel, center| Layer::MaskedConv2d { out_channels, kernel, center };
    let layers = vec![masked(5, [3, 3], true), Layer::Tanh];
    vec![
        Layer::Condition { features: 2 },
        masked(5, [3, 5], false),
        Layer::Relu,
        Layer::Residual { layers, shortcut: vec![], drop: 0.0 },
        masked(codes, [1, 1], true),
    ]
}

fn decoder() -> Section {
    let (kernel, padding) = ([3, 3], [1, 1]);
    let (stride, output_padding) = ([2, 2], [1, 0]);
    let layers = vec![
        Layer::ConvTranspose2d { out_channels: 2, kernel, stride, padding, output_padding },
        Layer::Silu,
        Layer::Conv2d { out_channels: 2, kernel, stride: [1, 1], padding },
    ];
    Section { name: "decoder".into(), layers }
}

fn network(table: &CodeTable) -> Network {
    let layers = vec![
        Layer::Conv2d { out_channels: 3, kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
        norm(),
        Layer::VectorQuantizer { table: table.clone(), prior: prior(table.codes()) },
    ];
    let encoder = Section { name: "encoder".into(), layers };
    Network { input: [2, 8, 7], sections: vec![encoder, decoder()] }
}

/// A point of the parameters, and a batch.
struct Point {
    table: CodeTable,
    layout: Layout,
    parameters: Vec<f64>,
    inputs: Vec<f64>,
    conditions: Vec<f64>,
    criterion: Criterion,
}

impl Point {
    fn new(table: CodeTable) -> Self {
        let layout = network(&table).layout().unwrap();
        let mut random = stream(5, Purpose::Synthetic, 3, 0);
        let mut values = |n: usize| (0..n).map(|_| random.normal()).collect();
        Point {
            parameters: initialize(&layout, Init::Pytorch, 5).into_iter().map(f64::from).collect(),
            inputs: values(SAMPLES * layout.shape(0).iter().product::<usize>()),
            conditions: values(SAMPLES * 2),
            criterion: Criterion { weight: WEIGHT, ..Criterion::new(Loss::Bernoulli) },
            layout,
            table,
        }
    }

    fn batch(&self) -> Batch<'_, f64> {
        Inputs::Values(&self.inputs).with_conditions(&self.conditions)
    }

    /// The range of the parameters whose names begin so; empty if there are none.
    fn range(&self, name: &str) -> Range<usize> {
        let all = self.layout.parameters().iter().filter(|p| p.name.starts_with(name));
        let ranges: Vec<_> = all.map(latents_engine::Parameter::range).collect();
        match &ranges[..] {
            [] => 0..0,
            [first, ..] => first.start..ranges[ranges.len() - 1].end,
        }
    }

    /// The codes for some parameters.
    fn codes(&self, parameters: &[f64]) -> Vec<f64> {
        self.table.vectors(&parameters[self.range("encoder.2.codes")])
    }
}

/// What is minimised around a point, with the assignment of vectors to codes and all that is detached as it is at the point.
struct Objective<'a> {
    point: &'a Point,
    engine: Engine<f64>,
    decoder: Engine<f64>,
    /// Vectors and their codes `[n, c, h, w]`.
    z: Vec<f64>,
    e: Vec<f64>,
    /// The number of the code of each vector `[n, h, w]`.
    numbers: Vec<usize>,
}

impl<'a> Objective<'a> {
    fn around(point: &'a Point) -> Self {
        let runtime = runtime(1, Isa::Portable);
        let mut engine = Engine::<f64>::new(&network(&point.table), Arc::clone(&runtime)).unwrap();
        let input = point.layout.shape(LAYERS[1]);
        let decoder = Network { input, sections: vec![decoder()] };
        let decoder = Engine::<f64>::new(&decoder, runtime).unwrap();
        let mut after = |layers| {
            engine.outputs_of_layers(&point.parameters, point.batch(), 0..layers, PASS).unwrap()
        };
        let (z, e) = (after(LAYERS[0]), after(LAYERS[1]));
        let [c, h, w] = input;
        let codes = point.codes(&point.parameters);
        let nearest = |n: usize, pixel: usize| {
            let distance = |k: usize| -> f64 {
                (0..c).map(|j| (z[(n * c + j) * h * w + pixel] - codes[k * c + j]).powi(2)).sum()
            };
            (0..point.table.codes()).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap()
        };
        let pixels = (0..SAMPLES).flat_map(|n| (0..h * w).map(move |pixel| (n, pixel)));
        let numbers: Vec<usize> = pixels.map(|(n, pixel)| nearest(n, pixel)).collect();
        let objective = Objective { point, engine, decoder, z, e, numbers };
        assert_eq!(objective.e, objective.assigned(&codes), "the nearest codes");
        objective
    }

    /// The codes of the vectors `[n, c, h, w]`, from a table.
    fn assigned(&self, codes: &[f64]) -> Vec<f64> {
        let [c, h, w] = self.point.layout.shape(LAYERS[1]);
        let code = |i: usize| {
            let (n, channel, pixel) = (i / (c * h * w), i / (h * w) % c, i % (h * w));
            codes[self.numbers[n * h * w + pixel] * c + channel]
        };
        (0..self.z.len()).map(code).collect()
    }

    fn value(&mut self, parameters: &[f64]) -> f64 {
        let point = self.point;
        let z =
            self.engine.outputs_of_layers(parameters, point.batch(), 0..LAYERS[0], PASS).unwrap();
        let moved = self.assigned(&point.codes(parameters));
        let square =
            |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
        let distances = match point.table {
            CodeTable::Learned { .. } => COMMITMENT * square(&z, &self.e) + square(&moved, &self.z),
            CodeTable::Levels { .. } => 0.0,
        };

        let through: Vec<f64> = (0..z.len()).map(|i| self.e[i] + z[i] - self.z[i]).collect();
        let (through, targets) = (Inputs::Values(&through), Targets::Values(&point.inputs));
        let of_decoder = point.layout.parameters_of(LAYERS[1]..LAYERS[2]);
        let fit = self
            .decoder
            .losses(&parameters[of_decoder], through, targets, point.criterion, PASS)
            .unwrap();

        let mut with_prior = point.parameters.clone();
        let of_prior = point.range("encoder.2.prior.");
        with_prior[of_prior.clone()].copy_from_slice(&parameters[of_prior]);
        let penalty = self
            .engine
            .losses(&with_prior, point.batch(), Targets::Inputs, point.criterion, PASS)
            .unwrap();
        let mean = distances / SAMPLES as f64 + penalty.mean_penalty();
        fit.mean_loss() + WEIGHT * mean
    }
}

#[test]
fn gradients_are_those_of_what_it_minimises() {
    tables().into_iter().for_each(check_gradients);
}

fn check_gradients(table: CodeTable) {
    let point = Point::new(table);
    let mut objective = Objective::around(&point);
    let used: BTreeSet<usize> = objective.numbers.iter().copied().collect();
    assert!(used.len() > 3, "{used:?}");
    let mut gradients = vec![0.0; point.parameters.len()];
    let (targets, criterion) = (Targets::Inputs, point.criterion);
    let losses = objective
        .engine
        .gradients(&point.parameters, point.batch(), targets, criterion, PASS, &mut gradients)
        .unwrap();
    let again = objective.engine.losses(&point.parameters, point.batch(), targets, criterion, PASS);
    assert_eq!(losses, again.unwrap());

    let largest = gradients.iter().fold(1e-3, |a: f64, g| a.max(g.abs()));
    let mut sums = BTreeMap::new();
    for parameter in point.layout.parameters() {
        if !parameter.role.is_trained() {
            continue;
        }
        for at in parameter.range() {
            let mut slope = |h: f64| {
                let mut moved = point.parameters.clone();
                moved[at] += h;
                let up = objective.value(&moved);
                moved[at] -= 2.0 * h;
                (up - objective.value(&moved)) / (2.0 * h)
            };
            let difference = slope(1e-5);
            // A corner of a ReLU between two steps.
            if (difference - slope(2e-6)).abs() > 1e-7 * largest {
                continue;
            }
            let error = (difference - gradients[at]).abs() / largest;
            assert!(error < 1e-6, "{}: {difference}, not {}", parameter.name, gradients[at]);
            *sums.entry(&parameter.name).or_insert(0.0_f64) += gradients[at].abs();
        }
    }
    // The bias before a normalisation has no effect.
    sums.retain(|name, _| *name != "encoder.0.bias");
    assert!(sums.len() >= 13 && sums.values().all(|&sum| sum > 1e-6), "{sums:?}");
}

#[test]
fn threads_and_instruction_sets_do_not_change_a_bit() {
    tables().into_iter().for_each(check_bits);
}

fn check_bits(table: CodeTable) {
    let point = Point::new(table);
    let parameters = narrow(&point.parameters);
    let (inputs, conditions) = (narrow(&point.inputs), narrow(&point.conditions));
    let batch = Inputs::Values(&inputs).with_conditions(&conditions);
    let mut results = ways().into_iter().map(|runtime| {
        let mut engine = Engine::<f32>::new(&network(&point.table), runtime).unwrap();
        let mut gradients = vec![0.0; parameters.len()];
        let losses = engine
            .gradients(&parameters, batch, Targets::Inputs, point.criterion, PASS, &mut gradients)
            .unwrap();
        // Outputs do without the prior, and without its conditions.
        let codes = engine.forward(&parameters, Inputs::Values(&inputs), 0..1).unwrap();
        let losses: Vec<u64> =
            losses.loss.iter().chain(&losses.penalty).map(|x| x.to_bits()).collect();
        (bits(&gradients), bits(&codes), losses)
    });
    let first = results.next().unwrap();
    assert!(results.all(|result| result == first));
}

#[test]
fn without_a_prior_all_codes_are_as_likely() {
    let point = Point::new(learned(6, COMMITMENT));
    let mut network = network(&point.table);
    network.sections[0].layers.truncate(LAYERS[0]);
    let quantizer = Layer::VectorQuantizer { table: learned(5, 0.25), prior: vec![] };
    network.sections[0].layers.push(quantizer);
    let mut engine = Engine::<f64>::new(&network, runtime(1, Isa::Portable)).unwrap();
    let parameters = initialize(engine.layout(), Init::Pytorch, 1);
    let parameters: Vec<f64> = parameters.into_iter().map(f64::from).collect();
    let batch = Inputs::Values(&point.inputs);
    let losses = engine
        .losses(&parameters, batch, Targets::Inputs, point.criterion, Pass::Evaluate)
        .unwrap();
    let uniform = 16.0 * 5.0_f64.ln();
    assert!(losses.penalty.iter().all(|penalty| (penalty - uniform).abs() < 1e-12));
}

#[test]
fn misfits_are_refused() {
    let of_table = |table, prior| {
        let layers = vec![Layer::VectorQuantizer { table, prior }];
        let section = Section { name: "encoder".into(), layers };
        let network = Network { input: [3, 4, 4], sections: vec![section] };
        network.layout().unwrap_err().to_string()
    };
    let of = |codes, commitment, prior| of_table(learned(codes, commitment), prior);
    assert!(of(1, 0.1, vec![]).contains("codes = 1 must be from 2 to 65536"));
    assert!(of(9, -0.1, vec![]).contains("commitment -0.1 must be at least 0"));
    let center = Layer::MaskedConv2d { out_channels: 8, kernel: [3, 3], center: false };
    let error = of(9, 0.1, vec![center]);
    assert!(error.contains("its prior gives [8, 4, 4] and not the logits [9, 4, 4]"), "{error}");
    let even = Layer::MaskedConv2d { out_channels: 9, kernel: [2, 3], center: false };
    assert!(of(9, 0.1, vec![even]).contains("encoder.0.prior.0 (masked_conv2d)"));
    let levels = |levels: &[usize]| of_table(CodeTable::Levels { levels: levels.to_vec() }, vec![]);
    assert!(levels(&[4, 4]).contains("its levels are for 2 channels, and its input has 3"));
    assert!(levels(&[4, 1, 4]).contains("levels [4, 1, 4] must be at least 2"));
    assert!(levels(&[99, 99, 99]).contains("must be from 2 to 65536"));
}
