//! Penalties of the posterior of a batch, on every instruction set.

use latents_engine::Posterior;

use crate::{Golden, runtimes};

/// Tolerance of single precision; PyTorch computed these files in double precision.
const TOLERANCE: f64 = 1e-5;

#[test]
fn penalties_and_gradients_are_those_of_pytorch() {
    for golden in Golden::read_all("batch_penalties_", 3) {
        let (dim, parameters) = (golden.case("dim"), golden.values("posterior"));
        let posterior = Posterior { dim, parameters, draws: golden.values("draws") };
        for runtime in runtimes() {
            let how = runtime.isa().to_string();
            let correlation = posterior.total_correlation(&runtime).unwrap();
            let mmd = posterior.mmd(golden.values("prior"), &runtime).unwrap();
            // With one axis, the total correlation is 0, and so is its gradient.
            for (name, penalty) in [("total_correlation", correlation), ("mmd", mmd)] {
                golden.check(name, &[penalty.value as f32], TOLERANCE, &how);
                golden.check(&format!("grad.{name}"), &penalty.gradients, TOLERANCE, &how);
            }
        }
    }
}
