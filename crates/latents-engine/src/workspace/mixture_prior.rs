//! The passes of latents with a learned prior.

use std::ops::Range;

use super::passes::{add_given, disjoint, pair};
use super::{MicroBatch, Shared, Workspace};
use crate::batch::Pass;
use crate::draws::draw_latents;
use crate::kernels::Element;
use crate::kernels::latent::{LatentBackward, Prior};
use crate::kernels::mixture_prior::{Mixture, MixturePriorBackward, MixturePriorForward};
use crate::plan::MixturePrior;

/// The mixture among the parameters, given the conditions of a micro-batch.
fn mixture<'a, E>(
    shared: &Shared<'a, E>,
    op: &MixturePrior,
    conditions: &'a [E],
) -> Mixture<'a, E> {
    let parameters = &shared.job.parameters[op.parameters.clone()];
    let conditions = if op.conditional { conditions } else { &[] };
    Mixture { parameters, components: op.components, uniform: op.uniform, conditions }
}

impl<E: Element> Workspace<E> {
    pub(super) fn run_mixture_prior(
        &mut self,
        shared: &Shared<'_, E>,
        op: &MixturePrior,
        pass: Pass,
        samples: &MicroBatch<'_>,
    ) {
        let [noise, kept] = disjoint(&mut self.masks, [op.mask, op.kept]);
        // The posterior is that of a normal prior, and so are its draws.
        let (prior, isa) = (Prior::Gaussian, shared.isa);
        draw_latents(isa, noise, prior, pass, op.layer, samples.identities);
        let (input, output) = pair(&mut self.buffers, op.input, op.output);
        let run = MixturePriorForward {
            mixture: mixture(shared, op, &self.conditions),
            weighing: samples.weighing,
            input,
            noise,
            kept,
            output,
            differentiate: op.input != 0,
        };
        let penalty = E::mixture_prior(isa, run);
        self.add_penalty(penalty);
    }

    pub(super) fn backward_mixture_prior(
        &mut self,
        shared: &Shared<'_, E>,
        op: &MixturePrior,
        samples: Range<usize>,
        shard: &mut [E],
    ) {
        let run = MixturePriorBackward {
            mixture: mixture(shared, op, &self.conditions),
            kept: &self.masks[op.kept],
            gradient: &mut shard[op.offset..op.offset + op.parameters.len()],
        };
        E::mixture_prior_back(shared.isa, run);
        if op.input != 0 {
            let (prior, noise) = (Prior::Gaussian, &self.masks[op.mask]);
            let (input, gradient) = pair(&mut self.buffers, op.input, op.output);
            E::latent_back(shared.isa, LatentBackward { prior, input, noise, gradient });
            add_given(shared, op.layer, samples, input);
        }
    }
}
