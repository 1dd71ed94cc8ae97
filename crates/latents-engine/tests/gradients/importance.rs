//! The importance-weighted objective: gradients of the decoder by finite differences, those of the encoder by the path derivative and on
//! average, and the keys of the draws. `tests/golden` compares both with PyTorch.

use std::sync::Arc;

use latents_engine::{
    Batch, Criterion, Engine, InputPixels, Inputs, Isa, Layer, Loss, Network, Pass, Runtime,
    Section, Targets,
};
use latents_random::{Purpose, stream};

use super::{assert_same_bits, bits, narrow, runtime};

const DIM: usize = 2;
const FEATURES: usize = 3;
const NORMAL: Layer = Layer::Gaussian;
const MIXTURE: Layer = Layer::MixturePrior { components: 3, features: FEATURES };

/// A conditional network with dropout whose likelihood has a learned deviation.
fn network(latents: Layer) -> Network {
    let linear = |out_features| Layer::Linear { out_features };
    let encoder = vec![
        Layer::Conv2d { out_channels: 3, kernel: [2, 2], stride: [1, 1], padding: [0, 0] },
        Layer::Silu,
        linear(8),
        Layer::Tanh,
        Layer::Dropout { p: 0.2 },
        linear(2 * DIM),
        latents,
    ];
    let decoder = vec![
        Layer::Condition { features: FEATURES },
        linear(7),
        Layer::Silu,
        Layer::Dropout { p: 0.3 },
        linear(12),
        Layer::Reshape { shape: [1, 4, 3] },
        Layer::Sigmoid,
        Layer::LogScale,
    ];
    let section = |name: &str, layers| Section { name: name.into(), layers };
    Network {
        input: [1, 4, 3],
        sections: vec![section("encoder", encoder), section("decoder", decoder)],
    }
}

const LOSS: Loss = Loss::Gaussian { deviation: None };
const TRAIN: Pass = Pass::Train { seed: 3, epoch: 2 };

/// Parameters, images and their conditions.
struct Scene {
    parameters: Vec<f64>,
    images: Vec<f64>,
    conditions: Vec<f64>,
}

impl Scene {
    /// An engine in double precision, and `n` images.
    fn new(latents: Layer, n: usize) -> (Engine<f64>, Self) {
        let engine = Engine::new(&network(latents), runtime(1, Isa::detect())).unwrap();
        let mut random = stream(8, Purpose::Synthetic, 0, 0);
        let count = engine.layout().parameter_count();
        let parameters = (0..count).map(|_| 0.5 * random.normal()).collect();
        let images = (0..12 * n).map(|_| random.uniform()).collect();
        let conditions = (0..FEATURES * n).map(|_| random.normal()).collect();
        (engine, Scene { parameters, images, conditions })
    }

    fn batch(&self) -> Batch<'_, f64> {
        Inputs::Values(&self.images).with_conditions(&self.conditions)
    }
}

/// The mean bound and its gradients.
fn bound(
    engine: &mut Engine<f64>,
    parameters: &[f64],
    batch: Batch<'_, f64>,
    draws: usize,
    pass: Pass,
) -> (f64, Vec<f64>) {
    let mut gradients = vec![f64::NAN; parameters.len()];
    let bounds =
        engine.importance_gradients(parameters, batch, LOSS, draws, pass, &mut gradients).unwrap();
    (bounds.iter().sum::<f64>() / bounds.len() as f64, gradients)
}

/// For draws that stay, the gradient of everything after the encoder is that of the value.
#[test]
fn gradients_of_prior_decoder_and_likelihood_are_differences_of_the_bound() {
    // A micro-batch has all of 5 draws of its samples, and not of 9 or 18.
    for (latents, draws) in [(NORMAL, 5), (MIXTURE, 5), (NORMAL, 9), (MIXTURE, 18)] {
        let (mut engine, scene) = Scene::new(latents, 19);
        let batch = scene.batch();
        let (_, gradients) = bound(&mut engine, &scene.parameters, batch, draws, TRAIN);
        let first = engine.layout().parameters_of(0..6).end;
        for i in first..scene.parameters.len() {
            let mut at = |step: f64| {
                let mut moved = scene.parameters.clone();
                moved[i] += step;
                bound(&mut engine, &moved, batch, draws, TRAIN).0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            let error = (slope - gradients[i]).abs();
            assert!(error < 1e-6 * (1.0 + slope.abs()), "{i}: {slope} {}", gradients[i]);
        }
    }
}

/// With one draw, the gradient of the encoder is that through z: of the loss and of log q(z|x) - log p(z), in which q stays.
#[test]
fn one_draw_has_the_path_derivative() {
    for latents in [NORMAL, MIXTURE] {
        let (mut engine, scene) = Scene::new(latents, 19);
        let pass = Pass::Importance { seed: 4, draw: 1 };
        let (batch, parameters) = (scene.batch(), &scene.parameters);
        let (value, gradients) = bound(&mut engine, parameters, batch, 1, pass);
        let mut same = vec![0.0; parameters.len()];
        let losses =
            engine.gradients(parameters, batch, Targets::Inputs, LOSS, pass, &mut same).unwrap();
        assert!((losses.mean_loss() + losses.mean_penalty() - value).abs() < 1e-12);
        assert_eq!(gradients, same);

        let fixed = engine.forward_layers(parameters, batch, 0..6).unwrap();
        let log_q = |z: &[f64], given: &[f64]| {
            let each = z.chunks_exact(DIM).zip(given.chunks_exact(2 * DIM)).map(|(z, given)| {
                let axis = |j: usize| {
                    let apart = z[j] - given[j];
                    -0.5 * (apart * apart * libm::exp(-given[DIM + j]) + given[DIM + j])
                };
                (0..DIM).map(axis).sum::<f64>()
            });
            each.sum::<f64>() / 19.0
        };
        for i in 0..engine.layout().parameters_of(0..6).end {
            let mut at = |step: f64| {
                let mut moved = parameters.clone();
                moved[i] += step;
                let value = bound(&mut engine, &moved, batch, 1, pass).0;
                let z = engine.outputs(&moved, batch, 0..1, pass).unwrap();
                let given = engine.forward_layers(&moved, batch, 0..6).unwrap();
                value - log_q(&z, &given) + log_q(&z, &fixed)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            let error = (slope - gradients[i]).abs();
            assert!(error < 1e-6 * (1.0 + slope.abs()), "{i}: {slope} {}", gradients[i]);
        }
    }
}

/// Over many draws, the doubly reparameterised gradient of the encoder is that of the bound, with much less noise if q is nearly right.
#[test]
fn the_gradient_of_the_encoder_is_that_of_the_bound_on_average() {
    let linear = |out_features| Layer::Linear { out_features };
    let layers = vec![linear(2), NORMAL, linear(1)];
    let network =
        Network { input: [1, 1, 1], sections: vec![Section { name: String::new(), layers }] };
    let mut engine = Engine::<f64>::new(&network, runtime(2, Isa::detect())).unwrap();
    let criterion = Criterion::new(Loss::Gaussian { deviation: Some(0.7) });
    // The same image many times, each with its own draws.
    let (images, draws) = (vec![0.9; 40_000], 4);
    let mut of = |parameters: &[f64]| {
        let mut gradients = vec![0.0; parameters.len()];
        let inputs = Inputs::Values(&images);
        let bounds = engine
            .importance_gradients(parameters, inputs, criterion, draws, TRAIN, &mut gradients)
            .unwrap();
        (bounds.iter().sum::<f64>() / bounds.len() as f64, gradients)
    };
    let parameters = [0.3, -0.2, 0.4, -0.6, 1.2, 0.1];
    let (_, gradients) = of(&parameters);
    for i in 0..4 {
        let mut at = |step: f64| {
            let mut moved = parameters;
            moved[i] += step;
            of(&moved).0
        };
        let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
        let error = (slope - gradients[i]).abs();
        assert!(error < 0.005 && slope.abs() > 0.03, "{i}: {slope} {}", gradients[i]);
    }
}

/// The draws of an image depend on its index and on no other image, and the first is that of other objectives.
#[test]
fn draws_are_keyed_by_the_image_and_their_number() {
    let (mut engine, Scene { parameters, .. }) = Scene::new(MIXTURE, 4);
    let mut random = stream(9, Purpose::Synthetic, 0, 0);
    let bytes: Vec<u8> = (0..12 * 40).map(|_| random.next_u32() as u8).collect();
    let mut of = |index: &[u32], draws: usize, pass: Pass| {
        let conditions: Vec<f64> =
            index.iter().flat_map(|&i| [f64::from(i) / 40.0, 1.0, -0.3]).collect();
        let inputs = Inputs::Images { pixels: InputPixels::Bytes(&bytes), index };
        let batch = inputs.with_conditions(&conditions);
        let mut gradients = vec![0.0; parameters.len()];
        engine.importance_gradients(&parameters, batch, LOSS, draws, pass, &mut gradients).unwrap()
    };
    let index: Vec<u32> = (0..37).rev().collect();
    let (all, next) = (of(&index, 7, TRAIN), of(&index, 7, Pass::Train { seed: 3, epoch: 3 }));
    for (i, bound) in index.iter().zip(&all) {
        assert_eq!(of(&[*i], 7, TRAIN)[0].to_bits(), bound.to_bits());
    }
    assert!(all.iter().zip(&next).all(|(a, b)| (a - b).abs() > 1e-6));
    // With more draws the bound on -log p(x) falls on average.
    let mean = |bounds: Vec<f64>| bounds.iter().sum::<f64>() / bounds.len() as f64;
    let means =
        [1, 2, 8, 64].map(|draws| mean(of(&index, draws, Pass::Sample { seed: 1, draw: 0 })));
    assert!(means.is_sorted_by(|a, b| a > b), "{means:?}");
}

#[test]
fn every_way_to_compute_gives_the_same_bits() {
    let (_, scene) = Scene::new(MIXTURE, 37);
    let [parameters, images, conditions] =
        [&scene.parameters, &scene.images, &scene.conditions].map(|values| narrow(values));
    for draws in [7, 11] {
        assert_same_bits(|runtime: Arc<Runtime>| {
            let mut engine = Engine::<f32>::new(&network(MIXTURE), runtime).unwrap();
            let batch = Inputs::Values(&images).with_conditions(&conditions);
            let mut gradients = vec![f32::NAN; parameters.len()];
            let bounds =
                engine.importance_gradients(&parameters, batch, LOSS, draws, TRAIN, &mut gradients);
            let bounds: Vec<u64> = bounds.unwrap().iter().map(|bound| bound.to_bits()).collect();
            (bounds, bits(&gradients))
        });
    }
}

#[test]
fn what_cannot_be_weighted_is_named() {
    let (mut engine, scene) = Scene::new(NORMAL, 4);
    let (parameters, inputs) = (&scene.parameters, scene.batch());
    let mut gradients = vec![0.0; parameters.len()];
    let mut said = |criterion: Criterion, draws| {
        let result = engine.importance_gradients(
            parameters,
            inputs,
            criterion,
            draws,
            TRAIN,
            &mut gradients,
        );
        result.unwrap_err().to_string()
    };
    assert!(said(LOSS.into(), 0).contains("number of draws"));
    assert!(said(Loss::MeanSquaredError.into(), 2).contains("likelihood"));
    assert!(said(Criterion { weight: 2.0, ..LOSS.into() }, 2).contains("weight 1"));
    assert!(said(Criterion { free_bits: 0.1, ..LOSS.into() }, 2).contains("free bits"));
    let linear = Layer::Linear { out_features: 2 };
    let others = [
        vec![linear.clone()],
        vec![linear.clone(), Layer::SquaredNorm],
        vec![NORMAL, linear.clone()],
        vec![linear.clone(), Layer::SquaredNorm, linear.clone(), NORMAL, linear],
    ];
    for layers in others {
        let network =
            Network { input: [2, 1, 1], sections: vec![Section { name: String::new(), layers }] };
        let mut engine = Engine::<f64>::new(&network, runtime(1, Isa::Portable)).unwrap();
        let parameters = vec![0.1; engine.layout().parameter_count()];
        let mut gradients = parameters.clone();
        let loss = Loss::Gaussian { deviation: Some(1.0) };
        let inputs = Inputs::Values(&[0.5, 0.5]);
        let result =
            engine.importance_gradients(&parameters, inputs, loss, 2, TRAIN, &mut gradients);
        assert!(result.unwrap_err().to_string().contains("only penalty"));
    }
}
