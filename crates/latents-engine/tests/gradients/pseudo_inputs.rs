//! A prior of pseudo-inputs: gradients through the encoder by finite differences, the mixture that it is, and the same bits everywhere.
//! `tests/golden` compares it with PyTorch.

use std::sync::Arc;

use latents_engine::{
    Criterion, Engine, Inputs, Isa, Layer, Loss, Network, Pass, Runtime, Section, Targets,
};
use latents_random::{Purpose, stream};

use super::{assert_same_bits, bits, is_trained, narrow, norm, runtime};

const DIM: usize = 3;
const PIXELS: usize = 20;
/// More than a micro-batch of pseudo-inputs, with lanes left over.
const COMPONENTS: usize = 19;
const VAMP: Layer = Layer::VampPrior { components: COMPONENTS };
const LOSS: Loss = Loss::Gaussian { deviation: None };
const TRAIN: Pass = Pass::Train { seed: 3, epoch: 2 };
const SAMPLES: usize = 21;

fn linear(out_features: usize) -> Layer {
    Layer::Linear { out_features }
}

fn of(sections: Vec<(&str, Vec<Layer>)>) -> Network {
    let section = |(name, layers): (&str, _)| Section { name: String::from(name), layers };
    Network { input: [1, 5, 4], sections: sections.into_iter().map(section).collect() }
}

/// A network whose encoder has all that differs between training and evaluation.
fn network(latents: Layer) -> Network {
    let encoder = vec![
        Layer::Noise { deviation: 0.1 },
        Layer::Conv2d { out_channels: 3, kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
        norm(),
        Layer::Silu,
        linear(8),
        Layer::Tanh,
        Layer::Dropout { p: 0.2 },
        linear(2 * DIM),
        latents,
    ];
    let decoder = vec![linear(9), Layer::Silu, linear(PIXELS), Layer::Reshape { shape: [1, 5, 4] }];
    let last = [Layer::Sigmoid, Layer::LogScale];
    of(vec![("encoder", encoder), ("decoder", [decoder, last.to_vec()].concat())])
}

/// Parameters whose prior is that of their pseudo-inputs, and images.
fn scene(engine: &mut Engine<f64>) -> (Vec<f64>, Vec<f64>) {
    let mut random = stream(8, Purpose::Synthetic, 0, 0);
    let layout = engine.layout().clone();
    let mut parameters: Vec<f64> =
        (0..layout.parameter_count()).map(|_| 0.5 * random.normal()).collect();
    for parameter in layout.parameters().iter().filter(|p| p.name.ends_with("running_var")) {
        parameters[parameter.range()].iter_mut().for_each(|x| *x = 0.5 + x.abs());
    }
    if let Some(prior) = layout.pseudo_inputs() {
        parameters[prior.images].iter_mut().for_each(|x| *x = 0.1 + 0.8 * random.uniform());
    }
    engine.update_prior(&mut parameters).unwrap();
    (parameters, (0..PIXELS * SAMPLES).map(|_| random.uniform()).collect())
}

/// Compares all gradients that an objective has by parameters of the layers with central differences of it.
fn check(
    engine: &mut Engine<f64>,
    parameters: &[f64],
    gradients: &[f64],
    which: impl Iterator<Item = usize>,
    mut objective: impl FnMut(&mut Engine<f64>, &[f64]) -> f64,
) {
    let layout = engine.layout().clone();
    for i in which {
        if !is_trained(&layout, i) {
            continue;
        }
        let mut at = |step: f64| {
            let mut moved = parameters.to_vec();
            moved[i] += step;
            engine.update_prior(&mut moved).unwrap();
            objective(engine, &moved)
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        let error = (slope - gradients[i]).abs();
        assert!(error < 1e-6 * (1.0 + slope.abs()), "{i}: {slope} {}", gradients[i]);
    }
    let prior = layout.pseudo_inputs().unwrap();
    let moves = |all: &[f64]| all.iter().filter(|g| g.abs() > 1e-6).count();
    assert!(moves(&gradients[prior.images.clone()]) > COMPONENTS * PIXELS / 2);
    assert_eq!(moves(&gradients[prior.means.start..prior.log_variances.end]), 0);
}

#[test]
fn gradients_are_differences_of_the_loss_whose_prior_follows() {
    for pass in [Pass::Evaluate, TRAIN, Pass::Importance { seed: 4, draw: 1 }] {
        let mut engine = Engine::new(&network(VAMP), runtime(1, Isa::detect())).unwrap();
        let (parameters, images) = scene(&mut engine);
        let criterion = Criterion { weight: 0.7, ..LOSS.into() };
        let mut gradients = vec![f64::NAN; parameters.len()];
        let mut value = |engine: &mut Engine<f64>, parameters: &[f64]| {
            let (inputs, targets) = (Inputs::Values(&images), Targets::Inputs);
            let losses = engine
                .gradients(parameters, inputs, targets, criterion, pass, &mut gradients)
                .unwrap();
            losses.mean_loss() + 0.7 * losses.mean_penalty()
        };
        value(&mut engine, &parameters);
        let of_value = gradients.clone();
        // Of importance weights, the gradient of the encoder is a path derivative.
        let prior = engine.layout().pseudo_inputs().unwrap();
        let all = if matches!(pass, Pass::Importance { .. }) { prior.images.start } else { 0 };
        let mut losses = |engine: &mut Engine<f64>, parameters: &[f64]| {
            let (inputs, targets) = (Inputs::Values(&images), Targets::Inputs);
            let losses = engine.losses(parameters, inputs, targets, criterion, pass).unwrap();
            losses.mean_loss() + 0.7 * losses.mean_penalty()
        };
        check(&mut engine, &parameters, &of_value, all..parameters.len(), &mut losses);
    }
}

#[test]
fn gradients_of_the_bound_are_its_differences() {
    let mut engine = Engine::new(&network(VAMP), runtime(1, Isa::detect())).unwrap();
    let (parameters, images) = scene(&mut engine);
    let mut gradients = vec![f64::NAN; parameters.len()];
    let bound = |engine: &mut Engine<f64>, parameters: &[f64], gradients: &mut [f64]| {
        let inputs = Inputs::Values(&images);
        let bounds = engine.importance_gradients(parameters, inputs, LOSS, 4, TRAIN, gradients);
        let bounds = bounds.unwrap();
        bounds.iter().sum::<f64>() / bounds.len() as f64
    };
    bound(&mut engine, &parameters, &mut gradients);
    let first = engine.layout().pseudo_inputs().unwrap().images.start;
    let mut unused = gradients.clone();
    check(&mut engine, &parameters, &gradients, first..parameters.len(), |engine, moved| {
        bound(engine, moved, &mut unused)
    });
}

/// Also if the gradient of the output is given.
#[test]
fn the_backward_pass_of_sections_goes_through_the_prior() {
    let mut engine = Engine::new(&network(VAMP), runtime(1, Isa::detect())).unwrap();
    let (parameters, images) = scene(&mut engine);
    let factors: Vec<f64> = (0..DIM * SAMPLES).map(|i| (i % 7) as f64 - 3.0).collect();
    let inputs = || Inputs::Values(&images);
    let mut gradients = vec![f64::NAN; parameters.len()];
    let back =
        engine.backward(&parameters, inputs(), &factors[..], 0..1, TRAIN, &mut gradients).unwrap();
    assert!(back.input_gradients.is_none());
    let encoder = engine.layout().parameters_of(0..9);
    assert!(gradients[encoder.end..].iter().all(|g| g.to_bits() == 0));
    let mut unused = gradients.clone();
    check(&mut engine, &parameters, &gradients, encoder, |engine, moved| {
        let z = engine.outputs(moved, inputs(), 0..1, TRAIN).unwrap();
        let back = engine.backward(moved, inputs(), &factors[..], 0..1, TRAIN, &mut unused);
        let penalty = back.unwrap().penalty.iter().sum::<f64>() / SAMPLES as f64;
        z.iter().zip(&factors).map(|(z, factor)| z * factor).sum::<f64>() + penalty
    });
}

/// With the posteriors of the pseudo-inputs as its means and log-variances, and equal weights.
#[test]
fn the_losses_are_those_of_the_mixture_of_the_posteriors() {
    let mut engine = Engine::new(&network(VAMP), runtime(1, Isa::detect())).unwrap();
    let (parameters, images) = scene(&mut engine);
    let prior = engine.layout().pseudo_inputs().unwrap();
    let mixture = Layer::MixturePrior { components: COMPONENTS, features: 0 };
    let mut other = Engine::<f64>::new(&network(mixture), runtime(1, Isa::detect())).unwrap();
    let (before, after) = parameters.split_at(prior.images.start);
    let (of_mixture, after) = after[prior.images.len()..].split_at(2 * COMPONENTS * DIM);
    let same = [before, of_mixture, &[0.0; COMPONENTS], after].concat();
    for pass in [TRAIN, Pass::Importance { seed: 1, draw: 3 }] {
        let (inputs, targets) = (Inputs::Values(&images), Targets::Inputs);
        let own = engine.losses(&parameters, inputs, targets, LOSS, pass).unwrap();
        assert_eq!(own, other.losses(&same, inputs, targets, LOSS, pass).unwrap());
    }
    // A row of the encoder's output is the means and then the log-variances.
    let inputs = Inputs::Values(&parameters[prior.images.clone()]);
    let given = engine.forward_layers(&parameters, inputs, prior.encoder).unwrap();
    for (k, row) in given.chunks_exact(2 * DIM).enumerate() {
        assert_eq!(row[..DIM], parameters[prior.means.clone()][k * DIM..][..DIM]);
        assert_eq!(row[DIM..], parameters[prior.log_variances.clone()][k * DIM..][..DIM]);
    }
}

#[test]
fn every_way_to_compute_gives_the_same_bits() {
    let mut engine = Engine::new(&network(VAMP), runtime(1, Isa::detect())).unwrap();
    let (parameters, images) = scene(&mut engine);
    let (parameters, images) = (narrow(&parameters), narrow(&images));
    let of = |runtime: Arc<Runtime>| {
        let mut engine = Engine::<f32>::new(&network(VAMP), runtime).unwrap();
        let mut parameters = parameters.clone();
        engine.update_prior(&mut parameters).unwrap();
        let mut gradients = vec![f32::NAN; parameters.len()];
        let inputs = Inputs::Values(&images);
        let losses = engine
            .gradients(&parameters, inputs, Targets::Inputs, LOSS, TRAIN, &mut gradients)
            .unwrap();
        let penalties: Vec<u64> = losses.penalty.iter().map(|x| x.to_bits()).collect();
        let plain = bits(&gradients);
        engine.importance_gradients(&parameters, inputs, LOSS, 3, TRAIN, &mut gradients).unwrap();
        (bits(&parameters), penalties, plain, bits(&gradients))
    };
    assert_same_bits(of);
}

#[test]
fn pixels_stay_in_their_range_and_other_priors_as_they_are() {
    let mut engine = Engine::<f64>::new(&network(VAMP), runtime(1, Isa::detect())).unwrap();
    let (mut parameters, _) = scene(&mut engine);
    let at = engine.layout().pseudo_inputs().unwrap().images.start;
    parameters[at..at + 3].copy_from_slice(&[-0.25, 1.5, 0.75]);
    engine.update_prior(&mut parameters).unwrap();
    assert_eq!(parameters[at..at + 3], [0.0, 1.0, 0.75]);
    let once = parameters.clone();
    engine.update_prior(&mut parameters).unwrap();
    assert_eq!(parameters, once);
    assert!(engine.update_prior(&mut parameters[1..]).is_err());

    let mut engine =
        Engine::<f64>::new(&network(Layer::Gaussian), runtime(1, Isa::detect())).unwrap();
    let (parameters, _) = scene(&mut engine);
    let mut same = parameters.clone();
    engine.update_prior(&mut same).unwrap();
    assert_eq!((same, engine.layout().pseudo_inputs()), (parameters, None));
}

#[test]
fn a_prior_that_cannot_be_encoded_is_refused() {
    let residual =
        Layer::Residual { layers: vec![linear(6), VAMP], shortcut: vec![linear(3)], drop: 0.0 };
    let condition = Layer::Condition { features: 2 };
    for sections in [
        vec![("encoder", vec![Layer::Reshape { shape: [20, 1, 1] }, VAMP])],
        vec![("first", vec![linear(6)]), ("second", vec![VAMP])],
        vec![("encoder", vec![condition, linear(6), VAMP])],
        vec![("encoder", vec![linear(12), VAMP, VAMP])],
        vec![("encoder", vec![residual])],
    ] {
        let error = of(sections).layout().unwrap_err().to_string();
        assert!(error.contains("the only one of the network"), "{error}");
    }
    let none = vec![linear(6), Layer::VampPrior { components: 0 }];
    let error = of(vec![("encoder", none)]).layout().unwrap_err().to_string();
    assert!(error.contains("components must be at least 1"), "{error}");
}
