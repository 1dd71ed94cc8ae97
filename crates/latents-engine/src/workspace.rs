//! One micro-batch's passes: forward, and backward with the gradients of the convolutions. Buffers belong to a worker thread and
//! are used again for each micro-batch; nothing in them outlives one.

use latents_random::{Purpose, stream};

use crate::batch::{Inputs, Pass, Targets, values_to_lanes};
use crate::isa::Isa;
use crate::kernels::Element;
use crate::kernels::dot::{ChannelSums, DotRun};
use crate::kernels::elementwise::{Backward, Forward, Multiply};
use crate::kernels::gather::{Finish, GatherRun};
use crate::kernels::loss::{LaneTarget, Loss, LossRun};
use crate::plan::{Affine, Op, Plan, WeightGradient};
use crate::simd::LANES;

/// Packed weights of one affine operation; empty for the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed<E> {
    pub(crate) forward: Vec<E>,
    pub(crate) backward: Vec<E>,
}

/// What every micro-batch of a call shares.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, E> {
    pub(crate) plan: &'a Plan,
    pub(crate) isa: Isa,
    pub(crate) parameters: &'a [E],
    pub(crate) packed: &'a [Packed<E>],
}

#[derive(Debug)]
pub(crate) struct Workspace<E> {
    pub(crate) buffers: Vec<Vec<E>>,
    masks: Vec<Vec<E>>,
}

impl<E: Element> Workspace<E> {
    pub(crate) fn new(plan: &Plan) -> Self {
        let zeros = |lens: &[usize]| lens.iter().map(|&n| vec![E::default(); n]).collect();
        Workspace { buffers: zeros(&plan.buffers), masks: zeros(&plan.masks) }
    }

    /// Two buffers at once.
    fn pair(&mut self, a: usize, b: usize) -> (&mut [E], &mut [E]) {
        match self.buffers.get_disjoint_mut([a, b]) {
            Ok([a, b]) => (a, b),
            Err(_) => unreachable!("no operation reads and writes the same buffer"),
        }
    }

    /// Runs operations; `samples` are the identities of the samples in the lanes, by which dropout draws its masks.
    pub(crate) fn forward(
        &mut self,
        shared: &Shared<'_, E>,
        ops: std::ops::Range<usize>,
        pass: Pass,
        samples: &[u64],
    ) {
        for (op, packed) in shared.plan.ops[ops.clone()].iter().zip(&shared.packed[ops]) {
            match op {
                Op::Affine(affine) => {
                    let (input, output) = self.pair(affine.input, affine.output);
                    let run = GatherRun {
                        plan: &affine.forward,
                        weights: &packed.forward,
                        bias: Some(&shared.parameters[affine.bias.clone()]),
                        input,
                        output,
                        finish: match affine.rectify {
                            Some(slope) => Finish::Rectify(E::from_f64(slope)),
                            None => Finish::Store,
                        },
                    };
                    E::gather(shared.isa, run);
                }
                Op::Activation { activation, input, output } => {
                    // The network's input may be the target too, and nobody asks for its gradient.
                    let differentiate = *input != 0;
                    let (input, output) = self.pair(*input, *output);
                    E::activate(
                        shared.isa,
                        Forward { activation: *activation, input, output, differentiate },
                    );
                }
                Op::Dropout { buffer, p, layer, mask } => {
                    if let Pass::Train { seed, epoch } = pass {
                        let factors = &mut self.masks[*mask];
                        draw_mask(factors, *p, (seed, epoch, *layer), samples);
                        let values = &mut self.buffers[*buffer];
                        E::multiply(shared.isa, Multiply { values, factors });
                    }
                }
            }
        }
    }

    /// Forward pass of some samples and their losses; the last buffer then holds the gradient of the batch's mean loss.
    pub(crate) fn step(
        &mut self,
        shared: &Shared<'_, E>,
        inputs: Inputs<'_, E>,
        targets: Targets<'_, E>,
        samples: std::ops::Range<usize>,
        (loss, pass): (Loss, Pass),
        batch: usize,
    ) -> [f64; LANES] {
        let plan = shared.plan;
        let last = plan.boundaries[plan.boundaries.len() - 1].1;
        let numbers = self.buffers[0].len() / LANES;
        inputs.to_lanes(samples.clone(), numbers, &mut self.buffers[0]);
        self.forward(shared, 0..plan.ops.len(), pass, &inputs.identities(samples.clone()));
        let count = samples.len();
        let Ok([input, prediction]) = self.buffers.get_disjoint_mut([0, last]) else {
            unreachable!("a network has an operation")
        };
        let values;
        let target = match targets {
            Targets::Inputs => LaneTarget::Values(input),
            Targets::Values(all) => {
                let numbers = prediction.len() / LANES;
                let mut lanes = vec![E::default(); prediction.len()];
                values_to_lanes(all, samples, numbers, &mut lanes);
                values = lanes;
                LaneTarget::Values(&values)
            }
            Targets::Classes(all) => {
                let mut classes = [0; LANES];
                for (class, &c) in classes.iter_mut().zip(&all[samples]) {
                    *class = usize::from(c);
                }
                LaneTarget::Classes(classes)
            }
        };
        E::loss(shared.isa, LossRun { loss, prediction, target, samples: count, batch })
    }

    /// Takes the gradient in the last buffer back through all operations. Gradients of convolutions are added to `shard`; what
    /// the matrices' gradients need goes to `record`.
    pub(crate) fn backward(&mut self, shared: &Shared<'_, E>, shard: &mut [E], record: &mut [E]) {
        for (op, packed) in shared.plan.ops.iter().zip(shared.packed).rev() {
            match op {
                Op::Affine(affine) => {
                    self.weight_gradient(affine, shared.isa, shard, record);
                    if let Some(plan) = &affine.backward {
                        let (input, output) = self.pair(affine.output, affine.input);
                        let finish = match affine.input_rectify {
                            Some(slope) => Finish::RectifyGradient(E::from_f64(slope)),
                            None => Finish::Store,
                        };
                        let weights = &packed.backward;
                        let run = GatherRun { plan, weights, bias: None, input, output, finish };
                        E::gather(shared.isa, run);
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
                Op::Dropout { buffer, mask, .. } => {
                    let (values, factors) = (&mut self.buffers[*buffer], &self.masks[*mask]);
                    E::multiply(shared.isa, Multiply { values, factors });
                }
            }
        }
    }

    fn weight_gradient(&self, affine: &Affine, isa: Isa, shard: &mut [E], record: &mut [E]) {
        let (input, output) = (&self.buffers[affine.input], &self.buffers[affine.output]);
        match &affine.gradient {
            WeightGradient::Shard { dot, offset, output_is_small } => {
                let (weights, biases) = (affine.weight.len(), affine.bias.len());
                let shard = &mut shard[*offset..offset + weights + biases];
                let (weight, bias) = shard.split_at_mut(weights);
                let (a, b) = if *output_is_small { (output, input) } else { (input, output) };
                E::dot(isa, DotRun { plan: dot, rows: 0..dot.rows, a, b, out: weight });
                E::channel_sums(isa, ChannelSums { input: output, out: bias });
            }
            WeightGradient::Record { inputs, outputs, offset } => {
                let record = &mut record[*offset..offset + (inputs + outputs) * LANES];
                let (x, gradient) = record.split_at_mut(inputs * LANES);
                x.copy_from_slice(input);
                gradient.copy_from_slice(output);
            }
        }
    }
}

/// For each number and sample zero with probability `p`, else 1 / (1 - p).
fn draw_mask<E: Element>(
    factors: &mut [E],
    p: f64,
    (seed, epoch, layer): (u64, u64, usize),
    samples: &[u64],
) {
    let keep = E::from_f64(1.0 / (1.0 - p));
    let threshold = (p * f64::from(u32::MAX)) as u32;
    let mut bits = vec![0u8; factors.len() / LANES * 4];
    for (lane, &sample) in samples.iter().enumerate() {
        let counter = (layer as u64) << 48 | epoch;
        stream(seed, Purpose::Dropout, counter, sample).fill_bytes(&mut bits);
        for (factor, bytes) in factors[lane..].iter_mut().step_by(LANES).zip(bits.chunks_exact(4)) {
            let draw = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            *factor = if draw < threshold { E::default() } else { keep };
        }
    }
}
