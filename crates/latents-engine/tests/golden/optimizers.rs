//! Optimisers, each alone and together as groups of one vector of parameters.

use std::collections::BTreeSet;

use latents_engine::{Group, Optimizer, Rule, Runtime};
use serde::Deserialize;

use crate::{Golden, runtimes};

const TOLERANCE: f64 = 1e-6;
const TENSORS: [&str; 3] = ["0", "1", "2"];
/// A parameter in no group.
const IDLE: f32 = 0.5;

/// Settings under PyTorch's names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    kind: String,
    lr: f64,
    weight_decay: f64,
    momentum: Option<f64>,
    nesterov: Option<bool>,
    betas: Option<[f64; 2]>,
    eps: Option<f64>,
}

impl Settings {
    fn rule(&self) -> Rule {
        let weight_decay = self.weight_decay;
        let moments = || (self.betas.unwrap(), self.eps.unwrap());
        match self.kind.as_str() {
            "sgd" => Rule::Sgd {
                momentum: self.momentum.unwrap(),
                nesterov: self.nesterov.unwrap(),
                weight_decay,
            },
            "adam" => {
                let (betas, epsilon) = moments();
                Rule::Adam { betas, epsilon, weight_decay }
            }
            "adamw" => {
                let (betas, epsilon) = moments();
                Rule::AdamW { betas, epsilon, weight_decay }
            }
            other => panic!("optimiser {other}"),
        }
    }
}

/// Runs the steps of some files, with one group for each file followed by a number in no group, and compares the parameters with
/// PyTorch's. Returns the final parameters.
fn check(goldens: &[&Golden], runtime: &Runtime) -> Vec<f32> {
    let (mut groups, mut parameters, mut tensors, mut idle) = (vec![], vec![], vec![], vec![]);
    for golden in goldens {
        let settings: Settings = golden.case("optimizer");
        let start = parameters.len();
        for k in TENSORS {
            let values = golden.values(&format!("param.{k}"));
            tensors.push((*golden, k, parameters.len()..parameters.len() + values.len()));
            parameters.extend(values);
        }
        groups.push(Group {
            parameters: start..parameters.len(),
            rule: settings.rule(),
            // The factor of every step halves it again, which is exact.
            learning_rate: 2.0 * settings.lr,
        });
        idle.push(parameters.len());
        parameters.push(IDLE);
    }
    let mut optimizer = Optimizer::new(groups, parameters.len()).unwrap();
    let mut gradients = vec![1.0; parameters.len()];
    for step in 1..=20 {
        for (golden, k, range) in &tensors {
            let all = golden.tensor(&format!("grad.{k}"));
            assert_eq!(all.shape[0], 20);
            let size = range.len();
            gradients[range.clone()].copy_from_slice(&all.values[(step - 1) * size..step * size]);
        }
        optimizer.step(runtime, &mut parameters, &gradients, 0.5);
        if [1, 2, 20].contains(&step) {
            for (golden, k, range) in &tensors {
                let name = format!("param.{k}.step{step}");
                let how = format!("{}, {} groups", runtime.isa(), goldens.len());
                golden.check(&name, &parameters[range.clone()], TOLERANCE, &how);
            }
        }
    }
    let stayed = idle.iter().all(|&i| parameters[i].to_bits() == IDLE.to_bits());
    assert!(stayed, "a number in no group has moved");
    parameters
}

#[test]
fn optimizers_step_as_pytorch_does() {
    let goldens = Golden::read_all("optimizer_", 9);
    let mut kinds = BTreeSet::new();
    for golden in &goldens {
        kinds.insert(golden.case::<Settings>("optimizer").kind);
        for runtime in runtimes() {
            check(&[golden], &runtime);
        }
    }
    assert_eq!(kinds, BTreeSet::from(["adam", "adamw", "sgd"].map(str::to_owned)));
}

#[test]
fn groups_side_by_side_step_as_each_alone() {
    let goldens = Golden::read_all("optimizer_", 9);
    let named = |name: &str| goldens.iter().find(|g| g.name == name).unwrap();
    for runtime in runtimes() {
        let pair = [named("optimizer_sgd_nesterov"), named("optimizer_adamw_weight_decay")];
        for some in [&pair[..], &goldens.iter().collect::<Vec<_>>()] {
            let alone: Vec<f32> = some.iter().flat_map(|g| check(&[g], &runtime)).collect();
            assert_eq!(check(some, &runtime), alone, "{} groups", some.len());
        }
    }
}
