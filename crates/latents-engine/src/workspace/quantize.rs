//! The passes of a vector quantiser.

use super::passes::{disjoint, pair};
use super::{MicroBatch, Shared, Workspace};
use crate::kernels::Element;
use crate::kernels::quantize::{CodeLoss, LevelsForward, QuantizeBackward, QuantizeForward};
use crate::plan::{Codes, Quantize};
use crate::simd::LANES;

impl<E: Element> Workspace<E> {
    pub(super) fn run_quantize(
        &mut self,
        shared: &Shared<'_, E>,
        op: &Quantize,
        samples: &MicroBatch<'_>,
    ) {
        let (input, output) = pair(&mut self.buffers, op.input, op.output);
        let places = &mut self.places[op.places];
        match &op.codes {
            Codes::Levels(levels) => {
                E::quantize_levels(shared.isa, LevelsForward { levels, input, places, output });
            }
            Codes::Learned { kept, parameters, .. } => {
                let codes = &shared.job.parameters[parameters.clone()];
                let (weighing, kept) = (samples.weighing, &mut self.masks[*kept][..]);
                let run = QuantizeForward { weighing, codes, input, places, kept, output };
                E::quantize(shared.isa, run);
            }
        }
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
        match &op.codes {
            Codes::Levels(_) => {
                if let Some(input) = input {
                    input.copy_from_slice(gradient);
                }
            }
            Codes::Learned { commitment, kept, parameters, offset } => {
                let run = QuantizeBackward {
                    commitment: *commitment,
                    places: &self.places[op.places],
                    kept: &self.masks[*kept],
                    gradient,
                    input,
                    codes: &mut shard[*offset..offset + parameters.len()],
                };
                E::quantize_back(shared.isa, run);
            }
        }
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
