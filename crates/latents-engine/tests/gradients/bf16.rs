//! Networks in bfloat16: exact where no number is rounded, near the full precision elsewhere, the same bits on every instruction set and
//! number of threads.

use std::sync::Arc;

use latents_engine::{
    Engine, EngineOptions, Inputs, Isa, Layer, Loss, Network, Pass, Precision, Section, Targets,
};
use latents_random::{Purpose, Stream, stream};

use super::networks::between;
use super::{WIDE, bits, case, narrow, runtime, ways};

const BF16: EngineOptions = EngineOptions { precision: Precision::Bf16, input_gradients: true };

/// One layer of enough channels to be computed in tiles: with and without a last tile that is full, with any kernel, stride and padding.
fn layer(random: &mut Stream) -> Network {
    loop {
        let mut pair = |low, high| [between(random, low, high), between(random, low, high)];
        let (size, kernel, stride, padding) = (pair(1, 9), pair(1, 5), pair(1, 3), pair(0, 2));
        let channels = pair(2, 70);
        let layers = vec![match random.below(5) {
            0 | 1 => Layer::Conv2d { out_channels: channels[1], kernel, stride, padding },
            2 | 3 => Layer::ConvTranspose2d {
                out_channels: channels[1],
                kernel,
                stride,
                padding,
                output_padding: stride.map(|s| s - 1),
            },
            _ => Layer::Linear { out_features: between(random, 100, 300) },
        }];
        let sections = vec![Section { name: "net".into(), layers }];
        let network = Network { input: [channels[0], size[0], size[1]], sections };
        if channels[0] * channels[1] >= 256 && network.layout().is_ok() {
            return network;
        }
    }
}

/// Products and sums of small whole numbers are exact, in any order, so every precision must give the same bits.
#[test]
fn whole_numbers_are_exact() {
    for seed in 0..60 {
        let mut random = stream(seed, Purpose::Synthetic, 3, 0);
        let network = layer(&mut random);
        let layout = network.layout().unwrap();
        let samples = between(&mut random, 1, 70);
        let mut numbers =
            |n: usize| -> Vec<f32> { (0..n).map(|_| random.below(9) as f32 - 4.0).collect() };
        let numbers_of = |shape: [usize; 3]| samples * shape.iter().product::<usize>();
        let parameters = numbers(layout.parameter_count());
        let (x, slopes) =
            (numbers(numbers_of(network.input)), numbers(numbers_of(layout.output())));
        let results = [Precision::Full, Precision::Bf16].map(|precision| {
            let options = EngineOptions { precision, ..BF16 };
            let runtime = runtime(2, Isa::detect());
            let mut engine = Engine::<f32>::with_options(&network, runtime, options).unwrap();
            let (batch, pass) = (Inputs::Values(&x), Pass::Evaluate);
            let outputs = engine.outputs(&parameters, batch, 0..1, pass).unwrap();
            let mut gradients = vec![0.0; parameters.len()];
            let back =
                engine.backward(&parameters, batch, &slopes, 0..1, pass, &mut gradients).unwrap();
            (outputs, gradients, back.input_gradients.unwrap())
        });
        let [full, bf16] = &results;
        assert!(full.0 == bf16.0, "outputs, seed {seed}: {network:#?}");
        assert!(full.1 == bf16.1, "gradients of parameters, seed {seed}: {network:#?}");
        assert!(full.2 == bf16.2, "gradients of inputs, seed {seed}: {network:#?}");
    }
}

/// Norm of the difference of the gradients of one batch from those in double precision, as a part of their norm.
#[test]
fn gradients_are_as_near_as_rounding_allows() {
    for seed in 0..12 {
        let mut random = stream(seed, Purpose::Synthetic, 4, 0);
        let mut network = layer(&mut random);
        let hidden = [Layer::Silu, Layer::Linear { out_features: 64 }, Layer::Tanh];
        let last = [Layer::Linear { out_features: 32 }];
        network.sections[0].layers.extend(hidden.into_iter().chain(last));
        let layout = network.layout().unwrap();
        let samples = 40;
        let numbers = samples * network.input.iter().product::<usize>();
        let x: Vec<f64> = (0..numbers).map(|_| random.normal()).collect();
        let targets: Vec<f64> = (0..samples * 32).map(|_| random.normal()).collect();
        let parameters = latents_engine::initialize(&layout, latents_engine::Init::Pytorch, seed);
        let wide: Vec<f64> = parameters.iter().map(|&p| p.into()).collect();
        let mut exact = vec![0.0; wide.len()];
        let (loss, pass) = (Loss::MeanSquaredError, Pass::Evaluate);
        Engine::<f64>::new(&network, runtime(2, Isa::detect()))
            .unwrap()
            .gradients(&wide, Inputs::Values(&x), Targets::Values(&targets), loss, pass, &mut exact)
            .unwrap();
        let (x, targets) = (narrow(&x), narrow(&targets));
        let mut engine =
            Engine::<f32>::with_options(&network, runtime(2, Isa::detect()), BF16).unwrap();
        let mut near = vec![0.0; wide.len()];
        let targets = Targets::Values(&targets);
        engine.gradients(&parameters, Inputs::Values(&x), targets, loss, pass, &mut near).unwrap();
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let error = norm(&mut exact.iter().zip(&near).map(|(&a, &b)| a - f64::from(b)));
        let error = error / norm(&mut exact.iter().copied());
        // Numbers have 8 bits, so each is off by 0.17 % on average and by 0.39 % at most.
        assert!(error < 0.01, "seed {seed}: {error}");
        assert!(error > 1e-5, "seed {seed}: nothing was rounded");
    }
}

#[test]
fn threads_and_instruction_sets_do_not_change_a_bit_in_bf16() {
    let ways = ways();
    let layers = (0..6).map(|seed| layer(&mut stream(seed, Purpose::Synthetic, 5, 0)));
    let networks = layers.chain((WIDE..WIDE + 2).map(|seed| case(seed).network));
    for (seed, network) in networks.enumerate() {
        let layout = network.layout().unwrap();
        let mut random = stream(seed as u64, Purpose::Synthetic, 6, 0);
        let samples = between(&mut random, 1, 50);
        // Of very different sizes, also so small that they are zero in bfloat16.
        let mut numbers = |n: usize| -> Vec<f32> {
            (0..n).map(|_| (random.normal() * (6.0 * random.normal()).exp2()) as f32).collect()
        };
        let parameters = numbers(layout.parameter_count());
        let x = numbers(samples * network.input.iter().product::<usize>());
        let slopes = numbers(samples * layout.output().iter().product::<usize>());
        let slopes: Vec<f32> = slopes.iter().map(|x| x * 1e-15).collect();
        let pass = Pass::Train { seed: 3, epoch: 1 };
        let sections = 0..layout.section_count();
        let mut results = ways.iter().map(|runtime| {
            let mut engine =
                Engine::<f32>::with_options(&network, Arc::clone(runtime), BF16).unwrap();
            let batch = Inputs::Values(&x);
            let outputs = engine.outputs(&parameters, batch, sections.clone(), pass).unwrap();
            let mut gradients = vec![0.0; parameters.len()];
            let sections = sections.clone();
            let back = engine
                .backward(&parameters, batch, &slopes, sections, pass, &mut gradients)
                .unwrap();
            (bits(&outputs), bits(&gradients), bits(&back.input_gradients.unwrap()))
        });
        let first = results.next().unwrap();
        assert!(results.all(|r| r == first), "seed {seed}: {network:#?}");
    }
}
