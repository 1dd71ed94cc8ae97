//! The forward and backward pass of one micro-batch. The buffers belong to a worker thread and are reused for each micro-batch; no
//! result stays in them.

mod importance;
mod mixture_prior;
mod passes;
mod quantize;

use std::ops::Range;

use crate::affine::{Packed, Scratch};
use crate::batch::{Mixup, Pass, Targets, values_to_lanes};
use crate::buffer::Buffer;
use crate::criterion::{Criterion, OutputGradients};
use crate::executor::{Draws, Head, Job, Weights};
use crate::isa::Isa;
use crate::kernels::Element;
use crate::kernels::latent::Weighing;
use crate::kernels::loss::{HALF_LOG_TWO_PI, LaneTarget, Loss, LossRun};
use crate::kernels::normalize::Statistics;
use crate::plan::Plan;
use crate::simd::LANES;

/// The data that all micro-batches of a call share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, E> {
    pub(crate) plan: &'a Plan,
    pub(crate) isa: Isa,
    pub(crate) packed: &'a [Packed<E>],
    pub(crate) job: &'a Job<'a, E>,
}

impl<E> Shared<'_, E> {
    /// Before the job's first layer: the number of operations so far, and the buffer of its input.
    fn start(&self) -> (usize, usize) {
        self.plan.boundaries[self.job.layers.start]
    }

    /// After the job's last layer: the number of operations so far, and the buffer of its output.
    fn end(&self) -> (usize, usize) {
        self.plan.boundaries[self.job.layers.end]
    }
}

/// The buffers of one worker thread.
#[derive(Debug)]
pub(crate) struct Workspace<E> {
    pub(crate) buffers: Vec<Buffer<E>>,
    /// `[feature][lane]`.
    conditions: Buffer<E>,
    masks: Vec<Buffer<E>>,
    statistics: Vec<Vec<Statistics<E>>>,
    places: Vec<Buffer<E>>,
    pub(crate) scratch: Scratch<E>,
    /// The penalty of each sample in the last forward pass.
    pub(crate) penalty: [f64; LANES],
    /// The gradients of the scale of the likelihood of the sample in each lane, before they are divided by the size of the batch.
    scale_gradients: [f64; LANES],
}

/// The draws and the penalty of a micro-batch.
struct MicroBatch<'a> {
    /// The identities of the samples, by which dropout, noise and latents are drawn.
    identities: &'a [u64],
    /// The weight of the penalty.
    weighing: Weighing,
}

impl<E: Element> Workspace<E> {
    pub(crate) fn new(plan: &Plan) -> Self {
        let zeros = |lens: &[usize]| lens.iter().map(|&n| Buffer::zeros(n)).collect();
        let statistics = plan.statistics.iter().map(|&n| vec![Statistics::default(); n]);
        Workspace {
            buffers: zeros(&plan.buffers),
            conditions: Buffer::zeros(plan.condition * LANES),
            masks: zeros(&plan.masks),
            statistics: statistics.collect(),
            places: zeros(&plan.places),
            scratch: Scratch::default(),
            penalty: [0.0; LANES],
            scale_gradients: [0.0; LANES],
        }
    }

    /// Loads some samples of the batch and runs their forward pass.
    fn load_and_run(&mut self, shared: &Shared<'_, E>, samples: Range<usize>, weighing: Weighing) {
        let Job { batch, pass, .. } = shared.job;
        let rows = || shared.job.rows(samples.clone());
        let (start, input) = shared.start();
        let input = &mut self.buffers[input];
        batch.inputs.to_lanes(rows(), input.len() / LANES, input);
        if !batch.conditions.is_empty() {
            let features = self.conditions.len() / LANES;
            values_to_lanes(batch.conditions, rows(), features, &mut self.conditions);
        }
        let identities = shared.job.identities(samples);
        let micro_batch = MicroBatch { identities: &identities, weighing };
        self.run(shared, start..shared.end().0, *pass, &micro_batch);
    }

    /// The forward pass of some samples; the job's last buffer then holds its output.
    pub(crate) fn outputs(&mut self, shared: &Shared<'_, E>, samples: Range<usize>) {
        let weighing = Weighing::UNWANTED;
        self.load_and_run(shared, samples, weighing);
    }

    /// The forward pass of some samples and their losses, zero if the gradient of the output is given. Afterwards the job's last buffer
    /// holds the gradient of the output, and `penalty` the penalties.
    pub(crate) fn head(
        &mut self,
        shared: &Shared<'_, E>,
        samples: Range<usize>,
        head: Head<'_, E>,
    ) -> [f64; LANES] {
        let (weight, floor) = match head {
            Head::Loss(Criterion { weight, free_bits, .. }, _)
            | Head::Gradients(OutputGradients { weight, free_bits, .. }) => (weight, free_bits),
        };
        let weighing = Weighing {
            scale: weight / shared.job.samples as f64,
            weights: shared.job.weights(samples.clone()),
            floor,
            samples: samples.len(),
            of_draw: matches!(shared.job.pass, Pass::Importance { .. })
                || shared.job.draws.is_some(),
        };
        self.load_and_run(shared, samples.clone(), weighing);
        self.scale_gradients = [0.0; LANES];
        match head {
            Head::Loss(criterion, targets) => {
                let losses = self.loss(shared, samples.clone(), criterion.loss, targets);
                if let Some(Draws { count, weights: Weights::OfPass, .. }) = shared.job.draws {
                    self.weigh_draws(shared, &losses[..samples.len()], count);
                }
                losses
            }
            Head::Gradients(gradients) => {
                self.seed(shared, samples, gradients.values);
                [0.0; LANES]
            }
        }
    }

    /// Adds the penalty that a layer gives each sample.
    fn add_penalty(&mut self, of_layer: [f64; LANES]) {
        for (sum, penalty) in self.penalty.iter_mut().zip(of_layer) {
            *sum += penalty;
        }
    }

    /// Replaces the output by its given gradient.
    fn seed(&mut self, shared: &Shared<'_, E>, samples: Range<usize>, gradients: &[E]) {
        let (_, last) = shared.end();
        let output = &mut self.buffers[last];
        let mut lanes = vec![E::default(); output.len()];
        values_to_lanes(gradients, samples, output.len() / LANES, &mut lanes);
        if let Some(slope) = shared.plan.fused[last].map(E::from_f64) {
            for (gradient, &value) in lanes.iter_mut().zip(output.iter()) {
                *gradient = if value > E::default() { *gradient } else { gradient.times(slope) };
            }
        }
        output.copy_from_slice(&lanes);
    }

    /// The losses of the samples. Replaces the output by the gradient of the mean loss of the batch.
    fn loss(
        &mut self,
        shared: &Shared<'_, E>,
        samples: Range<usize>,
        loss: Loss,
        targets: Targets<'_, E>,
    ) -> [f64; LANES] {
        let (count, batch) = (samples.len(), shared.job.samples);
        let weights = shared.job.weights(samples.clone());
        let (_, last) = shared.end();
        // If no layer before the loss computes anything, the output is the input, which may be the target too.
        let mut copy = if last == 0 { self.buffers[0].to_vec() } else { vec![] };
        let (input, prediction) = if last == 0 {
            (&*self.buffers[0], &mut copy[..])
        } else {
            let (input, prediction) = self.pair(0, last);
            (&*input, prediction)
        };
        let (each, job) = (prediction.len() / LANES, shared.job);
        let mut values = vec![];
        let target = match targets {
            Targets::Inputs => match job.draws {
                None => LaneTarget::Values(input),
                Some(draws) => {
                    values.resize(prediction.len(), E::default());
                    draws.inputs.to_lanes(job.rows(samples), each, &mut values);
                    LaneTarget::Values(&values)
                }
            },
            Targets::Values(all) => {
                values.resize(prediction.len(), E::default());
                values_to_lanes(all, samples, each, &mut values);
                LaneTarget::Values(&values)
            }
            Targets::Classes(all) => LaneTarget::Classes(mixtures(&all[samples], |&class| Mixup {
                classes: [class; 2],
                weight: 1.0,
            })),
            Targets::Mixup(all) => LaneTarget::Classes(mixtures(&all[samples], |&m| m)),
        };
        let parameters = shared.job.parameters;
        let log_scale = match (loss, shared.plan.log_scale) {
            (Loss::Gaussian { deviation: Some(deviation) }, _) => libm::log(deviation),
            (Loss::Gaussian { deviation: None }, Some((at, _))) => parameters[at].to_f64(),
            _ => 0.0,
        };
        let numbers = (prediction.len() / LANES) as f64;
        let run = LossRun { loss, prediction, target, samples: count, batch, weights, log_scale };
        let losses = E::loss(shared.isa, run);
        if loss == (Loss::Gaussian { deviation: None }) {
            // The derivative of n (s + c) + e / (2 exp(2 s)) by s, where e is the sum of squares; the last term is the loss minus the
            // first.
            let slope =
                |loss: f64| numbers - 2.0 * (loss - numbers * (log_scale + HALF_LOG_TWO_PI));
            let slopes = self.scale_gradients[..count].iter_mut().zip(&losses).zip(weights);
            for ((gradient, &loss), weight) in slopes {
                *gradient = weight * slope(loss);
            }
        }
        losses
    }

    /// After [`Workspace::backward`] of a plan with input gradients, or of a job that begins with a layer of latents: the gradient of the input of
    /// the job's first layer.
    pub(crate) fn input_gradient(&self, shared: &Shared<'_, E>) -> &[E] {
        let first = shared.job.layers.start;
        let copy = shared.plan.copies.iter().find(|&&(layer, _)| layer == first);
        // A layer of latents leaves the gradient in place of its input.
        &self.buffers[copy.map_or(shared.start().1, |&(_, buffer)| buffer)]
    }
}

/// One class target for each lane, including lanes without a sample.
fn mixtures<T>(samples: &[T], mixture: impl Fn(&T) -> Mixup) -> [Mixup; LANES] {
    std::array::from_fn(|lane| samples.get(lane).map_or_else(Mixup::default, &mixture))
}
