//! The interface between [`crate::Engine`] and a way to compute. The engine checks its arguments and describes the work as a [`Job`].
//! An [`Executor`] is made for the plan of one network and does the job for a whole batch: it packs the parameters, runs the
//! micro-batches forward and backward, and assembles the gradients. The engine makes one dynamic call per job.
//!
//! [`crate::exact`] is the only executor. It computes as the plan says (in the number type of the engine, or products in bfloat16), with
//! every sum in one fixed order. Another device (a GPU) is another executor. It must give the same bits on every run and any number of
//! threads. If they differ from the bits of the exact executor, a run must choose it by its own name in the settings, as it chooses
//! [`crate::Precision`], and it must never replace the exact executor silently.

use std::fmt;
use std::ops::Range;

use crate::batch::{Batch, Inputs, Pass, Targets};
use crate::criterion::{Criterion, Losses, OutputGradients};
use crate::importance_weights::draws_at_once;
use crate::number::Number;
use crate::simd::LANES;

/// A pass over some layers; the engine has checked all sizes.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a, E> {
    /// All parameters of the network.
    pub(crate) parameters: &'a [E],
    pub(crate) batch: Batch<'a, E>,
    /// Samples of the pass: those of the batch, or all draws of each.
    pub(crate) samples: usize,
    /// The layers to run, counted through all sections.
    pub(crate) layers: Range<usize>,
    pub(crate) pass: Pass,
    pub(crate) added: Option<Added<'a, E>>,
    pub(crate) draws: Option<Draws<'a, E>>,
}

/// Several draws of the latents of each sample of a batch. The samples of the pass are the draws of the batch's first sample, then those of its
/// second, and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws<'a, E> {
    /// Draws of each sample.
    pub(crate) count: usize,
    /// The inputs of the whole network, which are the targets and address the draws. The inputs of the batch are their posteriors.
    pub(crate) inputs: Inputs<'a, E>,
    pub(crate) weights: Weights<'a>,
}

/// The factors by which the gradients of the loss and the penalty of draws are multiplied. For each sample, their mean is 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weights<'a> {
    /// All weigh the same.
    Same,
    /// One for each draw.
    Given(&'a [f64]),
    /// Those of the importance weights that the pass itself computes ([`whole_samples`](crate::importance_weights::whole_samples) must allow it).
    OfPass,
}

impl<E: Number> Job<'_, E> {
    /// The number of samples of the pass in a micro-batch.
    pub(crate) fn micro_batch(&self) -> usize {
        match self.draws {
            Some(Draws { count, weights: Weights::OfPass, .. }) => draws_at_once(count),
            _ => LANES,
        }
    }

    /// The batch's sample of each of some samples of the pass.
    pub(crate) fn rows(&self, samples: Range<usize>) -> impl Iterator<Item = usize> + use<E> {
        let count = self.draws.map_or(1, |draws| draws.count);
        samples.map(move |i| i / count)
    }

    /// The identities by which the random numbers of some samples are keyed. Those of a sample's first draw are the sample's own.
    pub(crate) fn identities(&self, samples: Range<usize>) -> Vec<u64> {
        let identity = |i: usize| match self.draws {
            None => self.batch.inputs.identity(i),
            Some(Draws { count, inputs, .. }) => {
                ((i % count) as u64) << 32 | inputs.identity(i / count)
            }
        };
        samples.map(identity).collect()
    }

    /// The weights of some samples, as far as they are given; 1 for others and in lanes without a sample.
    pub(crate) fn weights(&self, samples: Range<usize>) -> [f64; LANES] {
        let mut lanes = [1.0; LANES];
        if let Some(Draws { weights: Weights::Given(weights), .. }) = self.draws {
            lanes[..samples.len()].copy_from_slice(&weights[samples]);
        }
        lanes
    }
}

/// A gradient that the backward pass adds to that of the input of a layer of latents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added<'a, E> {
    /// The layer's number, as operations have it.
    pub(crate) layer: usize,
    /// `[n, ...]`.
    pub(crate) gradients: &'a [E],
}

/// The source of the gradient of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Head<'a, E> {
    /// A loss that compares the output with targets.
    Loss(Criterion, Targets<'a, E>),
    /// The gradient is given.
    Gradients(OutputGradients<'a, E>),
}

/// The destination of the gradients. Both vectors are overwritten.
#[derive(Debug)]
pub(crate) struct Gradients<'a, E> {
    /// One number for each parameter of the network.
    pub(crate) parameters: &'a mut [E],
    /// Range of the parameters of the job's layers; the gradients of all others are zero.
    pub(crate) range: Range<usize>,
    /// Gradients of the input of the job's first layer, `[n, ...]`. Present only if the executor was made for input gradients, or this is a
    /// layer of latents after others.
    pub(crate) inputs: Option<&'a mut [E]>,
}

/// A way to compute the plan of one network.
pub(crate) trait Executor<E>: fmt::Debug + Send + Sync {
    /// The output of the layers, `[n, ...]`.
    fn outputs(&mut self, job: &Job<'_, E>) -> Vec<E>;

    /// The loss and the penalty of each sample.
    fn losses(
        &mut self,
        job: &Job<'_, E>,
        criterion: &Criterion,
        targets: Targets<'_, E>,
    ) -> Losses;

    /// Gradients, and the loss and the penalty of each sample. The loss is zero if the output's gradient is given.
    fn gradients(
        &mut self,
        job: &Job<'_, E>,
        head: Head<'_, E>,
        gradients: Gradients<'_, E>,
    ) -> Losses;
}
