use std::sync::Arc;

use latents_engine::{
    Batch, Element, Engine, Init, Inputs, Layer, Layout, Pass, Runtime, Targets, initialize,
};
use latents_random::{Purpose, stream};

use super::prior::quantizer;
use super::*;
use crate::vae::{condition_value, one_hot};

const IMAGE: Shape = [1, 9, 8];
const CLASSES: usize = 3;

/// A small model whose image of codes is `[c, 5, 4]`.
fn small(quantizer: Quantizer) -> VqvaeConfig {
    VqvaeConfig {
        quantizer,
        stages: vec![Stage { channels: 6, kernel: 3, stride: 2, padding: 1 }],
        blocks: 1,
        prior_channels: 5,
        prior_blocks: 2,
        ..VqvaeConfig::for_images(IMAGE)
    }
}

fn quantizers() -> [Quantizer; 2] {
    [
        Quantizer::Levels { levels: vec![3, 2, 4] },
        Quantizer::Table { codes: 11, dim: 4, commitment: 0.25 },
    ]
}

fn engine(config: &VqvaeConfig, classes: usize) -> (Engine<f64>, Vec<f64>) {
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let engine = Engine::new(&config.network(IMAGE, classes).unwrap(), runtime).unwrap();
    let parameters = initialize(engine.layout(), Init::Pytorch, 1);
    (engine, parameters.into_iter().map(|x| 3.0 * f64::from(x)).collect())
}

fn images(n: usize) -> Vec<f64> {
    let mut random = stream(1, Purpose::Synthetic, 0, 0);
    (0..n * IMAGE.iter().product::<usize>()).map(|_| random.uniform()).collect()
}

/// The number of the code at each place `[n, h, w]` of latents `[n, c, h, w]`.
fn numbers<E: Element + PartialEq>(z: &[E], shape: Shape, codes: &[E]) -> Vec<usize> {
    let [c, h, w] = shape;
    let code = |z: &[E], place: usize| {
        let vector: Vec<E> = (0..c).map(|channel| z[channel * h * w + place]).collect();
        codes.chunks_exact(c).position(|code| *code == vector[..]).unwrap()
    };
    z.chunks_exact(c * h * w).flat_map(|z| (0..h * w).map(move |place| code(z, place))).collect()
}

fn shape_of_codes(layout: &Layout) -> Shape {
    layout.shape(quantizer(layout).unwrap().0)
}

/// The penalty is minus the logarithm of the probability that the prior, as a network of its own, gives the codes.
#[test]
fn the_penalty_is_the_codes_under_the_prior() {
    for config in quantizers().map(small) {
        let (mut engine, parameters) = engine(&config, 0);
        let layout = engine.layout().clone();
        let (shape, images) = (shape_of_codes(&layout), images(7));
        let latents = config.latents(IMAGE).unwrap();
        assert_eq!(shape[1..], [5, 4]);
        assert_eq!(latents.dim, shape.iter().product::<usize>());
        let inputs = Inputs::Values(&images[..]);
        let z = engine.forward(&parameters, inputs, latents.encode).unwrap();
        let pass = Pass::Evaluate;
        let losses =
            engine.losses(&parameters, inputs, Targets::Inputs, config.criterion(), pass).unwrap();

        let prior = CodePrior::of(&layout, &parameters).unwrap();
        let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
        let mut network = Engine::<f64>::new(&prior.network, runtime).unwrap();
        let logits = network.forward(&prior.parameters, Inputs::Values(&z[..]), 0..1).unwrap();
        let (places, count) = (shape[1] * shape[2], prior.codes.len() / shape[0]);
        let numbers = numbers(&z, shape, &prior.codes);
        assert!(numbers.iter().any(|&number| number != numbers[0]));
        for (i, penalty) in losses.penalty.iter().enumerate() {
            let of_image = &logits[i * count * places..(i + 1) * count * places];
            let expected: f64 = (0..places)
                .map(|place| {
                    let each = (0..count).map(|code| of_image[code * places + place]);
                    let total: f64 = each.map(f64::exp).sum();
                    total.ln() - of_image[numbers[i * places + place] * places + place]
                })
                .sum();
            assert!((penalty - expected).abs() < 1e-9, "{penalty} {expected}");
        }
    }
}

/// What is drawn of a place depends on the codes before it alone, and on all of them that the kernel reaches.
#[test]
fn a_place_is_given_the_codes_before_it() {
    let config = small(Quantizer::default());
    let (engine, parameters) = engine(&config, 0);
    let prior = CodePrior::of(engine.layout(), &parameters).unwrap();
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let mut network = Engine::<f64>::new(&prior.network, runtime).unwrap();
    let [c, h, w] = prior.network.input;
    let mut random = stream(2, Purpose::Synthetic, 0, 0);
    let z: Vec<f64> = (0..c * h * w).map(|_| random.normal()).collect();
    let mut logits =
        |z: &[f64]| network.forward(&prior.parameters, Inputs::Values(z), 0..1).unwrap();
    let before = logits(&z);
    let codes = before.len() / (h * w);
    for place in 0..h * w {
        let mut moved = z.clone();
        moved[(c - 1) * h * w + place] += 1.0;
        let after = logits(&moved);
        let changes = |at: usize| {
            (0..codes).any(|code| {
                before[code * h * w + at].to_bits() != after[code * h * w + at].to_bits()
            })
        };
        assert!((0..=place).all(|at| !changes(at)), "{place}");
        assert_eq!((place + 1..h * w).any(changes), place + 1 < h * w, "{place}");
    }
}

#[test]
fn a_conditional_prior_knows_the_class_from_the_first_place_on() {
    let config = VqvaeConfig { conditional: true, ..small(Quantizer::default()) };
    let (mut engine, parameters) = engine(&config, CLASSES);
    let layout = engine.layout().clone();
    assert_eq!(layout.condition_features(), CLASSES);
    let images = images(1);
    let mut of = |class: u16| {
        let conditions = one_hot(&[class], CLASSES, condition_value(&layout));
        let batch: Batch<'_, f64> = Inputs::Values(&images[..]).with_conditions(&conditions);
        let losses = engine
            .losses(&parameters, batch, Targets::Inputs, config.criterion(), Pass::Evaluate)
            .unwrap();
        (losses.loss[0], losses.penalty[0])
    };
    let all: Vec<_> = (0..CLASSES as u16).map(&mut of).collect();
    for pair in all.windows(2) {
        assert!((pair[0].0 - pair[1].0).abs() > 1e-6, "the decoder: {all:?}");
        assert!((pair[0].1 - pair[1].1).abs() > 1e-6, "the prior: {all:?}");
    }
    // Images are encoded without a class.
    let z = engine.forward(&parameters, Inputs::Values(&images[..]), ENCODER..ENCODER + 1);
    assert!(z.is_ok());

    // The logits of the first place are of the class alone.
    let prior = CodePrior::of(&layout, &parameters).unwrap();
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let mut network = Engine::<f64>::new(&prior.network, runtime).unwrap();
    let [c, h, w] = prior.network.input;
    let z = vec![0.5; 2 * c * h * w];
    let conditions = one_hot(&[0, 2], CLASSES, 1.0);
    let batch: Batch<'_, f64> = Inputs::Values(&z[..]).with_conditions(&conditions);
    let logits = network.forward(&prior.parameters, batch, 0..1).unwrap();
    let (first, second) = logits.split_at(logits.len() / 2);
    assert!(
        first
            .iter()
            .step_by(h * w)
            .zip(second.iter().step_by(h * w))
            .any(|(a, b)| a.to_bits() != b.to_bits())
    );
}

#[test]
fn stages_and_codes_suit_the_images() {
    for (image, codes) in [
        ([1, 28, 28], [3, 7, 7]),
        ([3, 32, 32], [3, 8, 8]),
        ([3, 64, 64], [3, 8, 8]),
        ([1, 8, 8], [3, 4, 4]),
        ([4, 31, 17], [3, 8, 4]),
    ] {
        let config = VqvaeConfig::for_images(image);
        let layout = config.network(image, 0).unwrap().layout().unwrap();
        assert_eq!((layout.output(), shape_of_codes(&layout)), (image, codes));
        assert_eq!(config.latents(image).unwrap().dim, codes.iter().product::<usize>());
    }
}

#[test]
fn what_it_cannot_be_is_named() {
    let said =
        |config: &VqvaeConfig, classes| config.network(IMAGE, classes).unwrap_err().to_string();
    let plain = small(Quantizer::default());
    let conditional = VqvaeConfig { conditional: true, ..plain.clone() };
    assert!(said(&conditional, 1).contains("at least 2 classes, and these have 1"));
    let of = |quantizer| said(&small(quantizer), 0);
    assert!(of(Quantizer::Levels { levels: vec![8, 1] }).contains("must be at least 2"));
    assert!(
        of(Quantizer::Levels { levels: vec![] }).contains("levels must name at least one channel")
    );
    let table = Quantizer::Table { codes: 1, dim: 2, commitment: 0.1 };
    assert!(of(table).contains("codes = 1 must be from 2"));
    let none = VqvaeConfig { stages: vec![], ..plain.clone() };
    assert!(said(&none, 0).contains("at least one stage"));
    let sigma = VqvaeConfig { sigma: Some(0.1), ..plain };
    assert!(said(&sigma, 0).contains("sigma belongs to the likelihood gaussian"));
}

/// A classifier takes the codes, and has no use for their prior.
#[test]
fn the_encoder_of_a_classifier_has_no_prior() {
    let encoder = Box::new(small(Quantizer::default()).into());
    let classifier = crate::ClassifierConfig { encoder, ..crate::ClassifierConfig::default() };
    let layout = classifier.network(IMAGE, CLASSES).unwrap().layout().unwrap();
    assert!(layout.parameters().iter().all(|p| !p.name.contains("prior")));
    let quantizes = |layer: &Layer| matches!(layer, Layer::VectorQuantizer { .. });
    assert!(layout.layers().any(quantizes));
    assert_eq!(layout.output(), [CLASSES, 1, 1]);
}
