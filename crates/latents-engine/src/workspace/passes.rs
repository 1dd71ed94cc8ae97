//! The operations of a pass: forward, and backward with the gradients of the parameters.

use std::ops::Range;

use super::{MicroBatch, Shared, Workspace};
use crate::batch::{Pass, values_to_lanes};
use crate::buffer::Buffer;
use crate::draws::{draw_latents, draw_mask, draw_noise};
use crate::kernels::Element;
use crate::kernels::elementwise::{Activation, Add, Backward, Forward, Join, Multiply, Scale};
use crate::kernels::gather::Finish;
use crate::kernels::latent::{LatentBackward, LatentForward, Prior};
use crate::kernels::normalize::{Normalize, NormalizeBack};
use crate::kernels::pool::{Pool, PoolBack};
use crate::plan::Op;
use crate::simd::LANES;

impl<E: Element> Workspace<E> {
    /// Two buffers at once.
    pub(super) fn pair(&mut self, a: usize, b: usize) -> (&mut [E], &mut [E]) {
        pair(&mut self.buffers, a, b)
    }

    /// Runs the forward pass of some operations.
    pub(super) fn run(
        &mut self,
        shared: &Shared<'_, E>,
        ops: Range<usize>,
        pass: Pass,
        samples: &MicroBatch<'_>,
    ) {
        self.penalty = [0.0; LANES];
        let mut unwanted = 0;
        for (op, packed) in shared.plan.ops[ops.clone()].iter().zip(&shared.packed[ops]) {
            if unwanted > 0 {
                unwanted -= 1;
                continue;
            }
            match op {
                Op::Affine(affine) => {
                    let (input, output) = pair(&mut self.buffers, affine.input, affine.output);
                    let bias = Some(&shared.job.parameters[affine.bias.clone()]);
                    let weights = (&packed.forward, bias);
                    let finish = finish(affine.rectify, Finish::Rectify);
                    affine.forward.run(
                        shared.isa,
                        weights,
                        input,
                        output,
                        finish,
                        &mut self.scratch,
                    );
                }
                Op::Detach { ops, .. } if !samples.weighing.is_wanted() => unwanted = *ops,
                Op::Copy { input, output, .. } | Op::Detach { input, output, .. } => {
                    let (input, output) = self.pair(*input, *output);
                    output.copy_from_slice(input);
                }
                Op::Activation { activation, input, output } => {
                    // The input of the network may be the target too, and its gradient is not needed.
                    let differentiate = *input != 0;
                    let (input, output) = self.pair(*input, *output);
                    E::activate(
                        shared.isa,
                        Forward { activation: *activation, input, output, differentiate },
                    );
                }
                Op::Normalize(op) => {
                    let statistics = &mut self.statistics[op.statistics];
                    let (input, output) = pair(&mut self.buffers, op.input, op.output);
                    let run = Normalize {
                        input,
                        output,
                        parameters: &shared.job.parameters[op.parameters.clone()],
                        epsilon: op.epsilon,
                        samples: matches!(pass, Pass::Train { .. })
                            .then_some(samples.identities.len()),
                        rectify: op.rectify,
                        statistics,
                    };
                    E::normalize(shared.isa, run);
                }
                Op::Pool(op) => {
                    let places = op.places.map(|at| &mut self.places[at][..]);
                    let (input, output) = pair(&mut self.buffers, op.input, op.output);
                    E::pool(shared.isa, Pool { windows: &op.windows, input, output, places });
                }
                Op::Fork { input, copy, .. } => {
                    if let Some(copy) = copy {
                        let (input, copy) = self.pair(*input, *copy);
                        copy.copy_from_slice(input);
                    }
                }
                Op::Join { branch, shortcut, output, drop, layer, mask, .. } => {
                    self.draw_branches((*mask, *drop, *layer), pass, samples);
                    let factors = lanes(&self.masks[*mask]);
                    let [branch, shortcut, output] =
                        disjoint(&mut self.buffers, [*branch, *shortcut, *output]);
                    E::join(shared.isa, Join { branch, factors, shortcut, output });
                }
                Op::Dropout { buffer, p, layer, mask } => {
                    if let Pass::Train { seed, epoch } = pass {
                        let factors = &mut self.masks[*mask];
                        draw_mask(factors, *p, (seed, epoch, *layer), samples.identities);
                        let values = &mut self.buffers[*buffer];
                        E::multiply(shared.isa, Multiply { values, factors });
                    }
                }
                Op::Noise { buffer, deviation, layer } => {
                    if let Pass::Train { seed, epoch } = pass {
                        let values = &mut self.buffers[*buffer];
                        let key = (seed, epoch, *layer);
                        draw_noise(shared.isa, values, *deviation, key, samples.identities);
                    }
                }
                Op::Condition { input, output } => self.append_conditions(*input, *output),
                Op::MixturePrior(op) => self.run_mixture_prior(shared, op, pass, samples),
                Op::Quantize(op) => self.run_quantize(shared, op, samples),
                Op::CodeLoss { logits, places } => {
                    self.run_code_loss(shared, [*logits, *places], samples);
                }
                Op::Latent { prior, input, output, layer, mask } => {
                    let (latent, buffers) = ((*prior, *layer, *mask), [*input, *output]);
                    self.run_latent(shared, latent, buffers, pass, samples);
                }
            }
        }
    }

    fn run_latent(
        &mut self,
        shared: &Shared<'_, E>,
        (prior, layer, mask): (Prior, usize, usize),
        [input, output]: [usize; 2],
        pass: Pass,
        samples: &MicroBatch<'_>,
    ) {
        let noise = &mut self.masks[mask];
        // MMD needs at least two samples.
        if prior != Prior::Mmd || samples.weighing.samples > 1 {
            draw_latents(shared.isa, noise, prior, pass, layer, samples.identities);
        }
        let differentiate = input != 0;
        let (input, output) = pair(&mut self.buffers, input, output);
        let weighing = samples.weighing;
        let run = LatentForward { prior, weighing, input, noise, output, differentiate };
        let penalty = E::latent(shared.isa, run);
        self.add_penalty(penalty);
    }

    /// Copies the input and appends a constant channel for each number of the conditions.
    fn append_conditions(&mut self, input: usize, output: usize) {
        let (input, output) = pair(&mut self.buffers, input, output);
        let (values, channels) = output.split_at_mut(input.len());
        values.copy_from_slice(input);
        let plane = channels.len() / (self.conditions.len() / LANES);
        let channels = channels.chunks_exact_mut(plane);
        for (channel, lanes) in channels.zip(self.conditions.as_chunks::<LANES>().0) {
            channel.as_chunks_mut().0.fill(*lanes);
        }
    }

    /// Draws the factor of a residual's branch for each sample.
    fn draw_branches(
        &mut self,
        (mask, drop, layer): (usize, f64, usize),
        pass: Pass,
        samples: &MicroBatch<'_>,
    ) {
        let factors = &mut self.masks[mask];
        factors.fill(E::from_f64(1.0));
        if let Pass::Train { seed, epoch } = pass
            && drop > 0.0
        {
            draw_mask(factors, drop, (seed, epoch, layer), samples.identities);
        }
    }

    /// Backpropagates the gradient in the job's last buffer through its operations. Adds the gradients of convolutions to `shard`, and
    /// records in `record` what the gradients of linear layers need. `samples` are the samples of the micro-batch.
    pub(crate) fn backward(
        &mut self,
        shared: &Shared<'_, E>,
        samples: Range<usize>,
        shard: &mut [E],
        record: &mut [E],
    ) {
        if let Some((_, offset)) = shared.plan.log_scale {
            let gradient = self.scale_gradients.iter().sum::<f64>() / shared.job.samples as f64;
            shard[offset] = shard[offset].plus(E::from_f64(gradient));
        }
        let train = matches!(shared.job.pass, Pass::Train { .. });
        let ops = shared.start().0..shared.end().0;
        for (op, packed) in shared.plan.ops[ops.clone()].iter().zip(&shared.packed[ops]).rev() {
            match op {
                Op::Affine(affine) => {
                    let (input, output) = pair(&mut self.buffers, affine.input, affine.output);
                    let (isa, scratch) = (shared.isa, &mut self.scratch);
                    let sums = (&mut *shard, &mut *record);
                    affine.weight_gradient(isa, [input, output], sums, scratch);
                    if let Some(sum) = &affine.backward {
                        let finish = finish(affine.input_rectify, Finish::RectifyGradient);
                        sum.run(isa, (&packed.backward, None), output, input, finish, scratch);
                    }
                }
                Op::Copy { input, output, rectify } => {
                    if *input != 0 {
                        let activation = rectify.map_or(Activation::Identity, Activation::Rectify);
                        let (gradient, input) = self.pair(*output, *input);
                        E::activate_back(shared.isa, Backward { activation, input, gradient });
                    }
                }
                Op::Activation { activation, input, output } => {
                    if *input != 0 {
                        let (gradient, input) = self.pair(*output, *input);
                        E::activate_back(
                            shared.isa,
                            Backward { activation: *activation, input, gradient },
                        );
                    }
                }
                Op::Normalize(op) => {
                    let (input, gradient) = pair(&mut self.buffers, op.input, op.output);
                    let run = NormalizeBack {
                        input,
                        gradient,
                        parameters: &shared.job.parameters[op.parameters.clone()],
                        train,
                        samples: samples.len(),
                        batch: shared.job.samples,
                        statistics: &self.statistics[op.statistics],
                        out: &mut shard[op.offset..op.offset + op.parameters.len()],
                        differentiate: op.input != 0,
                    };
                    E::normalize_back(shared.isa, run);
                }
                Op::Pool(op) => {
                    if op.input != 0 {
                        let (input, gradient) = pair(&mut self.buffers, op.input, op.output);
                        let run = PoolBack {
                            windows: &op.windows,
                            input,
                            gradient,
                            places: op.places.map(|at| &self.places[at][..]),
                            input_rectify: op.input_rectify,
                        };
                        E::pool_back(shared.isa, run);
                    }
                }
                Op::Join { branch, shortcut, output, mask, differentiate, .. } => {
                    let factors = lanes(&self.masks[*mask]);
                    let [branch, shortcut, gradient] =
                        disjoint(&mut self.buffers, [*branch, *shortcut, *output]);
                    if *differentiate {
                        shortcut.copy_from_slice(gradient);
                    }
                    let run = Scale { input: gradient, factors, output: branch };
                    E::scale(shared.isa, run);
                }
                Op::Fork { input, gradient, .. } => {
                    let (values, terms) = self.pair(*input, *gradient);
                    E::add(shared.isa, Add { values, terms });
                }
                Op::Dropout { buffer, mask, .. } => {
                    if train {
                        let (values, factors) = (&mut self.buffers[*buffer], &self.masks[*mask]);
                        E::multiply(shared.isa, Multiply { values, factors });
                    }
                }
                // The gradient of logits is stored in their place by the forward pass.
                Op::Noise { .. } | Op::Detach { .. } | Op::CodeLoss { .. } => {}
                Op::Quantize(op) => self.backward_quantize(shared, op, shard),
                Op::Condition { input, output } => {
                    if *input != 0 {
                        let (input, gradient) = pair(&mut self.buffers, *input, *output);
                        input.copy_from_slice(&gradient[..input.len()]);
                    }
                }
                Op::MixturePrior(op) => {
                    self.backward_mixture_prior(shared, op, samples.clone(), shard);
                }
                Op::Latent { prior, input, output, layer, mask } => {
                    let (latent, buffers) = ((*prior, *layer, *mask), [*input, *output]);
                    self.backward_latent(shared, latent, buffers, samples.clone());
                }
            }
        }
    }

    fn backward_latent(
        &mut self,
        shared: &Shared<'_, E>,
        (prior, layer, mask): (Prior, usize, usize),
        [input, output]: [usize; 2],
        samples: Range<usize>,
    ) {
        if input != 0 {
            let noise = &self.masks[mask];
            let (input, gradient) = pair(&mut self.buffers, input, output);
            E::latent_back(shared.isa, LatentBackward { prior, input, noise, gradient });
            add_given(shared, layer, samples, input);
        }
    }
}

/// Adds the gradient that the job was given for the input of a layer, if it was given one.
pub(super) fn add_given<E: Element>(
    shared: &Shared<'_, E>,
    layer: usize,
    samples: Range<usize>,
    values: &mut [E],
) {
    if let Some(added) = shared.job.added.filter(|added| added.layer == layer) {
        let mut terms = vec![E::default(); values.len()];
        values_to_lanes(added.gradients, samples, values.len() / LANES, &mut terms);
        E::add(shared.isa, Add { values, terms: &terms });
    }
}

/// The last step of a sum, into which a ReLU with this slope below zero is fused if there is one.
fn finish<E: Element>(slope: Option<f64>, rectify: fn(E) -> Finish<E>) -> Finish<E> {
    slope.map_or(Finish::Store, |slope| rectify(E::from_f64(slope)))
}

/// Some buffers at once.
pub(super) fn disjoint<E, const N: usize>(
    buffers: &mut [Buffer<E>],
    which: [usize; N],
) -> [&mut [E]; N] {
    match buffers.get_disjoint_mut(which) {
        Ok(buffers) => buffers.map(|buffer| &mut **buffer),
        Err(_) => unreachable!("no operation reads and writes the same buffer"),
    }
}

pub(super) fn pair<E>(buffers: &mut [Buffer<E>], a: usize, b: usize) -> (&mut [E], &mut [E]) {
    let [a, b] = disjoint(buffers, [a, b]);
    (a, b)
}

/// A mask that has one factor for each lane.
fn lanes<E>(mask: &[E]) -> &[E; LANES] {
    &mask.as_chunks().0[0]
}
