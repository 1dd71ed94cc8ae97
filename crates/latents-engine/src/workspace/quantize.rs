//! The passes of a vector quantiser.

use super::passes::{disjoint, pair};
use super::{MicroBatch, Shared, Workspace};
use crate::kernels::Element;
use crate::kernels::quantize::{CodeLoss, QuantizeBackward, QuantizeForward};
use crate::plan::Quantize;
use crate::simd::LANES;

impl<E: Element> Workspace<E> {
    pub(super) fn run_quantize(
        &mut self,
        shared: &Shared<'_, E>,
        op: &Quantize,
        samples: &MicroBatch<'_>,
    ) {
        let (input, output) = pair(&mut self.buffers, op.input, op.output);
        let run = QuantizeForward {
            weighing: samples.weighing,
            codes: &shared.job.parameters[op.parameters.clone()],
            input,
            places: &mut self.places[op.places],
            kept: &mut self.masks[op.kept],
            output,
        };
        E::quantize(shared.isa, run);
        self.add_penalty([op.uniform; LANES]);
    }

    pub(super) fn backward_quantize(
        &mut self,
        shared: &Shared<'_, E>,
        op: &Quantize,
        shard: &mut [E],
    ) {
        let (input, gradient) = if op.input == 0 {
            (None, &self.buffers[op.output][..])
        } else {
            let [input, gradient] = disjoint(&mut self.buffers, [op.input, op.output]);
            (Some(input), &*gradient)
        };
        let run = QuantizeBackward {
            commitment: op.commitment,
            places: &self.places[op.places],
            kept: &self.masks[op.kept],
            gradient,
            input,
            codes: &mut shard[op.offset..op.offset + op.parameters.len()],
        };
        E::quantize_back(shared.isa, run);
    }

    /// The likelihood of the codes that a quantiser left in `places`.
    pub(super) fn run_code_loss(
        &mut self,
        shared: &Shared<'_, E>,
        [logits, places]: [usize; 2],
        samples: &MicroBatch<'_>,
    ) {
        let (places, logits) = (&self.places[places], &mut self.buffers[logits]);
        let run = CodeLoss { weighing: samples.weighing, places, logits };
        let losses = E::code_loss(shared.isa, run);
        self.add_penalty(losses);
    }
}
