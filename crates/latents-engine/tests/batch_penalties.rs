//! Penalties of the posterior of a batch compared with their definitions, and how their gradients enter a pass.

#![allow(clippy::unwrap_used, clippy::float_cmp)] // Values without rounding must be equal.

use std::f64::consts::TAU;
use std::sync::Arc;

use latents_engine::{
    BatchPenalty, Criterion, Element, Engine, EngineOptions, Inputs, Isa, Layer, Loss, Network,
    Pass, Posterior, Runtime, Section, Targets,
};
use latents_random::{Purpose, stream};

/// Means and log-variances `[n, 2 d]`, draws `[n, d]` and draws of the prior `[n, d]`.
fn scene(n: usize, dim: usize) -> [Vec<f64>; 3] {
    let mut random = stream(5, Purpose::Synthetic, n as u64, dim as u64);
    let mut numbers = |count: usize, scale: f64| -> Vec<f64> {
        (0..count).map(|_| scale * random.normal()).collect()
    };
    let mut parameters = numbers(n * 2 * dim, 0.8);
    for row in parameters.chunks_exact_mut(2 * dim) {
        row[dim..].iter_mut().for_each(|log| *log -= 1.0);
    }
    [parameters, numbers(n * dim, 1.0), numbers(n * dim, 1.0)]
}

fn narrow(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&x| x as f32).collect()
}

fn runtime(threads: usize, isa: Isa) -> Runtime {
    Runtime::new(Some(threads), Some(isa)).unwrap()
}

/// z of each sample.
fn drawn(dim: usize, parameters: &[f64], draws: &[f64]) -> Vec<Vec<f64>> {
    let rows = parameters.chunks_exact(2 * dim).zip(draws.chunks_exact(dim));
    let z =
        |row: &[f64], draws: &[f64], k: usize| row[k] + libm::exp(row[dim + k] / 2.0) * draws[k];
    rows.map(|(row, draws)| (0..dim).map(|k| z(row, draws, k)).collect()).collect()
}

/// From densities, not from their logarithms.
fn total_correlation(dim: usize, parameters: &[f64], draws: &[f64]) -> f64 {
    let z = drawn(dim, parameters, draws);
    let n = z.len() as f64;
    let density = |z: f64, row: &[f64], k: usize| {
        let variance = libm::exp(row[dim + k]);
        libm::exp(-(z - row[k]).powi(2) / (2.0 * variance)) / (TAU * variance).sqrt()
    };
    let rows: Vec<&[f64]> = parameters.chunks_exact(2 * dim).collect();
    let mut sum = 0.0;
    for z in &z {
        let joint: f64 = rows
            .iter()
            .map(|row| (0..dim).map(|k| density(z[k], row, k)).product::<f64>() / n)
            .sum();
        let marginals: f64 = (0..dim)
            .map(|k| rows.iter().map(|row| density(z[k], row, k) / n).sum::<f64>())
            .product();
        sum += libm::log(joint / marginals);
    }
    sum / n
}

/// The estimate of Tolstikhin et al. (2018).
fn mmd(dim: usize, parameters: &[f64], draws: &[f64], prior: &[f64]) -> f64 {
    let z = drawn(dim, parameters, draws);
    let prior: Vec<Vec<f64>> = prior.chunks_exact(dim).map(<[f64]>::to_vec).collect();
    let kernel = |a: &[f64], b: &[f64]| {
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
        let widths = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let c = widths.map(|width| 2.0 * dim as f64 * width);
        c.iter().map(|c| c / (c + square)).sum::<f64>()
    };
    let n = z.len() as f64;
    let mut total = 0.0;
    for i in 0..z.len() {
        for j in 0..z.len() {
            total -= 2.0 * kernel(&z[i], &prior[j]) / (n * n);
            if i != j {
                let both = kernel(&z[i], &z[j]) + kernel(&prior[i], &prior[j]);
                total += both / (n * (n - 1.0));
            }
        }
    }
    total
}

/// Both penalties of a posterior, and the same by their definitions.
fn both<E: Element>(
    dim: usize,
    [parameters, draws, prior]: [&[E]; 3],
    runtime: &Runtime,
) -> [BatchPenalty<E>; 2] {
    let posterior = Posterior { dim, parameters, draws };
    [posterior.total_correlation(runtime).unwrap(), posterior.mmd(prior, runtime).unwrap()]
}

#[test]
fn values_are_those_of_the_definitions() {
    for (n, dim) in [(2, 1), (3, 2), (16, 3), (37, 5)] {
        let [parameters, draws, prior] = scene(n, dim);
        let expected =
            [total_correlation(dim, &parameters, &draws), mmd(dim, &parameters, &draws, &prior)];
        assert!(dim == 1 || expected.iter().all(|x| x.abs() > 1e-3), "{expected:?}");
        let runtime = runtime(1, Isa::Portable);
        let wide = both(dim, [&parameters, &draws, &prior], &runtime);
        let single = [&parameters, &draws, &prior].map(|x| narrow(x));
        let single = both(dim, single.each_ref().map(|x| &x[..]), &runtime);
        for i in 0..2 {
            let (expected, got) = (expected[i], wide[i].value);
            assert!((got - expected).abs() < 1e-12, "{n}x{dim}, {i}: {got} {expected}");
            let got = single[i].value;
            assert!((got - expected).abs() < 1e-5, "{n}x{dim}, {i}: {got} {expected}");
        }
    }
}

/// Two points by hand: with the same variance v on one axis, draws of 0 and means a and b, each density is 1 or exp(-(a - b)^2 / 2 v) of its
/// largest value.
#[test]
fn a_batch_of_two_is_right_by_hand() {
    let runtime = runtime(1, Isa::Portable);
    let (v, a, b) = (0.5_f64, [0.2, -0.4], [1.0, 0.8]);
    let log = libm::log(v);
    let parameters = [a[0], a[1], log, log, b[0], b[1], log, log];
    let posterior = Posterior { dim: 2, parameters: &parameters, draws: &[0.0; 4] };
    let other = [0, 1].map(|k| libm::exp(-(a[k] - b[k]) * (a[k] - b[k]) / (2.0 * v)));
    let mean = |other: f64| f64::midpoint(1.0, other);
    let expected = libm::log(mean(other[0] * other[1]) / (mean(other[0]) * mean(other[1])));
    let value = posterior.total_correlation(&runtime).unwrap().value;
    assert!((value - expected).abs() < 1e-14 && expected > 0.1, "{value} {expected}");
    // One axis has no other to depend on, and one sample no other to be compared with.
    let one = Posterior { dim: 1, parameters: &parameters[..4], draws: &[0.3, -1.0] };
    let one = one.total_correlation(&runtime).unwrap();
    assert!(one.value.abs() < 1e-15 && one.gradients.iter().all(|g| g.abs() < 1e-15));
    let alone = Posterior { dim: 2, parameters: &parameters[..4], draws: &[0.3, -1.0] };
    let alone = both(2, [alone.parameters, alone.draws, &[1.0, 2.0]], &runtime);
    for penalty in &alone {
        assert!(penalty.value.abs() < 1e-15 && penalty.gradients.iter().all(|g| g.abs() < 1e-15));
        assert_eq!(penalty.gradients.len(), 4);
    }
    let none = both(2, [&[0.0; 0], &[], &[]], &runtime);
    assert!(none.iter().all(|penalty| penalty.value == 0.0 && penalty.gradients.is_empty()));
    let wrong = Posterior { dim: 2, parameters: &parameters, draws: &[0.0; 6] };
    assert!(wrong.total_correlation(&runtime).unwrap_err().to_string().contains("posterior"));
    assert!(posterior.mmd(&[0.0; 2], &runtime).unwrap_err().to_string().contains("prior"));
}

#[test]
fn gradients_are_differences() {
    for (n, dim) in [(3, 2), (18, 3)] {
        let [mut parameters, draws, prior] = scene(n, dim);
        let runtime = runtime(2, Isa::detect());
        let exact = both(dim, [&parameters, &draws, &prior], &runtime);
        assert!(exact.iter().all(|x| x.gradients.iter().any(|g| g.abs() > 1e-3)));
        for i in 0..parameters.len() {
            let (own, step) = (parameters[i], 1e-5);
            let mut values = |x: f64| {
                parameters[i] = x;
                both(dim, [&parameters, &draws, &prior], &runtime).map(|penalty| penalty.value)
            };
            let (above, below) = (values(own + step), values(own - step));
            parameters[i] = own;
            for which in 0..2 {
                let slope = (above[which] - below[which]) / (2.0 * step);
                let got = exact[which].gradients[i];
                assert!((slope - got).abs() < 1e-6, "{which}, {i}: {slope} {got}");
            }
        }
    }
}

#[test]
fn bits_depend_on_neither_threads_nor_instruction_set() {
    let (n, dim) = (83, 7);
    let scene = scene(n, dim).map(|x| narrow(&x));
    let bits = |threads, isa| {
        let of = both(dim, scene.each_ref().map(|x| &x[..]), &runtime(threads, isa));
        of.map(|x| {
            let gradients: Vec<u32> = x.gradients.iter().map(|g| g.to_bits()).collect();
            (x.value.to_bits(), gradients)
        })
    };
    let one = bits(1, Isa::Portable);
    for isa in Isa::available() {
        for threads in [1, 2, 5] {
            assert_eq!(bits(threads, isa), one, "{isa}, {threads} threads");
        }
    }
}

fn engine(network: &Network, input_gradients: bool) -> Engine<f64> {
    let options = EngineOptions { input_gradients, ..EngineOptions::default() };
    let runtime = Arc::new(Runtime::new(Some(2), None).unwrap());
    Engine::with_options(network, runtime, options).unwrap()
}

/// The layer compares the samples of a micro-batch as the penalty compares those of a batch.
#[test]
fn the_discrepancy_of_a_micro_batch_is_that_of_the_layer() {
    let (n, dim) = (11, 3);
    let [z, ..] = scene(n, dim);
    let z: Vec<f64> = z.chunks_exact(2 * dim).flat_map(|row| &row[..dim]).copied().collect();
    let sections = vec![Section { name: "latents".into(), layers: vec![Layer::MmdPenalty] }];
    let mut engine = engine(&Network { input: [dim, 1, 1], sections }, true);
    let pass = Pass::Train { seed: 3, epoch: 2 };
    let inputs = Inputs::Values(&z);
    let zeros = vec![0.0; z.len()];
    let layer = engine.backward(&[], inputs, &zeros[..], 0..1, pass, &mut []).unwrap();
    let prior = engine.prior_draws(inputs, 0, pass).unwrap();
    let rows = z.chunks_exact(dim);
    let parameters: Vec<f64> = rows.flat_map(|row| [row, &[-1.0; 3]].concat()).collect();
    let posterior = Posterior { dim, parameters: &parameters, draws: &zeros };
    let own = posterior.mmd(&prior, engine.runtime()).unwrap();
    assert!((own.value - layer.penalty[0]).abs() < 1e-13, "{} {}", own.value, layer.penalty[0]);
    let theirs = layer.input_gradients.unwrap();
    for (own, theirs) in own.gradients.chunks_exact(2 * dim).zip(theirs.chunks_exact(dim)) {
        for k in 0..dim {
            // The draws are 0, so the log-variances move nothing.
            assert!((own[k] - theirs[k]).abs() < 1e-13 && own[dim + k] == 0.0);
        }
    }
}

/// A network with a layer of layers before the Gaussian, so that the number of a layer is not that of its draws.
fn variational() -> Network {
    let branch =
        vec![Layer::Linear { out_features: 6 }, Layer::Silu, Layer::Linear { out_features: 6 }];
    let residual = Layer::Residual { layers: branch, shortcut: vec![], drop: 0.0 };
    let section = |name: &str, layers| Section { name: name.into(), layers };
    let before =
        vec![Layer::Linear { out_features: 6 }, residual, Layer::Linear { out_features: 4 }];
    let after = vec![Layer::Gaussian, Layer::Linear { out_features: 5 }, Layer::Sigmoid];
    Network { input: [5, 1, 1], sections: vec![section("before", before), section("after", after)] }
}

#[test]
fn an_added_gradient_is_that_of_a_linear_term() {
    let network = variational();
    let mut engine = engine(&network, false);
    let count = engine.layout().parameter_count();
    let n = 19;
    let mut random = stream(6, Purpose::Synthetic, 0, 0);
    let parameters: Vec<f64> = (0..count).map(|_| 0.4 * random.normal()).collect();
    let images: Vec<f64> = (0..n * 5).map(|_| random.uniform()).collect();
    let given: Vec<f64> = (0..n * 4).map(|_| 0.1 * random.normal()).collect();
    let (inputs, targets) = (Inputs::Values(&images), Targets::Inputs);
    let pass = Pass::Train { seed: 2, epoch: 1 };
    let criterion = Criterion { weight: 0.3, skip: 1, ..Loss::Bernoulli.into() };
    let mut of = |coupled: &[f64]| {
        let mut gradients = vec![0.0; count];
        let criterion = criterion.coupled(3, coupled);
        let losses =
            engine.gradients(&parameters, inputs, targets, criterion, pass, &mut gradients);
        (losses.unwrap(), gradients)
    };
    let ((plain, without), (losses, with)) = (of(&[]), of(&given));
    assert_eq!(plain, losses);
    let mut linear = vec![0.0; count];
    engine.backward(&parameters, inputs, &given[..], 0..1, pass, &mut linear).unwrap();
    assert!(linear.iter().any(|g| g.abs() > 0.01));
    for i in 0..count {
        assert!((without[i] + linear[i] - with[i]).abs() < 1e-12, "parameter {i}");
    }
    // By differences of the loss and the term.
    for i in (0..count).step_by(7) {
        let mut moved = parameters.clone();
        let mut at = |x: f64| {
            moved[i] = x;
            let losses = engine.losses(&moved, inputs, targets, criterion, pass).unwrap();
            let posterior = engine.outputs_of_layers(&moved, inputs, 0..3, pass).unwrap();
            let term: f64 = posterior.iter().zip(&given).map(|(x, g)| x * g).sum();
            losses.mean_loss() + 0.3 * losses.mean_penalty() + term
        };
        let slope = (at(parameters[i] + 1e-5) - at(parameters[i] - 1e-5)) / 2e-5;
        assert!((slope - with[i]).abs() < 1e-6 * (1.0 + slope.abs()), "{i}: {slope} {}", with[i]);
    }
    let mut said = |layer, gradients: &[f64]| {
        let criterion = criterion.coupled(layer, gradients);
        let mut ignored = vec![0.0; count];
        let failed = engine.gradients(&parameters, inputs, targets, criterion, pass, &mut ignored);
        failed.unwrap_err().to_string()
    };
    assert!(said(2, &given).contains("not a layer of latents"));
    assert!(said(6, &given).contains("not a layer of latents"));
    assert!(said(3, &given[1..]).contains("added gradients"));
}

#[test]
fn draws_of_the_posterior_are_those_of_the_pass() {
    let mut engine = engine(&variational(), false);
    let parameters = vec![0.1; engine.layout().parameter_count()];
    let images: Vec<f64> = (0..19 * 5).map(|i| f64::from(i) / 95.0).collect();
    let inputs = Inputs::Values(&images);
    for pass in [Pass::Train { seed: 2, epoch: 7 }, Pass::Sample { seed: 2, draw: 1 }] {
        let posterior = engine.outputs_of_layers(&parameters, inputs, 0..3, pass).unwrap();
        let z = engine.outputs_of_layers(&parameters, inputs, 0..4, pass).unwrap();
        let draws = engine.posterior_draws(inputs, 3, pass).unwrap();
        assert_eq!(drawn(2, &posterior, &draws).concat().len(), z.len());
        for (ours, theirs) in drawn(2, &posterior, &draws).concat().iter().zip(&z) {
            assert!((ours - theirs).abs() < 1e-14);
        }
        let prior = engine.prior_draws(inputs, 3, pass).unwrap();
        assert!(prior.iter().zip(&draws).all(|(a, b)| a != b));
        let mean: f64 = draws.iter().map(|x| x * x).sum::<f64>() / draws.len() as f64;
        assert!((mean - 1.0).abs() < 0.8, "{mean}");
    }
    let still = engine.posterior_draws(inputs, 3, Pass::Evaluate).unwrap();
    assert!(still.iter().all(|&x| x == 0.0));
    assert!(engine.posterior_draws(inputs, 6, Pass::Evaluate).is_err());
}
