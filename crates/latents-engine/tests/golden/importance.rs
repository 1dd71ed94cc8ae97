//! The importance-weighted bound and its doubly reparameterised gradient, on every instruction set.

use std::sync::Arc;

use latents_engine::{Criterion, Element, Engine, Inputs, Loss, Pass, Runtime};

use crate::networks::Layers;
use crate::{Golden, runtimes};

#[test]
fn importance_gradients_are_those_of_pytorch() {
    let runtimes = runtimes();
    for golden in Golden::read_all("iwae_", 4) {
        for runtime in &runtimes {
            check::<f64>(&golden, runtime, 1e-6);
            // The normal numbers themselves have an error of 1e-6 or more in single precision.
            check::<f32>(&golden, runtime, 1e-4);
        }
    }
}

fn check<E: Element>(golden: &Golden, runtime: &Arc<Runtime>, tolerance: f64) {
    let network = golden.case::<Layers>("network").network();
    let loss = match golden.case::<String>("loss").as_str() {
        "bernoulli" => Loss::Bernoulli,
        "continuous_bernoulli" => Loss::ContinuousBernoulli,
        "gaussian_learned" => Loss::Gaussian { deviation: None },
        other => panic!("{}: loss {other}", golden.name),
    };
    let criterion = Criterion { skip: golden.case("skip"), ..loss.into() };
    let wide = |x: &[f32]| x.iter().map(|&x| E::from_f32(x)).collect::<Vec<E>>();
    let layout = network.layout().unwrap();
    let mut parameters = vec![E::default(); layout.parameter_count()];
    for parameter in layout.parameters() {
        parameters[parameter.range()].copy_from_slice(&wide(golden.values(&parameter.name)));
    }
    let theirs = golden.tensors.keys().filter(|name| name.starts_with("grad."));
    assert_eq!(theirs.count(), layout.parameters().len(), "{}", golden.name);
    let (seed, epoch) = (golden.case("seed"), golden.case("epoch"));
    let images = wide(golden.values("input"));
    let mut engine = Engine::<E>::new(&network, Arc::clone(runtime)).unwrap();
    engine.update_prior(&mut parameters).unwrap();
    let mut gradients = vec![E::from_f64(f64::NAN); parameters.len()];
    let (inputs, draws, pass) =
        (Inputs::Values(&images), golden.case("draws"), Pass::Train { seed, epoch });
    let bounds = engine
        .importance_gradients(&parameters, inputs, criterion, draws, pass, &mut gradients)
        .unwrap();
    let how = format!("{}, {} bytes", runtime.isa(), size_of::<E>());
    let bounds: Vec<f32> = bounds.iter().map(|&x| x as f32).collect();
    golden.check("bound", &bounds, tolerance, &how);
    for parameter in layout.parameters() {
        let of_it: Vec<f32> = gradients[parameter.range()].iter().map(|x| x.to_f32()).collect();
        golden.check(&format!("grad.{}", parameter.name), &of_it, tolerance, &how);
    }
}
