//! One micro-batch's passes: forward, and backward with the gradients of the convolutions. Buffers belong to a worker thread and
//! are used again for each micro-batch; nothing in them outlives one.

use crate::affine::{Packed, Scratch};
use crate::batch::{Inputs, Mixture, Pass, Targets, values_to_lanes};
use crate::buffer::Buffer;
use crate::draws::{draw_latents, draw_mask, draw_noise};
use crate::isa::Isa;
use crate::kernels::Element;
use crate::kernels::elementwise::{Add, Backward, Forward, Join, Multiply, Scale};
use crate::kernels::gather::Finish;
use crate::kernels::latent::{LatentBackward, LatentForward, Weighing};
use crate::kernels::loss::{HALF_LOG_TWO_PI, LaneTarget, Loss, LossRun};
use crate::kernels::normalize::{Normalize, NormalizeBack, Statistics};
use crate::kernels::pool::{Pool, PoolBack};
use crate::objective::Objective;
use crate::plan::{Op, Plan};
use crate::simd::LANES;

/// What every micro-batch of a call shares.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, E> {
    pub(crate) plan: &'a Plan,
    pub(crate) isa: Isa,
    pub(crate) parameters: &'a [E],
    pub(crate) packed: &'a [Packed<E>],
    /// Where the loss is taken: after so many operations, of that buffer.
    pub(crate) end: (usize, usize),
}

#[derive(Debug)]
pub(crate) struct Workspace<E> {
    pub(crate) buffers: Vec<Buffer<E>>,
    masks: Vec<Buffer<E>>,
    statistics: Vec<Vec<Statistics<E>>>,
    places: Vec<Buffer<E>>,
    scratch: Scratch<E>,
    /// The penalty of each sample, as the last forward pass left it.
    pub(crate) penalty: [f64; LANES],
    /// The gradient of the likelihood's scale.
    scale_gradient: f64,
}

/// Which samples a micro-batch holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lot {
    /// Samples in the micro-batch.
    pub(crate) samples: usize,
    /// Samples in the batch.
    pub(crate) batch: usize,
    pub(crate) pass: Pass,
}

/// The samples of a micro-batch.
pub(crate) struct Samples<'a> {
    /// By which dropout, noise and latents are drawn.
    pub(crate) identities: &'a [u64],
    /// Of the penalty.
    pub(crate) weighing: Weighing,
}

impl<'a> Samples<'a> {
    /// Where no penalty is asked for.
    pub(crate) fn unweighed(identities: &'a [u64]) -> Self {
        let samples = identities.len();
        Samples {
            identities,
            weighing: Weighing { scale: 0.0, floor: 0.0, samples, of_draw: false },
        }
    }
}

impl<E: Element> Workspace<E> {
    pub(crate) fn new(plan: &Plan) -> Self {
        let zeros = |lens: &[usize]| lens.iter().map(|&n| Buffer::zeros(n)).collect();
        let statistics = plan.statistics.iter().map(|&n| vec![Statistics::default(); n]);
        Workspace {
            buffers: zeros(&plan.buffers),
            masks: zeros(&plan.masks),
            statistics: statistics.collect(),
            places: zeros(&plan.places),
            scratch: Scratch::default(),
            penalty: [0.0; LANES],
            scale_gradient: 0.0,
        }
    }

    /// Two buffers at once.
    fn pair(&mut self, a: usize, b: usize) -> (&mut [E], &mut [E]) {
        pair(&mut self.buffers, a, b)
    }

    /// Runs operations.
    pub(crate) fn forward(
        &mut self,
        shared: &Shared<'_, E>,
        ops: std::ops::Range<usize>,
        pass: Pass,
        samples: &Samples<'_>,
    ) {
        self.penalty = [0.0; LANES];
        for (op, packed) in shared.plan.ops[ops.clone()].iter().zip(&shared.packed[ops]) {
            match op {
                Op::Affine(affine) => {
                    let (input, output) = pair(&mut self.buffers, affine.input, affine.output);
                    let bias = Some(&shared.parameters[affine.bias.clone()]);
                    let weights = (&packed.forward[..], bias);
                    let finish = match affine.rectify {
                        Some(slope) => Finish::Rectify(E::from_f64(slope)),
                        None => Finish::Store,
                    };
                    affine.forward.run(
                        shared.isa,
                        weights,
                        input,
                        output,
                        finish,
                        &mut self.scratch,
                    );
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
                Op::Normalize(op) => {
                    let statistics = &mut self.statistics[op.statistics];
                    let (input, output) = pair(&mut self.buffers, op.input, op.output);
                    let run = Normalize {
                        input,
                        output,
                        parameters: &shared.parameters[op.parameters.clone()],
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
                Op::Latent { prior, input, output, layer, mask } => {
                    let noise = &mut self.masks[*mask];
                    draw_latents(shared.isa, noise, *prior, pass, *layer, samples.identities);
                    let Ok([from, to]) = self.buffers.get_disjoint_mut([*input, *output]) else {
                        unreachable!("no operation reads and writes the same buffer")
                    };
                    let run = LatentForward {
                        prior: *prior,
                        weighing: samples.weighing,
                        input: from,
                        noise,
                        output: to,
                        differentiate: *input != 0,
                    };
                    let penalty = E::latent(shared.isa, run);
                    for (sum, penalty) in self.penalty.iter_mut().zip(penalty) {
                        *sum += penalty;
                    }
                }
            }
        }
    }

    /// What a residual's branch counts for each sample.
    fn draw_branches(
        &mut self,
        (mask, drop, layer): (usize, f64, usize),
        pass: Pass,
        samples: &Samples<'_>,
    ) {
        let factors = &mut self.masks[mask];
        factors.fill(E::from_f64(1.0));
        if let Pass::Train { seed, epoch } = pass
            && drop > 0.0
        {
            draw_mask(factors, drop, (seed, epoch, layer), samples.identities);
        }
    }

    /// Forward pass of some samples and their losses; the last buffer then holds the gradient of the batch's mean loss, and
    /// `penalty` the penalties.
    pub(crate) fn step(
        &mut self,
        shared: &Shared<'_, E>,
        inputs: Inputs<'_, E>,
        targets: Targets<'_, E>,
        samples: std::ops::Range<usize>,
        (objective, pass): (&Objective, Pass),
        batch: usize,
    ) -> [f64; LANES] {
        let plan = shared.plan;
        let Objective { loss, .. } = *objective;
        let (end, last) = shared.end;
        let numbers = self.buffers[0].len() / LANES;
        inputs.to_lanes(samples.clone(), numbers, &mut self.buffers[0]);
        let weighing = Weighing {
            scale: objective.weight / batch as f64,
            floor: objective.free_bits,
            samples: samples.len(),
            of_draw: matches!(pass, Pass::Importance { .. }),
        };
        let identities = inputs.identities(samples.clone());
        self.forward(shared, 0..end, pass, &Samples { identities: &identities, weighing });
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
            Targets::Classes(all) => LaneTarget::Classes(mixtures(&all[samples], |&class| {
                Mixture { classes: [class; 2], weight: 1.0 }
            })),
            Targets::Mixtures(all) => LaneTarget::Classes(mixtures(&all[samples], |&m| m)),
        };
        let log_scale = match (loss, plan.log_scale) {
            (Loss::Gaussian { deviation: Some(deviation) }, _) => libm::log(deviation),
            (Loss::Gaussian { deviation: None }, Some((at, _))) => shared.parameters[at].to_f64(),
            _ => 0.0,
        };
        let numbers = (prediction.len() / LANES) as f64;
        let run = LossRun { loss, prediction, target, samples: count, batch, log_scale };
        let losses = E::loss(shared.isa, run);
        // Of n (s + c) + e / (2 exp(2 s)), where e is the sum of squares, by s: the last term is what the loss has beyond the first.
        let slope = |loss: f64| numbers - 2.0 * (loss - numbers * (log_scale + HALF_LOG_TWO_PI));
        let slopes = losses[..count].iter().map(|&loss| slope(loss));
        self.scale_gradient = if loss == (Loss::Gaussian { deviation: None }) {
            slopes.sum::<f64>() / batch as f64
        } else {
            0.0
        };
        losses
    }

    /// Takes the gradient in the last buffer back through all operations. Gradients of convolutions are added to `shard`; what
    /// the matrices' gradients need goes to `record`.
    pub(crate) fn backward(
        &mut self,
        shared: &Shared<'_, E>,
        lot: Lot,
        shard: &mut [E],
        record: &mut [E],
    ) {
        if let Some((_, offset)) = shared.plan.log_scale {
            shard[offset] = shard[offset].plus(E::from_f64(self.scale_gradient));
        }
        let (end, _) = shared.end;
        for (op, packed) in shared.plan.ops[..end].iter().zip(shared.packed).rev() {
            match op {
                Op::Affine(affine) => {
                    let (input, output) = pair(&mut self.buffers, affine.input, affine.output);
                    let (isa, scratch) = (shared.isa, &mut self.scratch);
                    let sums = (&mut *shard, &mut *record);
                    affine.weight_gradient(isa, [input, output], sums, scratch);
                    if let Some(sum) = &affine.backward {
                        let finish = match affine.input_rectify {
                            Some(slope) => Finish::RectifyGradient(E::from_f64(slope)),
                            None => Finish::Store,
                        };
                        sum.run(isa, (&packed.backward, None), output, input, finish, scratch);
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
                        parameters: &shared.parameters[op.parameters.clone()],
                        train: matches!(lot.pass, Pass::Train { .. }),
                        samples: lot.samples,
                        batch: lot.batch,
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
                    if matches!(lot.pass, Pass::Train { .. }) {
                        let (values, factors) = (&mut self.buffers[*buffer], &self.masks[*mask]);
                        E::multiply(shared.isa, Multiply { values, factors });
                    }
                }
                Op::Noise { .. } => {}
                Op::Latent { prior, input, output, mask, .. } => {
                    if *input != 0 {
                        let noise = &self.masks[*mask];
                        let Ok([input, gradient]) =
                            self.buffers.get_disjoint_mut([*input, *output])
                        else {
                            unreachable!("no operation reads and writes the same buffer")
                        };
                        let run = LatentBackward { prior: *prior, input, noise, gradient };
                        E::latent_back(shared.isa, run);
                    }
                }
            }
        }
    }
}

/// A mixture for each lane, also where there is no sample.
fn mixtures<T>(samples: &[T], mixture: impl Fn(&T) -> Mixture) -> [Mixture; LANES] {
    std::array::from_fn(|lane| samples.get(lane).map_or_else(Mixture::default, &mixture))
}

/// Some buffers at once.
fn disjoint<E, const N: usize>(buffers: &mut [Buffer<E>], which: [usize; N]) -> [&mut [E]; N] {
    match buffers.get_disjoint_mut(which) {
        Ok(buffers) => buffers.map(|buffer| &mut **buffer),
        Err(_) => unreachable!("no operation reads and writes the same buffer"),
    }
}

fn pair<E>(buffers: &mut [Buffer<E>], a: usize, b: usize) -> (&mut [E], &mut [E]) {
    let [a, b] = disjoint(buffers, [a, b]);
    (a, b)
}

/// A mask that has one factor for each lane.
fn lanes<E>(mask: &[E]) -> &[E; LANES] {
    &mask.as_chunks().0[0]
}
