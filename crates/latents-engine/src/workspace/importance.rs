//! The weights of draws, if a micro-batch has all draws of its samples: after the forward pass, the gradients that it left are multiplied by
//! them.

use super::{Shared, Workspace};
use crate::importance_weights::weigh;
use crate::kernels::Element;
use crate::plan::Op;
use crate::simd::{LANES, vectorize};

impl<E: Element> Workspace<E> {
    /// Multiplies the gradients of each draw of the losses and penalties of a micro-batch by its weight.
    pub(super) fn weigh_draws(&mut self, shared: &Shared<'_, E>, losses: &[f64], draws: usize) {
        let (_, weights) = weigh(losses, &self.penalty[..losses.len()], draws);
        let mut factors = [E::default(); LANES];
        for (lane, &weight) in weights.iter().enumerate() {
            factors[lane] = E::from_f64(weight);
            self.scale_gradients[lane] *= weight;
        }
        let scale = |values: &mut [E]| {
            vectorize(shared.isa, || {
                for lanes in values.as_chunks_mut::<LANES>().0 {
                    for (value, &factor) in lanes.iter_mut().zip(&factors) {
                        *value = value.times(factor);
                    }
                }
            });
        };
        let (end, output) = shared.end();
        scale(&mut self.buffers[output]);
        for op in &shared.plan.ops[shared.start().0..end] {
            match op {
                Op::Latent { input, .. } => scale(&mut self.buffers[*input]),
                Op::MixturePrior(op) => {
                    scale(&mut self.buffers[op.input]);
                    // What comes before it are the latents themselves.
                    let latents = self.buffers[op.output].len();
                    scale(&mut self.masks[op.kept][latents..]);
                }
                _ => {}
            }
        }
    }
}
