//! Losses, penalties, images and gradients of variational autoencoders and related models, on every instruction set.

use std::sync::Arc;

use latents_engine::{Criterion, Engine, Inputs, Loss, Pass, Role, Targets};

use crate::networks::Layers;
use crate::{Golden, runtimes};

/// Tolerance of single precision; PyTorch computed these files in double precision.
const TOLERANCE: f64 = 1e-5;

#[test]
fn objectives_are_those_of_pytorchs_distributions() {
    let runtimes = runtimes();
    for golden in Golden::read_all("latents_", 9) {
        let network = golden.case::<Layers>("network").network();
        let loss = match golden.case::<String>("loss").as_str() {
            "bernoulli" => Loss::Bernoulli,
            "continuous_bernoulli" => Loss::ContinuousBernoulli,
            "gaussian" => Loss::Gaussian { deviation: Some(golden.case("deviation")) },
            "gaussian_learned" => Loss::Gaussian { deviation: None },
            other => panic!("{}: loss {other}", golden.name),
        };
        let (weight, skip) = (golden.case("weight"), golden.case("skip"));
        let criterion = Criterion { loss, weight, skip, free_bits: 0.0 };
        let layout = network.layout().unwrap();
        let mut parameters = vec![0.0; layout.parameter_count()];
        for parameter in layout.parameters() {
            let tensor = golden.tensor(&parameter.name);
            assert_eq!(parameter.shape, tensor.shape, "{}: {}", golden.name, parameter.name);
            parameters[parameter.range()].copy_from_slice(&tensor.values);
        }
        let theirs = golden.tensors.keys().filter(|name| name.starts_with("grad."));
        assert_eq!(theirs.count(), layout.parameters().len(), "{}", golden.name);
        let inputs = Inputs::Values(golden.values("input"));
        for runtime in &runtimes {
            let how = runtime.isa().to_string();
            let mut engine = Engine::<f32>::new(&network, Arc::clone(runtime)).unwrap();
            engine.update_prior(&mut parameters).unwrap();
            for parameter in layout.parameters().iter().filter(|p| p.role == Role::Derived) {
                let name = &parameter.name;
                golden.check(name, &parameters[parameter.range()], TOLERANCE, &how);
            }
            let mut gradients = vec![f32::NAN; parameters.len()];
            let (targets, pass) = (Targets::Inputs, Pass::Evaluate);
            let losses = engine
                .gradients(&parameters, inputs, targets, criterion, pass, &mut gradients)
                .unwrap();
            let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<f32>>();
            golden.check("fit", &narrow(&losses.loss), TOLERANCE, &how);
            golden.check("penalty", &narrow(&losses.penalty), TOLERANCE, &how);
            for parameter in layout.parameters() {
                let name = format!("grad.{}", parameter.name);
                golden.check(&name, &gradients[parameter.range()], TOLERANCE, &how);
            }
            let output = engine.forward(&parameters, inputs, 0..1).unwrap();
            golden.check("output", &output, TOLERANCE, &how);
        }
    }
}
